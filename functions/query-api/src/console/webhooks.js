// Who is sent the events, what came of it, and what an operator does about it.

import { get, mayApprove, mayOperate } from "./api.js";
import { h } from "./dom.js";
import { outboundHead, TYPES, typeName } from "./events.js";
import { instant, whole } from "./numbers.js";
import { act, field, folded } from "./operations.js";
import { badge, empty, failure, figures, growing, link, note, panel, table } from "./parts.js";
import { t } from "./texts.js";

const STATES = { ACTIVE: "good", FAILING: "warn", STOPPED: "bad" };
const stateBadge = (state) => badge(t("webhook_" + state.toLowerCase()), STATES[state]);
const kinds = (types) => (types.length === 0 ? t("all_types") : types.map((type) => h("div", null, t("event_" + type))));
const address = (name) => "#/webhooks/" + encodeURIComponent(name);

export async function webhooks(name) {
  const { webhooks: all } = await get("/v1/webhooks");
  if (name) return webhook(name, all.find((one) => one.webhook === name));
  return [t("webhooks"), [outboundHead(t("webhooks"), "webhooks"), h("p", { class: "quiet" }, t("webhooks_aside")),
    panel(t("subscriptions"), null, all.length === 0 ? empty(t("no_webhook")) : table(t("subscriptions"), [[t("subscription")], [t("state")], [t("delivered_to")], [t("address")], [t("kind_of_event"), "minor"]],
      all.map((one) => [link(address(one.webhook), one.webhook), [stateBadge(one.state), h("div", { class: "small quiet" }, since(one))], h("span", { class: "mono" }, one.delivered), h("span", { class: "mono small" }, one.url), kinds(one.types)]))),
    mayApprove() && panel(t("subscribe"), t("introduce_aside"), folded(t("subscribe"), settings({ isNew: true }))),
    !mayOperate() && !mayApprove() && note("", t("may_only_read"))]];
}

const since = ({ failing, stopped_at: stopped }) => (stopped ? [t("since"), " ", instant(stopped)] : failing ? [t("since"), " ", instant(failing.since)] : null);

async function webhook(name, found) {
  if (!found) {
    return [name, [outboundHead(name, "webhooks"), panel(t("no_such_webhook"), null, h("p", { class: "mono" }, name), h("p", null, link("#/webhooks", t("webhooks"))))]];
  }
  const again = redelivery();
  return [name, [outboundHead(name, "webhooks", stateBadge(found.state)),
    found.state === "STOPPED" && note("bad", t("webhook_stopped_help")),
    found.state === "FAILING" && note("", t("webhook_failing_help")),
    h("section", { class: "panel" }, figures([t("address"), h("span", { class: "mono" }, found.url)], [t("kind_of_event"), kinds(found.types)], [t("delivered_to"), h("span", { class: "mono" }, found.delivered)],
      found.failing && [t("failing_since"), instant(found.failing.since)], found.failing && [t("attempts"), whole(found.failing.attempts)], found.failing && [t("next_attempt"), instant(found.failing.next_attempt_at)],
      found.stopped_at && [t("stopped_at"), instant(found.stopped_at)])),
    panel(t("deliveries"), t("deliveries_aside"), await deliveries(name, again)),
    mayOperate() && h("div", { class: "two" }, panel(t("send_again"), null, h("p", { class: "small quiet" }, t("send_again_help")), folded(t("resume"), resume(name)), again.form), panel(t("secrets"), null, secrets(name))),
    (mayApprove() || mayOperate()) && panel(t("subscription"), null, h("div", { class: "stack-down" },
      mayApprove() && folded(t("change_subscription"), settings({ name, found })), mayOperate() && folded(t("unsubscribe"), act(t("unsubscribe"), () => ({ type: "remove_webhook", webhook: name })))))]];
}

const deliveries = (name, again) => growing({ title: t("deliveries"), path: `/v1/webhooks/${encodeURIComponent(name)}/deliveries`, name: "deliveries", nothing: t("no_delivery"),
  columns: [[t("when")], [t("delivery"), "minor"], [t("events"), "r"], [t("attempt"), "r minor"], [t("outcome")], ...(mayOperate() ? [[t("send_again_short")]] : [])],
  row: (one) => [instant(one.at), h("span", { class: "mono small" }, one.delivery), whole(one.event_count), whole(one.attempt),
    [badge(one.is_delivered ? t("delivered") : t("not_delivered"), one.is_delivered ? "good" : "warn"), h("div", { class: "small quiet" }, one.status ?? one.failure, " · ", t("duration_ms", one.took_ms))],
    ...(mayOperate() ? [h("button", { type: "button", class: "link", onclick: () => again.choose(one.delivery) }, t("redeliver"))] : [])] });

/// The form that sends one delivery once more; a row of the list fills it in.
function redelivery() {
  const [delivery, label] = field(t("delivery"), "text");
  const form = folded(t("redeliver_one"), act(t("redeliver"), () => ({ type: "redeliver_webhook", delivery: delivery.value.trim() }), label));
  const choose = (id) => { form.open = true; delivery.value = id; form.scrollIntoView({ block: "center" }); form.querySelector("input[id^=reason]").focus(); };
  return { form, choose };
}

function resume(name) {
  const [after, label] = field(t("after_optional"), "text", { required: null, pattern: "\\d+(-\\d+)?" });
  return act(t("resume"), () => ({ type: "resume_webhook", webhook: name, ...(after.value.trim() && { after: after.value.trim() }) }), label);
}

/// Secrets are asked for when they are wanted, and are not on the page before.
function secrets(name) {
  const box = h("div", { "aria-live": "polite" });
  const show = async () => {
    try {
      const { secrets: all } = await get(`/v1/webhooks/${encodeURIComponent(name)}/secrets`);
      box.replaceChildren(table(t("secrets"), [[t("version_number"), "r narrow"], [t("secret")], [t("signs_until")]], all.map((one) => [String(one.number), h("code", null, one.secret), one.until ? instant(one.until) : t("signs_now")])));
    } catch (error) { box.replaceChildren(failure(error)); }
  };
  return [h("p", { class: "small quiet" }, t("secrets_help")), h("div", { class: "row" }, h("button", { type: "button", onclick: show }, t("show_secrets"))), box,
    folded(t("rotate"), act(t("rotate"), () => ({ type: "rotate_webhook_secret", webhook: name })))];
}

/// The form of a subscription: of a new one, or of one that is there.
function settings({ name, found, isNew }) {
  const [id, first] = field(t("subscription"), "text", { pattern: "[a-z0-9\\-]{1,40}", value: name });
  const [url, second] = field(t("address"), "text", { inputmode: "url", value: found?.url });
  const boxes = TYPES.map((type) => [type, h("input", { type: "checkbox", checked: found?.types.includes(type) })]);
  const [after, last] = field(t("begin_after"), "text", { required: null, pattern: "\\d+(-\\d+)?" });
  const types = h("fieldset", { class: "checks" }, h("legend", null, t("kinds_sent")), boxes.map(([type, box]) => h("label", null, box, h("span", null, typeName(type)))));
  return act(isNew ? t("subscribe") : t("change_subscription"), () => ({ type: "set_webhook", webhook: isNew ? id.value.trim() : name, url: url.value.trim(),
    types: boxes.filter(([, box]) => box.checked).map(([type]) => type), ...(isNew && after.value.trim() && { after: after.value.trim() }) }), isNew && first, second, types, isNew && last);
}
