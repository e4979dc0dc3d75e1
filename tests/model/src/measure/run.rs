//! Runs a measurement: functions as they are, on the modelled services, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cdc::Profile as CaptureProfile;
use chrono::NaiveDate;
use domain::log::{Entry, Page, Position};
use domain::{Owner, Versions};
use runtime::{DecisionSettings, Settings};
use store::{Key, Table};

use super::dollars::Consumption;
use super::figures::HotKey;
use super::source::{CAPTURE, Dates, Plan, Shape, Source, produce};
use crate::bench::{Executor, ExecutorOptions, FaultPlan};
use crate::clock::Millis;
use crate::deployed::{LedgerOptions, ledger_deployment};
use crate::table::{Capacity, Direction, Throughput, Units};
use crate::world::Profile;

/// What is measured.
#[derive(Clone, Debug)]
pub struct MeasureOptions {
    /// Who refers whom.
    pub shape: Shape,
    /// How many accounts there are before the first adoption.
    pub accounts: usize,
    /// Adoptions per second.
    pub rate: u64,
    /// For how many minutes.
    pub minutes: u64,
    /// The seed of everything.
    pub seed: u64,
    /// The published latencies times this, in hundredths.
    pub percent: u64,
    /// The write and read units per second that every table is warm for.
    pub warm: u64,
    /// Whether the standstill after each kind of fault is measured, too.
    pub with_standstill: bool,
    /// In how many trees the accounts hang.
    pub trees: usize,
}

/// Rows of accounts that the source writes per second before the measurement.
const LOAD_PER_SECOND: u64 = 2_000;
/// How long the log must not grow to count as at rest.
const REST_MS: Millis = 5_000;
/// How long after the last adoption is waited for what is still to be posted.
const AFTERWARDS_MS: Millis = 20_000;
/// How long is waited where only a schedule brings what is left.
const AFTERWARDS_MINUTE_MS: Millis = 60_000;
const HOTTEST_KEYS: usize = 10;
const KEY_WRITE_UNITS_PER_SECOND: f64 = 1_000.0;

/// What adoptions of a run did.
pub struct Run {
    /// When each was committed at the source.
    pub committed_ms: BTreeMap<u64, Millis>,
    /// When the page that posts it took effect, with the adopter's ancestors and the accounts paid.
    pub posted: BTreeMap<u64, Posted>,
    /// When the first was committed.
    pub began_ms: Millis,
    /// When the last was committed.
    pub ended_ms: Millis,
}

/// A posted adoption.
pub struct Posted {
    /// When.
    pub at_ms: Millis,
    /// How many ancestors of its adopter the posting names.
    pub chain: usize,
    /// How many accounts of users it pays.
    pub accounts_paid: usize,
}

pub(super) fn source(options: &MeasureOptions) -> Source {
    let adoptions = options.rate * options.minutes * 60;
    Source::invent(&Plan {
        seed: options.seed,
        accounts: options.accounts,
        adoptions: usize::try_from(adoptions).expect("it fits into memory"),
        shape: options.shape,
        trees: options.trees,
        dates: Dates::Within60DaysTo(today()),
    })
}

/// Returns the business date on which a measurement begins.
pub(super) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date")
}

pub(super) fn executor(options: &MeasureOptions, faults: FaultPlan) -> Executor {
    executor_from(options, faults, "2026-12-01T00:00:00Z", None)
}

/// Returns a world that begins at a time of day, and closes dates from one on.
pub(super) fn executor_from(
    options: &MeasureOptions,
    faults: FaultPlan,
    epoch: &str,
    first_close_date: Option<NaiveDate>,
) -> Executor {
    let decisions = DecisionSettings {
        settle: Duration::ZERO,
        brake_adoptions: None,
        guard_factor: None,
        ..DecisionSettings::default()
    };
    let profile = CaptureProfile::from_json(CAPTURE).expect("a profile");
    // Without a date none is closed: a measurement of postings has none in it.
    let never = NaiveDate::from_ymd_opt(2100, 1, 1);
    let first_close_date = first_close_date.or(never);
    let deployment = ledger_deployment(&LedgerOptions {
        settings: Settings { decisions, profile, first_close_date, ..Settings::default() },
        topics: Source::topics(),
        records_per_event: 1_000,
        warm: Throughput { write: Units::whole(options.warm), read: Units::whole(options.warm) },
        clock_skews_ms: vec![-20, 0, 35],
        subscribed: None,
    });
    let options = ExecutorOptions {
        seed: options.seed,
        profile: Profile::Measured { percent: options.percent },
        faults,
        epoch: epoch.parse().expect("a time"),
        trace_lines: false,
    };
    Executor::new(&deployment, options).expect("a valid deployment")
}

/// Lets the source write its accounts, and waits until all of them are in the log.
pub(super) fn load(executor: &mut Executor, source: &Source) {
    let began_ms = executor.now_ms();
    for (number, record) in (0..).zip(&source.accounts) {
        executor.run_until(began_ms + number * 1_000 / LOAD_PER_SECOND);
        produce(executor, record);
    }
    rest(executor);
}

/// Lets the source commit its adoptions at a steady rate, and waits a little.
pub(super) fn run_adoptions(executor: &mut Executor, source: &Source, rate: u64) -> Run {
    run_adoptions_and_last(executor, source, rate, 0)
}

/// Runs adoptions with a pause before the last one, and waits for that one longer than the minute's schedule
/// takes.
pub(super) fn run_adoptions_and_last(
    executor: &mut Executor,
    source: &Source,
    rate: u64,
    pause_ms: Millis,
) -> Run {
    let began_ms = executor.now_ms();
    let mut committed_ms = BTreeMap::new();
    let last = source.adoptions.len() as u64;
    for (number, (order, record)) in (0_u64..).zip(&source.adoptions) {
        let is_last = number + 1 == last;
        let at_ms = began_ms + number * 1_000 / rate + if is_last { pause_ms } else { 0 };
        executor.run_until(at_ms);
        committed_ms.insert(*order, at_ms);
        produce(executor, record);
    }
    let ended_ms = executor.now_ms();
    let waits_ms = if pause_ms > 0 { 2 * AFTERWARDS_MINUTE_MS } else { AFTERWARDS_MS };
    executor.run_until(ended_ms + waits_ms);
    let posted = posted(executor);
    Run { committed_ms, posted, began_ms, ended_ms }
}

pub(super) fn rest(executor: &mut Executor) {
    let pages = |executor: &Executor| executor.with_world(|world| world.database.tables()["Log"].count());
    let mut last = (pages(executor), executor.now_ms());
    while executor.now_ms() < last.1 + REST_MS {
        executor.run_until(executor.now_ms() + 500);
        let now = pages(executor);
        if now != last.0 {
            last = (now, executor.now_ms());
        }
    }
}

/// Returns when each adoption was posted: when its page took effect.
pub(super) fn posted(executor: &mut Executor) -> BTreeMap<u64, Posted> {
    let put_ms = executor.with_world(pages_put);
    let engine = executor.engine();
    let pages: Vec<Page> = executor.run_client(async move {
        let mut pages: Vec<Page> = Vec::new();
        loop {
            let after = pages.last().map_or(0, |page| page.position);
            let more = store::log::read_after(&engine, after, 100).await.expect("no fault for the bench");
            if more.is_empty() {
                return pages;
            }
            pages.extend(more);
        }
    });
    let versions = Versions::starting("{}").expect("the default policy");
    let mut posted = BTreeMap::new();
    for page in &pages {
        for entry in &page.entries {
            let Entry::Posted { order, posting, .. } = entry else { continue };
            let policy = &versions.numbered(posting.version).expect("a known version").policy;
            let users: BTreeSet<String> = posting
                .legs(policy)
                .into_iter()
                .filter_map(|leg| match leg.recipient.owner() {
                    Owner::User(account) => Some(account.to_string()),
                    Owner::System(_) => None,
                })
                .collect();
            let at_ms = put_ms[&page.position];
            let chain = posting.chain.len();
            posted.entry(order.get()).or_insert(Posted { at_ms, chain, accounts_paid: users.len() });
        }
    }
    posted
}

fn pages_put(world: &mut crate::world::World) -> BTreeMap<Position, Millis> {
    let now_ms = world.now_ms();
    let log = world.database.table_mut("Log").expect("the deployment has it");
    let stream = log.stream_mut().expect("the log has a stream");
    let put = |record: &crate::table::StreamRecord| {
        let key = Key::new(Table::Log, record.key.partition.clone(), record.key.sort.clone());
        Some((store::log::position_of(&key)?, record.at_ms))
    };
    stream.read_from(now_ms, 0).filter_map(put).collect()
}

pub(super) type Kinds = BTreeMap<String, (Units, u64)>;

/// Returns the write units of each kind of item of all tables, and how many writes there were.
pub(super) fn kinds(executor: &Executor) -> Kinds {
    executor.with_world(|world| {
        let mut kinds = Kinds::new();
        for table in world.database.tables().values() {
            for (kind, (units, writes)) in table.capacity().kinds(Direction::Write) {
                let sum = kinds.entry(kind.clone()).or_default();
                sum.0 += *units;
                sum.1 += writes;
            }
        }
        kinds
    })
}

/// Returns what was consumed up to now.
pub(super) fn consumption(executor: &Executor) -> Consumption {
    let units = |direction| {
        let of = |capacity: &Capacity| capacity.total(direction);
        executor.with_world(|world| {
            world.database.tables().values().map(|table| of(table.capacity())).sum::<Units>().as_f64()
        })
    };
    Consumption {
        write_units: units(Direction::Write),
        read_units: units(Direction::Read),
        usage: executor.usage().clone(),
        requests: executor.requests(),
    }
}

/// Returns the write units and the number of writes of the kinds that this is true of.
pub(super) fn sum_of(kinds: &Kinds, is_meant: impl Fn(&str) -> bool) -> (f64, u64) {
    let meant = kinds.iter().filter(|(kind, _)| is_meant(kind));
    meant.fold((0.0, 0), |sum, (_, (units, writes))| (sum.0 + units.as_f64(), sum.1 + writes))
}

pub(super) fn hottest_keys(executor: &Executor) -> Vec<HotKey> {
    let mut keys: Vec<HotKey> = executor.with_world(|world| {
        let tables = world.database.tables().iter();
        tables
            .flat_map(|(name, table)| {
                let busiest = table.capacity().busiest_seconds(Direction::Write).into_iter();
                busiest.map(move |(key, units)| HotKey {
                    key: format!("{name} {key}"),
                    share: units.as_f64() / KEY_WRITE_UNITS_PER_SECOND,
                })
            })
            .collect()
    });
    keys.sort_by(|left, right| right.share.total_cmp(&left.share).then_with(|| left.key.cmp(&right.key)));
    keys.truncate(HOTTEST_KEYS);
    keys
}
