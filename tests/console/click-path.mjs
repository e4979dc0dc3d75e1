// Walks through the console in a real browser, as an operator and as a member: every view in both languages, light and
// dark, on a phone and at a desk, empty and with trouble; then what is done there, click by click.
//
//   cargo build -p contribution
//   cd tests/console && npm ci && node click-path.mjs          (LOOKS=desktop-light-en walks one look alone)
//
// CHROMIUM says which browser, CONTRIBUTION which binary, PICTURES where the pictures go; CONSOLE_FILES names a directory
// whose files are looked at instead of those that were built in.

import { open, Look, Visitor } from "./browser.mjs";
import { guardClicks, memberClicks, operatorClicks, troubleClicks } from "./clicks.mjs";
import { outboundClicks } from "./outbound.mjs";
import { startAll, tokenOf } from "./stacks.mjs";

const OWN = "D25122700018";
const VIEWS = ["", "network", "snapshots", "snapshots/2026-02-10", "snapshots/2031-01-01", "held", "quarantine", "waiting", "systems", "source", "events", "webhooks", "webhooks/none", "operations",
  "order/57", "order/26", "order/999999", `account/${OWN}`, `account/${OWN}/statement`, `account/${OWN}/tree`, `account/${OWN}/proof`, `account/${OWN}/proof/2026-02-01`, "account/OPERATION/statement",
  "account/D25122700014", "account/HEADQUARTERS", "account/HEADQUARTERS/statement", "account/NOBODY-KNOWN", "no-such-view"];
const TROUBLED = ["", "held", "held/NO_REFERRAL", "quarantine", "quarantine/MALFORMED_JSON", "waiting", "operations", "systems", "source", "events", "webhooks", "order/17", "order/907",
  "account/PROVINCE:440000", "account/D25122800901", "account/D25122800901/tree", "account/D25122800901/proof"];
const GUARDED = ["", "operations", "waiting"];
const EMPTY = ["", "network", "snapshots", "held", "quarantine", "waiting", "systems", "source", "events", "webhooks", "operations", "account/D25122700018", "order/57"];
const OF_MEMBER = ["", `account/${OWN}/statement`, `account/${OWN}/tree`, `account/${OWN}/proof`, `account/${OWN}/proof/2026-02-01`, "account/D25122700019", "held", "order/57", "webhooks", "operations"];

const looks = ["light", "dark"].flatMap((theme) => ["desktop", "phone"].flatMap((size) => ["en", "zh"].map((language) => new Look(theme, size, language))))
  .filter((look) => !process.env.LOOKS || process.env.LOOKS.split(",").includes(look.name));

async function visitAll(browser, stack, look, token, views, prefix) {
  const visitor = await Visitor.at(browser, stack, look);
  visitor.expected = ["404", "403", "401"];
  await visitor.page.goto(stack.url);
  await visitor.page.locator("main h1").waitFor();
  await visitor.judge("sign-in");
  await visitor.signIn(token);
  const failures = [];
  for (const view of views) await visitor.visit(view, prefix + (view || "overview")).catch((error) => failures.push(error));
  await visitor.leave();
  if (failures.length) throw new AggregateError(failures, failures.map((error) => error.message).join("\n"));
}

const stacks = await startAll();
const browser = await open();
let failed = 0;
const attempt = async (name, work) => {
  const began = Date.now();
  try { await work(); console.log(`${name}: ok, ${((Date.now() - began) / 1e3).toFixed(0)} s`); }
  catch (error) {
    failed += 1;
    console.error(`${name}: ${error.stack}\n${Visitor.latest?.complaints.join("\n")}`);
    await Visitor.latest?.keep("failed-" + name.replaceAll(/\W+/g, "-")).catch(() => {});
    await Visitor.latest?.context.close().catch(() => {});
  }
};
try {
  const operator = tokenOf("--operate"), member = tokenOf("--account", OWN);
  for (const look of looks) {
    await attempt(`${look.name}: an operator's views`, () => visitAll(browser, stacks.demo, look, operator, VIEWS, "operator-"));
    await attempt(`${look.name}: views of trouble`, () => visitAll(browser, stacks.trouble, look, operator, TROUBLED, "trouble-"));
    await attempt(`${look.name}: views of a close that the guard stops`, () => visitAll(browser, stacks.guarded, look, operator, GUARDED, "guarded-"));
    await attempt(`${look.name}: views of nothing`, () => visitAll(browser, stacks.nothing, look, operator, EMPTY, "empty-"));
    await attempt(`${look.name}: a member's views`, () => visitAll(browser, stacks.demo, look, member, OF_MEMBER, "member-"));
  }
  const [desk, phone] = [new Look("light", "desktop", "en"), new Look("dark", "phone", "en")];
  for (const look of [desk, phone]) {
    await attempt(`${look.name}: what an operator clicks`, () => operatorClicks(browser, stacks.demo, look, { operator, member }));
    await attempt(`${look.name}: what a member clicks`, () => memberClicks(browser, stacks.demo, look, { member }));
  }
  for (const look of [desk, phone]) await attempt(`${look.name}: what is done about other services`, () => outboundClicks(browser, stacks.demo, look, { operator }));
  await attempt("what is done about a suspicious close", () => guardClicks(browser, stacks.guarded, desk, { operator }));
  await attempt("what is done about trouble", () => troubleClicks(browser, stacks.trouble, desk, { operator }));
} finally {
  await browser.close();
  stacks.stop();
}
process.exit(failed ? 1 : 0);
