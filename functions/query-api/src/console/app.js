// Moving between views.

import { account as accountView } from "./account.js";
import { askOtherTabs, claims, isOperator, ownAccount, setToken, token } from "./api.js";
import { $, h } from "./dom.js";
import { events } from "./events.js";
import { setZone } from "./numbers.js";
import { operations } from "./operations.js";
import { order } from "./order.js";
import { network, overview, watchStatus } from "./overview.js";
import { proof, snapshot, snapshots } from "./snapshots.js";
import { source } from "./source.js";
import { statement } from "./statement.js";
import { systems } from "./systems.js";
import { language, setLanguage, t } from "./texts.js";
import { tree } from "./tree.js";
import { held, quarantine, waiting } from "./triage.js";
import { webhooks } from "./webhooks.js";
import { isSystem, link } from "./parts.js";
import { regionAccount } from "./regions.js";

const OPERATOR_VIEWS = { "": overview, network, snapshots, held, quarantine, waiting, systems, source, events, webhooks, operations };
const NAVIGATION = ["", "network", "snapshots", "held", "quarantine", "waiting", "systems", "source", "events", "operations"];

function signIn(message) {
  const input = h("input", { type: "password", id: "token", name: "token", autocomplete: "off", required: true });
  const submit = (event) => { event.preventDefault(); setToken(input.value.trim()); show(); };
  return [t("sign_in"), [h("div", { class: "sign-in panel" }, h("h1", null, t("sign_in")),
    message && h("p", { class: "note bad", role: "alert" }, message),
    h("form", { onsubmit: submit }, h("label", { for: "token" }, t("access_token")), input, h("button", { class: "main" }, t("continue"))),
    h("p", { class: "quiet small" }, t("token_stays")))]];
}

/// Whether the token is for an operator or a member, as far as it can be read here; the API looks at it again.
const isFor = () => isOperator() || Boolean(ownAccount());

function refuse() {
  const isReadable = Object.keys(claims()).length > 0;
  setToken(null);
  return signIn(isReadable ? t("token_for_nobody") : t("token_refused"));
}

/// A link with a token does not take the place of the session that is there without asking.
function replaceSession(linked) {
  const use = () => { setToken(linked); location.hash = "#/"; show(); };
  const keep = () => { location.hash = "#/"; show(); };
  return [t("other_session"), [h("div", { class: "sign-in panel" }, h("h1", null, t("other_session")), h("p", null, t("other_session_text")),
    h("div", { class: "row" }, h("button", { class: "main", type: "button", onclick: use }, t("other_session_use")),
      h("button", { type: "button", onclick: keep }, t("other_session_keep"))))]];
}

/// What went wrong, with what was looked for, and where to go on.
function problem(title, detail, next) {
  return [title, [h("h1", null, title), h("section", { class: "panel" }, detail && h("p", { class: "mono" }, detail), h("p", null, next ?? t("go_on_search")),
    h("p", { class: "row" }, h("a", { href: "#/" }, isOperator() || !ownAccount() ? t("back_to_start") : t("to_your_account")),
      isOperator() && [link("#/held", t("nav_held")), link("#/quarantine", t("nav_quarantine"))]))]];
}

function parts() {
  try { return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent); } catch { return null; }
}

async function pageFor(path) {
  if (!path) return problem(t("no_such_view"), location.hash, null);
  const [view, id, ...rest] = path;
  if (view === "account" && id) {
    if (rest[0] === "statement") return statement(id);
    if (rest[0] === "tree") return tree(id);
    if (rest[0] === "proof") return proof(id, rest[1]);
    return accountView(id);
  }
  if (!isOperator()) {
    if (view === "") return accountView(ownAccount());
    return problem(t("no_such_view"), view, null);
  }
  if (view === "order" && id) return order(id.replace(/^#/, ""));
  if (view === "snapshots" && id) return snapshot(id);
  const found = OPERATOR_VIEWS[view];
  return found ? found(id) : problem(t("no_such_view"), view, null);
}

function skeleton() {
  return h("div", { class: "skeleton", role: "status", "aria-label": t("loading") }, Array.from({ length: 7 }, () => h("i")));
}

let shown = 0;
export async function show() {
  const linked = /^#token=([\w.-]+)$/.exec(location.hash)?.[1];
  if (linked) history.replaceState(null, "", location.pathname + "#/");
  const turn = ++shown, main = $("#main"), path = parts();
  frame(path?.[0] ?? null);
  const timer = setTimeout(() => turn === shown && main.replaceChildren(skeleton()), 150);
  let page;
  try {
    if (linked && token() && token() !== linked) page = replaceSession(linked);
    else {
      if (linked) setToken(linked);
      page = token() ? isFor() ? await pageFor(path) : refuse() : signIn();
    }
  } catch (error) {
    if (error.status === 401) page = signIn(error.message);
    else if (error.status === undefined) page = problem(t("page_failed"), String(error.message), t("try_again"));
    else if (error.status === 403) page = problem(t("not_yours"), null, error.next);
    else page = problem(error.message, error.detail, error.next);
  }
  clearTimeout(timer);
  if (turn !== shown) return;
  document.title = page[0] + " · " + t("title");
  main.replaceChildren(...page[1].flat(Infinity).filter(Boolean));
  main.dataset.view = location.hash;
  // A token that was refused is gone by now, and so is what it allowed to see.
  frame(path?.[0] ?? null);
  scrollTo(0, 0);
  if (turn > 1) main.focus({ preventScroll: true });
}

function frame(view) {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  $(".skip").textContent = t("to_content");
  $(".brand span").textContent = t("title");
  const inside = Boolean(token()), operator = inside && isOperator();
  const navigation = $("header.bar nav");
  navigation.hidden = !operator; $(".search").hidden = !operator; $("#sign-out").hidden = !inside; $(".verdict").hidden = !operator; $(".verdict").textContent ||= t("loading");
  navigation.setAttribute("aria-label", t("views"));
  navigation.replaceChildren(...NAVIGATION.map((name) => h("a", { href: "#/" + name, "aria-current": (name === view || (name === "events" && view === "webhooks")) && "page" }, t("nav_" + (name || "overview")))));
  navigation.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  const box = $(".search input");
  box.setAttribute("aria-label", t("search_label")); box.setAttribute("placeholder", t("search_placeholder"));
  $("#sign-out").textContent = t("sign_out");
  $("#language").textContent = language() === "zh" ? "English" : "中文";
  if (operator) watchStatus();
}

/// What was typed, as the address of a view: `#57` and `57` are orders, lower case and names of regions find accounts.
function searched(text) {
  if (/^#?\d+$/.test(text)) return "#/order/" + text.replace("#", "");
  const account = regionAccount(text) ?? (/^[a-z]+\d+$/i.test(text) || isSystem(text.toUpperCase()) ? text.toUpperCase() : text);
  return "#/account/" + encodeURIComponent(account);
}

$(".search").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = event.target.q.value.trim();
  if (!wanted) return;
  location.hash = searched(wanted);
  event.target.q.value = "";
});
$("#sign-out").addEventListener("click", () => { setToken(null); location.hash = "#/"; show(); });
$("#language").addEventListener("click", () => { setLanguage(language() === "zh" ? "en" : "zh"); show(); });
addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || /INPUT|TEXTAREA|SELECT/.test(document.activeElement?.tagName) || $(".search").hidden) return;
  event.preventDefault();
  $(".search input").focus();
});
askOtherTabs();
fetch("/health").then((answer) => answer.json()).then(({ business_time_zone: zone }) => zone && setZone(zone)).catch(() => {}).finally(show);
