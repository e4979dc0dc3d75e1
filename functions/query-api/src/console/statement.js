// A statement of any period: it adds up.

import { accountHead } from "./account-head.js";
import { account as path, get, getFile, isOperator } from "./api.js";
import { h } from "./dom.js";
import { amount, date, whole } from "./numbers.js";
import { accountLink, badge, download, failure, figures, growing, note, orderLink, panel } from "./parts.js";
import { t } from "./texts.js";

export async function statement(id) {
  const box = h("div", { class: "column" });
  const from = h("input", { type: "date", id: "from" }), to = h("input", { type: "date", id: "to" });
  const show = async (parameters) => {
    const page = await get(path(id) + "/statement", { limit: 50, ...parameters });
    from.value = page.from; to.value = page.to;
    box.replaceChildren(...(await shown(id, page)));
  };
  const submit = async (event) => {
    event.preventDefault();
    if (from.value && to.value && from.value > to.value) { box.replaceChildren(note("bad", t("from_after_to"))); return; }
    try { await show({ from: from.value, to: to.value }); }
    catch (error) { box.replaceChildren(failure(error)); }
  };
  let closed = true;
  try { await show({}); }
  catch (error) { if (error.status !== 404) throw error; closed = false; box.append(note("", error.message, " ", error.next ?? "")); }
  return [t("statement") + " " + id, [accountHead(id, "statement"),
    closed && h("form", { class: "row", onsubmit: submit }, h("label", { for: "from" }, t("from"), from), h("label", { for: "to" }, t("to"), to), h("button", { class: "main" }, t("show"))),
    box, balancePanel(id)]];
}

/// The balance of any date, as it is known now or was known at an earlier moment.
function balancePanel(id) {
  const day = h("input", { type: "date", id: "balance-date", required: true }), known = h("input", { type: "datetime-local", id: "known-at", step: 1 });
  const result = h("div", { "aria-live": "polite" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const found = await get(path(id) + "/balance", { date: day.value, known_at: known.value && new Date(known.value).toISOString() });
      result.replaceChildren(figures([t("effective_as_of", found.date), amount(found.effective), true], [t("total_all_time"), amount(found.total)], [t("records"), whole(found.record_count)]));
    } catch (error) { result.replaceChildren(failure(error)); }
  };
  return panel(t("balance"), t("balance_aside"), h("form", { class: "row", onsubmit: submit }, h("label", { for: "balance-date" }, t("date"), day),
    h("label", { for: "known-at" }, t("known_at", Intl.DateTimeFormat().resolvedOptions().timeZone), known), h("button", null, t("show"))), result);
}

async function shown(id, page) {
  const period = { from: page.from, to: page.to };
  return [h("section", { class: "panel" }, figures([t("opening_balance"), amount(page.opening_balance), true], [t("became_effective"), amount(page.became_effective)],
    [t("late_corrections"), amount(page.late_corrections)], [t("expired"), amount(page.expired)], [t("closing_balance"), amount(page.closing_balance), true]),
  download(t("save_csv"), `statement-${id}-${page.from}-${page.to}.csv`, () => getFile(path(id) + "/statement", { ...period, format: "csv" }))),
  panel([t("lines"), " ", h("span", { class: "quiet" }, whole(page.line_count))], `${page.from} – ${page.to}`, await growing({ title: t("lines"), path: path(id) + "/statement", name: "lines", begun: page, nothing: t("nothing_moved"),
    columns: [[t("date")], [t("movement")], [t("order")], [t("adopter"), "minor"], [t("because_of"), "minor"], [t("amount"), "r"]],
    row: (line) => [date(line.date), [badge(t("movement_" + line.movement.toLowerCase()), line.movement === "LATE" ? "warn" : ""),
      line.would_have_changed && h("div", { class: "small quiet" }, t("would_have_changed", line.would_have_changed.first_date, line.would_have_changed.last_date))],
    line.order_id ? (isOperator() ? orderLink(line.order_id) : line.order_id) : "–", line.adopter ? accountLink(line.adopter) : "–",
    [t("kind_line_" + line.kind.toLowerCase()), line.cause && [" · ", t("cause_" + line.cause.kind.toLowerCase()), line.cause.order_id && [" ", isOperator() ? orderLink(line.cause.order_id) : line.cause.order_id], line.cause.account && [" ", accountLink(line.cause.account)]]], amount(line.amount)] }))];
}
