//! The measurement of adoptions at a steady rate.

use std::collections::BTreeMap;

use model::bench::{Executor, FaultPlan};
use model::measure::{Run, figures};
use model::table::Direction;
use serde_json::{Value, json};

use crate::deployed::executor;
use crate::run::{Kinds, Options, Pace, adopt, entries, kinds, load, pauses, since, written};
use crate::services::refusals;

/// How long a pause between two postings is told of.
const LONG_MS: u64 = 5_000;

/// Measures, and returns the figures.
pub(crate) fn measure(options: &Options) -> Value {
    let mut executor = executor(options.seed, options.percent, options.warm, FaultPlan::default());
    let source = options.source();
    load(&mut executor, &source);
    let (loaded, loaded_units, loaded_ms) = (kinds(&executor), written(&executor), executor.now_ms());
    let requests = executor.requests();
    let pace = Pace { rate: options.rate, pause_ms: 0, waits_ms: options.waits_ms };
    let run = adopt(&mut executor, &source, pace, |_| ());
    let (after, units) = (since(&kinds(&executor), &loaded), written(&executor) - loaded_units);
    let figures = figures(&run);
    json!({
        "adoptions_per_second": figures.adoptions_per_second,
        "backlog_middle": figures.backlog_middle,
        "backlog_end": figures.backlog_end,
        "commit_to_posted_ms": { "p50": figures.commit_to_posted_p50_ms, "p99": figures.commit_to_posted_p99_ms },
        "pauses_ms": pauses(&run, LONG_MS),
        "posted": run.posted.len(),
        "committed": run.committed_ms.len(),
        "loaded_after_s": loaded_ms / 1_000,
        "write_units": units_json(options, &run, &loaded, loaded_units, &after, units),
        "requests_per_adoption": requests_json(&executor, &requests, run.posted.len()),
        "entries_that_correct": executor.with_world(|world| entries(world).len()).saturating_sub(run.posted.len()),
        "hottest_keys": hottest_keys(&executor),
        "mean_chain": figures.mean_chain,
        "mean_accounts_paid": figures.mean_accounts_paid,
        "refused": refusals(),
        "trees_with_work_left": trees_with_work(&executor),
        "invocations": invocations_json(&executor),
        "findings": executor.findings().iter().map(|finding| finding.message.clone()).collect::<Vec<_>>(),
        "trace": format!("{:016x}", executor.trace_hash()),
    })
}

/// Returns write units by what they were for, with those of each kind of item beside.
fn units_json(
    options: &Options,
    run: &Run,
    loaded: &Kinds,
    loaded_units: f64,
    after: &Kinds,
    units: f64,
) -> Value {
    let (referrals, adoptions) = (count(options.accounts), count(run.posted.len()));
    let sum = |kinds: &Kinds, is_meant: &dyn Fn(&str) -> bool| {
        let meant = kinds.iter().filter(|(kind, _)| is_meant(kind));
        meant.fold((0.0, 0.0), |sum, (_, (units, writes))| (sum.0 + units, sum.1 + count(*writes)))
    };
    let (heads, head_writes) = sum(after, &|kind| kind == "Accounts ACCOUNT");
    let (records, _) = sum(after, &is_of_records);
    let (others, _) =
        sum(after, &|kind| kind != "Accounts ACCOUNT" && !is_of_records(kind) && !is_of_talent(kind));
    let each = |kinds: &Kinds, by: f64| -> BTreeMap<String, Value> {
        let each = |(kind, (units, writes)): (&String, &(f64, u64))| {
            (kind.clone(), json!({ "units": units / by, "writes": count(*writes) / by }))
        };
        kinds.iter().map(each).collect()
    };
    json!({
        "per_referral": sum(loaded, &|kind| !is_of_talent(kind) && !is_of_users(kind)).0 / referrals,
        "per_user": sum(loaded, &is_of_users).0 / referrals,
        "per_referral_talent": sum(loaded, &is_of_talent).0 / referrals,
        "of_load_in_all_by_account": loaded_units / referrals,
        "in_all_by_adoption": units / adoptions,
        "per_adoption_besides_heads_and_records": others / adoptions,
        "per_head_written": heads / head_writes.max(1.0),
        "heads_and_records_per_head_written": (heads + records) / head_writes.max(1.0),
        "records_per_adoption": records / adoptions,
        "heads_per_adoption": head_writes / adoptions,
        "by_kind_of_load_by_account": each(loaded, referrals),
        "by_kind_by_adoption": each(after, adoptions),
    })
}

/// Returns whether a kind of item is a line of an account's records.
fn is_of_records(kind: &str) -> bool {
    kind.starts_with("Records ")
}

/// Returns whether a kind of item is of teams and talent levels.
fn is_of_talent(kind: &str) -> bool {
    ["Source TALENT", "Source TEAM", "Journal EVENT"].iter().any(|start| kind.starts_with(start))
}

/// Returns whether a kind of item is of the source's users.
fn is_of_users(kind: &str) -> bool {
    kind == "Source USER"
}

fn requests_json(executor: &Executor, before: &BTreeMap<&'static str, u64>, adoptions: usize) -> Value {
    let requests = executor.requests();
    let since = requests.iter().map(|(name, requests)| {
        let before = before.get(name).copied().unwrap_or_default();
        ((*name).to_owned(), json!(count(requests - before) / count(adoptions)))
    });
    Value::Object(since.collect())
}

/// Returns how many referral trees have work that is not done.
fn trees_with_work(executor: &Executor) -> usize {
    executor.with_world(|world| {
        let keys = world.database.tables()["Source"].look_at_all();
        keys.filter(|(key, _)| key.partition.starts_with("OUTSTANDING#")).count()
    })
}

/// Returns how often each function ran, and for how long on average.
fn invocations_json(executor: &Executor) -> Value {
    let usage = executor.usage().iter().map(|(name, usage)| {
        let mean_ms = count(usage.ran_ms) / count(usage.invocations.max(1));
        (name.clone(), json!({ "ended": usage.invocations, "mean_ms": mean_ms }))
    });
    Value::Object(usage.collect())
}

fn hottest_keys(executor: &Executor) -> Vec<Value> {
    let mut keys: Vec<(f64, String)> = executor.with_world(|world| {
        let tables = world.database.tables().iter();
        let of = tables.flat_map(|(name, table)| {
            let busiest = table.capacity().busiest_seconds(Direction::Write).into_iter();
            busiest.map(move |(key, units)| (units.as_f64() / 1_000.0, format!("{name} {key}")))
        });
        of.collect()
    });
    keys.sort_by(|left, right| right.0.total_cmp(&left.0));
    keys.truncate(5);
    keys.into_iter().map(|(share, key)| json!({ "key": key, "share": share })).collect()
}

/// Returns a count as a number to divide by.
pub(crate) fn count(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::NAN, f64::from)
}
