//! `contribution held` and `contribution quarantine`: ask the API for these lists, and show them.

use anyhow::Result;
use serde_json::Value;

use super::{answer, query};
use crate::arguments::{Held, Quarantine};
use crate::client::Client;
use crate::screen::{Screen, Side, TextTable, entries, instant, text};

/// Lists adoptions that do not take part for now.
pub(super) async fn show_held(arguments: &Held) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let filters = query(&[("reason", arguments.reason.clone()), ("account", arguments.account.clone())]);
    let held = client.list(&format!("/v1/held{filters}"), "held", arguments.limit).await?;
    answer(&arguments.asked, &held, held_screen)
}

/// Lists refused records.
pub(super) async fn show_quarantine(arguments: &Quarantine) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let order = arguments.order.as_ref().map(|order| order.trim_start_matches('#').to_owned());
    let filters = query(&[
        ("reason", arguments.reason.clone()),
        ("order_id", order),
        ("account", arguments.account.clone()),
    ]);
    let refused = client.list(&format!("/v1/quarantine{filters}"), "quarantined", arguments.limit).await?;
    answer(&arguments.asked, &refused, quarantine_screen)
}

fn write_counts(screen: &mut Screen, document: &Value, nothing: &str) {
    screen.title(screen.say("by reason", "按原因"));
    let mut table = TextTable::new([
        (screen.say("reason", "原因"), Side::Left),
        (screen.say("count", "数量"), Side::Right),
    ]);
    for (reason, count) in document["counts"].as_object().into_iter().flatten() {
        table.row([reason.clone(), count.to_string()]);
    }
    screen.table(&table, nothing);
}

fn write_end(screen: &mut Screen, document: &Value) {
    if !document["next_cursor"].is_null() {
        screen.line(screen.say("  and more; see --limit", "  还有更多，参见 --limit"));
    }
}

fn held_screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let nothing = screen.say("nothing is held", "没有暂挂的认种");
    write_counts(&mut screen, document, nothing);
    let held = entries(&document["held"]);
    if held.is_empty() {
        return screen;
    }
    screen.title(screen.say("held", "暂挂"));
    let mut table = TextTable::new([
        (screen.say("order", "订单"), Side::Right),
        (screen.say("account", "账户"), Side::Left),
        (screen.say("trees", "棵数"), Side::Right),
        (screen.say("date", "日期"), Side::Left),
        (screen.say("reason", "原因"), Side::Left),
        (screen.say("since", "自"), Side::Left),
        (screen.say("why", "说明"), Side::Left),
    ]);
    for one in held {
        let source = &one["source"];
        table.row([
            text(&one["order_id"]),
            text(&source["account"]),
            text(&source["tree_count"]),
            text(&source["adoption_date"]),
            text(&one["reason"]),
            instant(&one["since"]),
            text(&one["detail"]),
        ]);
    }
    screen.table(&table, "");
    write_end(&mut screen, document);
    screen.title(screen.say("what helps", "处理办法"));
    let mut helps: Vec<(String, String)> =
        held.iter().map(|one| (text(&one["reason"]), text(&one["help"]))).collect();
    helps.sort();
    helps.dedup();
    for (reason, help) in helps {
        screen.pair(&reason, help);
    }
    screen
}

fn quarantine_screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let nothing = screen.say("nothing was refused", "没有被拒收的记录");
    write_counts(&mut screen, document, nothing);
    let refused = entries(&document["quarantined"]);
    if refused.is_empty() {
        return screen;
    }
    screen.title(screen.say("refused records", "被拒收的记录"));
    let mut table = TextTable::new([
        (screen.say("record", "记录"), Side::Left),
        (screen.say("order", "订单"), Side::Right),
        (screen.say("account", "账户"), Side::Left),
        (screen.say("reason", "原因"), Side::Left),
        (screen.say("refused at", "拒收时间"), Side::Left),
        (screen.say("why", "说明"), Side::Left),
    ]);
    for one in refused {
        table.row([
            format!("{}-{} @{}", text(&one["topic"]), one["partition"], one["offset"]),
            text(&one["order_id"]),
            text(&one["account"]),
            text(&one["reason"]),
            instant(&one["refused_at"]),
            text(&one["message"]),
        ]);
    }
    screen.table(&table, "");
    write_end(&mut screen, document);
    screen
}
