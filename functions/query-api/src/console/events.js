// What the log tells other services, as they read it.

import { get } from "./api.js";
import { h } from "./dom.js";
import { amount, date, decimal, instant, units } from "./numbers.js";
import { accountLink, badge, counted, empty, failure, heading, link, orderLink, panel, table } from "./parts.js";
import { t } from "./texts.js";

export const TYPES = ["ContributionCalculated", "ContributionCorrected", "ContributionAdjusted", "AdoptionHeld", "AdoptionReleased", "DailySnapshotCreated"];
/// A kind of event as people say it, and as it is on the wire.
export const typeName = (type) => [t("event_" + type), h("span", { class: "block small quiet mono" }, type)];
/// How many pages before the end of the log are shown at first.
const LOOK_BACK_PAGES = 20;
const PAGE = 50;

/// What stands at the top of both pages about what other services are told.
export function outboundHead(title, current, ...beside) {
  const pages = [["events", t("events")], ["webhooks", t("webhooks")]];
  return [heading(null, title, ...beside), h("nav", { class: "tabs", "aria-label": t("nav_events") }, pages.map(([name, text]) =>
    h("a", { href: "#/" + name, "aria-current": name === current && "page" }, text)))];
}

export async function events() {
  const { log_end: end } = await get("/v1/status");
  const after = h("input", { type: "text", id: "events-after", required: true, pattern: "\\d+(-\\d+)?", value: String(Math.max(0, end - LOOK_BACK_PAGES)) });
  const until = h("input", { type: "text", id: "events-until", pattern: "\\d+(-\\d+)?" });
  const type = h("select", { id: "events-type" }, h("option", { value: "" }, t("all_types")), TYPES.map((one) => h("option", { value: one }, t("event_" + one))));
  const box = h("div");
  const show = async () => {
    try { box.replaceChildren(await period({ after: after.value.trim(), until: until.value.trim(), type: type.value })); }
    catch (error) { box.replaceChildren(failure(error)); }
  };
  await show();
  return [t("events"), [outboundHead(t("events"), "events"), h("p", { class: "quiet" }, t("events_aside")),
    h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); show(); } }, h("label", { for: "events-after" }, t("after_place"), after), h("label", { for: "events-until" }, t("until_place"), until),
      h("label", { for: "events-type" }, t("kind_of_event"), type), h("button", { class: "main" }, t("show"))),
    panel(t("events"), t("in_log_order"), box)]];
}

/// The events of a period: each page begins where the one before ended, and the last place is shown to go on from.
async function period(wanted) {
  const box = h("div"), rows = [], more = h("button", { type: "button", onclick: () => next().catch((error) => box.append(failure(error))) }, t("show_more"));
  let after = wanted.after;
  async function next() {
    more.disabled = true;
    const page = await get("/v1/events", { ...wanted, after, limit: PAGE });
    rows.push(...page.events.map(row));
    after = page.next;
    box.replaceChildren(rows.length ? table(t("events"), [[t("event_id"), "name"], [t("kind_of_event")], [t("told")], [t("amount"), "r"], [t("when"), "minor"]], rows) : empty(t("no_event")),
      h("p", { class: "small quiet" }, t("go_on_after"), " ", h("code", null, page.next)), page.is_last ? "" : more);
    more.disabled = false;
  }
  await next();
  return box;
}

const row = (event) => [h("span", { class: "mono" }, event.id), typeName(event.type), told(event.data), sum(event.data), instant(event.time)];

function told({ order_id: order, account, reason, date: day, is_withdrawn: withdrawn, shares }) {
  return [order && [t("order"), " ", orderLink(order), " "], account && accountLink(account), day && link("#/snapshots/" + day, date(day)),
    reason && h("div", { class: "small" }, t("hold_" + reason.toLowerCase())), withdrawn && [" ", badge(t("entry_withdrawn"), "warn")],
    shares && h("details", { class: "small" }, h("summary", null, counted("shares_n", shares.length)),
      table(t("shares"), [[t("account")], [t("amount"), "r"], [t("effective_from")], [t("expires")]], shares.map((share) => [accountLink(share.account), amount(share.amount), date(share.effective_date), date(share.expire_date)])))];
}

const sum = ({ shares }) => (shares ? amount(decimal(shares.reduce((all, share) => all + units(share.amount), 0n))) : "–");
