//! The engine of one machine, compared with the model's tables on every call that the functions make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::AccountSequence;
use end_to_end::{Client, Harness, Options, Shuffle, captured};
use local_tables::SqliteEngine;
use model::bench::DirectEngine;
use oracle::generate::{Plan, history};
use runtime::Function;
use serde_json::json;
use store::{
    BoxFuture, Change, Condition, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written,
};

/// Makes every call of two engines, and keeps what was asked and where the answers differ.
struct Twins {
    model: DirectEngine,
    local: SqliteEngine,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What was asked, with what became of it: the distinct calls, and how often each was made.
    calls: BTreeMap<String, u64>,
    differences: BTreeSet<String>,
}

impl Twins {
    fn compare<T: PartialEq + std::fmt::Debug>(&self, call: &str, became: &str, model: &T, local: &T) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.calls.entry(format!("{call}: {became}")).or_default() += 1;
        if model != local {
            seen.differences.insert(format!("{call}: the model says {model:?}, the engine {local:?}"));
        }
    }

    fn compare_write(
        &self,
        write: &Write,
        model: &Result<Written, StoreError>,
        local: &Result<Written, StoreError>,
    ) {
        let change = match write.change {
            Change::Put(_) => "put",
            Change::Delete(_) => "delete",
        };
        let condition = match write.condition {
            Condition::None => "always",
            Condition::Absent => "if absent",
            Condition::Revision(_) => "if unchanged",
            Condition::Below(_) => "if older",
        };
        let became = match model {
            Ok(Written::Done) => "done",
            Ok(Written::ConditionFailed(Some(_))) => "something else stands there",
            Ok(Written::ConditionFailed(None)) => "nothing stands there",
            Err(_) => "refused",
        };
        let call = format!("{change} {} {condition}", kind(write.key().table, &write.key().partition));
        self.compare(&call, became, model, local);
    }
}

fn kind(table: Table, partition: &str) -> String {
    format!("{} {}", table.logical_name(), partition.split('#').next().unwrap_or_default())
}

fn some<T>(is_some: bool, more: T) -> String
where
    T: std::fmt::Display,
{
    if is_some { format!("found{more}") } else { "not found".to_owned() }
}

impl Engine for Twins {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let (model, local) = (self.model.get(key.clone()).await, self.local.get(key.clone()).await);
            let became = some(matches!(model, Ok(Some(_))), "");
            self.compare(&format!("get {}", kind(key.table, &key.partition)), &became, &model, &local);
            local
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            let sorted = |items: Result<Vec<Item>, StoreError>| {
                items.map(|mut items| {
                    items.sort_by(|one, other| one.key.cmp(&other.key));
                    items
                })
            };
            let model = sorted(self.model.get_many(keys.clone()).await);
            let local = sorted(self.local.get_many(keys.clone()).await);
            let kinds: BTreeSet<String> = keys.iter().map(|key| kind(key.table, &key.partition)).collect();
            let became = some(model.as_ref().is_ok_and(|items| !items.is_empty()), "");
            self.compare(&format!("get many {kinds:?}"), &became, &model, &local);
            local
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let model = self.model.query(query.clone()).await;
            let local = self.local.query(query.clone()).await;
            let bounds = match (query.from.is_some(), query.to.is_some(), query.after.is_some()) {
                (false, false, false) => "whole",
                (_, _, true) => "after a place",
                _ => "between bounds",
            };
            let order = if query.descending { "descending" } else { "ascending" };
            let call = format!("query {} {bounds} {order}", kind(query.table, &query.partition));
            let has_next = model.as_ref().is_ok_and(|page| page.next.is_some());
            let found = model.as_ref().is_ok_and(|page| !page.items.is_empty());
            self.compare(&call, &some(found, if has_next { ", more follow" } else { "" }), &model, &local);
            local
        })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        // Their order is no business of an engine, so that only the local one is asked.
        self.local.scan(table, segment, start)
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            let (model, local) =
                (self.model.write(write.clone()).await, self.local.write(write.clone()).await);
            self.compare_write(&write, &model, &local);
            local
        })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            let model = self.model.write_many(writes.clone()).await;
            let local = self.local.write_many(writes.clone()).await;
            for ((write, model), local) in writes.iter().zip(&model).zip(&local) {
                self.compare_write(write, model, local);
            }
            local
        })
    }
}

/// Returns what readers ask for: every route that reads, for every account, date and some adoptions.
async fn paths(harness: &Harness) -> Vec<String> {
    let network =
        ["status", "sync-status", "held", "quarantine", "waiting", "operations", "network", "accounts"];
    let logs =
        ["log", "log/1", "system-accounts", "system-accounts/HEADQUARTERS/records?direction=descending"];
    let mut paths: Vec<String> = network.into_iter().chain(logs).map(|path| format!("/v1/{path}")).collect();
    paths.extend(["/v1/snapshots".to_owned(), "/v1/snapshots/latest".to_owned()]);
    let (records, _) = store::talent::scan(harness.engine(), Segment::WHOLE, None).await.expect("records");
    let accounts: Vec<AccountSequence> = records.into_iter().map(|(account, _)| account).collect();
    let dates = store::snapshots::manifests(harness.engine(), None, 3).await.expect("manifests");
    for manifest in dates {
        let date = manifest.date;
        let parts = ["", "/manifest", "/rows?limit=2", "/restated", "/export"];
        paths.extend(parts.map(|part| format!("/v1/snapshots/{date}{part}")));
        paths.extend(accounts.iter().map(|account| format!("/v1/snapshots/{date}/proof/{account}")));
    }
    for account in accounts {
        let lists =
            ["/records?limit=2", "/records?direction=descending", "/adoptions?limit=2", "/unallocated"];
        let sums =
            ["", "/balance", "/snapshots", "/statement", "/talent", "/team", "/upline", "/referrals?limit=2"];
        paths.extend(lists.iter().chain(&sums).map(|part| format!("/v1/accounts/{account}{part}")));
    }
    for order in 1..=20 {
        paths.extend(["", "/explain"].map(|part| format!("/v1/adoptions/{order}{part}")));
    }
    paths
}

/// Has talent levels follow from the log that stands, by the stream and by the schedule.
async fn propagate(harness: &Harness, talent: &Arc<dyn Function>) {
    let stream = json!({ "Records": [{ "eventSource": "aws:dynamodb" }] });
    for event in [stream, json!({ "source": "aws.events" })] {
        harness.invoke(talent, event).await.expect("it works without faults");
    }
    drop(harness.take_messages());
}

/// Adds what was asked since the last time to what this part asked. Returns what differed.
fn take_calls(
    twins: &Twins,
    part: &'static str,
    calls: &mut BTreeMap<&'static str, BTreeMap<String, u64>>,
) -> BTreeSet<String> {
    let seen = std::mem::take(&mut *twins.seen.lock().unwrap_or_else(PoisonError::into_inner));
    for (call, times) in seen.calls {
        *calls.entry(part).or_default().entry(call).or_default() += times;
    }
    seen.differences
}

#[tokio::test]
async fn the_engine_of_one_machine_answers_every_call_as_the_model_does() {
    let (mut calls, mut differences) = (BTreeMap::new(), BTreeSet::new());
    for seed in 1..=6 {
        let directory = tempfile::tempdir().expect("a directory");
        let local = SqliteEngine::open(directory.path()).expect("an empty directory");
        let twins = Arc::new(Twins { model: DirectEngine::default(), local, seen: Mutex::default() });
        let options = Options { records_per_event: 7, ..Options::default() };
        let talent = talent_propagation::build(&options.settings).expect("valid settings");
        let harness = Harness::over(twins.clone(), options);
        let records = captured(&history(&Plan::small(seed)));
        for half in records.chunks(records.len().div_ceil(2)) {
            harness.feed(half, Shuffle::Scrambled { seed }).await;
            differences.extend(take_calls(&twins, "ingest, decider, projections", &mut calls));
            propagate(&harness, &talent).await;
            differences.extend(take_calls(&twins, "talent-propagation", &mut calls));
        }
        harness.publish().await;
        differences.extend(take_calls(&twins, "daily-snapshot", &mut calls));
        let client = Client::operator(&harness, "contribution:operate contribution:approve");
        for path in paths(&harness).await {
            let status = client.get(&path).await.status;
            assert!(status < 500, "{path} is answered with {status}");
        }
        let pause = json!({ "reason": "inspection", "command": { "type": "pause", "what": "posting" } });
        assert_eq!(client.post("/v1/commands", "pause-0001", &pause).await.status, 202);
        differences.extend(take_calls(&twins, "query-api", &mut calls));
    }
    let mut distinct: BTreeSet<&String> = BTreeSet::new();
    for (part, calls) in &calls {
        println!("{part}:");
        for (call, times) in calls {
            println!("{times:>8} {call}");
        }
        distinct.extend(calls.keys());
    }
    for (part, calls) in &calls {
        println!("{part}: {} distinct calls", calls.len());
    }
    println!("{} distinct calls, {} differences", distinct.len(), differences.len());
    assert_eq!(calls.len(), 4, "each part calls the tables");
    assert!(distinct.len() >= 60, "{} distinct calls are too few to say anything", distinct.len());
    assert_eq!(differences, BTreeSet::new());
}
