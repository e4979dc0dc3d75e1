// A capture in which things went wrong, to be replayed after the one with regions: what an operator sees on a bad day.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const CAPTURE = join(import.meta.dirname, "../../events/captures/flattened-regions.jsonl");
const [USERS, ORDERS, REFERRALS] = ["rwa_identity.users", "rwa_planting.planting_orders", "rwa_referral.referral_relations"].map((name) => "dbserver1." + name);

/// Returns the text of the capture. Six paid orders are cancelled, so that a brake of three holds.
export function troubledCapture() {
  const lines = readFileSync(CAPTURE, "utf8").trim().split("\n");
  const records = lines.map((line) => JSON.parse(line));
  const next = {}, trouble = [];
  const last = (topic, test) => JSON.parse(records.findLast((one) => one.topic === topic && one.value && test(JSON.parse(one.value))).value);
  let tick = 0;
  const add = (topic, key, value) => {
    tick += 1;
    const at = 1795167740000 + tick * 10;
    const stamped = typeof value === "string" ? value : JSON.stringify({ ...value, __op: "u", __lsn: 48900000 + tick * 100, __source_ts_ms: at, __source_snapshot: null });
    next[topic] ??= 0;
    trouble.push(JSON.stringify({ topic, partition: 0, offset: next[topic]++, timestamp: at, key: JSON.stringify(key), value: stamped }));
  };
  const paid = records.filter((one) => one.topic === ORDERS && one.value).map((one) => JSON.parse(one.value)).filter((row) => row.status === "MINING_ENABLED");
  for (const { order_id } of paid.slice(10, 16)) add(ORDERS, { order_id }, { ...last(ORDERS, (row) => row.order_id === order_id), status: "CANCELLED" });
  const order = (order_id, changed) => add(ORDERS, { order_id }, { ...paid[0], order_id, adoption_id: `00000000-0000-4000-8000-${String(order_id).padStart(12, "0")}`, ...changed });
  order(901, { account_sequence: "D25122800901" });
  order(902, { account_sequence: "D25122800902" });
  order(903, { adoption_date: 24000 });
  order(904, { tree_count: 0 });
  order(905, { contribution_per_tree: "-5.0000000000" });
  order(906, { account_sequence: "D25122800903" });
  const referral = last(REFERRALS, (row) => row.account_sequence && row.referrer_id !== null);
  for (const [one, other, n] of [["D25122800903", "D25122800904", 1], ["D25122800904", "D25122800903", 2]]) {
    add(REFERRALS, { id: `00000000-0000-4000-9000-00000000000${n}` }, { ...referral, id: `00000000-0000-4000-9000-00000000000${n}`, account_sequence: one, ...underOther(referral, other) });
  }
  add(ORDERS, { order_id: 907 }, "{\"order_id\":907,\"account_sequence\":\"D2512270000");
  add(ORDERS, { order_id: 908 }, "[1, 2]");
  add("dbserver1.public.coupons", { id: 1 }, { id: 1 });
  add(USERS, {}, { phone: "13900000999" });
  return trouble.join("\n") + "\n";
}

/// Returns the text of a capture to be replayed after the one with regions: a date on which thirty times as much becomes
/// effective as on any before, so that a guard stops its close.
export function suspiciousCapture() {
  const records = readFileSync(CAPTURE, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const paid = JSON.parse(records.findLast((one) => one.topic === ORDERS && one.value && JSON.parse(one.value).status === "MINING_ENABLED").value);
  const order = (order_id, tree_count, n) => {
    const at = 1795167740000 + n * 10;
    const row = { ...paid, order_id, adoption_id: `00000000-0000-4000-8000-${String(order_id).padStart(12, "0")}`, tree_count, adoption_date: paid.adoption_date + 1 };
    const value = { ...row, __op: "c", __lsn: 48900000 + n * 100, __source_ts_ms: at, __source_snapshot: null };
    return JSON.stringify({ topic: ORDERS, partition: 0, offset: n, timestamp: at, key: JSON.stringify({ order_id }), value: JSON.stringify(value) });
  };
  return [order(951, 900, 0), order(952, 3, 1)].join("\n") + "\n";
}

/// The column that names the referrer, whatever it is called.
function underOther(referral, other) {
  const column = Object.keys(referral).find((name) => name !== "account_sequence" && /^D\d/.test(String(referral[name])));
  return { [column]: other };
}
