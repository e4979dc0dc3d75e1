//! What happens in some histories only: work that has two owners, and a table that the source truncated.

use serde_json::json;

use super::act::Act;
use super::clients::{Command, Rivals};
use super::feed::{PREFIX, TABLES, Written};
use super::script::Script;
use crate::clock::Millis;
use crate::random::Random;

/// What schedules call, and how often a history has what they call run twice at once, in a million.
const CALLED_TWICE: [(&str, u32); 4] = [
    ("contribution-expiry", 100_000),
    ("daily-snapshot", 100_000),
    ("talent-propagation", 100_000),
    ("ledger-audit", 60_000),
];
/// How much later the second of two calls is at most.
const SECOND_CALL_AFTER_MS: Millis = 300;
/// In how many of a million histories two operators ask under one key.
const ASKED_TWICE: u32 = 100_000;
/// In how many of a million histories the orders begin with a truncate.
const TRUNCATED: u32 = 60_000;
/// When that truncate is let go, at the earliest and at the latest.
const LET_GO_MS: [Millis; 2] = [2_000, 7_000];
/// How long after the begin of a history all rows were compared with a truncate, at the latest: it is in force by the
/// next minute, two minutes later rows are read, and a schedule may be a minute late.
const TRUNCATE_DONE_MS: Millis = 330_000;

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
        for (function, per_million) in CALLED_TWICE {
            let is_called = random.happens(per_million);
            let at_ms = random.between(last_ms / 4, end_ms);
            let second_ms = at_ms + random.below(SECOND_CALL_AFTER_MS);
            if is_called && !script.without.repetition {
                rare.acts.extend([at_ms, second_ms].map(|at_ms| (at_ms, Act::CallAgain(function))));
            }
        }
        let (are_asked, at_ms) = (random.happens(ASKED_TWICE), random.between(last_ms / 4, last_ms));
        if are_asked && !script.without.commands {
            rare.acts.push((at_ms, Act::AskBoth(Rivals::some(&mut random))));
        }
        let [earliest_ms, latest_ms] = LET_GO_MS;
        let (is_truncated, at_ms) = (random.happens(TRUNCATED), random.between(earliest_ms, latest_ms));
        if is_truncated && !script.without.commands {
            let (record, key) = truncate();
            rare.acts.push((0, Act::Truncate(record)));
            rare.acts.push((at_ms, Act::Ask(Command::LetGoTruncate { key })));
            rare.rests_from_ms = TRUNCATE_DONE_MS;
        }
        rare
    }
}

/// Returns a truncate of the orders before the first of them, as Debezium writes it, and the key that it gets.
fn truncate() -> (Written, String) {
    let (schema, table) = TABLES[2];
    let topic = format!("{PREFIX}.{schema}.{table}");
    let key = format!("{topic}-0-0");
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
    (Written { at_ms: 0, topic, partition: 0, key: None, value: Some(value.to_string()) }, key)
}
