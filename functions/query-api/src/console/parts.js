// Parts of views.

import { get } from "./api.js";
import { h } from "./dom.js";
import { regionName } from "./regions.js";
import { t } from "./texts.js";

const SYSTEM = /^(OPERATION|HEADQUARTERS|PROVINCE|CITY)(:|$)/;
export const isSystem = (account) => SYSTEM.test(account);

export const accountLink = (account) => {
  if (account == null) return "";
  if (account.includes("*")) return h("span", { class: "mono" }, account);
  const name = isSystem(account) && (regionName(account) || (/^(PROVINCE|CITY)$/.test(account) && t("without_region")));
  return h("a", { href: "#/account/" + encodeURIComponent(account) }, h("span", { class: "mono" }, account), name && " " + name);
};
export const orderLink = (order) => h("a", { href: "#/order/" + order, class: "number" }, String(order));

export const panel = (title, aside, ...content) => h("section", { class: "panel" },
  h("div", { class: "head" }, h("h2", null, title), aside && h("span", { class: "quiet small" }, aside)), content);
export const figures = (...pairs) => h("dl", { class: "figures" }, pairs.filter(Boolean).map(([name, value, big]) =>
  h("div", { class: big && "big" }, h("dt", null, name), h("dd", null, value))));
export const badge = (text, kind) => h("span", { class: "badge " + (kind ?? "") }, text);
export const empty = (text) => h("p", { class: "empty" }, text);
export const note = (kind, ...content) => h("p", { class: "note " + kind }, content);
/// What was refused, why, and what to do: one sentence each.
export const failure = ({ message, detail, next }) => note("bad", message, detail ? t("colon") + detail.replace(/[.。]$/, "") : "", next ? [t("sentence_end"), next] : "");
export const heading = (eyebrow, title, ...beside) => h("div", null, eyebrow && h("p", { class: "eyebrow" }, eyebrow),
  h("div", { class: "title" }, h("h1", null, title), beside));
export const link = (href, text) => h("a", { href }, text);
/// A text that counts: of one thing, or of several.
export const counted = (key, count, ...more) => t(count === 1 ? key + "_one" : key, count, ...more);

let tables = 0;
/// Columns are [name, kind]: "r" is set to the right, "minor" is left out where there is no room.
export function table(name, columns, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${name} ${++tables}` }, h("table", null,
    h("thead", null, h("tr", null, columns.map(([title, kind]) => h("th", { class: kind, scope: "col" }, title)))),
    h("tbody", null, rows.map((row) => h("tr", null, row.map((cell, index) => h("td", { class: columns[index][1] }, cell)))))));
}

/// A list that grows, some rows at a time.
export async function growing({ title, path, name, parameters, columns, row, nothing, limit = 20, begun }) {
  const box = h("div"), more = h("button", { type: "button", onclick: () => next() }, t("show_more"));
  const rows = []; let cursor, shown = 0;
  async function next(page) {
    more.disabled = true;
    try {
      if (page || shown === 0 || (shown >= rows.length && cursor)) {
        page ??= await get(path, cursor ? { cursor } : { limit, ...parameters });
        rows.push(...page[name].map(row)); cursor = page.next_cursor;
      }
      shown = Math.min(rows.length, shown + limit);
      box.replaceChildren(...(shown ? [table(title, columns, rows.slice(0, shown))] : [empty(cursor ? t("none_so_far") : nothing)]),
        ...(cursor || shown < rows.length ? [more] : []));
    } catch (error) { box.append(failure(error)); }
    more.disabled = false;
  }
  await next(begun);
  return box;
}

/// Buttons of which one is chosen.
export const chips = (choices, chosen, choose) => h("div", { class: "chips" }, choices.map(([value, text]) =>
  h("button", { type: "button", class: "chip", "aria-pressed": String(value === chosen), onclick: () => choose(value) }, text)));

/// A button that saves a file which takes a token to read.
export function download(text, name, load) {
  return h("button", { type: "button", onclick: async (event) => {
    event.target.disabled = true;
    try {
      const address = URL.createObjectURL(await load());
      h("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10e3);
    } catch (error) { event.target.after(failure(error)); }
    event.target.disabled = false;
  } }, text);
}
