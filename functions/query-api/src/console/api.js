// Asking the API, with the token of this tab.

import { language, t } from "./texts.js";

const KEY = "token";
const OPERATOR_SCOPES = ["contribution:read", "contribution:operate", "contribution:approve"];
const channel = "BroadcastChannel" in window ? new BroadcastChannel("contribution-console") : null;

export const token = () => sessionStorage.getItem(KEY);
export function setToken(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

// A second tab asks those that are open for their token.
channel?.addEventListener("message", ({ data }) => {
  if (data === "who" && token()) channel.postMessage({ token: token() });
  else if (data?.token && !token()) { setToken(data.token); dispatchEvent(new Event("hashchange")); }
});
export const askOtherTabs = () => channel?.postMessage("who");

export function claims() {
  try {
    const part = token().split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch { return {}; }
}
const scopes = () => [claims().scope ?? ""].flat().flatMap((scope) => String(scope).split(/[\s,[\]"]+/));
export const isOperator = () => scopes().some((scope) => OPERATOR_SCOPES.includes(scope));
export const mayOperate = () => scopes().includes("contribution:operate");
export const mayApprove = () => scopes().includes("contribution:approve");
export const ownAccount = () => (isOperator() ? null : claims().account_sequence ?? null);

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.title ?? t("answered", status));
    this.status = status; this.detail = problem.detail; this.next = problem.next; this.problem = problem;
  }
}

async function ask(path, options = {}) {
  const headers = { "accept-language": language(), authorization: "Bearer " + token(), ...options.headers };
  let answer;
  try { answer = await fetch(path, { ...options, headers }); }
  catch { throw new Refusal(0, { title: t("no_connection"), next: t("try_again") }); }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) { setToken(null); throw new Refusal(401, { title: t("token_refused") }); }
  throw new Refusal(answer.status, problem);
}

const query = (parameters) => {
  const given = Object.entries(parameters ?? {}).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given).toString();
  return text && "?" + text;
};
export const get = async (path, parameters) => (await ask(path + query(parameters))).json();
export const getFile = async (path, parameters) => (await ask(path + query(parameters))).blob();
export async function post(path, body, key) {
  const headers = { "content-type": "application/json", ...(key && { "idempotency-key": key }) };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/// Nothing where there is nothing, instead of a refusal.
export const orNull = (promise) => promise.catch((error) => { if (error.status === 404) return null; throw error; });

/// Everything of a list, up to so many pages.
export async function all(path, name, parameters, pages = 10) {
  const found = []; let cursor;
  do {
    const page = await get(path, cursor ? { cursor } : { limit: 200, ...parameters });
    found.push(...page[name]); cursor = page.next_cursor;
  } while (cursor && --pages > 0);
  found.complete = !cursor;
  return found;
}
export const account = (id) => "/v1/accounts/" + encodeURIComponent(id);
