//! The ledger's functions with their triggers, as they are deployed.

use std::collections::BTreeMap;

use runtime::{Queue, Settings};
use serde_json::json;
use store::Table;

use crate::bench::{Deployment, QueueOptions, Registration, Trigger};
use crate::clock::Millis;
use crate::table::{Throughput, ViewType};

/// What a run of the ledger decides about its deployment.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The settings of the functions.
    pub settings: Settings,
    /// The topics with their numbers of partitions.
    pub topics: BTreeMap<String, u32>,
    /// How many records of a topic an event has at most.
    pub records_per_event: u32,
    /// The throughput that every table is warm for.
    pub warm: Throughput,
    /// By how much the clocks of environments are wrong, in turn.
    pub clock_skews_ms: Vec<i64>,
}

const DECISIONS: &str = "DecisionsQueue.fifo";
const DECISIONS_VISIBILITY_S: u64 = 6;
const DECIDER_TIMEOUT_MS: Millis = 6_000;
const INGEST_TIMEOUT_MS: Millis = 10_000;
const STREAM_TIMEOUT_MS: Millis = 10_000;
const MINUTE_MS: Millis = 60_000;

/// Returns the deployment of the functions from ingest to projection.
#[must_use]
pub fn ledger_deployment(options: &LedgerOptions) -> Deployment {
    let queue = |name: &str, queue, visibility_s: u64| QueueOptions {
        name: name.to_owned(),
        queue: Some(queue),
        attributes: BTreeMap::from([("VisibilityTimeout".to_owned(), visibility_s.to_string())]),
    };
    let reports = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    let from_topics = options.topics.keys().map(|topic| {
        let more = json!({
            "MaximumBatchingWindowInSeconds": 0,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ProvisionedPollerConfig": { "MinimumPollers": options.topics[topic] },
        });
        Trigger::topic(topic, options.records_per_event, &more)
    });
    let settings = &options.settings;
    let function = |name: &str, build, timeout_ms, triggers| Registration {
        timeout_ms,
        clock_skews_ms: options.clock_skews_ms.clone(),
        ..Registration::new(name, build, settings, triggers)
    };
    Deployment {
        streams: BTreeMap::from([(Table::Log, ViewType::KeysOnly)]),
        warm: Table::ALL.into_iter().map(|table| (table, options.warm)).collect(),
        queues: vec![
            queue(DECISIONS, Queue::Decisions, DECISIONS_VISIBILITY_S),
            queue("TalentQueue", Queue::Talent, 60),
            queue("ClosingsQueue", Queue::Closings, 60),
        ],
        topics: options.topics.clone(),
        functions: vec![
            function("cdc-ingest", cdc_ingest::build, INGEST_TIMEOUT_MS, from_topics.collect()),
            function(
                "adoption-distribution",
                adoption_distribution::build,
                DECIDER_TIMEOUT_MS,
                vec![Trigger::queue(DECISIONS, 10, &reports), Trigger::Every(MINUTE_MS)],
            ),
            function(
                "ledger-stream",
                ledger_stream::build,
                STREAM_TIMEOUT_MS,
                vec![Trigger::stream(Table::Log, 100, &json!({})), Trigger::Every(MINUTE_MS)],
            ),
        ],
    }
}
