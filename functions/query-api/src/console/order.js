// An adoption: what became of it, and the chain view with its lock reasons.

import { legName, missingWords, stateBadge } from "./account.js";
import { get, mayOperate, orNull } from "./api.js";
import { COLOURS, splitBar } from "./charts.js";
import { h, s } from "./dom.js";
import { amount, date, decimal, instant, units, whole } from "./numbers.js";
import { act, folded } from "./operations.js";
import { accountLink, badge, counted, figures, heading, link, note, orderLink, panel, table } from "./parts.js";
import { regionName } from "./regions.js";
import { t } from "./texts.js";

const glyphs = {
  paid: (colour) => s("svg", { viewBox: "0 0 26 26", "aria-hidden": true }, s("circle", { cx: 13, cy: 13, r: 9, fill: colour }), s("path", { d: "m9 13.2 2.8 2.8 5.2-5.6", fill: "none", stroke: "var(--panel)", "stroke-width": 2.2, "stroke-linecap": "round", "stroke-linejoin": "round" })),
  lock: () => s("svg", { viewBox: "0 0 26 26", "aria-hidden": true }, s("circle", { cx: 13, cy: 13, r: 9.2, fill: "none", stroke: "var(--locked)", "stroke-width": 1.6 }), s("rect", { x: 9, y: 12, width: 8, height: 6, rx: 1.3, fill: "var(--quiet)" }), s("path", { d: "M10.5 12v-1.6a2.5 2.5 0 0 1 5 0V12", fill: "none", stroke: "var(--quiet)", "stroke-width": 1.6 })),
  none: () => s("svg", { viewBox: "0 0 26 26", "aria-hidden": true }, s("circle", { cx: 13, cy: 13, r: 8, fill: "none", stroke: "var(--locked)", "stroke-width": 1.6, "stroke-dasharray": "3 3.3" })),
};
const toHeadquarters = () => [t("booked_to"), " ", h("span", { class: "mono" }, "HEADQUARTERS")];

export async function order(number) {
  const own = "/v1/adoptions/" + encodeURIComponent(number);
  const [adoption, refused] = await Promise.all([orNull(get(own)), get("/v1/quarantine", { order_id: number, limit: 5 })]);
  if (!adoption) return [t("order") + " " + number, unknown(number, refused.quarantined)];
  const { distribution, source, hold } = adoption;
  const explanation = distribution && (await get(own + "/explain")).explanation;
  return [t("order") + " " + number, [
    heading(t("adoption"), t("order") + " " + number, stateBadge(adoption.state), adoption.waiting && badge(t("change_waits"), "warn"), !source && badge(t("deleted_at_source"), "bad")),
    hold && note("", h("strong", null, t("state_held"), t("colon")), hold.detail, hold.reason === "STATUS" && source && [" (", h("span", { class: "mono" }, source.status), ")"], t("sentence_end"), hold.help),
    adoption.waiting && note("", t("waits_until"), " ", instant(adoption.waiting.until), t("sentence_end"), t("in_force_meanwhile")),
    adoption.shadowed.length > 0 && note("", t("shadowed", adoption.shadowed.length)),
    refused.quarantined.length > 0 && note("bad", t("has_quarantined"), " ", h("a", { href: "#/quarantine" }, t("look"))),
    h("section", { class: "panel" }, figures(
      distribution && [t("contribution"), amount(distribution.total), true],
      source?.account && [t("adopter"), accountLink(source.account)],
      source?.tree_count != null && [t("trees"), whole(source.tree_count)],
      source?.contribution_per_tree && [t("per_tree"), amount(source.contribution_per_tree)],
      adoption.trees_before != null && [t("trees_before"), whole(adoption.trees_before)],
      source?.adoption_date && [t("adopted"), date(source.adoption_date)],
      distribution && [t("counts_from_to"), h("span", { class: "stack" }, date(distribution.effective_date), " – ", date(distribution.expire_date))],
      distribution && [t("rules_version"), String(distribution.version)],
      source && [t("status_at_source"), h("span", { class: "mono" }, source.status)],
      source?.province_code && [t("kind_province"), region("PROVINCE", source.province_code)], source?.city_code && [t("kind_city"), region("CITY", source.city_code)],
      source?.unreadable.length > 0 && [t("unreadable_columns"), source.unreadable.join(", ")])),
    distribution && panel(t("who_shares"), null, splitBar(t("who_shares"), shareParts(distribution.legs))),
    distribution && chain(distribution, explanation),
    adoption.last_entry && panel(t("last_entry"), null, lastEntry(adoption.last_entry)),
    mayOperate() && panel(t("repair"), t("repair_aside"), folded(t("repair"), act(t("repair"), () => ({ type: "repair", order_id: number }))))]];
}

const region = (kind, code) => [code, " ", regionName(`${kind}:${code}`) ?? ""];

function unknown(number, refused) {
  return [heading(t("adoption"), t("order") + " " + number),
    refused.length ? note("bad", t("only_quarantined"), " ", h("a", { href: "#/quarantine" }, t("look"))) : note("", t("order_unknown", number)),
    refused.length === 0 && h("p", null, t("look_also"), " ", link("#/quarantine", t("nav_quarantine")), " · ", link("#/source", t("nav_source"))),
    refused.length > 0 && table(t("nav_quarantine"), [[t("reason")], [t("message")]], refused.map((one) => [h("span", { class: "mono" }, one.reason), one.message]))];
}

function lastEntry(entry) {
  const { cause } = entry;
  return h("p", null, badge(t("entry_" + entry.kind.toLowerCase())), " ", instant(entry.decided_at), " · ", t("page_n", entry.page),
    cause && cause.kind !== "ROW" && [" · ", t("cause_" + cause.kind.toLowerCase()), cause.order_id && [" ", orderLink(cause.order_id)], cause.account && [" ", accountLink(cause.account)], cause.version && " " + cause.version]);
}

function shareParts(legs) {
  const sum = (test) => legs.filter(test).reduce((sum, leg) => sum + units(leg.amount), 0n);
  return [[t("adopter"), sum((leg) => leg.type === "PERSONAL"), COLOURS.personal],
    [t("team_levels"), sum((leg) => leg.type === "TEAM_LEVEL"), COLOURS.level],
    [t("team_bonuses"), sum((leg) => leg.type === "TEAM_BONUS"), COLOURS.bonus],
    [t("operation_and_regions"), sum((leg) => ["OPERATION", "PROVINCE", "CITY"].includes(leg.type)), COLOURS.system],
    [t("unallocated"), sum((leg) => leg.reason || leg.type === "ROUNDING"), COLOURS.locked]].filter(([, value]) => value > 0n);
}

/// The legs where they belong: on the referral chain, the highest level first, the adopter at the bottom.
function chain({ legs }, { legs: explained, ancestors }) {
  const why = (leg) => explained.find((other) => other.type === leg.type && other.index === leg.index)?.because ?? {};
  const lacked = (leg) => (why(leg).missing?.length ? t("it_needed", missingWords(why(leg).missing)) : null);
  const standing = (level) => { const unlock = ancestors.find((ancestor) => ancestor.level === level)?.unlock; return unlock ? counted("had_unlocked", unlock.direct_adopters, unlock.level_depth) : t("unlocked"); };
  const levels = legs.filter((leg) => leg.type === "TEAM_LEVEL" || leg.type === "LEVEL_OVERFLOW");
  const bonuses = legs.filter((leg) => leg.type === "TEAM_BONUS" || leg.type.startsWith("BONUS_TIER_"));
  const beyond = levels.filter((leg) => leg.reason === "NO_ANCESTOR"), rest = levels.filter((leg) => leg.reason !== "NO_ANCESTOR");
  const row = (kind, glyph, where, who, sum) => h("li", { class: kind }, h("span", { class: "node" }, glyph), h("span", { class: "where" }, where), h("div", { class: "who" }, who), h("div", { class: "sum" }, sum));
  const bonusPills = () => h("div", null, bonuses.map((leg) => h("span", { class: "pill " + (leg.reason ? "lock" : "got") },
    leg.reason === "LOCKED" ? t("bonus_locked", leg.index) : leg.reason ? t("bonus_no_referrer", leg.index) : t("bonus_tier", leg.index), " ", amount(leg.amount), lacked(leg) && h("span", { class: "small" }, lacked(leg)))));
  const rows = [];
  if (beyond.length) {
    const [low, high] = [Math.min(...beyond.map((leg) => leg.index)), Math.max(...beyond.map((leg) => leg.index))];
    const sum = beyond.reduce((sum, leg) => sum + units(leg.amount), 0n);
    rows.push(row("none", glyphs.none(), low === high ? t("level_n", low) : t("levels_range", low, high),
      [h("div", null, t("no_ancestor")), h("div", { class: "why" }, t("chain_ends"), t("semicolon"), toHeadquarters()), low === 1 && bonusPills()], amount(decimal(sum))));
  }
  for (const leg of rest.toSorted((one, other) => other.index - one.index)) {
    rows.push(row(leg.reason ? "locked" : "paid", leg.reason ? glyphs.lock() : glyphs.paid(COLOURS.level), t("level_n", leg.index),
      [accountLink(leg.would_be_account ?? leg.owner), h("div", { class: "why" }, leg.reason ? [t("locked"), t("colon"), lacked(leg) ?? t("was_not_unlocked"), t("semicolon"), toHeadquarters()] : [t("unlocked"), t("colon"), standing(leg.index)]),
        leg.index === 1 && bonusPills()], amount(leg.amount)));
  }
  const personal = legs.find((leg) => leg.type === "PERSONAL");
  rows.push(row("paid", glyphs.paid(COLOURS.personal), t("adopter"), [accountLink(personal.owner), h("div", { class: "why" }, t("own_adoption"))], amount(personal.amount)));
  const fixed = legs.filter((leg) => ["OPERATION", "PROVINCE", "CITY", "ROUNDING"].includes(leg.type));
  return [panel(t("on_the_chain"), t("on_the_chain_aside"), h("ol", { class: "chain" }, rows)),
    panel(t("system_accounts"), null, table(t("system_accounts"), [[t("account")], [t("for")], [t("amount"), "r"]], fixed.map((leg) => [accountLink(leg.owner), legName(leg), amount(leg.amount)])))];
}
