// How far the source was read, and what is in hand.

import { get, mayOperate } from "./api.js";
import { h } from "./dom.js";
import { instant, whole } from "./numbers.js";
import { act, folded } from "./operations.js";
import { accountLink, badge, empty, figures, heading, orderLink, panel, table } from "./parts.js";
import { t } from "./texts.js";

export async function source() {
  const sync = await get("/v1/sync-status");
  const { records, log, adoptions } = sync;
  const sources = [...new Set(sync.partitions.filter((one) => !one.is_retired).map((one) => one.source))];
  return [t("nav_source"), [heading(null, t("nav_source"), h("span", { class: "quiet small" }, t("as_of"), " ", instant(sync.read_at))),
    h("section", { class: "panel" }, figures(
      ...["applied", "duplicated", "older", "ambiguous", "control", "quarantined"].map((name) => [t("records_" + name), whole(records[name])]),
      [t("orders_seen"), whole(adoptions.seen)], [t("corrections"), whole(adoptions.corrections)], [t("withdrawals"), whole(adoptions.withdrawals)],
      [t("log_end"), whole(log.end)], [t("projected"), whole(log.projected)], log.decided_at && [t("last_decision"), instant(log.decided_at)])),
    panel(t("partitions"), null, sync.partitions.length === 0 ? empty(t("nothing_read")) : table(t("partitions"),
      [[t("partition")], [t("next_offset"), "r"], [t("state")], [t("read_through")], [t("last_read"), "minor"], [t("records_quarantined"), "r minor"]],
      sync.partitions.map((one) => [[h("span", { class: "mono" }, `${one.topic}-${one.partition}`), h("div", { class: "small quiet mono" }, one.source)], one.next_offset == null ? "–" : whole(one.next_offset),
        one.is_retired ? badge(t("retired")) : one.in_snapshot ? badge(t("in_snapshot"), "warn") : badge(t("streaming"), "good"),
        one.read_through ? instant(one.read_through) : t("not_known"), one.last_read_at ? instant(one.last_read_at) : "–", whole(one.records.quarantined)]))),
    panel(t("corrections_under_way"), null, sync.corrections.length === 0 ? empty(t("no_correction")) : table(t("corrections_under_way"), [[t("below")], [t("because_of")], [t("began_at")], [t("compared_last"), "minor"]],
      sync.corrections.map((one) => [one.below ? accountLink(one.below) : t("all_orders"), [t("cause_" + one.cause.kind.toLowerCase()), one.cause.order_id && [" ", orderLink(one.cause.order_id)], one.cause.account && [" ", accountLink(one.cause.account)]], instant(one.began_at), one.at ?? "–"]))),
    mayOperate() && sources.length > 0 && panel(t("retire_source"), t("retire_source_aside"), retire(sources))]];
}

function retire(sources) {
  const choose = h("select", { id: "source" }, sources.map((name) => h("option", { value: name }, name)));
  return folded(t("retire_source"), act(t("retire_source"), () => ({ type: "retire_source", source: choose.value }), h("label", { for: "source" }, t("source"), choose)));
}
