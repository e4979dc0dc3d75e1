// What does not take part, grouped by reason: held adoptions, refused records, changes that wait.

import { get, mayOperate } from "./api.js";
import { h } from "./dom.js";
import { amount, date, instant } from "./numbers.js";
import { act } from "./operations.js";
import { accountLink, chips, growing, heading, note, orderLink, panel, table } from "./parts.js";
import { t } from "./texts.js";

export async function held(reason) {
  const first = await get("/v1/held", { reason, limit: 20 });
  const all = Object.values(first.counts).reduce((sum, count) => sum + count, 0);
  const choices = [[undefined, `${t("all")} ${all}`], ...Object.entries(first.counts).map(([name, count]) => [name, `${t("hold_" + name.toLowerCase())} ${count}`])];
  return [t("nav_held"), [heading(null, t("nav_held")), chips(choices, reason, (chosen) => { location.hash = "#/held" + (chosen ? "/" + chosen : ""); }),
    panel(t("nav_held"), t("by_order"), await growing({ title: t("nav_held"), path: "/v1/held", name: "held", begun: first, nothing: t("nothing_held"),
      columns: [[t("order")], [t("account")], [t("reason")], [t("date"), "minor"], [t("trees"), "r minor"], [t("held_since"), "minor"]],
      row: (one) => [orderLink(one.order_id), one.source?.account ? accountLink(one.source.account) : "–",
        [h("strong", null, t("hold_" + one.reason.toLowerCase())), one.reason === "STATUS" && one.source && [" ", h("span", { class: "mono" }, one.source.status)],
          one.account && [" ", accountLink(one.account)], h("div", { class: "small quiet" }, one.detail, ". ", one.help)],
        date(one.source?.adoption_date ?? "–"), one.source?.tree_count ?? "–", instant(one.since)] }))]];
}

export async function quarantine(reason) {
  const first = await get("/v1/quarantine", { reason, limit: 50 });
  const choices = [[undefined, t("all")], ...Object.entries(first.counts).map(([name, count]) => [name, `${name} ${count}${first.next_cursor ? "+" : ""}`])];
  return [t("nav_quarantine"), [heading(null, t("nav_quarantine")), h("p", { class: "quiet" }, t("quarantine_aside")),
    chips(choices, reason, (chosen) => { location.hash = "#/quarantine" + (chosen ? "/" + encodeURIComponent(chosen) : ""); }),
    panel(t("nav_quarantine"), null, await growing({ title: t("nav_quarantine"), path: "/v1/quarantine", name: "quarantined", begun: first, nothing: t("nothing_quarantined"),
      columns: [[t("record")], [t("order")], [t("account")], [t("reason")], [t("refused_at"), "minor"]],
      row: (one) => [h("span", { class: "mono" }, `${one.topic}-${one.partition} @${one.offset}`), one.order_id ? orderLink(one.order_id) : "–", one.account ? accountLink(one.account) : "–",
        [h("span", { class: "mono" }, one.reason), h("div", { class: "small quiet" }, one.message)], instant(one.refused_at)] }))]];
}

export async function waiting() {
  const first = await get("/v1/waiting", { limit: 20 });
  const side = (row) => (row ? [row.status && h("span", { class: "mono" }, row.status), " ", row.tree_count ?? "", " ", row.contribution_per_tree ? amount(row.contribution_per_tree) : "", " ", row.account ? accountLink(row.account) : ""] : t("deleted_at_source"));
  const hangs = (state, referrer) => (referrer ? accountLink(referrer) : t("link_" + state.toLowerCase()));
  return [t("nav_waiting"), [heading(null, t("nav_waiting")), h("p", { class: "quiet" }, t("waiting_aside")),
    first.is_braking && note("bad", t("is_braking")),
    first.is_braking && mayOperate() && panel(t("let_go"), null, act(t("let_go_brake"), () => ({ type: "let_go_brake" }))),
    first.truncates.length > 0 && panel(t("truncated_tables"), null, table(t("truncated_tables"), [[t("table")], [t("committed_at")]], first.truncates.map((one) => [one.table, instant(one.committed_at)])),
      mayOperate() && first.truncates.map((one) => act(t("let_go_table", one.table), () => ({ type: "let_go_truncate", key: one.key })))),
    panel(t("nav_waiting"), null, await growing({ title: t("nav_waiting"), path: "/v1/waiting", name: "waiting", begun: first, nothing: t("nothing_waits"),
      columns: [[t("what")], [t("in_force")], [t("row_now")], [t("until")]],
      row: (one) => (one.kind === "ORDER" ? [[orderLink(one.order_id), " ", one.account && accountLink(one.account)], side(one.in_force), side(one.row), instant(one.until)]
        : [accountLink(one.account), hangs(one.link.state, one.link.referrer), one.link.waiting ? hangs(one.link.waiting.state, one.link.waiting.referrer) : "–", instant(one.until)]) }))]];
}
