//! `contribution operations`: asks the API what operators did, and shows it or writes it as CSV.

use anyhow::Result;
use serde_json::Value;

use super::{CsvFile, answer};
use crate::arguments::Operations;
use crate::client::Client;
use crate::screen::{Screen, Side, TextTable, entries, instant, text};

/// Lists what operators did.
pub(super) async fn show_operations(arguments: &Operations) -> Result<()> {
    let file = arguments.csv.as_deref().map(CsvFile::open).transpose()?;
    let client = Client::of(&arguments.asked)?;
    if let Some(file) = file {
        return file.write(&client.text("/v1/operations?format=csv").await?);
    }
    let operations = client.list("/v1/operations", "operations", arguments.limit).await?;
    answer(&arguments.asked, &operations, screen)
}

fn screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let mut table = TextTable::new([
        (screen.say("when", "时间"), Side::Left),
        (screen.say("who", "操作人"), Side::Left),
        (screen.say("what", "操作"), Side::Left),
        (screen.say("outcome", "结果"), Side::Left),
        (screen.say("why", "原因"), Side::Left),
        (screen.say("before, then after, or why not", "之前与之后，或拒绝原因"), Side::Left),
    ]);
    for one in entries(&document["operations"]) {
        let states = [&one["before"], &one["after"], &one["refusal"], &one["command"]["text"]];
        let states: Vec<&str> = states.into_iter().filter_map(Value::as_str).collect();
        table.row([
            instant(&one["at"]),
            text(&one["by"]),
            text(&one["command"]["type"]),
            text(&one["outcome"]),
            text(&one["reason"]),
            states.join(" → "),
        ]);
    }
    screen.table(&table, screen.say("no operator did anything", "没有操作记录"));
    if !document["next_cursor"].is_null() {
        screen.line(screen.say("  and more; see --limit", "  还有更多，参见 --limit"));
    }
    screen
}
