//! `contribution snapshot`: asks the API for a closed date, and shows it.

use anyhow::Result;
use serde_json::Value;

use super::{CsvFile, answer};
use crate::arguments::Snapshot;
use crate::client::Client;
use crate::screen::{Screen, Side, TextTable, amount, entries, instant, text};

/// Shows a closed date: its totals, and its rows by rank.
pub(super) async fn show_snapshot(arguments: &Snapshot) -> Result<()> {
    let file = arguments.csv.as_deref().map(CsvFile::open).transpose()?;
    let client = Client::of(&arguments.asked)?;
    let name = arguments.date.map_or_else(|| "latest".to_owned(), |date| date.to_string());
    let mut snapshot = client.json(&format!("/v1/snapshots/{name}")).await?;
    let path = format!("/v1/snapshots/{}", text(&snapshot["snapshot_date"]));
    if let Some(file) = file {
        return file.write(&client.text(&format!("{path}/export")).await?);
    }
    let rows = client.list(&format!("{path}/rows"), "rows", arguments.limit).await?;
    snapshot["ranked"] = rows["rows"].clone();
    answer(&arguments.asked, &snapshot, screen)
}

fn screen(snapshot: &Value) -> Screen {
    let mut screen = Screen::new();
    screen.title(&format!("{} {}", screen.say("snapshot of", "快照"), text(&snapshot["snapshot_date"])));
    for (name, label) in [
        ("network_total_contribution", screen.say("network", "全网")),
        ("user_total_contribution", screen.say("users", "用户")),
        ("system_total_contribution", screen.say("system accounts", "系统账户")),
    ] {
        screen.pair(label, amount(&snapshot[name]));
    }
    screen.pair(screen.say("rows", "行数"), &snapshot["rows"]);
    screen.pair(screen.say("sum of ratios", "占比之和"), text(&snapshot["sum_of_ratios"]));
    screen.pair(screen.say("closed at", "关账时间"), instant(&snapshot["closed_at"]));
    screen.pair(screen.say("cut: page of the log", "截止日志页"), &snapshot["cut"]);
    screen.pair(screen.say("root of the proofs", "证明根"), text(&snapshot["merkle_root"]));
    screen.pair(screen.say("digest", "摘要"), text(&snapshot["digest"]));
    screen.pair(
        screen.say("later corrections concern", "后续更正涉及"),
        format!("{} {}", snapshot["restated"], screen.say("accounts", "个账户")),
    );
    screen.title(screen.say("rows by rank", "排名"));
    let mut table = TextTable::new([
        (screen.say("rank", "名次"), Side::Right),
        (screen.say("account", "账户"), Side::Left),
        (screen.say("effective contribution", "生效算力"), Side::Amount),
        (screen.say("ratio", "占比"), Side::Right),
    ]);
    let rows = entries(&snapshot["ranked"]);
    for row in rows {
        table.row([
            text(&row["rank"]),
            text(&row["account"]),
            text(&row["effective_contribution"]),
            text(&row["contribution_ratio"]),
        ]);
    }
    screen.table(&table, screen.say("no account had anything effective", "没有任何账户有生效的算力"));
    let more = snapshot["rows"].as_u64().unwrap_or_default().saturating_sub(rows.len() as u64);
    if more > 0 {
        screen.line(&screen.say(
            format!("  and {more} more; see --limit and --csv"),
            format!("  另有 {more} 行，参见 --limit 和 --csv"),
        ));
    }
    screen
}
