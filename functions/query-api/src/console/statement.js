// A statement of any period: it adds up.

import { account as path, get, getFile, isOperator } from "./api.js";
import { h } from "./dom.js";
import { amount, date, whole } from "./numbers.js";
import { accountLink, badge, download, figures, growing, heading, link, orderLink, panel } from "./parts.js";
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
    try { await show({ from: from.value, to: to.value }); }
    catch (error) { box.replaceChildren(h("p", { class: "note bad" }, error.message, " ", error.detail ?? "", " ", error.next ?? "")); }
  };
  await show({});
  return [t("statement") + " " + id, [heading(t("statement"), id, link("#/account/" + encodeURIComponent(id), t("account"))),
    h("form", { class: "row", onsubmit: submit }, h("label", { for: "from" }, t("from"), from), h("label", { for: "to" }, t("to"), to), h("button", { class: "main" }, t("show"))), box]];
}

async function shown(id, page) {
  const period = { from: page.from, to: page.to };
  return [h("section", { class: "panel" }, figures([t("opening_balance"), amount(page.opening_balance), true], [t("became_effective"), amount(page.became_effective)],
    [t("late_corrections"), amount(page.late_corrections)], [t("expired"), amount(page.expired)], [t("closing_balance"), amount(page.closing_balance), true], [t("lines"), whole(page.line_count)]),
  download(t("save_csv"), `statement-${id}-${page.from}-${page.to}.csv`, () => getFile(path(id) + "/statement", { ...period, format: "csv" }))),
  panel(t("lines"), `${page.from} – ${page.to}`, await growing({ title: t("lines"), path: path(id) + "/statement", name: "lines", begun: page, nothing: t("nothing_moved"),
    columns: [[t("date")], [t("movement")], [t("order")], [t("adopter"), "minor"], [t("because_of"), "minor"], [t("amount"), "r"]],
    row: (line) => [date(line.date), [badge(t("movement_" + line.movement.toLowerCase()), line.movement === "LATE" ? "warn" : ""),
      line.would_have_changed && h("div", { class: "small quiet" }, t("would_have_changed", line.would_have_changed.first_date, line.would_have_changed.last_date))],
    line.order_id ? (isOperator() ? orderLink(line.order_id) : line.order_id) : "–", line.adopter ? accountLink(line.adopter) : "–",
    [t("kind_line_" + line.kind.toLowerCase()), line.cause && [" · ", t("cause_" + line.cause.kind.toLowerCase()), line.cause.order_id && [" ", orderLink(line.cause.order_id)]]], amount(line.amount)] }))];
}
