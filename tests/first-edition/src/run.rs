//! One run: accounts first, then adoptions at a steady rate; and what it shows of the journal and of units.

use std::collections::{BTreeMap, BTreeSet};

use ledger::rules::{Owner, Recipient, Slot, Unallocated};
use ledger::store::{EntryCause, JournalEntry, JournalItem};
use model::bench::Executor;
use model::measure::{Dates, Plan, Posted, Run, Shape, Source, produce};
use model::table::{Direction, Units};
use model::value::item_to_json;
use model::world::World;

use crate::deployed::JOURNAL;

/// Rows of accounts that the source writes per second before the measurement, as in every measurement.
const LOAD_PER_SECOND: u64 = 2_000;
/// How long no function may write to count as at rest.
const REST_MS: u64 = 15_000;

/// What a run is of.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shape: Shape,
    pub(crate) accounts: usize,
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) trees: usize,
    pub(crate) seed: u64,
    pub(crate) percent: u64,
    pub(crate) warm: u64,
    pub(crate) waits_ms: u64,
}

/// How adoptions are committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// So many a second.
    pub(crate) rate: u64,
    /// So much later comes the last one.
    pub(crate) pause_ms: u64,
    /// For so long is waited after it.
    pub(crate) waits_ms: u64,
}

/// Write units and writes by table and kind of key, which is what stands before its first `#`.
pub(crate) type Kinds = BTreeMap<String, (f64, u64)>;

impl Options {
    /// Returns what the source writes: the same as in a measurement of today's heart.
    pub(crate) fn source(&self) -> Source {
        Source::invent(&Plan {
            seed: self.seed,
            accounts: self.accounts,
            adoptions: usize::try_from(self.rate * self.seconds).expect("it fits into memory"),
            shape: self.shape,
            trees: self.trees,
            dates: Dates::Within60DaysTo("2026-12-01".parse().expect("a date")),
        })
    }
}

/// Lets the source write its accounts, and waits until no function writes any more.
pub(crate) fn load(executor: &mut Executor, source: &Source) {
    let began_ms = executor.now_ms();
    for (number, record) in (0..).zip(&source.accounts) {
        executor.run_until(began_ms + number * 1_000 / LOAD_PER_SECOND);
        produce(executor, record);
    }
    rest(executor);
}

fn rest(executor: &mut Executor) {
    let mut last = (written(executor), executor.now_ms());
    while executor.now_ms() < last.1 + REST_MS {
        executor.run_until(executor.now_ms() + 500);
        let now = written(executor);
        if now > last.0 {
            last = (now, executor.now_ms());
        }
    }
}

/// Lets the source commit its adoptions, each after `before_each`, and waits for what is still to be posted.
pub(crate) fn adopt(
    executor: &mut Executor,
    source: &Source,
    pace: Pace,
    mut before_each: impl FnMut(&mut Executor),
) -> Run {
    let began_ms = executor.now_ms();
    let mut committed_ms = BTreeMap::new();
    let last = source.adoptions.len() as u64;
    for (number, (order, record)) in (0_u64..).zip(&source.adoptions) {
        let pause_ms = if number + 1 == last { pace.pause_ms } else { 0 };
        let at_ms = began_ms + number * 1_000 / pace.rate + pause_ms;
        executor.run_until(at_ms);
        before_each(executor);
        committed_ms.insert(*order, at_ms);
        produce(executor, record);
    }
    let ended_ms = executor.now_ms();
    executor.run_until(ended_ms + pace.waits_ms);
    Run { committed_ms, posted: executor.with_world(posted), began_ms, ended_ms }
}

/// Returns every pause between two postings of at least so long: when it began, from the first commit on, and how long
/// it took.
pub(crate) fn pauses(run: &Run, at_least_ms: u64) -> Vec<(u64, u64)> {
    let mut posted_ms: Vec<u64> = run.posted.values().map(|posted| posted.at_ms).collect();
    posted_ms.sort_unstable();
    let pauses = posted_ms.windows(2).map(|pair| (pair[0] - run.began_ms, pair[1] - pair[0]));
    pauses.filter(|(_, pause_ms)| *pause_ms >= at_least_ms).collect()
}

/// Returns when each adoption was posted: when its first entry took effect.
fn posted(world: &mut World) -> BTreeMap<u64, Posted> {
    let mut posted = BTreeMap::new();
    for (at_ms, entry) in entries(world) {
        if entry.cause == EntryCause::Distribution {
            let accounts_paid = accounts_paid(&entry);
            posted.insert(entry.order.get(), Posted { at_ms, chain: chain(&entry), accounts_paid });
        }
    }
    posted
}

/// Returns every entry of the journal with when it took effect, from the table's stream.
pub(crate) fn entries(world: &mut World) -> Vec<(u64, JournalEntry)> {
    let now_ms = world.now_ms();
    let journal = world.database.table_mut(JOURNAL).expect("the deployment has it");
    let stream = journal.stream_mut().expect("the journal has a stream");
    let mut entries = Vec::new();
    for record in stream.read_from(now_ms, 0) {
        let Some(stored) = &record.after else { continue };
        let image = serde_json::from_value(item_to_json(&stored.item)).expect("an item of the service");
        if let Ok(JournalItem::Entry(entry)) = JournalItem::of_image(image) {
            entries.push((record.at_ms, entry));
        }
    }
    entries
}

/// Returns how many accounts of users an entry pays, as a measurement of today's heart counts them.
fn accounts_paid(entry: &JournalEntry) -> usize {
    let users = entry.legs.iter().filter_map(|leg| match leg.recipient.owner() {
        Owner::User(account) => Some(account),
        Owner::System(_) => None,
    });
    users.collect::<BTreeSet<_>>().len()
}

/// Returns how many ancestors of its adopter an entry names.
fn chain(entry: &JournalEntry) -> usize {
    let is_named =
        |recipient: &Recipient| !matches!(recipient, Recipient::Unallocated(Unallocated::NoAncestor));
    let levels = entry.legs.iter().filter(|leg| matches!(leg.slot, Slot::TeamLevel(_)));
    levels.filter(|leg| is_named(&leg.recipient)).count()
}

/// Returns the write units of all tables, those of cancelled transactions included.
pub(crate) fn written(executor: &Executor) -> f64 {
    executor.with_world(|world| {
        let tables = world.database.tables().values();
        tables.map(|table| table.capacity().total(Direction::Write)).sum::<Units>().as_f64()
    })
}

/// Returns the write units of each kind of item, and how many writes there were.
pub(crate) fn kinds(executor: &Executor) -> Kinds {
    executor.with_world(|world| {
        let mut kinds = Kinds::new();
        for (table, content) in world.database.tables() {
            for (kind, (units, writes)) in content.capacity().kinds(Direction::Write) {
                kinds.insert(format!("{} {kind}", name_then(table)), (units.as_f64(), *writes));
            }
        }
        kinds
    })
}

/// Returns the name that the template of 0177ed0 has for a table of the bench.
fn name_then(table: &str) -> &str {
    match table {
        JOURNAL => "Journal",
        "Ledger" => "Accounts",
        other => other,
    }
}

/// Returns what was written between two moments.
pub(crate) fn since(after: &Kinds, before: &Kinds) -> Kinds {
    let less = |(kind, (units, writes)): (&String, &(f64, u64))| {
        let (units_before, writes_before) = before.get(kind).copied().unwrap_or_default();
        (kind.clone(), (units - units_before, writes - writes_before))
    };
    after.iter().map(less).filter(|(_, (_, writes))| *writes > 0).collect()
}
