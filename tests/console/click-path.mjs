// Walks through the operators' console in headless Chromium, as an operator and as a user would.
//
//   cargo run -- run --as-of 2026-02-10                   (in another terminal, on the built-in capture)
//   cd tests/console && npm ci && node click-path.mjs
//
// CONSOLE_URL says where the stack is, CHROMIUM which browser, CONTRIBUTION which binary prints tokens.
// Screenshots go to tests/console/screenshots.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const url = process.env.CONSOLE_URL ?? "http://127.0.0.1:8787";
const binary = process.env.CONTRIBUTION ?? join(import.meta.dirname, "../../target/debug/contribution");
const token = (...grant) => execFileSync(binary, ["token", ...grant], { encoding: "utf8" }).trim();
const screenshots = join(import.meta.dirname, "screenshots");
mkdirSync(screenshots, { recursive: true });

const profile = mkdtempSync(join(tmpdir(), "console-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const looks = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
};

let failed = 0;
for (const [look, options] of Object.entries(looks)) {
  const context = await chromium.launchPersistentContext(join(profile, look), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: flags, ...options,
  });
  const page = context.pages()[0] ?? await context.newPage();
  const complaints = [], hosts = new Set();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => request.url().startsWith("data:") || hosts.add(new URL(request.url()).host));
  const heading = async (text) => page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor({ timeout: 60000 });
  const keep = (name) => page.screenshot({ path: join(screenshots, `${look}-${name}.png`), fullPage: true });
  const search = async (text) => { await page.getByRole("searchbox").fill(text); await page.keyboard.press("Enter"); };
  const fits = async () => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
    `${look}: the page is wider than the window at ${page.url()}`);
  try {
    // Without a token there is the way in, and nothing else.
    await page.goto(url);
    await heading("Sign in");
    assert.equal(await page.getByRole("searchbox").isVisible(), false);
    await keep("1-sign-in");

    // The link that `contribution run` prints; the token does not stay in the address.
    await page.goto(`${url}/#token=${token("--operate")}`);
    await page.reload();
    await heading("Overview");
    assert.ok(!page.url().includes("token"));
    await fits();
    await keep("2-overview");

    // An order, by keyboard: order 57 of the incident, whose level 1 its referrer had unlocked.
    await search("57");
    await heading("Order 57");
    const chain = page.locator("ol.chain > li");
    assert.ok(await chain.count() >= 3);
    const levelOne = chain.filter({ hasText: "Level 1" }).filter({ hasText: "D25122700018" });
    assert.match(await levelOne.innerText(), /226\.17/);
    assert.match(await levelOne.innerText(), /Unlocked: had unlocked 5 levels with 1 direct adopter/);
    assert.ok(await page.locator("ol.chain > li.locked").filter({ hasText: "Locked" }).count() > 0);
    await fits();
    await keep("3-order");

    // From the chain to the referrer's account.
    await levelOne.getByRole("link", { name: "D25122700018" }).click();
    await heading("D25122700018");
    assert.match(await page.locator("main").innerText(), /60\s079\.57/);
    await page.getByRole("img", { name: /Contribution in effect/ }).waitFor();
    const talent = page.locator("section.panel").filter({ has: page.getByRole("heading", { name: "Talent level", exact: true }) });
    assert.match(await talent.innerText(), /missing for level 1[^]*direct referrals\s+1 of 3\s+descendants within 20 levels\s+5 of 10/);
    await fits();
    await keep("4-account");

    // An account with a level says how it came to it.
    await search("D25122700014");
    await heading("D25122700014");
    assert.match(await talent.innerText(), /Level\s+1/);
    assert.match(await page.locator("main").innerText(), /0 → 1/);
    await fits();
    await keep("5-account-with-level");

    await page.getByRole("link", { name: "Network", exact: true }).click();
    await heading("Network");
    await page.getByRole("img", { name: /Network by day/ }).waitFor();
    assert.match(await page.locator("main").innerText(), /6\s512\s519\.91/);
    assert.match(await page.locator("main").innerText(), /4\s834\s273\.26/);
    await fits();
    await keep("6-network");

    await page.getByRole("link", { name: "Operation" }).click();
    await heading("Operation");
    assert.match(await page.locator("main").innerText(), /Held adoptions/);
    assert.match(await page.locator("main").innerText(), /2026-02-10/);
    await fits();
    await keep("7-operation");

    await search("NOBODY-KNOWN");
    await heading("Nothing is known of this");
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes("404")));

    // A user sees the own account only, and has nothing to search.
    await page.getByRole("button", { name: "Sign out" }).click();
    await heading("Sign in");
    await page.getByLabel("Access token").fill(token("--account", "D25122700019"));
    await page.keyboard.press("Enter");
    await heading("D25122700019");
    assert.equal(await page.getByRole("searchbox").isVisible(), false);
    await page.goto(`${url}/#/account/D25122700018`);
    await heading("Not yours to see");
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes("403")));

    // A token that is not one leads back to the way in.
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Access token").fill("not.a.token");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes("401")));

    assert.deepEqual(complaints, []);
    assert.deepEqual([...hosts], [new URL(url).host], "the page asks nobody else");
    console.log(`${look}: ok`);
  } catch (error) {
    failed += 1;
    console.error(`${look}: ${error.stack}\n${complaints.join("\n")}`);
    await keep("failed").catch(() => {});
  } finally {
    await context.close();
  }
}
rmSync(profile, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
