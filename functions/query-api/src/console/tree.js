// A genealogy that one can walk: with the mouse, with the arrow keys, or by looking for an account.

import { accountHead } from "./account-head.js";
import { account as path, all, get, isOperator, orNull } from "./api.js";
import { h } from "./dom.js";
import { amount, whole } from "./numbers.js";
import { accountLink, badge, counted, empty, figures, link, note, panel, table } from "./parts.js";
import { t } from "./texts.js";

const PAGE = 50;
/// How many ancestors of an account that is looked for are read at most, in pages of 200.
const UPLINE_PAGES = 12;

export async function tree(id) {
  const own = path(id);
  const [upline, team, talent] = await Promise.all([get(own + "/upline", { limit: 20 }), orNull(get(own + "/team")), orNull(get(own + "/talent"))]);
  const below = await branch(id, id, null, { isTop: true });
  return [t("genealogy") + " " + id, [accountHead(id, "genealogy"),
    panel(t("above"), t("end_" + upline.end.toLowerCase()), upline.ancestors.length === 0 ? empty(t("nobody_above")) : above(upline.ancestors)),
    panel(t("below"), t("tree_keys"), figures(talent && [t("direct_referrals"), whole(talent.direct_count), true], talent && [t("descendants"), whole(talent.promotion_count), true],
      team && [t("team_trees", team.date), whole(team.total_team_trees), true], team && [t("own_trees"), whole(team.own_trees), true],
      team?.total_team_contribution && [t("team_contribution"), amount(team.total_team_contribution), true]),
    isOperator() && search(id, below), below)]];
}

/// The ancestors, the root first, so that the way down reads from top to bottom.
const above = (ancestors) => table(t("above"), [[t("tree_level"), "r narrow"], [t("account")], [t("unlocked"), "minor"], [t("talent_level"), "r"], [t("genealogy"), "r"]].filter((_, index) => index < 4 || isOperator()),
  ancestors.toReversed().map((one) => [whole(one.level), accountLink(one.account), unlockWords(one), one.talent_level == null ? "–" : whole(one.talent_level),
    isOperator() && link(`#/account/${encodeURIComponent(one.account)}/tree`, t("from_here"))].filter((cell) => cell !== false)));

const unlockWords = (one) => (one.unlocked_level_depth == null ? "" : [counted("unlock_levels", one.unlocked_level_depth), ", ", counted("unlock_tiers", one.unlocked_bonus_tiers)]);

/// Looks for an account below, and opens the tree down to it.
function search(root, below) {
  const input = h("input", { type: "search", id: "tree-search", autocomplete: "off", autocapitalize: "off", spellcheck: "false", required: true });
  const said = h("div", { "aria-live": "polite" });
  const submit = async (event) => {
    event.preventDefault();
    said.replaceChildren();
    const wanted = input.value.trim().replace(/^[a-z]+(?=\d)/, (letters) => letters.toUpperCase());
    try {
      const way = await wayDown(root, wanted);
      if (!way) { said.replaceChildren(note("", t("not_below", wanted, root))); return; }
      const item = await below.open(way);
      item.closest(".tree").querySelectorAll(".found").forEach((one) => one.classList.remove("found"));
      item.classList.add("found");
      item.querySelector("a").focus();
    } catch (error) { said.replaceChildren(note("bad", error.message, " ", error.next ?? "")); }
  };
  return [h("form", { class: "row", onsubmit: submit }, h("label", { for: "tree-search" }, t("tree_search"), input), h("button", null, t("show"))), said];
}

/// The accounts on the way from the root to an account below it; null where it is not below.
async function wayDown(root, wanted) {
  const ancestors = await all(path(wanted) + "/upline", "ancestors", {}, UPLINE_PAGES);
  const at = ancestors.findIndex((one) => one.account === root);
  return at < 0 ? null : [...ancestors.slice(0, at).map((one) => one.account).reverse(), wanted];
}

/// The direct referrals of a node. A member's nodes have numbers instead of names.
async function branch(root, id, numbers, { isTop = false, from } = {}) {
  const list = h("ul", { class: isTop && "tree", role: isTop ? "tree" : "group", "aria-label": isTop && t("below") });
  if (isTop) list.addEventListener("keydown", walk);
  const [address, parameters] = isOperator() ? [path(id) + "/referrals", {}] : [path(root) + "/referrals", { below: numbers }];
  let cursor;
  const more = h("li", { role: "none" }, h("button", { type: "button", onclick: () => load() }, t("show_more")));
  async function load(first) {
    more.remove();
    const page = await get(address, cursor ? { cursor } : { ...parameters, from: first, limit: PAGE });
    for (const child of page.referrals) list.append(node(root, child, numbers));
    cursor = page.next_cursor;
    if (cursor) list.append(more);
    if (!list.children.length) { list.removeAttribute("role"); list.removeAttribute("aria-label"); list.append(h("li", null, empty(t("no_referrals")))); }
    if (isTop && !list.querySelector("[tabindex='0']")) list.querySelector("[role=treeitem]")?.setAttribute("tabindex", "0");
  }
  /// Opens the nodes on the way down, and returns the last. Where a node is not on the page that is shown, the list begins at it.
  list.open = async ([next, ...rest]) => {
    const find = () => [...list.children].find((item) => item.dataset.account === next);
    if (!find()) {
      cursor = null;
      list.replaceChildren(h("li", { role: "none" }, h("button", { type: "button", onclick: () => { cursor = null; list.replaceChildren(); load(); } }, t("from_the_first"))));
      await load(next);
    }
    const item = find();
    if (!item) throw new Error(t("not_below", next, id));
    if (!rest.length) return item;
    await item.toggle(true);
    return item.querySelector(":scope > ul").open(rest);
  };
  await load(from);
  return list;
}

function node(root, child, numbers) {
  const way = numbers == null ? String(child.number) : numbers + "." + child.number;
  const item = h("li", { role: "treeitem", tabindex: "-1", "aria-expanded": child.has_referrals ? "false" : null, "data-account": child.account });
  const fold = child.has_referrals ? h("button", { type: "button", class: "fold", tabindex: "-1", "aria-label": t("expand") }, "+") : h("span", { class: "leaf" });
  item.toggle = async (open) => {
    if (!child.has_referrals || (item.getAttribute("aria-expanded") === "true") === open) return;
    item.setAttribute("aria-expanded", String(open));
    fold.textContent = open ? "−" : "+"; fold.setAttribute("aria-label", open ? t("collapse") : t("expand"));
    if (!open) { item.querySelector(":scope > ul")?.remove(); return; }
    try { item.append(await branch(root, child.account, way)); } catch (error) { item.append(note("bad", error.message)); }
  };
  if (child.has_referrals) fold.addEventListener("click", () => item.toggle(item.getAttribute("aria-expanded") !== "true"));
  item.append(h("div", { class: "node-line" }, fold, accountLink(child.account), child.has_adopted ? badge(t("has_adopted"), "good") : badge(t("not_adopted")),
    child.talent_level > 0 && badge(t("talent_n", child.talent_level)),
    h("span", { class: "facts small quiet" }, [unlockWords(child), child.team_trees != null && t("trees_of", child.own_trees, child.team_trees),
      child.team_trees > 0 && child.team_contribution && [t("team_contribution"), " ", amount(child.team_contribution)],
      child.descendants > 0 && counted("descendants_n", child.descendants)].filter((fact) => fact && fact.length).map((fact) => h("span", null, fact))),
    child.total && h("span", { class: "sum" }, amount(child.total))));
  return item;
}

/// Arrow keys: up and down between what is shown, right opens, left closes or goes up.
function walk(event) {
  const item = event.target.closest("[role=treeitem]");
  if (!item || !["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter"].includes(event.key)) return;
  if (event.key === "Enter") { if (event.target === item) item.querySelector("a")?.click(); return; }
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll("[role=treeitem]")], at = items.indexOf(item);
  const go = (next) => { if (!next) return; items.forEach((one) => one.setAttribute("tabindex", "-1")); next.setAttribute("tabindex", "0"); next.focus(); };
  if (event.key === "ArrowDown") go(items[at + 1]);
  else if (event.key === "ArrowUp") go(items[at - 1]);
  else if (event.key === "ArrowRight") { if (item.getAttribute("aria-expanded") === "false") item.toggle(true); else go(item.querySelector("[role=treeitem]")); }
  else if (item.getAttribute("aria-expanded") === "true") item.toggle(false);
  else go(item.parentElement.closest("[role=treeitem]"));
}
