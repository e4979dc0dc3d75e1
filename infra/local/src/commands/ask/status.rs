//! `contribution status`: asks the API how the ledger is, and shows it.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use super::answer;
use crate::arguments::Status;
use crate::client::Client;
use crate::language::{error_in_words, say, tell};
use crate::screen::{Screen, Side, TextTable, Tone, amount, entries, instant, text};

/// What `--exit-code` exits with where the ledger does not say.
const UNKNOWN: u8 = 3;

/// Says whether all is well, and how far the ledger is.
pub(super) async fn show_status(arguments: &Status) -> Result<ExitCode> {
    match read(arguments).await {
        Ok(status) => {
            answer(&arguments.asked, &status, screen)?;
            let code =
                status["exit_code"].as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(UNKNOWN);
            Ok(if arguments.exit_code { ExitCode::from(code) } else { ExitCode::SUCCESS })
        }
        Err(error) if arguments.exit_code => {
            tell(format_args!("{}: {}", say("error", "错误"), error_in_words(&error)));
            Ok(ExitCode::from(UNKNOWN))
        }
        Err(error) => Err(error),
    }
}

async fn read(arguments: &Status) -> Result<Value> {
    let client = Client::of(&arguments.asked)?;
    let mut status = client.json("/v1/status").await?;
    status["sync_status"] = client.json("/v1/sync-status").await?;
    Ok(status)
}

fn screen(status: &Value) -> Screen {
    let mut screen = Screen::new();
    write_verdict(&mut screen, status);
    let sync = &status["sync_status"];
    screen.title(screen.say("log", "日志"));
    let (end, projected) = (&sync["log"]["end"], &sync["log"]["projected"]);
    let behind = end.as_u64().unwrap_or_default().saturating_sub(projected.as_u64().unwrap_or_default());
    screen.pair(screen.say("pages", "页数"), end);
    screen.pair(screen.say("balances are behind by", "余额落后页数"), behind);
    screen.title(screen.say("adoptions", "认种"));
    screen.pair(screen.say("posted", "已分配"), &status["posted"]);
    screen.pair(screen.say("held", "暂挂"), &status["held"]);
    for (reason, count) in sync["adoptions"]["held"].as_object().into_iter().flatten() {
        screen.pair(&format!("  {reason}"), count);
    }
    screen.pair(screen.say("without a price yet", "尚未定价"), &status["unpriced"]);
    screen.pair(screen.say("withdrawals that wait", "等待中的撤回"), &status["waiting"]);
    write_dates(&mut screen, status, sync);
    screen.title(screen.say("source", "来源"));
    let counts = &sync["records"];
    for (name, label) in [
        ("applied", screen.say("records applied", "已应用记录")),
        ("duplicated", screen.say("duplicated", "重复")),
        ("older", screen.say("older", "较旧")),
        ("quarantined", screen.say("quarantined", "已隔离")),
    ] {
        screen.pair(label, &counts[name]);
    }
    screen.table(&partitions(&screen, sync), screen.say("nothing was read yet", "尚未读取任何数据"));
    screen
}

fn write_verdict(screen: &mut Screen, status: &Value) {
    let (tone, words) = match status["verdict"].as_str() {
        Some("WELL") => (Tone::Good, screen.say("all well", "一切正常")),
        Some("ATTENTION") => (Tone::Attention, screen.say("something needs attention", "有事项需要关注")),
        _ => (Tone::Bad, screen.say("something is broken", "出现故障")),
    };
    screen.line(&screen.toned(tone, words));
    for problem in entries(&status["problems"]) {
        let tone = if problem["severity"] == "BROKEN" { Tone::Bad } else { Tone::Attention };
        let since = match &problem["since"] {
            Value::Null => String::new(),
            since => format!("{}{}", screen.say(", since ", "，自 "), instant(since)),
        };
        let code = screen.toned(tone, &text(&problem["code"]));
        screen.line(&format!("  {code}: {}{since}", text(&problem["what"])));
        screen.line(&format!("    {}", text(&problem["next"])));
    }
}

fn write_dates(screen: &mut Screen, status: &Value, sync: &Value) {
    screen.title(screen.say("business dates", "业务日期"));
    let zone = text(&status["business_time_zone"]);
    screen.pair(screen.say("today", "今天"), format!("{} ({zone})", text(&status["business_date"])));
    let closed = match &status["last_closed_date"] {
        Value::Null => screen.say("none", "无").to_owned(),
        date => text(date),
    };
    screen.pair(screen.say("closed up to", "已关账至"), closed);
    let close = &sync["close"];
    for reason in entries(&close["waiting_for"]) {
        let name = format!("{} {}", text(&close["waiting_date"]), screen.say("waits for", "等待"));
        screen.pair(&name, text(reason));
    }
}

fn partitions(screen: &Screen, sync: &Value) -> TextTable {
    let mut table = TextTable::new([
        (screen.say("partition", "分区"), Side::Left),
        (screen.say("next offset", "下一偏移"), Side::Right),
        (screen.say("read through", "已读至"), Side::Left),
        (screen.say("refused", "拒收"), Side::Right),
        ("", Side::Left),
    ]);
    for partition in entries(&sync["partitions"]) {
        let mark = match (partition["in_snapshot"] == true, partition["is_retired"] == true) {
            (_, true) => screen.say("retired", "已停用"),
            (true, false) => screen.say("in a snapshot", "快照读取中"),
            (false, false) => "",
        };
        table.row([
            format!("{}-{}", text(&partition["topic"]), partition["partition"]),
            text(&partition["next_offset"]),
            instant(&partition["read_through"]),
            amount(&partition["records"]["quarantined"]),
            mark.to_owned(),
        ]);
    }
    table
}
