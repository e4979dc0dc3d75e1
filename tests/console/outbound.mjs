// What an operator does about other services: looks at events, subscribes one, sends again, rotates, and lets it go.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { Visitor } from "./browser.mjs";
import { act, panel } from "./clicks.mjs";

/// A subscriber on this machine. It refuses everything until it is told to accept.
async function subscriber() {
  const taken = [];
  const state = { accepts: false };
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (bytes) => { body += bytes; });
    request.on("end", () => {
      if (state.accepts) taken.push({ id: request.headers["webhook-id"], signatures: request.headers["webhook-signature"].split(" ").length, events: JSON.parse(body).data.events });
      response.writeHead(state.accepts ? 204 : 500).end();
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { taken, state, url: `http://127.0.0.1:${server.address().port}/in`, stop: () => server.close() };
}

/// Loads the page again until it says what is expected.
async function until(page, locate, text) {
  for (let tries = 0; tries < 30; tries += 1) {
    await page.locator("main h1").first().waitFor();
    await page.waitForTimeout(700);
    const found = await locate().first().innerText({ timeout: 3_000 }).catch(() => "");
    if (text.test(found)) return found;
    await page.reload();
  }
  throw new Error(`${text} is not shown`);
}

/// Judges what is on the screen after clicks: what a click opens may move what is below it, however late it comes.
async function looked(visitor, name) {
  await visitor.page.evaluate(() => { window.shift = 0; });
  await visitor.judge(name);
}

export async function outboundClicks(browser, stack, look, { operator }) {
  const service = await subscriber();
  try {
    const visitor = await Visitor.at(browser, stack, look), { page } = visitor;
    await visitor.signIn(operator);
    await page.getByRole("link", { name: "Events", exact: true }).first().click();
    await visitor.heading("Events");
    await theEvents(visitor);
    await subscribe(visitor, service);
    await sendAgain(visitor, service);
    await secretsAndTheEnd(visitor);
    await visitor.leave();
  } finally { service.stop(); }
}

async function theEvents(visitor) {
  const { page } = visitor, events = page.getByRole("region", { name: /^Events/ }), rows = events.first().locator(":scope > table > tbody > tr"), first = rows.first();
  await page.getByLabel("After (page or id)").fill("0");
  await page.getByLabel("Kind of event").selectOption("ContributionCalculated");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await first.getByText("ContributionCalculated").waitFor();
  assert.equal(await events.getByText("DailySnapshotCreated").count(), 0);
  await first.locator("summary").click();
  await page.getByRole("region", { name: /^Shares/ }).first().waitFor();
  await looked(visitor, "clicked-events");
  await page.getByRole("button", { name: "Show more" }).click();
  await rows.nth(50).waitFor();
  await page.getByLabel("Kind of event").selectOption("DailySnapshotCreated");
  await page.getByLabel("Until (empty: the end)").fill("1");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.getByText("Nothing was told in this period.").waitFor();
}

async function subscribe(visitor, { url }) {
  const { page } = visitor;
  await page.getByRole("link", { name: "Webhooks", exact: true }).click();
  await visitor.heading("Webhooks");
  const box = panel(visitor, "Subscribe");
  await box.locator("summary").click();
  await box.getByLabel("Subscription", { exact: true }).fill("mining");
  visitor.expected = ["400"];
  await box.getByLabel("Address", { exact: true }).fill("https://10.0.0.1/in");
  assert.match(await act(visitor, box, "Subscribe", "the mining service pays by it"), /public Internet/, "private addresses are refused");
  await box.getByLabel("Address", { exact: true }).fill(url);
  await box.getByLabel("Snapshot published").check();
  await box.getByLabel("Begin after").fill("0");
  await looked(visitor, "clicked-subscribe");
  await act(visitor, box, "Subscribe", "the mining service pays by it");
  await box.getByText("done", { exact: true }).waitFor();
  const row = () => page.getByRole("region", { name: /^Subscriptions/ }).locator("tbody tr");
  assert.match(await until(page, row, /failing/), /mining/);
  await page.getByRole("link", { name: "mining", exact: true }).click();
  await visitor.heading("mining");
  await until(page, () => page.getByRole("region", { name: /^Deliveries/ }), /not delivered[^]*500/);
  await looked(visitor, "clicked-failing");
}

async function sendAgain(visitor, { state, taken }) {
  const { page } = visitor;
  state.accepts = true;
  const box = panel(visitor, "Go on, or send a period again");
  await box.locator("summary").first().click();
  assert.equal(await act(visitor, box, "Resume", "it is up again"), "done");
  const deliveries = () => page.getByRole("region", { name: /^Deliveries/ });
  await until(page, deliveries, /(^|\s)delivered/);
  assert.ok(taken.length > 0 && taken[0].events.every(({ type }) => type === "DailySnapshotCreated"));
  const before = taken.length;
  await deliveries().getByRole("button", { name: "Send once more" }).first().click();
  assert.match(await box.getByLabel("Delivery", { exact: true }).inputValue(), /^mining_/);
  assert.equal(await act(visitor, box, "Send once more", "they lost one"), "done");
  for (let tries = 0; taken.length === before && tries < 50; tries += 1) await page.waitForTimeout(200);
  assert.ok(taken.slice(0, before).some(({ id }) => id === taken[before].id), "the same delivery comes again");
}

async function secretsAndTheEnd(visitor) {
  const { page } = visitor, box = panel(visitor, "Secrets");
  await box.getByRole("button", { name: "Show the secrets" }).click();
  await box.getByText(/^whsec_/).waitFor();
  await box.locator("summary").click();
  assert.equal(await act(visitor, box, "Rotate the secret", "it was mailed"), "done");
  await box.getByRole("button", { name: "Show the secrets" }).click();
  await box.getByText(/^whsec_/).nth(1).waitFor();
  await looked(visitor, "clicked-webhook");
  const subscription = panel(visitor, "Subscription");
  await subscription.getByText("Remove the subscription").first().click();
  assert.equal(await act(visitor, subscription, "Remove the subscription", "the service was shut down"), "done");
  await page.reload();
  await page.getByText("There is no such subscription").waitFor();
  await looked(visitor, "webhook-removed");
  await visitor.visit("operations", "clicked-outbound-log");
  const log = await page.getByRole("region", { name: /^Operators' log/ }).innerText();
  for (const entry of ["send events to", "rotate the secret of", "remove the subscription", "send once more", "refused at once"]) assert.ok(log.includes(entry), `${entry}: ${log}`);
}
