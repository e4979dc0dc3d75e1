// What does not take part, grouped by reason: held adoptions, refused records, changes that wait.

import { get, mayOperate } from "./api.js";
import { h } from "./dom.js";
import { amount, date, instant, whole } from "./numbers.js";
import { act, letGoClose, letGoOrWait, suspiciousClose } from "./operations.js";
import { accountLink, growing, heading, note, orderLink, panel, table } from "./parts.js";
import { t } from "./texts.js";

/// The groups of a list: how many of each reason, what it means, what to do. A click shows one group alone.
function groups(name, counts, chosen, words) {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const rows = Object.entries(counts).sort(([, one], [, other]) => other - one).map(([reason, count]) => [
    h("a", { href: `#/${name}/${encodeURIComponent(reason)}`, "aria-current": reason === chosen && "true" }, words(reason).title), whole(count), words(reason).means, words(reason).help]);
  return panel(t("by_reason"), chosen ? h("a", { href: "#/" + name }, t("show_all", all)) : t("click_a_reason"),
    table(t("by_reason"), [[t("reason"), "name"], [t("count"), "r narrow"], [t("meaning"), "minor"], [t("what_to_do")]], rows));
}

/// A form that narrows a list down, and the list.
async function narrowed(fields, list, first) {
  const box = h("div", null, await list({}, first));
  const inputs = fields.map(([name, title]) => [name, title, h("input", { type: "search", id: "narrow-" + name, autocomplete: "off" })]);
  const submit = async (event) => {
    event.preventDefault();
    const wanted = Object.fromEntries(inputs.map(([name, , input]) => [name, name === "order_id" ? input.value.trim().replace(/^#/, "") : input.value.trim().replace(/^[a-z]+\d+$/i, (one) => one.toUpperCase())]));
    box.replaceChildren(await list(wanted));
  };
  return [h("form", { class: "row", onsubmit: submit }, inputs.map(([name, title, input]) => h("label", { for: "narrow-" + name }, title, input)), h("button", null, t("filter"))), box];
}

/// The form that deletes the bytes of a refused record; a row of the list fills it in.
function purging() {
  let record;
  const named = h("p", { class: "mono small" });
  const form = h("div", { hidden: true }, panel(t("purge"), t("purge_aside"), named, act(t("purge"), () => ({ type: "purge_quarantined", ...record }))));
  const choose = ({ source, topic, partition, offset }) => {
    record = { source, topic, partition, offset };
    named.textContent = `${topic}-${partition} @${offset} (${source})`;
    form.hidden = false; form.scrollIntoView({ block: "center" }); form.querySelector("input").focus();
  };
  return { form, choose };
}

export async function held(reason) {
  const first = await get("/v1/held", { reason, limit: 50 });
  const words = (name) => ({ title: t("hold_" + name.toLowerCase()), means: t("holdmeans_" + name.toLowerCase()), help: t("holdhelp_" + name.toLowerCase()) });
  const detail = (one) => (one.reason === "STATUS" ? one.source && h("span", { class: "mono" }, one.source.status)
    : one.account ? accountLink(one.account) : one.column && [t("column"), " ", h("span", { class: "mono" }, one.column)]);
  return [t("nav_held"), [heading(null, t("nav_held")), h("p", { class: "quiet" }, t("held_aside")),
    groups("held", first.counts, reason, words),
    panel(reason ? t("hold_" + reason.toLowerCase()) : t("nav_held"), t("by_order"), await narrowed([["account", t("account")]], (wanted, begun) => growing({ title: t("nav_held"), path: "/v1/held", name: "held", parameters: { reason, ...wanted }, limit: 50, begun, nothing: t("nothing_held"),
      columns: [[t("order")], [t("account")], [t("reason")], [t("date"), "minor"], [t("trees"), "r minor"], [t("amount"), "r"], [t("row_key"), "minor"], [t("held_since"), "minor"]],
      row: (one) => [orderLink(one.order_id), one.source?.account ? accountLink(one.source.account) : "–",
        [h("span", null, t("hold_" + one.reason.toLowerCase())), detail(one) && h("div", { class: "small" }, detail(one))],
        date(one.source?.adoption_date ?? "–"), one.source?.tree_count ?? "–", one.amount ? amount(one.amount) : "–", h("span", { class: "mono small" }, one.row_key ?? "–"), instant(one.since)] }), first))]];
}

export async function quarantine(reason) {
  const first = await get("/v1/quarantine", { reason, limit: 50 });
  const purge = purging();
  const known = (name) => ["unknown_topic", "malformed_json", "invalid_message", "missing_field", "invalid_field", "other_table", "other_key", "no_key", "avro_json"].includes(name) ? name : "other";
  const words = (name) => ({ title: h("span", { class: "mono" }, name), means: t("refused_" + known(name.toLowerCase())), help: t("refusedhelp_" + known(name.toLowerCase())) });
  return [t("nav_quarantine"), [heading(null, t("nav_quarantine")), h("p", { class: "quiet" }, t("quarantine_aside")),
    groups("quarantine", first.counts, reason, words),
    !first.counts_are_complete && note("", t("counts_of_first")),
    panel(reason ?? t("nav_quarantine"), null, await narrowed([["order_id", t("order")], ["account", t("account")]], (wanted, begun) => growing({ title: t("nav_quarantine"), path: "/v1/quarantine", name: "quarantined", parameters: { reason, ...wanted }, limit: 50, begun, nothing: t("nothing_quarantined"),
      columns: [[t("record")], [t("order")], [t("account")], [t("reason")], [t("refused_at"), "minor"]],
      row: (one) => [h("span", { class: "mono" }, `${one.topic}-${one.partition} @${one.offset}`), one.order_id ? orderLink(one.order_id) : "–", one.account ? accountLink(one.account) : "–",
        [h("span", { class: "mono" }, one.reason), h("div", { class: "small quiet" }, one.message), mayOperate() && h("button", { type: "button", class: "link small", onclick: () => purge.choose(one) }, t("purge"))], instant(one.refused_at)] }), first)), purge.form]];
}

export async function waiting() {
  const first = await get("/v1/waiting", { limit: 20 });
  const side = (row) => (row ? [row.status && h("span", { class: "mono" }, row.status), " ", row.tree_count != null && [whole(row.tree_count), " × "], row.contribution_per_tree ? amount(row.contribution_per_tree) : "", " ", row.account ? accountLink(row.account) : ""] : t("deleted_at_source"));
  const hangs = (state, referrer) => (referrer ? accountLink(referrer) : t("link_" + state.toLowerCase()));
  return [t("nav_waiting"), [heading(null, t("nav_waiting")), h("p", { class: "quiet" }, t("waiting_aside")),
    first.is_braking && panel(t("brake"), null, note("bad", t("is_braking")), mayOperate() && letGoOrWait(t("let_go_brake"), () => ({ type: "let_go_brake" }), "brake")),
    first.truncates.length > 0 && panel(t("truncated_tables"), null, table(t("truncated_tables"), [[t("table")], [t("committed_at")]], first.truncates.map((one) => [one.table, instant(one.committed_at)])),
      mayOperate() && first.truncates.map((one) => letGoOrWait(t("let_go_table", one.table), () => ({ type: "let_go_truncate", key: one.key }), one.table))),
    first.suspicious_close && suspiciousClose(first.suspicious_close, letGoClose(first.suspicious_close.date)),
    panel(t("changes"), null, await growing({ title: t("nav_waiting"), path: "/v1/waiting", name: "waiting", begun: first, nothing: t("nothing_waits"),
      columns: [[t("what")], [t("in_force")], [t("row_now")], [t("until")]],
      row: (one) => (one.kind === "ORDER" ? [[t("order"), " ", orderLink(one.order_id), " ", one.account && accountLink(one.account), one.total && h("div", { class: "small quiet" }, t("would_be_taken_back"), " ", amount(one.total))], side(one.in_force), side(one.row), instant(one.until)]
        : [[t("link_of"), " ", accountLink(one.account), h("div", { class: "small quiet" }, t("adoptions_below"), t("colon"), whole(one.adoptions))], hangs(one.link.state, one.link.referrer), one.link.waiting ? hangs(one.link.waiting.state, one.link.waiting.referrer) : "–", instant(one.until)]) }))]];
}
