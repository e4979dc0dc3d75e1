// An account, which answers for itself.

import { accountHead } from "./account-head.js";
import { account as path, all, get, isOperator, orNull, post } from "./api.js";
import { COLOURS, legend, overTime, splitBar } from "./charts.js";
import { h } from "./dom.js";
import { amount, date, decimal, ratio, units, whole } from "./numbers.js";
import { accountLink, badge, counted, empty, failure, figures, growing, link, note, orderLink, panel, table } from "./parts.js";
import { t } from "./texts.js";

export const legName = (leg) => {
  const name = t("leg_" + leg.type.replace(/_\d+$/, "").toLowerCase());
  return leg.index == null ? name : `${name} ${leg.index}`;
};
export const STATES = { POSTED: "good", HELD: "warn", UNPRICED: "", GONE: "bad" };
export const stateBadge = (state) => badge(t("state_" + state.toLowerCase()), STATES[state]);

/// What an account lacks, in words.
export const missingWords = (missing) => missing.map((one) => (one.requirement === "OWN_ADOPTION" ? t("needs_own_adoption")
  : counted("needs_direct_adopters", one.needed, one.found))).join(t("and"));

export async function account(id) {
  const own = path(id);
  const totals = await get(own);
  const isUser = Boolean(totals.link);
  const [records, team, talent, missed, refused] = await Promise.all([all(own + "/records", "records", {}, 5), isUser ? orNull(get(own + "/team")) : null, isUser ? orNull(get(own + "/talent")) : null,
    isUser ? get(own + "/unallocated", { limit: 200 }) : null, isUser && isOperator() ? get("/v1/quarantine", { account: id, limit: 5 }) : null]);
  const bySource = isUser && records.complete;
  return [id, [
    accountHead(id, "account", ...badges(totals)),
    isUser && place(totals),
    refused?.quarantined.length > 0 && note("bad", t("account_quarantined"), " ", link("#/quarantine", t("look"))),
    h("section", { class: "panel" }, figures(
      [t("total_all_time"), amount(totals.total), true],
      totals.as_of ? [t("effective_as_of", totals.as_of), amount(totals.effective), true] : [t("effective"), t("no_date_closed"), true],
      totals.as_of && [t("share_of_network"), ratio(totals.contribution_ratio), true],
      isUser && [t("direct_adopters"), whole(totals.unlock.direct_referral_adopted_count), true]),
      splitBar(t("by_source"), sources(totals, isUser))),
    isUser && h("div", { class: "two" }, h("div", { class: "column" }, unlockPanel(totals.unlock, missed), talent && await talentPanel(own, talent)),
      team ? panel(t("team"), t("team_aside", team.date), teamLadder(team)) : panel(t("team"), null, empty(t("no_date_closed")))),
    isUser && panel(t("adoptions"), t("highest_first"), await adoptions(own)),
    isUser && whatIf(id),
    panel(t("over_time"), bySource ? t("over_time_aside") : t("network_by_day_aside"), bySource ? recordsOverTime(records) : await daysOverTime(own)),
    panel(t("records"), t("last_posted_first"), await growing({ title: t("records"), path: own + "/records", name: "records", parameters: { direction: "descending" }, nothing: t("nothing_posted"),
      columns: [[t("order")], [t("leg")], [t("adopter"), "minor"], [t("effective_from"), "minor"], [t("expires"), "minor"], [t("amount"), "r"]], row: recordRow })),
    isUser && panel(t("missed"), t("missed_aside"), await missedList(own, missed))]];
}

function badges({ unlock, order_count: orders }) {
  if (!unlock) return [];
  return [unlock.has_adopted ? badge(t("has_adopted"), "good") : orders > 0 ? badge(t("not_posted_yet"), "warn") : badge(t("not_adopted"))];
}

/// Where the account hangs, in one line.
function place({ link: { state, referrer, waiting }, unlock }) {
  const words = { ROOT: t("link_root"), UNDER: [t("link_under"), " ", accountLink(referrer)], MISSING: t("link_missing") };
  return [h("p", { class: "lead" }, words[state],
    unlock.first_order_id && [" · ", t("first_order"), " ", isOperator() ? orderLink(unlock.first_order_id) : unlock.first_order_id]),
  waiting && note("", t("link_waits"), " ", waiting.referrer ? accountLink(waiting.referrer) : t("link_" + waiting.state.toLowerCase()), t("sentence_end"), counted("concerns_adoptions", waiting.adoptions))];
}

const sources = (totals, isUser) => (isUser
  ? [[t("own_adoptions"), units(totals.personal), COLOURS.personal], [t("team_levels"), units(totals.team_level), COLOURS.level],
    [t("team_bonuses"), units(totals.team_bonus), COLOURS.bonus], [t("adjusted"), units(totals.adjusted), COLOURS.system]]
  : [[t("shares"), units(totals.personal), COLOURS.system], [t("adjusted"), units(totals.adjusted), COLOURS.bonus]]).filter(([name, value]) => value !== 0n || name !== t("adjusted"));

function unlockPanel(unlock, missed) {
  const cells = (kind, count, unlocked) => h("div", { class: "cells " + kind, role: "img", "aria-label": t("unlocked_of", unlocked, count), css: { "grid-template-columns": `repeat(${count}, minmax(0, 1fr))` } },
    Array.from({ length: count }, (_, index) => h("span", { class: index < unlocked && "on" }, String(index + 1))));
  const step = (one) => h("li", null, h("strong", null, one.type === "TEAM_LEVEL" ? levelsWords(one.first_index, one.last_index) : t("bonus_tier", one.first_index)), t("colon"),
    missingWords(one.missing), wouldHaveGiven(one, missed));
  return panel(t("unlocked"), unlock.next.length ? null : t("everything_unlocked"),
    h("div", null, h("p", { class: "small quiet" }, t("team_levels"), t("colon"), t("unlocked_of", unlock.unlocked_level_depth, unlock.level_count)), cells("", unlock.level_count, unlock.unlocked_level_depth)),
    h("div", null, h("p", { class: "small quiet" }, t("bonus_tiers"), t("colon"), t("unlocked_of", unlock.unlocked_bonus_tiers, unlock.bonus_count)), cells("bonus", unlock.bonus_count, unlock.unlocked_bonus_tiers)),
    unlock.next.length > 0 && h("div", null, h("p", { class: "small quiet" }, t("next_unlocks")), h("ul", { class: "unlock-next" }, unlock.next.map(step))));
}

const levelsWords = (first, last) => (first === last ? t("level_n", first) : t("levels_range", first, last));

/// What the legs of a further unlock would have given since, where everything that was missed is known.
function wouldHaveGiven({ type, first_index: first, last_index: last }, missed) {
  if (missed.next_cursor) return null;
  const sum = missed.by_leg.filter((leg) => leg.type === type && leg.index >= first && leg.index <= last).reduce((all, leg) => all + units(leg.sum), 0n);
  return sum > 0n && h("div", { class: "small quiet" }, t("would_have_given"), " ", amount(decimal(sum)));
}

export async function talentPanel(own, { talent_level: level, due_level: due, has_user: hasUser, next, ...talent }) {
  const need = (missing) => h("div", null, h("span", null, t("condition_" + missing.condition.toLowerCase(), missing.level)),
    h("span", { class: "number" }, whole(missing.found), h("span", { class: "quiet" }, " / ", whole(missing.needed))),
    h("span", { class: "track" }, h("i", { css: { width: `${missing.found / missing.needed * 100}%` } })));
  const numbers = figures([t("level"), level === 0 ? t("no_level") : String(level), true], [t("direct_referrals"), whole(talent.direct_count), true], [t("descendants"), whole(talent.promotion_count), true]);
  numbers.classList.add("tight");
  const change = ({ changed_at: at, old_level: before, new_level: after, cause }) => [h("time", { datetime: at, title: at, class: "number" }, at.slice(0, 10)),
    h("span", { class: "number" }, `${before} → ${after}`), [t("cause_" + cause.kind.toLowerCase()), cause.account && [" ", accountLink(cause.account)]]];
  return panel(t("talent_level"), next ? t("missing_for_level", next.level) : t("highest_level"), numbers,
    due != null && note("", t("due_level", due), " ", hasUser ? t("due_on_its_way") : t("due_no_user")),
    next && h("div", { class: "needs" }, next.missing.map(need)),
    talent.activity_ignored && h("p", { class: "small quiet" }, t("activity_ignored")),
    talent.changes.length > 0 && await growing({ title: t("talent_level"), path: own + "/talent", name: "changes", limit: 5, nothing: "", columns: [[t("changed")], [t("level")], [t("because_of")]], row: change }));
}

function teamLadder({ levels, total_team_trees: total, own_trees: own, direct_adopted_referrals: direct }) {
  const most = Math.max(1, ...levels.map(({ trees }) => trees));
  // Levels below the last one with trees say nothing, and neither does an empty ladder.
  const last = levels.findLastIndex(({ trees }) => trees > 0);
  if (last < 0) return empty(t("no_team"));
  return [figures([t("team_trees_all"), whole(total), true], [t("own_trees"), whole(own), true], [t("direct_adopters"), whole(direct), true]), h("div", { class: "ladder" }, levels.slice(0, last + 1).map(({ level, trees }) => h("div", null, h("span", { class: "quiet" }, t("level_n", level)),
    h("span", { class: "track" }, h("i", { css: { width: `${trees / most * 100}%` } })), whole(trees))))];
}

const adoptions = (own) => growing({ title: t("adoptions"), path: own + "/adoptions", name: "adoptions", nothing: t("no_adoption"),
  columns: [[t("order")], [t("state")], [t("date"), "minor"], [t("trees"), "r"], [t("total"), "r"]],
  row: (one) => [isOperator() ? orderLink(one.order_id) : one.order_id,
    [stateBadge(one.state), one.hold && h("div", { class: "small quiet" }, one.hold.detail, " – ", one.hold.help), one.waiting && h("div", { class: "small quiet" }, t("change_waits"))],
    date(one.adoption_date ?? "–"), one.tree_count ?? "–", one.total ? amount(one.total) : "–"] });

const recordRow = (record) => [record.order_id ? (isOperator() ? orderLink(record.order_id) : record.order_id) : "–",
  [h("span", { class: "number" }, legName(record)), record.kind !== "POSTED" && [" ", badge(t("kind_line_" + record.kind.toLowerCase()), "warn")]],
  record.adopter ? accountLink(record.adopter) : "–", date(record.effective_date), date(record.expire_date), amount(record.amount)];

async function missedList(own, page) {
  return [!page.next_cursor && page.records.length > 0 && h("p", null, t("missed_sum"), " ", amount(page.sum)), await growing({ title: t("missed"), path: own + "/unallocated", name: "records", nothing: t("nothing_missed"), begun: page,
    columns: [[t("order")], [t("leg")], [t("adopter"), "minor"], [t("lacked")], [t("amount"), "r"]],
    row: (record) => [isOperator() ? orderLink(record.order_id) : record.order_id, legName(record), accountLink(record.adopter), missingWords(record.missing), amount(record.amount)] })];
}

/// "If this account adopted 2 trees": the same legs as doing it, and nothing is written.
function whatIf(id) {
  const trees = h("input", { type: "number", min: 1, max: 1000000, value: 2, required: true, id: "what-if-trees" }), result = h("div", { "aria-live": "polite" });
  const submit = async (event) => {
    event.preventDefault();
    result.replaceChildren(h("p", { class: "quiet" }, t("loading")));
    try {
      const answer = await post("/v1/simulate", { adoptions: [{ account: id, tree_count: Number(trees.value) }] });
      result.replaceChildren(...supposed(answer, id).flat(Infinity).filter(Boolean));
    } catch (error) { result.replaceChildren(failure(error)); }
  };
  return panel(t("what_if"), t("what_if_aside"), h("form", { class: "row", onsubmit: submit },
    h("label", { for: "what-if-trees" }, t("what_if_label", id), trees), h("button", { class: "main" }, t("what_if_ask"))), result);
}
function supposed({ adoptions: [adoption], accounts, corrections, complete }, id) {
  if (adoption.state === "HELD") return [note("", adoption.hold.detail, t("sentence_end"), adoption.hold.help)];
  if (adoption.state !== "POSTED") return [note("", t("state_unpriced"))];
  const own = accounts.find((one) => one.account === id);
  return [figures([t("total"), amount(adoption.total)], [t("it_would_get"), amount(own?.difference ?? "0.0000000000")], [t("effective_from"), date(adoption.effective_date)], [t("expires"), date(adoption.expire_date)]),
    corrections.length > 0 && h("p", null, counted("would_correct", corrections.length)), !complete && note("", t("what_if_incomplete")),
    table(t("what_if"), [[t("leg")], [t("owner")], [t("amount"), "r"]], adoption.legs.map((leg) => [legName(leg), leg.would_be_account ? [accountLink(leg.owner), " ", h("span", { class: "quiet small" }, t("locked_for"), " ", leg.would_be_account)] : accountLink(leg.owner), amount(leg.amount)]))];
}

/// What was effective on each of the last closed dates.
async function daysOverTime(own) {
  const { snapshots: days } = await get(own + "/snapshots", { limit: 200 });
  if (!days.length) return empty(t("no_date_closed"));
  const series = [[t("effective"), COLOURS.system]];
  const rows = days.toReversed().map((day) => ({ date: day.snapshot_date, values: [units(day.effective_contribution)] }));
  return [overTime(t("over_time"), series, rows, { steps: true }), legend(series)];
}

/// What takes effect on each date, by source.
function recordsOverTime(records) {
  if (!records.length) return empty(t("nothing_posted"));
  const series = [[t("own_adoptions"), COLOURS.personal], [t("team_levels"), COLOURS.level], [t("team_bonuses"), COLOURS.bonus]];
  const changes = new Map();
  for (const record of records) {
    const at = changes.get(record.effective_date) ?? series.map(() => 0n);
    at[record.type === "TEAM_LEVEL" ? 1 : record.type === "TEAM_BONUS" ? 2 : 0] += units(record.amount);
    changes.set(record.effective_date, at);
  }
  const running = series.map(() => 0n);
  const rows = [...changes.keys()].sort().map((day) => { changes.get(day).forEach((value, index) => { running[index] += value; }); return { date: day, values: [...running] }; });
  return [overTime(t("over_time"), series, rows, { steps: true }), legend(series)];
}
