// System accounts, grouped by what they are for.

import { get } from "./api.js";
import { COLOURS, splitBar } from "./charts.js";
import { h } from "./dom.js";
import { amount, decimal, units } from "./numbers.js";
import { accountLink, empty, figures, heading, panel, table } from "./parts.js";
import { t } from "./texts.js";

const KINDS = ["HEADQUARTERS", "OPERATION", "PROVINCE", "CITY"];
const SHOWN = 12;

export async function systems() {
  const { system_accounts: accounts, total } = await get("/v1/system-accounts");
  const groups = KINDS.map((kind) => [kind, accounts.filter((account) => account.kind === kind)]).filter(([, members]) => members.length);
  const sum = (members) => members.reduce((all, { total: one }) => all + units(one), 0n);
  const colours = { HEADQUARTERS: COLOURS.locked, OPERATION: COLOURS.system, PROVINCE: COLOURS.bonus, CITY: COLOURS.level };
  // Kinds of one account each stand in one table.
  const single = groups.filter(([, members]) => members.length === 1).flatMap(([, members]) => members), several = groups.filter(([, members]) => members.length > 1);
  return [t("nav_systems"), [heading(null, t("nav_systems")),
    panel(t("contribution_posted"), t("all_time"), figures([t("total"), amount(total), true]), splitBar(t("nav_systems"), groups.map(([kind, members]) => [t("kind_" + kind.toLowerCase()), sum(members), colours[kind]]))),
    groups.length === 0 && empty(t("nothing_yet")),
    single.length > 0 && panel(t("nav_systems"), null, rows(t("nav_systems"), single)),
    several.map(([kind, members]) => panel(t("kinds_" + kind.toLowerCase()), t("accounts_n", members.length), group(kind, members)))]];
}

const rows = (title, list) => table(title, [[t("account")], [t("for"), "minor"], [t("total"), "r"]], list.map(({ id, kind, total }) => [accountLink(id), t("kind_" + kind.toLowerCase()), amount(total)]));

function group(kind, members) {
  const title = t("kinds_" + kind.toLowerCase());
  const sorted = members.toSorted((one, other) => (units(other.total) > units(one.total) ? 1 : -1));
  if (sorted.length <= SHOWN) return rows(title, sorted);
  const rest = sorted.slice(SHOWN).reduce((all, { total }) => all + units(total), 0n);
  return [rows(title, sorted.slice(0, SHOWN)), h("details", null, h("summary", null, t("and_more", sorted.length - SHOWN), " ", amount(decimal(rest))), rows(title, sorted.slice(SHOWN)))];
}
