// What is clicked: each step does what a person would do next, and looks at what comes of it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Visitor } from "./browser.mjs";

const VERIFY = join(import.meta.dirname, "../../docs/proof/verify.py");
const [UPLINE, MEMBER] = ["D25122700018", "D25122700019"];

async function search(visitor, text) {
  await visitor.page.locator("h1").first().waitFor();
  await visitor.page.locator("header input[type=search]").fill(text);
  await visitor.page.keyboard.press("Enter");
}
export const panel = (visitor, title) => visitor.page.locator("section.panel").filter({ has: visitor.page.getByRole("heading", { name: title, exact: true }) });
const tab = (visitor, name) => visitor.page.getByRole("navigation", { name: "About the account" }).getByRole("link", { name, exact: true }).click();
const saved = async (visitor, button) => {
  const [download] = await Promise.all([visitor.page.waitForEvent("download"), visitor.page.getByRole("button", { name: button }).click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
};
/// Sends the form with this button after its reason was given; returns what was answered.
export async function act(visitor, within, button, reason) {
  const form = within.locator("form.act").filter({ has: visitor.page.getByRole("button", { name: button, exact: true }) });
  await form.getByLabel("Why").fill(reason);
  await form.getByRole("button", { name: button, exact: true }).click();
  const said = form.locator("[aria-live] .note");
  await said.waitFor();
  return said.innerText();
}

export async function operatorClicks(browser, stack, look, { operator, member }) {
  const visitor = await Visitor.at(browser, stack, look), { page } = visitor;
  await page.goto(stack.url);
  await visitor.heading("Sign in");
  assert.equal(await page.locator("header input[type=search]").isVisible(), false, "nothing to search before signing in");
  visitor.expected = ["401"];
  await page.getByLabel("Access token").fill("not.a.token");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Access token").fill(operator);
  await page.keyboard.press("Enter");
  await visitor.heading("Overview");
  visitor.expected = ["404"];
  await theIncident(visitor);
  await anAccount(visitor);
  await genealogy(visitor);
  await dates(visitor);
  await sessions(visitor, { member });
  await visitor.leave();
}

/// The order of the incident, from the keyboard; and from its chain to the account that had nearly received nothing.
async function theIncident(visitor) {
  const { page } = visitor;
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.type), "search", "/ goes to the search");
  await page.keyboard.type("#57");
  await page.keyboard.press("Enter");
  await visitor.heading("Order 57");
  const levelOne = page.locator("ol.chain > li").filter({ hasText: "Level 1" }).filter({ hasText: UPLINE });
  assert.match(await levelOne.innerText(), /226\.17/);
  assert.match(await levelOne.innerText(), /Unlocked: 5 levels with 1 direct referral that adopted/);
  assert.ok(await page.locator("ol.chain > li.locked").count() > 0, "locks have their reasons");
  await levelOne.getByRole("link", { name: UPLINE }).click();
  await visitor.heading(UPLINE);
  assert.match(await page.locator("main").innerText(), /60079\.57263/, "digits copy as they are");
  await page.goBack();
  await visitor.heading("Order 57");
  await page.goForward();
  await visitor.heading(UPLINE);
}

/// What an account asks: what if, a statement of a period with its file, a balance of a date, a proof with its file.
async function anAccount(visitor) {
  const { page } = visitor;
  await page.getByLabel(/If D25122700018 adopted/).fill("2");
  await page.getByRole("button", { name: "Compute" }).click();
  await page.getByRole("region", { name: /^What if/ }).waitFor();
  assert.match(await panel(visitor, "What if").innerText(), /It would get/);
  await visitor.judge("clicked-what-if");

  await tab(visitor, "Statement");
  await page.getByLabel("From", { exact: true }).fill("2026-01-10");
  await page.getByLabel("To", { exact: true }).fill("2026-02-10");
  await page.getByRole("button", { name: "Show" }).first().click();
  await page.getByText("2026-01-10 – 2026-02-10").waitFor();
  const { name, text } = await saved(visitor, "Save as CSV");
  assert.equal(name, `statement-${UPLINE}-2026-01-10-2026-02-10.csv`);
  const rows = text.trim().split(/\r?\n/).map((line) => line.split(","));
  const units = (row) => BigInt(row[5].replaceAll(/["'.]/g, ""));
  assert.equal(rows.slice(1, -1).reduce((sum, row) => sum + units(row), 0n), units(rows.at(-1)), "opening and lines make the closing balance");
  await page.getByLabel("Date", { exact: true }).fill("2026-01-20");
  await page.getByRole("button", { name: "Show" }).last().click();
  await page.getByText("Effective, as of 2026-01-20").waitFor();
  await visitor.judge("clicked-statement");

  await tab(visitor, "Proof");
  await page.getByLabel("Closed date").waitFor();
  const proof = await saved(visitor, "Save the proof");
  assert.match(execFileSync("python3", [VERIFY], { input: proof.text, encoding: "utf8" }), /verified/);
  await page.getByLabel("Closed date").selectOption("2026-02-01");
  await page.getByRole("heading", { name: "Proof of 2026-02-01" }).waitFor();
}

/// The tree, with the keyboard, and by looking for an account at its bottom.
async function genealogy(visitor) {
  const { page } = visitor;
  await search(visitor, "d25122700001");
  await visitor.heading("D25122700001");
  await tab(visitor, "Genealogy");
  const tree = page.getByRole("tree");
  await tree.waitFor();
  await page.locator("[role=treeitem][tabindex='0']").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("[role=treeitem][aria-expanded=true] [role=treeitem]").first().waitFor();
  await page.keyboard.press("ArrowDown");
  assert.ok(await page.evaluate(() => document.activeElement.parentElement.getAttribute("role") === "group"), "down goes into what was opened");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await tree.locator("[role=treeitem][aria-expanded=true]").count(), 0);
  await page.getByLabel("Find an account below").fill(MEMBER.toLowerCase());
  await page.keyboard.press("Enter");
  const found = tree.locator(".found");
  await found.waitFor();
  assert.match(await found.innerText(), new RegExp(MEMBER));
  assert.match(await found.innerText(), /17 own trees, 19 of the team/);
  await visitor.judge("clicked-tree");
  await page.getByLabel("Find an account below").fill("OPERATION");
  await page.keyboard.press("Enter");
  await panel(visitor, "Below").locator(".note").waitFor();
  visitor.complaints = visitor.complaints.filter((text) => !text.includes("400"));
}

/// A closed date: its rows, their file, and the way from a row to its account.
async function dates(visitor) {
  const { page } = visitor;
  await page.getByRole("link", { name: "Snapshots", exact: true }).click();
  await visitor.heading("Snapshots");
  await page.getByRole("link", { name: "2026-02-10", exact: true }).click();
  await visitor.heading("2026-02-10");
  const { name, text } = await saved(visitor, "Save as CSV");
  assert.equal(name, "snapshot-2026-02-10.csv");
  const ratios = text.trim().split(/\r?\n/).slice(1).map((line) => BigInt(/0\.(\d{18})|1\.0{18}/.exec(line)?.[1] ?? 10 ** 18));
  assert.equal(ratios.reduce((sum, ratio) => sum + ratio, 0n), 10n ** 18n, "the ratios of the file sum to one");
  await page.getByRole("button", { name: "Show more" }).first().click();
  await page.getByRole("region", { name: /^Rows/ }).locator("tbody tr").nth(20).waitFor();
  await page.getByRole("region", { name: /^Rows/ }).getByRole("link", { name: "OPERATION" }).click();
  await visitor.heading("OPERATION");
}

/// Language, a second tab, another session's link, and the way out.
async function sessions(visitor, { member }) {
  const { page, context, url } = visitor;
  await page.getByRole("button", { name: "中文" }).click();
  await page.getByRole("link", { name: "总览", exact: true }).first().waitFor();
  await page.getByRole("button", { name: "English" }).click();
  const second = await context.newPage();
  await second.goto(`${url}/#/order/57`);
  await second.getByRole("heading", { level: 1, name: "Order 57" }).waitFor();
  await second.goto(`${url}/#token=${member}`);
  await second.getByRole("heading", { level: 1, name: "Another session is open" }).waitFor();
  await second.getByRole("button", { name: "Keep the session" }).click();
  await second.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await second.close();
  await context.setOffline(true);
  visitor.expected.push("ERR_INTERNET_DISCONNECTED");
  await search(visitor, "58");
  await visitor.heading("The API cannot be reached");
  await visitor.judge("broken-offline");
  await context.setOffline(false);
  await page.getByRole("button", { name: "Sign out" }).click();
  await visitor.heading("Sign in");
  assert.equal(await page.locator("header.bar nav").isVisible(), false);
}

export async function memberClicks(browser, stack, look, { member }) {
  const visitor = await Visitor.at(browser, stack, look), { page } = visitor;
  await visitor.signIn(member);
  await visitor.heading(UPLINE);
  assert.equal(await page.locator("header input[type=search]").isVisible(), false);
  assert.equal(await page.locator(".verdict").isVisible(), false);
  await tab(visitor, "Genealogy");
  await page.getByRole("tree").waitFor();
  const text = () => page.locator("main").innerText();
  assert.doesNotMatch(await text(), new RegExp(MEMBER), "others are masked");
  await page.locator("button.fold").first().click();
  await page.locator("[role=treeitem][aria-expanded=true] [role=treeitem]").first().waitFor();
  const named = (await text()).match(/D\d{11}/g).filter((account) => account !== UPLINE);
  assert.deepEqual(named, []);
  await tab(visitor, "Statement");
  await page.getByText("Opening balance").waitFor();
  assert.deepEqual((await text()).match(/D\d{11}/g)?.filter((account) => account !== UPLINE) ?? [], []);
  await tab(visitor, "Overview");
  await visitor.heading(UPLINE);
  visitor.expected = ["403"];
  await page.goto(`${visitor.url}/#/account/${MEMBER}`);
  await visitor.heading("Not yours to see");
  await page.getByRole("link", { name: "To your account" }).click();
  await visitor.heading(UPLINE);
  await visitor.leave();
}

/// A bad day: what is held, what waits behind the brake, a pause, an adjustment of the past and what it restates.
export async function troubleClicks(browser, stack, look, { operator }) {
  const visitor = await Visitor.at(browser, stack, look), { page } = visitor;
  await visitor.signIn(operator);
  await page.getByRole("link", { name: "Held", exact: true }).click();
  await page.getByRole("link", { name: "No referral" }).click();
  await page.getByRole("heading", { level: 2, name: "No referral" }).waitFor();
  assert.equal(await page.getByRole("region", { name: /^Held/ }).locator("tbody tr").count(), 2, "two of many are found at once");
  await page.getByRole("link", { name: "901", exact: true }).click();
  await visitor.heading("Order 901");
  await search(visitor, "guangdong");
  await visitor.heading("PROVINCE:440000");

  await page.getByRole("link", { name: "Waiting", exact: true }).click();
  await visitor.heading("Waiting");
  const brake = panel(visitor, "Brake");
  await brake.getByText("Let it wait on").first().click();
  assert.equal(await act(visitor, brake, "Let it wait on", "asking the source's people"), "done");
  assert.equal(await act(visitor, brake, "Let go what waits", "the cancellations are meant"), "done");
  await page.waitForTimeout(4_000);
  await page.reload();
  await page.getByText("Nothing waits.").waitFor();

  await page.getByRole("link", { name: "Operations", exact: true }).click();
  await visitor.heading("Operations");
  const pauses = panel(visitor, "Pauses"), posting = pauses.locator(".stack-down").first();
  await posting.getByText("Pause", { exact: true }).first().click();
  assert.equal(await act(visitor, posting, "Pause", "a look at the source"), "done");
  await page.reload();
  await panel(visitor, "Pauses").getByText("paused").waitFor();
  await visitor.judge("clicked-paused");
  const again = panel(visitor, "Pauses").locator(".stack-down").first();
  await again.getByText("Resume").first().click();
  assert.equal(await act(visitor, again, "Resume", "all is as it should be"), "done");

  const adjust = panel(visitor, "Adjust");
  await adjust.locator("summary").click();
  const fields = [["From account", "HEADQUARTERS"], ["To account", "D25122700014"], ["Amount", "100.5"], ["Effective", "2026-01-10"], ["Expires (if it does)", "2028-01-10"], ["Reference", "case 12"]];
  for (const [label, value] of fields) await adjust.getByLabel(label, { exact: true }).fill(value);
  assert.equal(await act(visitor, adjust, "Adjust", "a complaint that was right"), "done");
  const close = panel(visitor, "Close");
  await close.locator("summary").last().click();
  await close.getByLabel("Close up to").fill("2026-02-11");
  assert.equal(await act(visitor, close, "Ask for the close", "to see what the adjustment restates"), "done");
  await page.waitForTimeout(3_000);
  await visitor.visit("snapshots/2026-02-11", "clicked-restated");
  const restated = page.getByRole("region", { name: /^Restated/ });
  assert.match(await restated.innerText(), /D25122700014[^]*2026-01-10[^]*2026-02-10[^]*100\.5/);
  await visitor.visit("operations", "clicked-operators-log");
  const log = await page.getByRole("region", { name: /^Operators' log/ }).innerText();
  for (const entry of ["the cancellations are meant", "asking the source's people", "a look at the source", "a complaint that was right"]) assert.ok(log.includes(entry), entry);
  await visitor.leave();
}

/// The guard stops a close: what it would take is listed where it is let go, and the date closes then.
export async function guardClicks(browser, stack, look, { operator }) {
  const visitor = await Visitor.at(browser, stack, look), { page } = visitor;
  await visitor.signIn(operator);
  await page.getByRole("link", { name: "Operations", exact: true }).click();
  await visitor.heading("Operations");
  const title = "What the close of 2026-02-01 would take";
  await panel(visitor, title).getByRole("link", { name: "951", exact: true }).waitFor();
  await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Waiting", exact: true }).click();
  await visitor.heading("Waiting");
  const stopped = panel(visitor, title), rows = stopped.locator("tbody tr");
  assert.match(await rows.first().innerText(), /becomes effective\s+951\s+D\d+/, "the largest change comes first");
  assert.match(await rows.nth(1).innerText(), /952/);
  assert.equal(await act(visitor, stopped, "Let go the close of 2026-02-01", "a large buyer, checked at the source"), "done");
  for (let tries = 0; tries < 20 && await stopped.count() > 0; tries += 1) {
    await page.waitForTimeout(700);
    await page.reload();
    await visitor.heading("Waiting");
  }
  await visitor.visit("snapshots/2026-02-01", "clicked-let-go-close");
  assert.equal(await page.getByRole("heading", { level: 1, name: "2026-02-01" }).count(), 1, "the date is closed");
  await visitor.leave();
}
