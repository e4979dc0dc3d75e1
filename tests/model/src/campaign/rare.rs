//! What happens in some histories only: work that has two owners, and a table that the source truncated.

use cdc::KafkaRecord;
use serde_json::json;
use store::truncates;

use super::act::Act;
use super::clients::{Command, Rivals};
use super::feed::{PREFIX, TABLES, Written};
use super::script::Script;
use crate::bench::Provoked;
use crate::clock::Millis;
use crate::deployed::WEBHOOKS;
use crate::random::Random;

/// What schedules call, in how many of a million histories it is called twice at once, and how often in each of these.
const CALLED_TWICE: [(&str, u32, usize); 4] = [
    ("contribution-expiry", 100_000, 4),
    ("daily-snapshot", 100_000, 1),
    ("talent-propagation", 100_000, 1),
    ("ledger-audit", 60_000, 1),
];
/// How much later the second of two calls is at most.
const SECOND_CALL_AFTER_MS: Millis = 300;
/// How often a function is called in a mutation run that has its writes late.
const CALLED_EVERY_MS: usize = 2_500;
/// In how many of a million histories two operators ask under one key.
const ASKED_TWICE: u32 = 100_000;
/// In how many of a million histories the orders begin with a truncate.
const TRUNCATED: u32 = 60_000;
/// When that truncate is let go, at the earliest and at the latest, and when once more: a record that was not read the
/// first time is read again a minute later.
const LET_GO_MS: [[Millis; 2]; 3] = [[2_000, 7_000], [40_000, 60_000], [130_000, 140_000]];
/// How long after it was let go rows begin to be compared with it.
const TRUNCATE_COMPARED_AFTER_MS: Millis = 122_000;
/// How long after the begin of a history all rows were compared with a truncate, at the latest: it is in force by the
/// next minute, two minutes later rows are read, and a schedule may be a minute late.
const TRUNCATE_DONE_MS: Millis = 460_000;

/// What is rare in a history.
pub(super) struct Rare {
    pub(super) acts: Vec<(Millis, Act)>,
    /// Until when a history goes on at least.
    pub(super) rests_from_ms: Millis,
}

impl Rare {
    /// Returns what is rare in a history whose last record is of `last_ms`, and in which functions fail until `end_ms`.
    pub(super) fn of(script: &Script, last_ms: Millis, end_ms: Millis) -> Self {
        let mut random = Random::new(script.seed ^ 0x2a17_0515);
        let mut rare = Self { acts: Vec::new(), rests_from_ms: 0 };
        for (function, per_million, times) in CALLED_TWICE {
            let is_called = random.happens(per_million);
            for _ in 0..times {
                let at_ms = random.between(last_ms / 4, end_ms);
                let second_ms = at_ms + random.below(SECOND_CALL_AFTER_MS);
                if is_called && !script.without.repetition {
                    rare.acts.extend([at_ms, second_ms].map(|at_ms| (at_ms, Act::CallAgain(function))));
                }
            }
        }
        let (are_asked, at_ms) = (random.happens(ASKED_TWICE), random.between(last_ms / 4, last_ms));
        if are_asked && !script.without.commands {
            rare.acts.push((at_ms, Act::AskBoth(Rivals::some(&mut random))));
        }
        if let Some(let_go_ms) = let_go_ms(script) {
            let (record, key) = truncate();
            rare.acts.push((0, Act::Truncate(record)));
            // A word may come before the truncate is known.
            for (number, at_ms) in let_go_ms.into_iter().enumerate() {
                rare.acts.push((at_ms, Act::Ask(Command::LetGoTruncate { number, key: key.clone() })));
            }
            rare.rests_from_ms = TRUNCATE_DONE_MS;
        }
        rare
    }
}

/// Returns further calls of the function whose writes are late in a history of a mutation run, so that others are made
/// meanwhile.
pub(super) fn called_often(
    provoked: Option<&Provoked>,
    is_subscribed: bool,
    end_ms: Millis,
) -> Vec<(Millis, Act)> {
    let Some(Provoked::StandsStill(touch)) = provoked else { return Vec::new() };
    let called = CALLED_TWICE.into_iter().map(|(function, ..)| function);
    let called = called.chain(is_subscribed.then_some(WEBHOOKS));
    let Some(function) = { called }.find(|function| *function == touch.function) else {
        return Vec::new();
    };
    (0..end_ms).step_by(CALLED_EVERY_MS).map(|at_ms| (at_ms, Act::CallAgain(function))).collect()
}

/// Returns when an operator lets the truncate of a history go, if it has one.
fn let_go_ms(script: &Script) -> Option<[Millis; 3]> {
    let mut random = Random::new(script.seed ^ 0x7c04_ca7e);
    let is_truncated = random.happens(TRUNCATED) && !script.without.commands;
    is_truncated.then(|| LET_GO_MS.map(|[earliest_ms, latest_ms]| random.between(earliest_ms, latest_ms)))
}

/// Returns until when the connector stands still before it writes the last records, if it does: in a history with a
/// truncate they come while all rows are compared with it.
pub(super) fn stands_still_until_ms(script: &Script) -> Option<Millis> {
    let_go_ms(script).map(|[let_go_ms, ..]| let_go_ms + TRUNCATE_COMPARED_AFTER_MS)
}

/// Returns a truncate of the orders before the first of them, as Debezium writes it, and the key that it gets.
fn truncate() -> (Written, String) {
    let (schema, table) = TABLES[2];
    let topic = format!("{PREFIX}.{schema}.{table}");
    let value = json!({
        "before": null,
        "after": null,
        "source": {
            "version": "3.6.3.Final",
            "connector": "postgresql",
            "ts_ms": 1,
            "snapshot": "false",
            "sequence": "[null,\"1\"]",
            "schema": schema,
            "table": table,
            "txId": 1,
            "lsn": 1,
            "xmin": null,
        },
        "transaction": null,
        "op": "t",
        "ts_ms": 1,
    });
    let value = value.to_string();
    let read = KafkaRecord {
        topic: &topic,
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        value: Some(value.as_bytes()),
    };
    let key = truncates::key(&topic, 0, 0, &read.hash());
    (Written { at_ms: 0, topic, partition: 0, key: None, value: Some(value) }, key)
}
