//! The pages of the log, in the caller's language.

use serde_json::{Value, json};

use crate::ledger::{all, of, operator};

/// Returns what is said of each entry of this kind, in the log's order.
async fn details(client: &end_to_end::Client<'_>, kind: &str) -> Vec<String> {
    let mut pages = all(client, "pages", "/v1/log").await;
    pages.reverse();
    let mut details = Vec::new();
    for page in pages.iter().filter(|page| page["kinds"][kind].is_number()) {
        let entries = all(client, "entries", &format!("/v1/log/{}", page["page"])).await;
        let of_kind = entries.iter().filter(|entry| entry["kind"] == kind);
        let text = |entry: &Value| entry["detail"].as_str().expect("a detail").to_owned();
        details.extend(of_kind.map(text));
    }
    details
}

#[tokio::test]
async fn what_a_program_wrote_is_told_in_the_callers_language_and_what_a_person_wrote_stays() {
    let harness = of(include_str!("../../../events/captures/ordering-incident.jsonl")).await;
    let commands = [
        ("ticket 4711", json!({ "type": "pause", "what": "posting" })),
        ("the date has begun; see ticket 4711", json!({ "type": "pause", "what": "closing" })),
        ("the date has begun", json!({ "type": "close", "until": "2026-02-10", "source_is_complete": true })),
    ];
    for (number, (reason, command)) in commands.iter().enumerate() {
        let body = json!({ "reason": reason, "command": command });
        let sent = operator(&harness).post("/v1/commands", &format!("command-{number}"), &body).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        harness.settle().await;
    }
    let english = operator(&harness);
    assert_eq!(
        details(&english, "COMMANDED").await,
        ["anna: ticket 4711", "anna: the date has begun; see ticket 4711", "anna: the date has begun"]
    );
    let waits = details(&english, "CLOSE_WAITS").await;
    let (date, reasons) = waits[0].split_once(": ").expect("a date and reasons");
    assert_eq!(
        reasons,
        "PAUSED: closing was stopped by an operator; PAUSED: posting was stopped by an operator"
    );
    let chinese = operator(&harness).in_chinese();
    assert_eq!(
        details(&chinese, "COMMANDED").await,
        ["anna：ticket 4711", "anna：the date has begun; see ticket 4711", "anna：该日期已开始"]
    );
    let paused = "PAUSED（暂停）：关账已被运维人员暂停；PAUSED（暂停）：分配已被运维人员暂停";
    assert_eq!(details(&chinese, "CLOSE_WAITS").await, [format!("{date}：{paused}")]);
}
