// The verdict, and what the network has.

import { all, get, token } from "./api.js";
import { COLOURS, legend, overTime, splitBar } from "./charts.js";
import { $, h } from "./dom.js";
import { amount, date, instant, units, whole, withAmounts } from "./numbers.js";
import { badge, counted, empty, figures, growing, heading, link, orderLink, panel } from "./parts.js";
import { t } from "./texts.js";

const SEVERITY = { WELL: "good", ATTENTION: "warn", BROKEN: "bad" };
const WHERE = { SOURCE_BEHIND: "source", SNAPSHOT_GOES_ON: "source", CLOSE_OVERDUE: "operations", CLOSE_SUSPICIOUS: "operations", CLOSE_NEGATIVE: "operations",
  BRAKE: "waiting", TRUNCATED: "waiting", PAUSED: "operations", PROJECTIONS_BEHIND: "source", CORRECTION_GOES_ON: "source", HELD: "held",
  WEBHOOK_STOPPED: "webhooks", QUARANTINED: "quarantine", AMBIGUOUS: "source" };
const REFRESH_MS = 30e3;

export function verdictWords(status) {
  const serious = status.problems.filter(({ severity }) => severity !== "WELL").length;
  // What stands still because of a person or until one decides shows on every page, whatever else is the matter.
  const stopped = ["PAUSED", "BRAKE", "CLOSE_SUSPICIOUS", "TRUNCATED"].map((wanted) => status.problems.find(({ code }) => code === wanted)).find(Boolean);
  if (stopped) {
    const [what] = stopped.what.split(/[:：]/);
    return serious === 1 ? what : what + " · " + t("problems", serious);
  }
  return serious === 0 ? t("all_well") : serious === 1 ? t("one_problem") : t("problems", serious);
}

let watching = false;
/// Keeps the verdict at the top of every page up to date.
export async function watchStatus() {
  if (watching) return;
  watching = true;
  for (;;) {
    const badge = $(".verdict");
    if (!token() || badge.hidden) break;
    try {
      const status = await get("/v1/status");
      badge.className = "verdict " + SEVERITY[status.verdict];
      badge.textContent = verdictWords(status);
      const panel = $("#problems");
      if (panel) panel.replaceChildren(...problems(status));
    } catch { badge.className = "verdict"; badge.textContent = t("verdict_unknown"); }
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  }
  watching = false;
}

/// A reason for which adoptions are held shows its own adoptions alone.
const reasonOf = ({ reason }) => (reason ? "/" + reason : "");
const problems = (status) => (status.problems.length === 0 ? [empty(t("nothing_to_do"))] : status.problems.map((problem) =>
  h("div", { class: "problem" }, h("div", null, badge(t("severity_" + problem.severity.toLowerCase()), SEVERITY[problem.severity]), " ", withAmounts(problem.what),
    problem.since && [" ", h("span", { class: "quiet small" }, t("since"), " ", instant(problem.since))]),
    h("div", { class: "next" }, problem.next, " ", WHERE[problem.code] && link("#/" + WHERE[problem.code] + reasonOf(problem), t("look"))))));

/// The last close, the last audit, and how far the source was read.
function standing(status) {
  const { last_close: close, last_audit: audit } = status;
  return figures([t("read_through"), status.read_through ? instant(status.read_through) : t("none_yet")],
    [t("last_decision"), status.decided_at ? instant(status.decided_at) : t("none_yet")],
    [t("last_close"), close ? [link("#/snapshots/" + close.snapshot_date, date(close.snapshot_date)), h("span", { class: "small quiet block" }, instant(close.closed_at))] : t("none_yet")],
    [t("last_audit"), audit ? [audit.differences === 0 ? t("audit_clean", audit.compared) : counted("audit_found", audit.differences), h("span", { class: "small quiet block" }, instant(audit.ended_at))] : t("none_yet")],
    close && [t("digest"), h("code", { title: close.digest }, close.digest.slice(0, 16) + "…")]);
}

export async function overview() {
  const [status, network, systems] = await Promise.all([get("/v1/status"), get("/v1/network", { limit: 30 }), get("/v1/system-accounts")]);
  return [t("nav_overview"), [
    heading(null, t("nav_overview"), badge(verdictWords(status), SEVERITY[status.verdict])),
    panel(t("verdict"), [t("as_of"), " ", instant(status.read_at)], h("div", { id: "problems", "aria-live": "polite" }, problems(status))),
    h("section", { class: "panel" }, figures(
      [t("posted"), whole(status.posted), true],
      [t("held"), link("#/held", whole(status.held)), true],
      [t("unpriced"), whole(status.unpriced), true],
      [t("waiting"), link("#/waiting", whole(status.waiting)), true],
      [t("last_order"), network.now.last_order_id ? orderLink(network.now.last_order_id) : t("none_yet"), true],
      [t("eligible_trees"), whole(network.now.eligible_trees), true],
      [t("corrections_under_way"), link("#/source", whole(status.corrections_under_way)), true],
      [t("log_end"), whole(status.log_end), true])),
    panel(t("where_it_stands"), null, standing(status)),
    panel(t("network_by_day"), t("network_by_day_aside"), networkDays([...network.days].reverse())),
    panel(t("contribution_posted"), t("all_time"), figures([t("all_adoptions"), amount(network.now.network_total), true]),
      splitBar(t("contribution_posted"), posted(network.now, systems.system_accounts)))]];
}

/// Users and system accounts; provinces and cities grouped, because there may be hundreds.
function posted(now, systems) {
  const groups = new Map();
  for (const { kind, total } of systems) groups.set(kind, (groups.get(kind) ?? 0n) + units(total));
  const colours = { OPERATION: COLOURS.system, PROVINCE: COLOURS.bonus, CITY: COLOURS.level, HEADQUARTERS: COLOURS.locked };
  return [[t("users"), units(now.user_total), COLOURS.personal], ...[...groups].map(([kind, total]) => [t("kind_" + kind.toLowerCase()), total, colours[kind]])];
}

export function networkDays(days) {
  if (days.length === 0) return empty(t("no_date_closed"));
  const series = [[t("users"), COLOURS.personal], [t("system_accounts"), COLOURS.system]];
  const rows = days.map((day) => ({ date: day.snapshot_date, values: [units(day.user_total_contribution), units(day.system_total_contribution)] }));
  return [overTime(t("network_by_day"), series, rows), legend(series)];
}

export async function network() {
  const [days, { now }] = await Promise.all([all("/v1/network", "days", {}, 5), get("/v1/network", { limit: 1 })]);
  const latest = days[0];
  return [t("nav_network"), [
    heading(null, t("nav_network")),
    latest && h("section", { class: "panel" }, figures(
      [t("effective_as_of", latest.snapshot_date), amount(latest.network_total_contribution), true],
      [t("users"), amount(latest.user_total_contribution), true], [t("system_accounts"), amount(latest.system_total_contribution), true],
      [t("accounts_with_share"), whole(latest.rows), true])),
    panel(t("posted_so_far"), t("all_time_open"), figures([t("all_adoptions"), amount(now.network_total), true], [t("eligible_trees"), whole(now.eligible_trees), true]),
      splitBar(t("posted_so_far"), [[t("users"), units(now.user_total), COLOURS.personal], [t("system_accounts"), units(now.system_total), COLOURS.system]])),
    panel(t("by_day"), t("network_by_day_aside"), networkDays([...days].reverse())),
    panel(t("closed_dates"), t("latest_first"), await growing({ title: t("closed_dates"), path: "/v1/network", name: "days", nothing: t("no_date_closed"),
      columns: [[t("date")], [t("network"), "r"], [t("users"), "r minor"], [t("system_accounts"), "r minor"], [t("rows"), "r"]],
      row: (day) => [link("#/snapshots/" + day.snapshot_date, day.snapshot_date), amount(day.network_total_contribution), amount(day.user_total_contribution), amount(day.system_total_contribution), whole(day.rows)] }))]];
}
