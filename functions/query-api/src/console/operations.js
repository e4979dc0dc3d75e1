// What operators do: brakes, pauses, closes, versions, adjustments; and the log of all of it.

import { get, mayApprove, mayOperate, post } from "./api.js";
import { h } from "./dom.js";
import { amount, date, instant, whole, withAmounts } from "./numbers.js";
import { accountLink, badge, figures, growing, failure, heading, link, note, orderLink, panel, table } from "./parts.js";
import { t } from "./texts.js";

const SCOPES = ["posting", "closing", "corrections"];
const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

let forms = 0;
/// A form that asks for a reason and sends a command. The same key is used until the decider has answered.
export function act(title, command, ...fields) {
  const id = "reason-" + ++forms;
  const reason = h("input", { type: "text", id, required: true, maxlength: 500 }), said = h("div", { "aria-live": "polite" }), button = h("button", { class: "main" }, title), read = h("p", { class: "quiet small" }, t("stands_in_log"));
  let key = newKey();
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await post("/v1/commands", { reason: reason.value, command: command() }, key);
      if (answer.outcome !== "PENDING") key = newKey();
      said.replaceChildren(note(answer.outcome === "REFUSED" ? "bad" : "", t("outcome_" + answer.outcome.toLowerCase()), answer.refusal ? [t("colon"), withAmounts(answer.refusal)] : ""),
        answer.outcome === "DONE" ? h("button", { type: "button", class: "link", onclick: () => dispatchEvent(new Event("hashchange")) }, t("show_again")) : "");
    } catch (error) { said.replaceChildren(failure(error)); }
    button.disabled = false;
  };
  return h("form", { class: "act", onsubmit: submit }, fields, h("label", { for: id }, t("why"), reason), button, read, said);
}

/// What an operator decides about something that is stopped: let it go, or let it wait on. Both need a reason and stand in the log.
export const letGoOrWait = (title, command, what) => h("div", { class: "two" }, h("details", { class: "decide", open: true }, h("summary", null, title), act(title, command)),
  h("details", { class: "decide" }, h("summary", null, t("wait_on")), act(t("wait_on"), () => ({ type: "note", text: "wait: " + what }))));

/// What an operator decides about a close that the guard stops.
export const letGoClose = (day) => mayOperate() && letGoOrWait(t("let_go_close", day), () => ({ type: "let_go_close", date: day }), "close " + day);

/// A form that is opened when it is needed.
export const folded = (title, ...content) => h("details", { class: "decide" }, h("summary", null, title), content);

/// A field of a form, and its label around it.
export const field = (label, type, attributes) => {
  const input = h("input", { type, id: "field-" + ++forms, required: true, ...attributes });
  return [input, h("label", { for: input.id }, label, input)];
};

export async function operations() {
  const sync = await get("/v1/sync-status");
  const stopped = isSuspicious(sync.close) ? (await get("/v1/waiting", { limit: 1 })).suspicious_close : null;
  return [t("nav_operations"), [heading(null, t("nav_operations")),
    h("div", { class: "two" }, panel(t("brake"), t("brake_aside"), brake(sync.brake)), panel(t("close"), null, close(sync.close))),
    stopped && suspiciousClose(stopped),
    panel(t("pauses"), null, pauses(sync.paused)),
    mayApprove() && h("div", { class: "two" }, panel(t("adjust"), t("adjust_aside"), adjustment()), panel(t("introduce"), t("introduce_aside"), version())),
    !mayOperate() && note("", t("may_only_read")),
    panel(t("operators_log"), t("latest_first"), await growing({ title: t("operators_log"), path: "/v1/operations", name: "operations", nothing: t("no_operation"),
      columns: [[t("when")], [t("who")], [t("what")], [t("why")], [t("outcome")]],
      row: (one) => [instant(one.at), one.by, what(one.command), one.reason, [badge(t("outcome_" + one.outcome.toLowerCase()), one.outcome === "DONE" ? "good" : "warn"), one.refusal && h("div", { class: "small quiet" }, withAmounts(one.refusal)), one.before && h("div", { class: "small quiet" }, withAmounts(t("before_after", one.before, one.after)))]] }))]];
}

function brake(state) {
  return [figures([t("state"), state.is_braking ? badge(t("braking"), "bad") : badge(t("free"), "good")], [t("limit"), state.limit == null ? t("off") : whole(state.limit)],
    [t("orders_waiting"), whole(state.orders_waiting)], [t("uplines_waiting"), whole(state.uplines_waiting)], [t("adoptions_below"), whole(state.adoptions_below_waiting)], [t("let_go_hour"), whole(state.let_go_within_the_hour)]),
  state.is_braking && mayOperate() && letGoOrWait(t("let_go_brake"), () => ({ type: "let_go_brake" }), "brake"),
  h("p", { class: "small quiet" }, t("brake_help"), " ", h("a", { href: "#/waiting" }, t("nav_waiting")))];
}

const isSuspicious = ({ waiting_for: reasons }) => reasons.some((reason) => reason.startsWith("SUSPICIOUS"));

/// What a close that the guard stops would take: the largest changes, for an operator to judge.
export function suspiciousClose(stopped, ...more) {
  const row = (one) => [t("change_" + one.change.toLowerCase()), orderLink(one.order_id), accountLink(one.account), amount(one.amount), whole(one.page)];
  return panel(t("suspicious_close", stopped.date), t("largest_first"), h("p", null, withAmounts(stopped.reason)),
    table(t("suspicious_close", stopped.date), [[t("change")], [t("order")], [t("account")], [t("amount"), "r"], [t("log_page"), "r minor"]], stopped.changes.map(row)),
    !stopped.are_all_looked_at && note("", t("latest_pages_only")), more);
}

function close(state) {
  const [until, label] = field(t("close_until"), "date");
  return [figures([t("last_closed"), state.last_closed_date ? date(state.last_closed_date) : t("none_yet")], state.asked_until && [t("asked_until"), date(state.asked_until)], state.waiting_date && [t("waits_now"), date(state.waiting_date)]),
    state.waiting_for.length > 0 && h("ul", { class: "steps" }, state.waiting_for.map((reason) => h("li", null, withAmounts(reason)))),
    isSuspicious(state) && letGoClose(state.waiting_date),
    mayOperate() && folded(t("close_now"), act(t("close_now"), () => ({ type: "close", until: until.value }), label))];
}

function pauses(paused) {
  return h("div", { class: "three" }, SCOPES.map((scope) => h("div", { class: "stack-down" }, h("div", { class: "row middle" }, h("h3", null, t("scope_" + scope)), paused[scope] ? badge(t("paused"), "warn") : badge(t("runs"), "good")),
    h("p", { class: "small quiet" }, paused[scope] ? [t("since"), " ", instant(paused[scope])] : t("pausehelp_" + scope)),
    mayOperate() && folded(paused[scope] ? t("resume") : t("pause"), paused[scope] ? act(t("resume"), () => ({ type: "resume", what: scope })) : act(t("pause"), () => ({ type: "pause", what: scope }))))));
}

function adjustment() {
  const [giver, first] = field(t("giver"), "text"), [receiver, second] = field(t("receiver"), "text"), [sum, third] = field(t("amount"), "text", { inputmode: "decimal" });
  const [from, fourth] = field(t("effective_from"), "date"), [until, fifth] = field(t("expires_optional"), "date", { required: null }), [reference, sixth] = field(t("reference"), "text");
  return folded(t("adjust"), act(t("adjust"), () => ({ type: "adjust", giver: giver.value.trim(), receiver: receiver.value.trim(), amount: sum.value.trim(), effective_date: from.value, expire_date: until.value || null, reference: reference.value }), first, second, third, fourth, fifth, sixth));
}

function version() {
  const [number, first] = field(t("version_number"), "number", { min: 2 }), [from, second] = field(t("from"), "date"), [until, third] = field(t("until_optional"), "date", { required: null });
  const policy = h("textarea", { id: "policy", rows: 6, required: true }, "{}");
  return folded(t("introduce"), act(t("introduce"), () => ({ type: "introduce", number: Number(number.value), from: from.value, until: until.value || null, policy: JSON.parse(policy.value) }), first, second, third, h("label", { for: "policy" }, t("policy_json"), policy)));
}

function what(command) {
  const more = { repair: () => (command.order_id ? orderLink(command.order_id) : t("all_orders")), close: () => date(command.until), pause: () => t("scope_" + command.what), resume: () => t("scope_" + command.what),
    adjust: () => [accountLink(command.giver), " → ", accountLink(command.receiver), " ", amount(command.amount)], introduce: () => String(command.number), let_go_close: () => date(command.date),
    retire_source: () => command.source, take_over_places: () => whole(command.count), note: () => command.text, rejected: () => command.what, let_go_truncate: () => command.key };
  const webhook = () => link("#/webhooks/" + encodeURIComponent(command.webhook), command.webhook);
  const ofWebhook = { set_webhook: () => [webhook(), " → ", command.url], remove_webhook: () => command.webhook, rotate_webhook_secret: webhook,
    resume_webhook: () => [webhook(), command.after && [" ", t("after_place"), " ", command.after]], redeliver_webhook: () => command.delivery };
  return [t("command_" + command.type), " ", (more[command.type] ?? ofWebhook[command.type])?.() ?? ""];
}
