//! `contribution log`: asks the API for pages of the log, and shows them.

use anyhow::Result;
use serde_json::Value;

use super::answer;
use crate::arguments::Log;
use crate::client::Client;
use crate::screen::{Screen, Side, TextTable, entries, instant, text};

/// Letters of a hash that are shown in a list.
const HASH_LETTERS: usize = 12;

/// Lists pages of the log, or shows what one page holds.
pub(super) async fn show_log(arguments: &Log) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    if let Some(page) = arguments.page {
        let page = client.list(&format!("/v1/log/{page}"), "entries", arguments.limit).await?;
        return answer(&arguments.asked, &page, page_screen);
    }
    let pages = client.list("/v1/log", "pages", arguments.limit).await?;
    answer(&arguments.asked, &pages, pages_screen)
}

fn pages_screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let mut table = TextTable::new([
        (screen.say("page", "页"), Side::Right),
        (screen.say("decided at", "决定时间"), Side::Left),
        (screen.say("hash", "哈希"), Side::Left),
        (screen.say("entries", "分录数"), Side::Right),
        ("", Side::Left),
    ]);
    for page in entries(&document["pages"]) {
        let kinds = page["kinds"].as_object().into_iter().flatten();
        let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{kind} {count}")).collect();
        table.row([
            text(&page["page"]),
            instant(&page["decided_at"]),
            text(&page["hash"]).chars().take(HASH_LETTERS).collect(),
            text(&page["entry_count"]),
            kinds.join(", "),
        ]);
    }
    screen.table(&table, screen.say("the log is empty", "日志为空"));
    screen
}

fn page_screen(page: &Value) -> Screen {
    let mut screen = Screen::new();
    screen.title(&format!("{} {}", screen.say("page", "页"), page["page"]));
    screen.pair(screen.say("decided at", "决定时间"), instant(&page["decided_at"]));
    screen.pair(screen.say("hash", "哈希"), text(&page["hash"]));
    screen.pair(screen.say("hash of the page before", "前一页哈希"), text(&page["previous_hash"]));
    screen.pair(screen.say("entries", "分录数"), &page["entry_count"]);
    let mut table = TextTable::new([
        ("", Side::Right),
        (screen.say("entry", "分录"), Side::Left),
        (screen.say("order", "订单"), Side::Right),
        (screen.say("account", "账户"), Side::Left),
        ("", Side::Left),
    ]);
    let blank = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for entry in entries(&page["entries"]) {
        table.row([
            text(&entry["entry"]),
            text(&entry["kind"]),
            blank(&entry["order_id"]),
            blank(&entry["account"]),
            blank(&entry["detail"]),
        ]);
    }
    screen.table(&table, "");
    if !page["next_cursor"].is_null() {
        screen.line(screen.say("  and more; see --limit", "  还有更多，参见 --limit"));
    }
    screen
}
