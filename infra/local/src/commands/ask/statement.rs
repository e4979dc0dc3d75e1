//! `contribution statement`: asks the API for an account's statement, and shows it or writes it as CSV.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{CsvFile, answer, known_account, query};
use crate::arguments::Statement;
use crate::client::Client;
use crate::language::say;
use crate::screen::{Screen, Side, TextTable, entries, text};

/// Shows what an account had at first, every line that changed it, and what it has at last.
pub(super) async fn show_statement(arguments: &Statement) -> Result<()> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        ensure!(
            from <= to,
            say(
                format!("--from {from} is after --to {to}: name the first date of the period first"),
                format!("--from {from} 晚于 --to {to}：请先写期间首日"),
            )
        );
    }
    let file = arguments.csv.as_deref().map(CsvFile::open).transpose()?;
    let client = Client::of(&arguments.asked)?;
    let (path, _) = known_account(&client, &arguments.account).await?;
    let text_of = |date: Option<domain::BusinessDate>| date.map(|date| date.to_string());
    let csv = file.is_some().then(|| "csv".to_owned());
    let query = query(&[("from", text_of(arguments.from)), ("to", text_of(arguments.to)), ("format", csv)]);
    let path = format!("{path}/statement{query}");
    if let Some(file) = file {
        return file.write(&client.text(&path).await?);
    }
    let statement = client.list(&path, "lines", usize::MAX).await?;
    answer(&arguments.asked, &statement, screen)
}

fn screen(statement: &Value) -> Screen {
    let mut screen = Screen::new();
    let period = format!("{} - {}", text(&statement["from"]), text(&statement["to"]));
    screen.title(&format!("{}  {period}", text(&statement["account"])));
    let mut table = TextTable::new([
        (screen.say("date", "日期"), Side::Left),
        ("", Side::Left),
        (screen.say("order", "订单"), Side::Right),
        (screen.say("adopter", "认种人"), Side::Left),
        (screen.say("amount", "金额"), Side::Amount),
        (screen.say("because of", "原因"), Side::Left),
    ]);
    let nothing = String::new;
    let sum = |label: &str, name: &str| {
        [nothing(), label.to_owned(), nothing(), nothing(), text(&statement[name]), nothing()]
    };
    table.row(sum(screen.say("opening balance", "期初余额"), "opening_balance"));
    for line in entries(&statement["lines"]) {
        table.row([
            text(&line["date"]),
            movement(&screen, line),
            text(&line["order_id"]),
            text(&line["adopter"]),
            text(&line["amount"]),
            cause(&screen, line),
        ]);
    }
    table.row(sum(screen.say("closing balance", "期末余额"), "closing_balance"));
    screen.table(&table, "");
    screen
}

fn movement(screen: &Screen, line: &Value) -> String {
    let words = match line["movement"].as_str() {
        Some("BECAME_EFFECTIVE") => screen.say("became effective", "生效"),
        Some("LATE") => screen.say("late correction", "后续更正"),
        Some("EXPIRED") => screen.say("expired", "到期"),
        _ => return text(&line["movement"]),
    };
    words.to_owned()
}

fn cause(screen: &Screen, line: &Value) -> String {
    let cause = &line["cause"];
    let about = [&cause["order_id"], &cause["account"]].into_iter().filter_map(Value::as_str);
    let mut words: Vec<String> =
        cause["kind"].as_str().into_iter().chain(about).map(ToOwned::to_owned).collect();
    let missed = &line["would_have_changed"];
    if !missed.is_null() {
        let dates = format!("{} - {}", text(&missed["first_date"]), text(&missed["last_date"]));
        words.push(format!("{} {dates}", screen.say("would have changed", "本应影响")));
    }
    words.join(" ")
}
