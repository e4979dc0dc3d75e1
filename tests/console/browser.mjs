// A browser that complains of what a person would complain of.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SHIFT_MAX = 0.1;
/// Where the console's files are taken from instead of the stack, so that a change of them needs no build.
const FILES = process.env.CONSOLE_FILES;
const PICTURES = process.env.PICTURES;

export const open = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/// A way of looking: theme, size and language.
export class Look {
  constructor(theme, size, language) { Object.assign(this, { theme, size, language, name: `${size}-${theme}-${language}` }); }
  get options() {
    const viewport = this.size === "phone" ? { width: 390, height: 844 } : { width: 1280, height: 900 };
    // The page's policy forbids scripts from elsewhere, and axe is one.
    return { colorScheme: this.theme, locale: this.language === "zh" ? "zh-CN" : "en-GB", viewport, bypassCSP: true, acceptDownloads: true, timezoneId: "Europe/Berlin" };
  }
}

/// One session in one look, at one stack.
export class Visitor {
  /// The one that came last, for a picture of what failed.
  static latest;

  static async at(browser, stack, look) {
    const visitor = new Visitor();
    const context = await browser.newContext(look.options);
    await context.addInitScript(() => {
      window.shift = 0;
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value; }).observe({ type: "layout-shift", buffered: true });
    });
    if (FILES) await context.route("**/console/*", (route) => route.fulfill({ path: join(FILES, new URL(route.request().url()).pathname.split("/").at(-1)) }));
    Object.assign(visitor, { url: stack.url, look, context, complaints: [], hosts: new Set(), expected: [] });
    visitor.follow(await context.newPage());
    Visitor.latest = visitor;
    return visitor;
  }

  follow(page) {
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && !this.expected.some((status) => message.text().includes(status)) && this.complaints.push(message.text()));
    page.on("request", (request) => request.url().startsWith("data:") || request.url().startsWith("blob:") || this.hosts.add(new URL(request.url()).host));
  }

  async signIn(token) {
    await this.page.goto(`${this.url}/#token=${token}`);
    await this.page.locator("#sign-out").waitFor();
  }

  heading(text) { return this.page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor({ timeout: 30e3 }); }

  /// Goes to a view and looks at it.
  async visit(view, picture) {
    await this.page.evaluate((hash) => { window.shift = 0; location.hash = hash; }, "#/" + view);
    await this.page.locator(`main[data-view="#/${view}"] h1`).waitFor({ timeout: 30e3 });
    await this.judge(view || "overview", picture);
  }

  /// Judges what is on the screen, and keeps a picture of it.
  async judge(name, picture = name) {
    const where = `${this.look.name} ${name}`;
    const { shift, wide, text, language } = await this.page.evaluate(() => ({ shift: window.shift, wide: document.documentElement.scrollWidth - innerWidth, text: document.body.innerText, language: document.documentElement.lang }));
    assert.ok(shift < SHIFT_MAX, `${where}: the layout shifts by ${shift}`);
    assert.ok(wide <= 0, `${where}: ${wide} pixels wider than the window`);
    assert.ok(!/undefined|NaN|\[object|null/.test(text), `${where}: ${/.*(undefined|NaN|\[object|null).*/.exec(text)?.[0]}`);
    assert.equal(language, this.look.language === "zh" ? "zh-CN" : "en", where);
    // A link that the head of the page half covers counts as too small, and what it covers depends on the machine's fonts.
    await this.page.evaluate(() => scrollTo(0, 0));
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), RULES);
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`), [], where);
    await this.keep(picture);
  }

  /// Keeps a picture, where pictures are wanted: they take longer than all that is checked.
  async keep(name, fullPage = true) {
    if (!PICTURES) return;
    const directory = join(PICTURES, this.look.name);
    mkdirSync(directory, { recursive: true });
    await this.page.screenshot({ path: join(directory, name.replaceAll(/[/:]/g, "_") + ".png"), fullPage });
  }

  /// Ends the session: nothing was complained of, and no other host was asked.
  async leave() {
    await this.context.close();
    assert.deepEqual(this.complaints, [], this.look.name);
    assert.deepEqual([...this.hosts].filter((host) => host !== new URL(this.url).host), [], "the page asks nobody else");
  }
}
