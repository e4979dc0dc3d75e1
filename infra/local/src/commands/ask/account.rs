//! `contribution account`: asks the API what an account has, and shows it.

use anyhow::Result;
use serde_json::Value;

use super::{answer, known_account};
use crate::arguments::Account;
use crate::client::Client;
use crate::screen::{Screen, Side, TextTable, amount, entries, text};

/// How many of the accounts above are shown.
const ANCESTORS: usize = 15;

/// Shows what an account has, what it has unlocked, and its adoptions.
pub(super) async fn show_account(arguments: &Account) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let (path, mut account) = known_account(&client, &arguments.account).await?;
    // System accounts have no place in the forest, and adopt nothing.
    if !account["link"].is_null() {
        let upline = client.list(&format!("{path}/upline"), "ancestors", ANCESTORS).await?;
        let adoptions = client.list(&format!("{path}/adoptions"), "adoptions", arguments.limit).await?;
        account["ancestors"] = upline["ancestors"].clone();
        account["adoptions"] = adoptions["adoptions"].clone();
        account["has_more_adoptions"] = (!adoptions["next_cursor"].is_null()).into();
    }
    answer(&arguments.asked, &account, screen)
}

fn screen(account: &Value) -> Screen {
    let mut screen = Screen::new();
    screen.title(&text(&account["account"]));
    let mut table = TextTable::new([("", Side::Left), (screen.say("contribution", "算力"), Side::Amount)]);
    for (name, label) in [
        ("personal", screen.say("personal", "个人")),
        ("team_level", screen.say("team, by level", "团队层级")),
        ("team_bonus", screen.say("team, bonus", "团队奖励")),
        ("adjusted", screen.say("adjusted by hand", "人工调整")),
        ("total", screen.say("total", "合计")),
    ] {
        table.row([label.to_owned(), text(&account[name])]);
    }
    if let Some(date) = account["as_of"].as_str() {
        let label = format!("{} {date}", screen.say("effective on", "生效于"));
        table.row([label, text(&account["effective"])]);
    }
    screen.table(&table, "");
    if account["as_of"].is_string() {
        screen.pair(screen.say("share of the network", "全网占比"), text(&account["contribution_ratio"]));
    }
    screen.pair(screen.say("records", "记录数"), &account["record_count"]);
    if !account["link"].is_null() {
        write_place(&mut screen, account);
        write_unlocks(&mut screen, &account["unlock"]);
        write_adoptions(&mut screen, account);
    }
    screen
}

fn write_place(screen: &mut Screen, account: &Value) {
    screen.title(screen.say("referrers", "推荐链"));
    if account["link"]["state"] == "MISSING" {
        screen.line(screen.say("  no referral row names the account", "  没有该账户的推荐关系记录"));
    }
    let mut table = TextTable::new([
        (screen.say("level", "层级"), Side::Right),
        (screen.say("account", "账户"), Side::Left),
        (screen.say("adopted", "已认种"), Side::Left),
        (screen.say("levels open", "已解锁层级"), Side::Right),
        (screen.say("tiers open", "已解锁奖励档"), Side::Right),
    ]);
    for ancestor in entries(&account["ancestors"]) {
        let adopted = match ancestor["has_adopted"].as_bool() {
            Some(true) => screen.say("yes", "是"),
            Some(false) => screen.say("no", "否"),
            None => "-",
        };
        table.row([
            text(&ancestor["level"]),
            text(&ancestor["account"]),
            adopted.to_owned(),
            text(&ancestor["unlocked_level_depth"]),
            text(&ancestor["unlocked_bonus_tiers"]),
        ]);
    }
    screen.table(&table, screen.say("none: the account is a root", "无：该账户是根账户"));
}

fn write_unlocks(screen: &mut Screen, unlock: &Value) {
    screen.title(screen.say("unlocked", "解锁"));
    let of = |open: &str, all: &str| format!("{} / {}", unlock[open], unlock[all]);
    screen.pair(screen.say("levels", "层级"), of("unlocked_level_depth", "level_count"));
    screen.pair(screen.say("bonus tiers", "奖励档"), of("unlocked_bonus_tiers", "bonus_count"));
    screen.pair(
        screen.say("direct referrals adopted", "直推认种人数"),
        &unlock["direct_referral_adopted_count"],
    );
    for next in entries(&unlock["next"]) {
        let missing: Vec<String> =
            entries(&next["missing"]).iter().map(|missing| missing_words(screen, missing)).collect();
        let what = match next["type"].as_str() {
            Some("TEAM_BONUS") => screen.say("tier", "奖励档"),
            _ => screen.say("levels", "层级"),
        };
        let (first, last) = (&next["first_index"], &next["last_index"]);
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let name = format!("{} {what} {range}", screen.say("for", "解锁"));
        screen.pair(&name, missing.join(screen.say(" or ", " 或 ")));
    }
}

fn missing_words(screen: &Screen, missing: &Value) -> String {
    if missing["requirement"] == "OWN_ADOPTION" {
        return screen.say("an adoption of its own", "本人认种").to_owned();
    }
    let (needed, found) = (&missing["needed"], &missing["found"]);
    screen.say(
        format!("{needed} direct referrals that adopted, of which there are {found}"),
        format!("直推认种 {needed} 人，现有 {found} 人"),
    )
}

fn write_adoptions(screen: &mut Screen, account: &Value) {
    screen.title(screen.say("adoptions", "认种"));
    let mut table = TextTable::new([
        (screen.say("order", "订单"), Side::Right),
        (screen.say("state", "状态"), Side::Left),
        (screen.say("trees", "棵数"), Side::Right),
        (screen.say("total", "总额"), Side::Amount),
        (screen.say("effective", "生效"), Side::Left),
        (screen.say("expires", "到期"), Side::Left),
        ("", Side::Left),
    ]);
    for adoption in entries(&account["adoptions"]) {
        let hold = &adoption["hold"];
        let why = if hold.is_null() {
            String::new()
        } else {
            format!("{}: {}", text(&hold["reason"]), text(&hold["detail"]))
        };
        table.row([
            text(&adoption["order_id"]),
            text(&adoption["state"]),
            text(&adoption["tree_count"]),
            amount(&adoption["total"]),
            text(&adoption["effective_date"]),
            text(&adoption["expire_date"]),
            why,
        ]);
    }
    screen.table(&table, screen.say("none", "无"));
    if account["has_more_adoptions"] == true {
        screen.line(screen.say("  and more; see --limit", "  还有更多，参见 --limit"));
    }
}
