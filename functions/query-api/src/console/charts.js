// Pictures of amounts.

import { h, s } from "./dom.js";
import { amount, decimal, percentages, rough } from "./numbers.js";
import { empty } from "./parts.js";
import { t } from "./texts.js";

export const COLOURS = { personal: "var(--personal)", level: "var(--level)", bonus: "var(--bonus)", system: "var(--system)", locked: "var(--locked)" };
export const legend = (series) => h("ul", { class: "legend" }, series.map(([name, colour]) =>
  h("li", null, h("i", { css: { background: colour } }), h("b", null, name))));

/// A picture that is drawn anew for the width it gets.
export function picture(label, height, draw) {
  const svg = s("svg", { class: "chart", role: "img", "aria-label": label, height });
  new ResizeObserver(() => {
    const width = svg.clientWidth;
    if (width && svg.dataset.width !== String(width)) { svg.dataset.width = width; svg.replaceChildren(...draw(width, height).flat(Infinity).filter(Boolean)); }
  }).observe(svg);
  return svg;
}
/// One bar, split. Parts are [name, units, colour, hint].
export function splitBar(label, parts) {
  const shown = parts.filter(([, value]) => value > 0n);
  const sum = shown.reduce((sum, [, value]) => sum + value, 0n);
  if (sum === 0n) return empty(t("nothing_yet"));
  const percent = new Map();
  percentages(shown.map(([, value]) => value)).forEach((text, index) => percent.set(shown[index][0], text));
  const share = (name) => percent.get(name) ?? "0 %";
  return [
    picture(label + ": " + shown.map(([name, value]) => name + " " + share(name)).join(", "), 26, (width) => {
      let x = 0; const room = width - 3 * (shown.length - 1);
      return shown.map(([name, value, colour]) => {
        const part = Math.max(2, Number(value * 100000n / sum) / 100000 * room);
        const bar = s("rect", { x, y: 0, width: part, height: 26, rx: 4, fill: colour }, s("title", null, name + " " + share(name)));
        x += part + 3; return bar;
      });
    }),
    h("ul", { class: "legend" }, parts.map(([name, value, colour]) => h("li", null, h("i", { css: { background: colour } }),
      h("b", null, name), h("span", null, amount(decimal(value)), " · " + share(name))))),
  ];
}
const niceTop = (value) => {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].map((step) => step * power).find((top) => top >= value);
};
const daysBetween = (one, other) => Math.round((Date.parse(other) - Date.parse(one)) / 864e5);
/// Values over dates, stacked. Rows are { date, values }, series are [name, colour].
export function overTime(label, series, rows, { steps = false } = {}) {
  const top = niceTop(Math.max(...rows.map((row) => row.values.reduce((sum, value) => sum + Math.max(0, Number(value)), 0))));
  const first = rows[0].date, span = Math.max(1, daysBetween(first, rows.at(-1).date) + 1);
  const latest = rows.at(-1);
  return picture(`${label}, ${first} – ${latest.date}: ${series.map(([name], index) => name + " " + rough(latest.values[index])).join(", ")}`, 220, (width, height) => {
    const left = 46, bottom = 24, plotWidth = width - left, plotHeight = height - bottom - 8;
    const x = (date) => left + daysBetween(first, date) / span * plotWidth, y = (value) => 8 + plotHeight * (1 - value / top);
    const day = plotWidth / span, parts = [];
    for (let line = 0; line <= 4; line++) {
      const value = top * line / 4;
      parts.push(s("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
        s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, rough(value)));
    }
    if (steps) {
      const base = rows.map(() => 0);
      series.forEach(([name, colour], index) => {
        const upper = [], lower = [];
        rows.forEach((row, at) => {
          const from = x(row.date), to = at + 1 < rows.length ? x(rows[at + 1].date) : width, low = base[at];
          base[at] += Math.max(0, Number(row.values[index]));
          upper.push([from, y(base[at])], [to, y(base[at])]); lower.unshift([to, y(low)], [from, y(low)]);
        });
        const line = upper.map((point) => point.map((value) => value.toFixed(1)).join(" ")).join(" L ");
        parts.push(s("path", { d: "M " + line + " L " + lower.map((point) => point.map((value) => value.toFixed(1)).join(" ")).join(" L ") + " Z", fill: colour, "fill-opacity": .82 }, s("title", null, name)));
      });
    } else rows.forEach((row) => {
      let low = 0;
      row.values.forEach((value, index) => {
        const size = Math.max(0, Number(value)); if (!size) return;
        const wide = Math.min(36, Math.max(2, day * .72));
        parts.push(s("rect", { x: x(row.date) + (day - wide) / 2, width: wide, y: y(low + size), height: Math.max(1, y(low) - y(low + size)), rx: Math.min(2, wide / 4), fill: series[index][1] },
          s("title", null, `${row.date}: ${series[index][0]} ${decimal(value)}`)));
        low += size;
      });
    });
    const labels = Math.max(1, Math.min(6, Math.floor(plotWidth / 92), span));
    for (let at = 0; at < labels; at++) {
      const days = labels === 1 ? 0 : Math.round((span - 1) * at / (labels - 1));
      const date = new Date(Date.parse(first) + days * 864e5).toISOString().slice(0, 10);
      // A step begins at its date, a bar stands for the whole of it.
      const middle = x(date) + (steps ? 0 : day / 2);
      parts.push(s("text", { x: Math.min(Math.max(middle, left + 32), width - 34), y: height - 4, "text-anchor": "middle" }, date));
    }
    return parts;
  });
}
