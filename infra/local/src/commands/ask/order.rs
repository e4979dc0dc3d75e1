//! `contribution order`: asks the API what became of an adoption, and shows it.

use anyhow::Result;
use serde_json::Value;

use super::answer;
use crate::arguments::Order;
use crate::client::{Client, encoded};
use crate::screen::{Screen, Side, TextTable, Tone, amount, entries, instant, text};

/// Shows what became of an adoption, leg by leg.
pub(super) async fn show_order(arguments: &Order) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let order = arguments.order.trim().trim_start_matches('#');
    let adoption = client.json(&format!("/v1/adoptions/{}", encoded(order))).await?;
    answer(&arguments.asked, &adoption, screen)
}

fn screen(adoption: &Value) -> Screen {
    let mut screen = Screen::new();
    let state = text(&adoption["state"]);
    let tone = if state == "POSTED" { Tone::Good } else { Tone::Attention };
    screen.title(&format!("{} {}", screen.say("order", "订单"), text(&adoption["order_id"])));
    screen.pair(screen.say("state", "状态"), screen.toned(tone, &state));
    if !adoption["hold"].is_null() {
        let hold = &adoption["hold"];
        screen.pair(&text(&hold["reason"]), text(&hold["detail"]));
        screen.pair(screen.say("what helps", "处理办法"), text(&hold["help"]));
    }
    if !adoption["waiting"].is_null() {
        let until = instant(&adoption["waiting"]["until"]);
        screen.pair(screen.say("a change waits until", "变更等待至"), until);
    }
    write_source(&mut screen, &adoption["source"]);
    if !adoption["distribution"].is_null() {
        write_distribution(&mut screen, &adoption["distribution"]);
    }
    let last = &adoption["last_entry"];
    if !last.is_null() {
        screen.title(screen.say("last entry", "最近分录"));
        let cause = &last["cause"];
        let about = [&cause["order_id"], &cause["account"]].into_iter().filter_map(Value::as_str);
        let cause: Vec<&str> = cause["kind"].as_str().into_iter().chain(about).collect();
        screen.pair(&text(&last["kind"]), format!("{} {}", screen.say("page", "页"), last["page"]));
        screen.pair(screen.say("decided at", "决定时间"), instant(&last["decided_at"]));
        if !cause.is_empty() {
            screen.pair(screen.say("because of", "原因"), cause.join(" "));
        }
    }
    screen
}

fn write_source(screen: &mut Screen, source: &Value) {
    screen.title(screen.say("as the source has it", "来源数据"));
    if source.is_null() {
        screen.line(screen.say("  no row names the order any more", "  来源中已无此订单"));
        return;
    }
    for (name, label) in [
        ("account", screen.say("account", "账户")),
        ("tree_count", screen.say("trees", "棵数")),
        ("adoption_date", screen.say("adoption date", "认种日期")),
        ("status", screen.say("status", "状态")),
        ("province_code", screen.say("province", "省")),
        ("city_code", screen.say("city", "市")),
    ] {
        screen.pair(label, text(&source[name]));
    }
    let price = match &source["contribution_per_tree"] {
        Value::Null => screen.say("by the price book", "按价格簿").to_owned(),
        price => amount(price),
    };
    screen.pair(screen.say("contribution per tree", "每棵算力"), price);
    let unreadable = entries(&source["unreadable"]);
    if !unreadable.is_empty() {
        screen.pair(screen.say("cannot be read", "无法读取"), text(&source["unreadable"]));
    }
}

fn write_distribution(screen: &mut Screen, distribution: &Value) {
    screen.title(screen.say("shared out", "分配"));
    screen.pair(screen.say("total", "总额"), amount(&distribution["total"]));
    screen.pair(screen.say("effective", "生效"), text(&distribution["effective_date"]));
    screen.pair(screen.say("expires", "到期"), text(&distribution["expire_date"]));
    let mut table = TextTable::new([
        (screen.say("leg", "分录"), Side::Left),
        ("", Side::Right),
        (screen.say("goes to", "归属"), Side::Left),
        (screen.say("amount", "金额"), Side::Amount),
        ("", Side::Left),
    ]);
    for leg in entries(&distribution["legs"]) {
        let would_be = match leg["would_be_account"].as_str() {
            Some(account) => {
                screen.say(format!("{account} has not unlocked it"), format!("{account} 未解锁"))
            }
            None => leg["reason"].as_str().unwrap_or_default().to_owned(),
        };
        table.row([
            text(&leg["type"]),
            leg["index"].as_u64().map(|index| index.to_string()).unwrap_or_default(),
            text(&leg["owner"]),
            text(&leg["amount"]),
            would_be,
        ]);
    }
    screen.table(&table, screen.say("none", "无"));
}
