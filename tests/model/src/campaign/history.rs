//! One history: a source's life, fed to the functions on a world with faults, judged by the oracle.

use std::collections::BTreeMap;
use std::time::Duration;

use cdc::Profile as CaptureProfile;
use chrono::NaiveDate;
use oracle::capture::Record;
use oracle::generate::{Plan, history};
use oracle::{Inputs, Judgement};
use runtime::{Clock, DecisionSettings, Settings};
use serde_json::Value;
use store::progress::PartitionName;

use crate::bench::{Executor, ExecutorOptions, FaultPlan, FaultRates, Happened};
use crate::clock::Millis;
use crate::deployed::{LedgerOptions, ledger_deployment};
use crate::random::Random;
use crate::table::Throughput;
use crate::world::Profile;

/// How histories are run.
#[derive(Clone, Debug)]
pub struct HistoryOptions {
    /// The latencies.
    pub profile: Profile,
    /// How often what goes wrong; the first part of a history only.
    pub rates: FaultRates,
    /// Whether every event is kept as a line.
    pub trace_lines: bool,
}

/// What came out of a history.
#[derive(Clone, Debug)]
pub struct HistoryOutcome {
    /// The seed that gives it again.
    pub seed: u64,
    /// What must not be.
    pub findings: Vec<String>,
    /// The faults that happened.
    pub faults: Vec<Happened>,
    /// How many records the source wrote.
    pub records: usize,
    /// How many invocations there were.
    pub invocations: u64,
    /// The hash of everything that happened.
    pub trace_hash: u64,
    /// Everything that happened, where it was kept.
    pub trace: Vec<String>,
}

/// The topics of the invented source.
const CAPTURE: &str = r#"{ "name": "invented", "tables": {
    "dbserver1.rwa_identity.users": { "holds": "users" },
    "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    "dbserver1.rwa_planting.planting_orders": { "holds": "adoptions" }
} }"#;
const MAX_GAP_MS: u64 = 400;
/// How long after the last fault everything must be done.
const QUIET_AFTER_MS: Millis = 15 * 60 * 1_000;
/// How long nothing may change before a history counts as over.
const QUIET_FOR_MS: Millis = 150_000;

/// Runs a history.
#[must_use]
pub fn run_history(seed: u64, options: &HistoryOptions) -> HistoryOutcome {
    let history = history(&Plan::small(seed));
    let records = history.records();
    let mut random = Random::new(seed ^ 0x00c0_ffee);
    let feed = feed(&records, &mut random);
    let ends_ms = feed.last().map_or(0, |(at_ms, _)| *at_ms) + 5_000;
    let faults = FaultPlan { rates: options.rates, ends_ms, ..FaultPlan::default() };
    let executor_options = ExecutorOptions {
        seed,
        profile: options.profile,
        faults,
        epoch: "2026-12-01T00:00:00Z".parse().expect("a time"),
        trace_lines: options.trace_lines,
    };
    let mut executor = Executor::new(&ledger_deployment(&ledger_options(&records)), executor_options)
        .expect("a valid deployment");
    for (at_ms, record) in feed {
        executor.run_until(at_ms);
        produce(&executor, record);
    }
    executor.run_until(ends_ms);
    let mut findings = Vec::new();
    if let Err(finding) = finish(&mut executor, &records, ends_ms + QUIET_AFTER_MS) {
        findings.push(finding);
    } else {
        findings.extend(differences(&mut executor, &history.tables));
    }
    findings.extend(
        executor.findings().iter().map(|finding| format!("{} ms: {}", finding.at_ms, finding.message)),
    );
    HistoryOutcome {
        seed,
        findings,
        faults: executor.faults(),
        records: records.len(),
        invocations: executor.invocations(),
        trace_hash: executor.trace_hash(),
        trace: executor.trace_lines(),
    }
}

/// Returns when each record is written to its topic; a few are written again later.
fn feed<'records>(records: &'records [Record], random: &mut Random) -> Vec<(Millis, &'records Record)> {
    let mut at_ms = 0;
    let mut feed = Vec::new();
    for record in records {
        at_ms += random.below(MAX_GAP_MS);
        feed.push((at_ms, record));
    }
    for record in records {
        if random.happens(30_000) {
            feed.push((random.between(0, at_ms), record));
        }
    }
    feed.sort_by_key(|(at_ms, _)| *at_ms);
    feed
}

fn produce(executor: &Executor, record: &Record) {
    let partition = u32::try_from(record.partition).expect("partitions count from 0");
    executor
        .with_world(|world| world.produce(&record.topic, partition, record.key.clone(), record.value.clone()))
        .expect("every topic of the source is there");
}

/// Runs until everything is read, the source is known to be read, and nothing changes any more.
fn finish(executor: &mut Executor, records: &[Record], deadline_ms: Millis) -> Result<(), String> {
    let topics = topics(records);
    let unread = |executor: &Executor| {
        executor.with_world(|world| {
            topics.iter().any(|(topic, partitions)| {
                (0..*partitions).any(|partition| {
                    let end = world.topic(topic).map(|log| log.end(partition));
                    world.committed(topic, "cdc-ingest", partition) != end
                })
            })
        })
    };
    while unread(executor) {
        if executor.now_ms() > deadline_ms {
            return Err("records of the source wait for ever".to_owned());
        }
        executor.run_until(executor.now_ms() + 1_000);
    }
    reach_ends(executor, &topics);
    let mut position = last_page(executor);
    let mut changed_ms = executor.now_ms();
    while executor.now_ms() < changed_ms + QUIET_FOR_MS {
        executor.run_until(executor.now_ms() + 5_000);
        let now = last_page(executor);
        if now != position {
            (position, changed_ms) = (now, executor.now_ms());
        }
        if executor.now_ms() > deadline_ms + QUIET_FOR_MS {
            return Err("the log never comes to rest".to_owned());
        }
    }
    Ok(())
}

fn reach_ends(executor: &mut Executor, topics: &BTreeMap<String, u32>) {
    let engine = executor.engine();
    let now_ms = executor.clock().now().timestamp_millis();
    let topics = topics.clone();
    executor.run_client(async move {
        for (topic, partitions) in topics {
            for partition in 0..partitions {
                let partition = i32::try_from(partition).expect("few partitions");
                let name = PartitionName { source: SOURCE.to_owned(), topic: topic.clone(), partition };
                store::progress::reached_end(&engine, name, None, now_ms, true)
                    .await
                    .expect("no fault for the bench");
            }
        }
    });
}

/// The name that ingest gives the source, after the cluster of the events.
const SOURCE: &str = "model";

fn last_page(executor: &mut Executor) -> u64 {
    executor.with_world(|world| world.database.tables()["Log"].count() as u64)
}

/// Returns what differs between the ledger and what the oracle makes of the source's tables.
fn differences(executor: &mut Executor, tables: &oracle::rows::Tables) -> Vec<String> {
    let engine = executor.engine();
    let (actual, price_book) = executor.run_client(async move {
        (end_to_end::ledger(&engine).await, end_to_end::price_book(&engine).await)
    });
    let today = NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date");
    let inputs = Inputs { price_book, ..Inputs::new(tables.clone(), today) };
    let expected: Value = Judgement::of(&inputs).golden(today);
    ["orders", "held", "distributed_total", "system", "distributions"]
        .into_iter()
        .filter(|part| actual[part] != expected[part])
        .map(|part| format!("{part}: {} instead of {}", shortened(&actual[part]), shortened(&expected[part])))
        .collect()
}

fn ledger_options(records: &[Record]) -> LedgerOptions {
    let decisions = DecisionSettings {
        settle: Duration::ZERO,
        brake_adoptions: None,
        guard_factor: None,
        reorder_window: Duration::from_millis(200),
        // Small pages, so that a dozen accounts fill many.
        page_bytes_max: 1_024,
        ..DecisionSettings::default()
    };
    let profile = CaptureProfile::from_json(CAPTURE).expect("a profile");
    LedgerOptions {
        settings: Settings { decisions, profile, account_shards: 4, ..Settings::default() },
        topics: topics(records),
        records_per_event: 7,
        warm: Throughput::default(),
        clock_skews_ms: vec![-300, 0, 450],
    }
}

fn topics(records: &[Record]) -> BTreeMap<String, u32> {
    let mut topics = BTreeMap::new();
    for record in records {
        let partitions = u32::try_from(record.partition + 1).expect("partitions count from 0");
        let known = topics.entry(record.topic.clone()).or_insert(partitions);
        *known = partitions.max(*known);
    }
    topics
}

fn shortened(value: &Value) -> String {
    const MAX_CHARACTERS: usize = 300;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
