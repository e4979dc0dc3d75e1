// What stands at the top of every page about an account.

import { isOperator } from "./api.js";
import { h } from "./dom.js";
import { isSystem } from "./parts.js";
import { regionName } from "./regions.js";
import { t } from "./texts.js";

/// The account's name and the pages that there are about it, of which `current` is shown.
export function accountHead(id, current, ...beside) {
  const region = regionName(id), own = "#/account/" + encodeURIComponent(id);
  const pages = [["account", own], ["statement", own + "/statement"], !isSystem(id) && ["genealogy", own + "/tree"], ["proof", own + "/proof"]];
  return h("div", null, h("p", { class: "eyebrow" }, isSystem(id) ? t("system_account") : isOperator() ? t("account") : t("your_account")),
    h("div", { class: "title" }, h("h1", { class: "mono" }, id), region && h("span", { class: "region" }, region), beside),
    h("nav", { class: "tabs", "aria-label": t("about_account") }, pages.filter(Boolean).map(([name, href]) =>
      h("a", { href, "aria-current": name === current && "page" }, t(name === "account" ? "nav_overview" : name)))));
}
