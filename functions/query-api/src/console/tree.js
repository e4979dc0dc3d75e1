// A genealogy that one can walk: with the mouse, or with the arrow keys.

import { account as path, get, isOperator, orNull } from "./api.js";
import { h } from "./dom.js";
import { amount, whole } from "./numbers.js";
import { accountLink, badge, empty, figures, heading, link, note, panel } from "./parts.js";
import { t } from "./texts.js";

const PAGE = 50;

export async function tree(id) {
  const own = path(id);
  const [upline, team] = await Promise.all([get(own + "/upline", { limit: 20 }), orNull(get(own + "/team"))]);
  return [t("genealogy") + " " + id, [
    heading(t("genealogy"), id, link("#/account/" + encodeURIComponent(id), t("account"))),
    panel(t("above"), t("end_" + upline.end.toLowerCase()), upline.ancestors.length === 0 ? empty(t("nobody_above")) : h("ol", { class: "unlock-next" },
      upline.ancestors.toReversed().map((one) => h("li", null, t("level_n", one.level), " ", accountLink(one.account), " ", unlockWords(one), isOperator() && [" ", link(`#/account/${encodeURIComponent(one.account)}/tree`, t("from_here"))])))),
    panel(t("below"), t("tree_keys"), team && figures([t("team_trees", team.date), whole(team.total_team_trees)], [t("own_trees"), whole(team.own_trees)]), await branch(id, id, null, true))]];
}

const unlockWords = (one) => (one.unlocked_level_depth == null ? "" : h("span", { class: "quiet small" }, t("unlock_short", one.unlocked_level_depth, one.unlocked_bonus_tiers)));

/// The direct referrals of a node. A member's nodes have numbers instead of names.
async function branch(root, id, numbers, isTop = false) {
  const list = h("ul", { class: isTop && "tree", role: isTop ? "tree" : "group", "aria-label": isTop && t("below") });
  if (isTop) list.addEventListener("keydown", walk);
  const by = isOperator() ? [path(id) + "/referrals", {}] : [path(root) + "/referrals", { below: numbers }];
  let cursor;
  const more = h("button", { type: "button", onclick: () => load() }, t("show_more"));
  async function load() {
    more.remove();
    const page = await get(by[0], cursor ? { cursor } : { ...by[1], limit: PAGE });
    for (const child of page.referrals) list.append(node(root, child, numbers));
    cursor = page.next_cursor;
    if (cursor) list.append(h("li", null, more));
    if (!list.children.length) list.append(h("li", null, empty(t("no_referrals"))));
    if (isTop && !list.querySelector("[tabindex='0']")) list.querySelector("[role=treeitem]")?.setAttribute("tabindex", "0");
  }
  await load();
  return list;
}

function node(root, child, numbers) {
  const path = numbers == null ? String(child.number) : numbers + "." + child.number;
  const item = h("li", { role: "treeitem", tabindex: "-1", "aria-expanded": child.has_referrals ? "false" : null });
  const fold = child.has_referrals ? h("button", { type: "button", class: "fold", tabindex: "-1", "aria-label": t("expand") }, "+") : h("span", { class: "leaf" });
  item.toggle = async (open) => {
    if (!child.has_referrals || (item.getAttribute("aria-expanded") === "true") === open) return;
    item.setAttribute("aria-expanded", String(open));
    fold.textContent = open ? "−" : "+"; fold.setAttribute("aria-label", open ? t("collapse") : t("expand"));
    if (!open) { item.querySelector(":scope > ul")?.remove(); return; }
    try { item.append(await branch(root, child.account, path)); } catch (error) { item.append(note("bad", error.message)); }
  };
  if (child.has_referrals) fold.addEventListener("click", () => item.toggle(item.getAttribute("aria-expanded") !== "true"));
  item.append(h("div", { class: "node-line" }, fold, accountLink(child.account), child.has_adopted ? badge(t("has_adopted"), "good") : badge(t("not_adopted")), unlockWords(child), child.total && amount(child.total)));
  return item;
}

/// Arrow keys: up and down between what is shown, right opens, left closes or goes up.
function walk(event) {
  const item = event.target.closest("[role=treeitem]");
  if (!item || !["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll("[role=treeitem]")], at = items.indexOf(item);
  const go = (next) => { if (!next) return; items.forEach((one) => one.setAttribute("tabindex", "-1")); next.setAttribute("tabindex", "0"); next.focus(); };
  if (event.key === "ArrowDown") go(items[at + 1]);
  else if (event.key === "ArrowUp") go(items[at - 1]);
  else if (event.key === "ArrowRight") { if (item.getAttribute("aria-expanded") === "false") item.toggle(true); else go(item.querySelector("[role=treeitem]")); }
  else if (item.getAttribute("aria-expanded") === "true") item.toggle(false);
  else go(item.parentElement.closest("[role=treeitem]"));
}
