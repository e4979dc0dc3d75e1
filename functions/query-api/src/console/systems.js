// System accounts, grouped by what they are for.

import { get } from "./api.js";
import { COLOURS, splitBar } from "./charts.js";
import { h } from "./dom.js";
import { amount, decimal, units } from "./numbers.js";
import { accountLink, empty, heading, panel, table } from "./parts.js";
import { t } from "./texts.js";

const KINDS = ["HEADQUARTERS", "OPERATION", "PROVINCE", "CITY"];
const SHOWN = 12;

export async function systems() {
  const { system_accounts: accounts, total } = await get("/v1/system-accounts");
  const groups = KINDS.map((kind) => [kind, accounts.filter((account) => account.kind === kind)]).filter(([, members]) => members.length);
  const sum = (members) => members.reduce((all, { total: one }) => all + units(one), 0n);
  const colours = { HEADQUARTERS: COLOURS.locked, OPERATION: COLOURS.system, PROVINCE: COLOURS.bonus, CITY: COLOURS.level };
  return [t("nav_systems"), [heading(null, t("nav_systems")),
    panel(t("contribution_posted"), t("all_time"), h("p", null, amount(total)), splitBar(t("nav_systems"), groups.map(([kind, members]) => [t("kind_" + kind.toLowerCase()), sum(members), colours[kind]]))),
    groups.length === 0 && empty(t("nothing_yet")),
    groups.map(([kind, members]) => panel(t("kind_" + kind.toLowerCase()), String(members.length), group(kind, members)))]];
}

function group(kind, members) {
  const sorted = members.toSorted((one, other) => (units(other.total) > units(one.total) ? 1 : -1));
  const rows = (list) => table(t("kind_" + kind.toLowerCase()), [[t("account")], [t("total"), "r"]], list.map(({ id, total }) => [accountLink(id), amount(total)]));
  if (sorted.length <= SHOWN) return rows(sorted);
  const rest = sorted.slice(SHOWN).reduce((all, { total }) => all + units(total), 0n);
  return [rows(sorted.slice(0, SHOWN)), h("details", null, h("summary", null, t("and_more", sorted.length - SHOWN), " ", amount(decimal(rest))), rows(sorted.slice(SHOWN)))];
}
