// Numbers and times. Amounts are decimals with ten places, so they are counted as integers, never as floats.

import { h } from "./dom.js";
import { t } from "./texts.js";

const SCALE = 10;

export const units = (amount) => BigInt(amount.replace(".", ""));

export function decimal(value) {
  const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, "0");
  return (value < 0n ? "-" : "") + digits.slice(0, -SCALE) + "." + digits.slice(-SCALE);
}

/// Groups of digits, set apart by space that is no character: what is copied is the plain number.
function groups(integer) {
  const parts = [];
  for (let end = integer.length; end > 0; end -= 3) parts.unshift(integer.slice(Math.max(0, end - 3), end));
  return parts.map((part) => h("span", { class: "g" }, part));
}

export function amount(text) {
  const [, sign, integer, decimals] = /^(-?)(\d+)\.(\d+)$/.exec(text);
  const tail = decimals.slice(2).replace(/0+$/, ""), zeros = "0".repeat(decimals.length - 2 - tail.length);
  // Zeros at the end say nothing; in columns they keep their room, so that the points stand below each other.
  return h("span", { class: "number", title: text }, sign, groups(integer), "." + decimals.slice(0, 2),
    h("span", { class: tail ? "tail has-digits" : "tail" }, tail, zeros && h("span", { class: "zeros", "aria-hidden": "true" }, zeros)));
}

/// A sentence of the API, with the amounts in it as they look everywhere else.
export const withAmounts = (sentence) => sentence.split(/(-?\d+\.\d{10})(?!\d)/).map((part, index) => (index % 2 === 1 ? amount(part) : part));

export const whole = (number) => h("span", { class: "number" }, groups(String(number)));

export function rough(value) {
  const number = Number(value) / 10 ** SCALE, size = Math.abs(number);
  const [by, unit] = size >= 1e9 ? [1e9, "bn"] : size >= 1e6 ? [1e6, "m"] : size >= 1e3 ? [1e3, "k"] : [1, ""];
  const scaled = number / by;
  return (Math.abs(scaled) >= 100 || Number.isInteger(scaled) ? scaled.toFixed(0) : scaled.toFixed(1)) + unit;
}

/// Percentages with two decimals that add up to exactly one hundred: what rounding leaves goes to the largest rests.
export function percentages(values) {
  const all = values.reduce((sum, value) => sum + value, 0n);
  if (all === 0n) return values.map(() => "0 %");
  const parts = values.map((value, index) => ({ index, whole: value * 10000n / all, rest: value * 10000n % all }));
  let left = 10000n - parts.reduce((sum, part) => sum + part.whole, 0n);
  for (const part of [...parts].sort((one, other) => (other.rest > one.rest ? 1 : other.rest < one.rest ? -1 : 0))) {
    if (left <= 0n) break;
    part.whole += 1n; left -= 1n;
  }
  return parts.map(({ whole }) => (Number(whole) / 100).toFixed(2).replace(/\.?0+$/, "") + " %");
}

/// A ratio of scale 18 as a percentage, cut and not rounded.
export function ratio(text) {
  const digits = text.replace(".", "").replace(/^0+(?=\d)/, "").padStart(17, "0");
  const shown = digits.slice(0, -16) + "." + digits.slice(-16, -12) + " %";
  return h("span", { class: "number", title: text }, shown);
}

let zone = "UTC";
export const setZone = (name) => { zone = name; };
export const zoneName = () => zone;

/// An instant in the business time zone, with the zone beside it.
export function instant(text) {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit",
    day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(new Date(text));
  const part = (type) => parts.find((one) => one.type === type).value;
  const shown = `${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")}:${part("second")}`;
  return h("time", { datetime: text, title: text }, h("span", { class: "number" }, shown), " ", h("span", { class: "quiet small" }, zone));
}

export const date = (text) => (text ? h("span", { class: "number" }, text) : h("span", { class: "quiet" }, t("never")));

export function duration(ms) {
  if (ms < 1000) return t("duration_ms", Math.round(ms));
  if (ms < 60e3) return t("duration_s", (ms / 1e3).toFixed(1));
  if (ms < 36e5) return t("duration_min", Math.round(ms / 6e4));
  return ms < 1728e5 ? t("duration_h", Math.round(ms / 36e5)) : t("duration_d", Math.round(ms / 864e5));
}
