// Closed dates: their manifests, their rows, what later corrections would have changed, and proofs.

import { accountHead } from "./account-head.js";
import { account as path, get, getFile, isOperator, orNull } from "./api.js";
import { h } from "./dom.js";
import { amount, date, instant, ratio, whole } from "./numbers.js";
import { accountLink, download, empty, figures, growing, heading, link, note, panel, table } from "./parts.js";
import { t } from "./texts.js";

export async function snapshots() {
  return [t("nav_snapshots"), [heading(null, t("nav_snapshots")),
    panel(t("closed_dates"), t("latest_first"), await growing({ title: t("closed_dates"), path: "/v1/snapshots", name: "snapshots", nothing: t("no_date_closed"),
      columns: [[t("date")], [t("network"), "r"], [t("rows"), "r"], [t("restated"), "r"], [t("closed_at"), "minor"]],
      row: (one) => [link("#/snapshots/" + one.snapshot_date, one.snapshot_date), amount(one.network_total_contribution), whole(one.rows), whole(one.restated), instant(one.closed_at)] }))]];
}

export async function snapshot(day) {
  const own = "/v1/snapshots/" + encodeURIComponent(day);
  let manifest;
  try { manifest = await get(own); }
  catch (error) { if (error.status !== 404) throw error; return notClosed(error); }
  return [t("snapshot") + " " + day, [
    heading(t("snapshot"), manifest.snapshot_date, download(t("save_csv"), `snapshot-${manifest.snapshot_date}.csv`, () => getFile(own + "/export"))),
    h("section", { class: "panel" }, figures([t("network"), amount(manifest.network_total_contribution), true], [t("users"), amount(manifest.user_total_contribution), true],
      [t("system_accounts"), amount(manifest.system_total_contribution), true], [t("rows"), whole(manifest.rows), true],
      [t("closed_at"), instant(manifest.closed_at)], [t("cut"), whole(manifest.cut)], [t("rules_version"), String(manifest.policy_version)])),
    panel(t("manifest"), t("manifest_aside"), figures([t("sum_of_ratios"), h("span", { class: "number" }, manifest.sum_of_ratios)],
      [t("digest"), h("code", null, manifest.digest)], [t("merkle_root"), h("code", null, manifest.merkle_root)])),
    panel(t("shares_of", manifest.snapshot_date), t("largest_first"), await growing({ title: t("rows"), path: own + "/rows", name: "rows", nothing: t("nothing_effective"),
      columns: [[t("rank"), "r narrow"], [t("account")], [t("effective"), "r"], [t("share_of_network"), "r"]],
      row: (row) => [whole(row.rank), accountLink(row.account), amount(row.effective_contribution), ratio(row.contribution_ratio)] })),
    panel(t("restated"), t("restated_aside"), await growing({ title: t("restated"), path: own + "/restated", name: "restated", nothing: t("nothing_restated"),
      columns: [[t("account")], [t("first_date")], [t("last_date")], [t("difference"), "r"]],
      row: (one) => [accountLink(one.account), date(one.first_date), date(one.last_date), amount(one.difference)] }))]];
}

/// A date that is not closed says which was last, and leads there.
async function notClosed(error) {
  const last = await orNull(get("/v1/snapshots/latest"));
  return [error.message, [h("h1", null, error.message), h("section", { class: "panel" }, h("p", null, error.detail ?? ""),
    h("p", { class: "row" }, last && link("#/snapshots/" + last.snapshot_date, t("last_closed") + " " + last.snapshot_date), link("#/snapshots", t("closed_dates")), link("#/", t("verdict"))))]];
}

/// The proof of an account's row, for its member: what it is, and how it is checked elsewhere.
export async function proof(id, wanted) {
  const { snapshots: days } = await get(path(id) + "/snapshots", { limit: 60 });
  const day = wanted ?? days.find((one) => one.effective_contribution !== "0.0000000000")?.snapshot_date ?? days[0]?.snapshot_date;
  if (!day) return [t("proof") + " " + id, [accountHead(id, "proof"), panel(t("proof"), null, empty(t("no_date_closed")))]];
  const dates = [...new Set([day, ...days.map((one) => one.snapshot_date)])].sort().reverse();
  const choose = h("select", { id: "proof-date", onchange: (event) => { location.hash = `#/account/${encodeURIComponent(id)}/proof/${event.target.value}`; } },
    dates.map((one) => h("option", { value: one, selected: one === day }, one)));
  const date = h("form", { class: "row" }, h("label", { for: "proof-date" }, t("closed_date"), choose));
  let answer;
  try { answer = await get(`/v1/snapshots/${encodeURIComponent(day)}/proof/${encodeURIComponent(id)}`); }
  catch (error) {
    if (error.status !== 404) throw error;
    return [t("proof") + " " + id, [accountHead(id, "proof"), date, panel(t("proof_of", day), null, note("", error.message, t("sentence_end"), error.next ?? ""))]];
  }
  const { proof: found, root } = answer;
  const text = JSON.stringify({ root, proof: found }, null, 2);
  return [t("proof") + " " + id, [accountHead(id, "proof"), date,
    panel(t("proof_of", day), t("proof_size", new TextEncoder().encode(JSON.stringify(found)).length), h("p", null, t("proof_text")),
      figures([t("effective"), amount(found.effective), true], [t("share_of_network"), ratio(found.ratio), true], [t("network"), amount(found.network_total), true], [t("row_number"), [whole(found.index + 1), " / ", whole(found.rows)], true]),
      figures([t("merkle_root"), h("code", null, root)]),
      table(t("proof"), [[t("step"), "r narrow"], [t("hash")]], found.path.map((step, index) => [String(index + 1), h("code", null, typeof step === "string" ? step : JSON.stringify(step))])),
      h("div", { class: "row middle" }, download(t("save_proof"), `proof-${id}-${day}.json`, async () => new Blob([text], { type: "application/json" })), isOperator() && link("#/snapshots/" + day, t("snapshot"))),
      note("", t("proof_check")))]];
}
