//! `contribution events`, `contribution webhooks` and `contribution webhook secrets`: ask the API what other services
//! are told, who is sent it, and what came of it.

use anyhow::{Result, bail};
use serde_json::Value;

use super::{answer, query};
use crate::arguments::{Events, Secrets, Webhooks};
use crate::client::{Client, encoded};
use crate::language::say;
use crate::screen::{Screen, Side, TextTable, Tone, entries, instant, text};

/// How many events one page has at most.
const PAGE_EVENTS_MAX: usize = 200;

/// Lists the events of a period.
pub(super) async fn show_events(arguments: &Events) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let types = (!arguments.types.is_empty()).then(|| arguments.types.join(","));
    let mut found: Vec<Value> = Vec::new();
    let mut after = arguments.after.clone();
    let document = loop {
        let limit = (arguments.limit - found.len()).clamp(1, PAGE_EVENTS_MAX);
        let parameters = query(&[
            ("after", Some(after)),
            ("until", arguments.until.clone()),
            ("type", types.clone()),
            ("limit", Some(limit.to_string())),
        ]);
        let mut page = client.json(&format!("/v1/events{parameters}")).await?;
        found.extend(page["events"].as_array_mut().map(std::mem::take).unwrap_or_default());
        if page["is_last"] == true || found.len() >= arguments.limit {
            page["events"] = Value::Array(found);
            break page;
        }
        after = text(&page["next"]);
    };
    answer(&arguments.asked, &document, events_screen)
}

/// Lists the subscriptions, or shows one and what was sent to it.
pub(super) async fn show_webhooks(arguments: &Webhooks) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let all = client.json("/v1/webhooks").await?;
    let Some(name) = &arguments.webhook else { return answer(&arguments.asked, &all, webhooks_screen) };
    let subscriptions = entries(&all["webhooks"]);
    let Some(found) = subscriptions.iter().find(|one| one["webhook"] == name.as_str()) else {
        let known: Vec<String> = subscriptions.iter().map(|one| text(&one["webhook"])).collect();
        let meant = crate::suggestion(name, known.iter().map(String::as_str));
        bail!(say(format!("there is no subscription {name}{meant}"), format!("没有订阅 {name}{meant}")));
    };
    let path = format!("/v1/webhooks/{}/deliveries", encoded(name));
    let mut document = client.list(&path, "deliveries", arguments.limit).await?;
    document["webhook"] = found.clone();
    answer(&arguments.asked, &document, webhook_screen)
}

/// Shows what deliveries are signed with.
pub(crate) async fn show_secrets(arguments: &Secrets) -> Result<()> {
    let client = Client::of(&arguments.asked)?;
    let path = format!("/v1/webhooks/{}/secrets", encoded(&arguments.webhook));
    answer(&arguments.asked, &client.json(&path).await?, |document| {
        let mut screen = Screen::new();
        for one in entries(&document["secrets"]) {
            let until = match &one["until"] {
                Value::Null => screen.say("the present one", "当前密钥").to_owned(),
                until => format!("{} {}", screen.say("signs until", "有效至"), instant(until)),
            };
            screen.line(&format!("{}  {until}", text(&one["secret"])));
        }
        screen
    })
}

fn events_screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let mut table = TextTable::new([
        (screen.say("id", "编号"), Side::Left),
        (screen.say("kind", "类型"), Side::Left),
        (screen.say("order", "订单"), Side::Right),
        (screen.say("account", "账户"), Side::Left),
        (screen.say("total", "合计"), Side::Amount),
        (screen.say("date or reason", "日期或原因"), Side::Left),
        (screen.say("when", "时间"), Side::Left),
    ]);
    for event in entries(&document["events"]) {
        let data = &event["data"];
        let or_empty = |value: &Value| if value.is_null() { String::new() } else { text(value) };
        table.row([
            text(&event["id"]),
            text(&event["type"]),
            or_empty(&data["order_id"]),
            or_empty(&data["account"]),
            or_empty(&data["total"]),
            format!("{}{}", or_empty(&data["date"]), or_empty(&data["reason"])),
            instant(&event["time"]),
        ]);
    }
    screen.table(&table, screen.say("nothing was told in this period", "该区间没有事件"));
    let go_on = if document["is_last"] == true {
        screen.say("  all there is; later events: --after", "  已是全部；之后的事件：--after")
    } else {
        screen.say("  and more: --after", "  还有更多：--after")
    };
    screen.line(&format!("{go_on} {}", text(&document["next"])));
    screen
}

fn state(screen: &Screen, one: &Value) -> String {
    let (tone, words) = match one["state"].as_str() {
        Some("ACTIVE") => (Tone::Good, screen.say("active", "正常")),
        Some("FAILING") => (Tone::Attention, screen.say("failing", "推送失败")),
        _ => (Tone::Bad, screen.say("stopped", "已停止")),
    };
    screen.toned(tone, words)
}

fn kinds(screen: &Screen, one: &Value) -> String {
    if entries(&one["types"]).is_empty() {
        screen.say("all", "全部").to_owned()
    } else {
        text(&one["types"])
    }
}

fn webhooks_screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let mut table = TextTable::new([
        (screen.say("subscription", "订阅"), Side::Left),
        (screen.say("delivered up to", "已送达至"), Side::Right),
        (screen.say("address", "地址"), Side::Left),
        (screen.say("kinds", "类型"), Side::Left),
        (screen.say("state", "状态"), Side::Left),
    ]);
    for one in entries(&document["webhooks"]) {
        let (state, kinds) = (state(&screen, one), kinds(&screen, one));
        table.row([text(&one["webhook"]), text(&one["delivered"]), text(&one["url"]), kinds, state]);
    }
    screen.table(&table, screen.say("no service is sent events", "尚无订阅"));
    screen
}

fn webhook_screen(document: &Value) -> Screen {
    let mut screen = Screen::new();
    let webhook = &document["webhook"];
    screen.title(&text(&webhook["webhook"]));
    screen.pair(screen.say("state", "状态"), state(&screen, webhook));
    screen.pair(screen.say("address", "地址"), text(&webhook["url"]));
    screen.pair(screen.say("kinds", "类型"), kinds(&screen, webhook));
    screen.pair(screen.say("delivered up to", "已送达至"), text(&webhook["delivered"]));
    if !webhook["failing"].is_null() {
        let failing = &webhook["failing"];
        screen.pair(screen.say("failing since", "失败始于"), instant(&failing["since"]));
        screen.pair(screen.say("next attempt", "下次尝试"), instant(&failing["next_attempt_at"]));
    }
    if !webhook["stopped_at"].is_null() {
        screen.pair(screen.say("stopped", "停止时间"), instant(&webhook["stopped_at"]));
        let next =
            screen.say("`webhook resume` goes on where it stopped", "用 `webhook resume` 从停止处继续");
        screen.pair(screen.say("what to do", "如何处理"), next);
    }
    screen.title(screen.say("deliveries", "推送记录"));
    let mut table = TextTable::new([
        (screen.say("when", "时间"), Side::Left),
        (screen.say("delivery", "推送编号"), Side::Left),
        (screen.say("events", "事件数"), Side::Right),
        (screen.say("attempt", "第几次"), Side::Right),
        (screen.say("ms", "毫秒"), Side::Right),
        (screen.say("answer", "应答"), Side::Left),
    ]);
    for one in entries(&document["deliveries"]) {
        let answered = if one["status"].is_null() { &one["failure"] } else { &one["status"] };
        table.row([
            instant(&one["at"]),
            text(&one["delivery"]),
            text(&one["event_count"]),
            text(&one["attempt"]),
            text(&one["took_ms"]),
            text(answered),
        ]);
    }
    screen.table(&table, screen.say("nothing was sent yet", "尚未推送"));
    if !document["next_cursor"].is_null() {
        screen.line(screen.say("  and more; see --limit", "  还有更多，参见 --limit"));
    }
    screen
}
