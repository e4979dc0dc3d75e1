//! A subtree that moves below another root while adoptions go on below it: how late those are, what the move takes, and
//! whether everything is as if the subtree had always hung there.

mod judged;
mod network;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::BusinessDate;
use domain::log::{Cause, Command, Entry, Page, Paused, Position, WalkId, WalkPlace};
use runtime::{DecisionSettings, Settings};
use serde_json::{Value, json};
use store::inbox::StoredCommand;

use self::judged::Judged;
use self::network::{Network, WalkOrder};
use super::numbers::{as_f64, rounded};
use super::run::{Kinds, consumption, kinds, rest};
use super::source::{CAPTURE, Source, produce, reach_ends};
use crate::bench::{Executor, ExecutorOptions, Fate, FaultPlan, Once};
use crate::clock::Millis;
use crate::deployed::{LedgerOptions, ledger_deployment};
use crate::table::{Throughput, Units};
use crate::world::Profile;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct MoveOptions {
    /// How many accounts the subtree has.
    pub accounts: usize,
    /// How many adoptions there are before it moves.
    pub adoptions: usize,
    /// Adoptions per second below it while it moves.
    pub rate: u64,
    /// The decider is killed each time that the walk has been to so many further accounts; 0 leaves it alone.
    pub kill_every: usize,
    /// The seed of everything.
    pub seed: u64,
    /// The published latencies times this, in hundredths.
    pub percent: u64,
    /// The units per second that every table is warm for.
    pub warm: u64,
}

/// What the move came to.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    accounts: usize,
    adoptions_before: usize,
    adoptions_meanwhile: usize,
    steps: usize,
    compared: usize,
    changed: usize,
    pages: usize,
    kills: usize,
    /// From the row that moves the subtree to the end of the walk; what waits for time and an operator included.
    row_to_end_ms: Millis,
    walk_ms: Millis,
    latest_ms: Millis,
    p99_ms: Millis,
    latest_before_ms: Millis,
    write_units: f64,
    read_units: f64,
    units_per_adoption_before: f64,
    write_units_of_the_move: f64,
    /// After how many steps each date was closed; `None` where the walk was not going on.
    closed_after_steps: BTreeMap<BusinessDate, Option<usize>>,
    judged: Judged,
}

/// Rows of accounts, and adoptions, that the source writes per second before the move.
const ACCOUNT_ROWS_PER_S: u64 = 2_000;
const ADOPTIONS_PER_S: u64 = 800;
/// For how long adoptions go on at their rate before the subtree moves, to know what they take.
const BEFORE_MS: Millis = 30_000;
/// How often the log is looked at while the subtree moves.
const LOOK_MS: Millis = 20;
/// How long before midnight the row comes that moves the subtree: what it concerns settles, and the walk begins.
const BEFORE_MIDNIGHT_MS: Millis = 75_000;
/// How long after the row an operator lets it go. It has settled a little later.
const LET_GO_AFTER_MS: Millis = 55_000;
/// How long after the walk the log is looked at as often as before, so that it is known when the last were posted.
const LAST_POSTED_WITHIN_MS: Millis = 15_000;
/// After this time the walk has to be over.
const PATIENCE_MS: Millis = 2 * 3_600_000;
const HOUR_MS: Millis = 3_600_000;
/// The business time zone is eight hours ahead, so that its midnights are at four in the afternoon.
const MIDNIGHT_HOUR: u32 = 16;
const DECIDER: &str = "adoption-distribution";

/// Moves a subtree, and returns what it came to.
#[must_use]
pub fn move_subtree(options: &MoveOptions) -> Moved {
    let mut run = Run::begin(options);
    run.load();
    run.measure_before();
    run.move_subtree();
    run.close_the_date_after();
    run.finish()
}

struct Run<'a> {
    options: &'a MoveOptions,
    executor: Executor,
    network: Network,
    order: WalkOrder,
    midnight_ms: Millis,
    next_adoption_ms: Millis,
    next_end_ms: Millis,
    /// When each adoption was committed at the source.
    committed_ms: BTreeMap<u64, Millis>,
    log: Log,
    moved: Moved,
}

/// The log as far as it was looked at.
#[derive(Default)]
struct Log {
    position: Position,
    posted_ms: BTreeMap<u64, Millis>,
    /// The walk of the move, once it has begun.
    walk: Option<WalkId>,
    is_over: bool,
    began_ms: Millis,
    ended_ms: Millis,
    steps: usize,
    changed: usize,
    pages: usize,
    closed_after_steps: BTreeMap<BusinessDate, Option<usize>>,
}

impl<'a> Run<'a> {
    fn begin(options: &'a MoveOptions) -> Self {
        let network = Network::invent(options.accounts, options.seed, today());
        let order = network.walk_order();
        // Long enough before a midnight that everything is there by then.
        let rows = 2 * options.accounts as u64;
        let adoptions = options.adoptions as u64;
        let load_ms = rows * 1_000 / ACCOUNT_ROWS_PER_S + adoptions * 1_000 / ADOPTIONS_PER_S;
        let midnight_ms = (2 * load_ms + BEFORE_MIDNIGHT_MS + 4 * BEFORE_MS).next_multiple_of(HOUR_MS);
        let executor = executor(options, midnight() - TimeDelta::milliseconds(midnight_ms.cast_signed()));
        let moved = Moved { accounts: options.accounts, ..Moved::default() };
        let (committed_ms, log) = (BTreeMap::new(), Log::default());
        let (next_adoption_ms, next_end_ms) = (midnight_ms, midnight_ms + 1);
        Self {
            options,
            executor,
            network,
            order,
            midnight_ms,
            next_adoption_ms,
            next_end_ms,
            committed_ms,
            log,
            moved,
        }
    }

    /// Lets the source write its accounts, and the adoptions before the move.
    fn load(&mut self) {
        let accounts = self.network.accounts();
        self.spread(accounts.len(), ACCOUNT_ROWS_PER_S, |run, number| {
            produce(&run.executor, &accounts[number]);
        });
        rest(&mut self.executor);
        self.spread(self.options.adoptions, ADOPTIONS_PER_S, |run, _| {
            let (_, record) = run.network.adopt();
            produce(&run.executor, &record);
        });
        rest(&mut self.executor);
        self.look();
        assert_eq!(self.log.posted_ms.len(), self.options.adoptions, "all of them are posted");
    }

    fn spread(&mut self, count: usize, per_s: u64, mut each: impl FnMut(&mut Self, usize)) {
        let began_ms = self.executor.now_ms();
        for number in 0..count {
            self.executor.run_until(began_ms + number as u64 * 1_000 / per_s);
            each(self, number);
        }
    }

    /// Lets adoptions go on as they do while the subtree moves.
    fn measure_before(&mut self) {
        let from_ms = self.executor.now_ms().max(self.midnight_ms - BEFORE_MIDNIGHT_MS - BEFORE_MS);
        assert!(from_ms + BEFORE_MS <= self.midnight_ms, "the load took longer than there is time for it");
        self.executor.run_until(from_ms);
        self.next_adoption_ms = from_ms;
        let before = write_units(&kinds(&self.executor));
        let first = self.network.adoption_count();
        self.adopt_until(from_ms + BEFORE_MS);
        let adopted = self.network.adoption_count() - first;
        let units = write_units(&kinds(&self.executor)) - before;
        self.moved.units_per_adoption_before = units / as_f64(adopted.max(1));
        self.moved.adoptions_before = self.network.adoption_count();
    }

    /// Moves the subtree, with adoptions below it, kills, and a midnight.
    fn move_subtree(&mut self) {
        let from_ms = self.executor.now_ms();
        let (units, reads) = (write_units(&kinds(&self.executor)), consumption(&self.executor).read_units);
        let record = self.network.move_subtree();
        produce(&self.executor, &record);
        self.adopt_until(from_ms + LET_GO_AFTER_MS);
        self.let_go();
        let mut kills_due = 1;
        while !self.log.is_over {
            let now_ms = self.executor.now_ms();
            assert!(now_ms < from_ms + PATIENCE_MS, "the walk finds no end");
            self.adopt_until(now_ms + LOOK_MS);
            let every = self.options.kill_every;
            if every > 0 && self.log.steps >= kills_due * every && !self.log.is_over {
                kills_due = self.log.steps / every + 1;
                self.kill();
            }
        }
        let before = self.moved.adoptions_before;
        self.moved.adoptions_meanwhile = self.network.adoption_count() - before;
        self.moved.write_units = write_units(&kinds(&self.executor)) - units;
        self.moved.read_units = consumption(&self.executor).read_units - reads;
        let theirs = as_f64(self.moved.adoptions_meanwhile) * self.moved.units_per_adoption_before;
        self.moved.write_units_of_the_move = self.moved.write_units - theirs;
        self.moved.row_to_end_ms = self.log.ended_ms - from_ms;
        self.look_until(self.executor.now_ms() + LAST_POSTED_WITHIN_MS);
        rest(&mut self.executor);
        self.look();
        let latest_ms = |delays_ms: &[Millis]| delays_ms.last().copied().unwrap_or_default();
        self.moved.latest_before_ms = latest_ms(&self.delays_ms(self.options.adoptions, before));
        let delays_ms = self.delays_ms(before, self.network.adoption_count());
        self.moved.p99_ms = delays_ms.get(delays_ms.len() * 99 / 100).copied().unwrap_or_default();
        self.moved.latest_ms = latest_ms(&delays_ms);
    }

    /// Lets adoptions go on at their rate until a time, and looks at the log. After midnight the ends of the partitions
    /// are known every second.
    fn adopt_until(&mut self, until_ms: Millis) {
        let mut look_ms = self.executor.now_ms();
        while self.executor.now_ms() < until_ms {
            self.executor.run_until(self.next_adoption_ms.min(until_ms));
            if self.executor.now_ms() >= self.next_adoption_ms {
                let (order, record) = self.network.adopt_below();
                self.committed_ms.insert(order, self.executor.now_ms());
                produce(&self.executor, &record);
                self.next_adoption_ms += 1_000 / self.options.rate.max(1);
            }
            if self.executor.now_ms() >= look_ms {
                self.look();
                look_ms = self.executor.now_ms() + LOOK_MS;
            }
            if self.executor.now_ms() >= self.next_end_ms {
                reach_ends(&mut self.executor);
                self.next_end_ms = self.executor.now_ms() + 1_000;
            }
        }
    }

    fn look_until(&mut self, until_ms: Millis) {
        while self.executor.now_ms() < until_ms {
            self.executor.run_until(self.executor.now_ms() + LOOK_MS);
            self.look();
        }
    }

    /// Lets go what waits at the brake, as an operator does who knows of the move.
    fn let_go(&mut self) {
        let engine = self.executor.engine();
        let command =
            StoredCommand::new("an operator", "the subtree moves", Command::LetGo { what: Paused::Brake });
        self.executor.run_client(async move {
            store::inbox::ask(&engine, "the-subtree-moves", &command).await.expect("no fault for the bench");
        });
    }

    fn kill(&mut self) {
        let fate = if self.moved.kills.is_multiple_of(2) { Fate::KilledBefore } else { Fate::KilledAfter };
        let from_ms = self.executor.now_ms();
        self.executor.meets(Once { function: DECIDER.to_owned(), from_ms, fate });
        self.moved.kills += 1;
    }

    /// Returns how late the adoptions after the first few were posted, up to the last of them, in ascending order.
    fn delays_ms(&self, first: usize, last: usize) -> Vec<Millis> {
        let after = self.committed_ms.range(first as u64 + 1..=last as u64);
        let delay = |(order, committed_ms): (&u64, &Millis)| {
            self.log.posted_ms.get(order).map_or(Millis::MAX, |posted_ms| posted_ms - committed_ms)
        };
        let mut delays_ms: Vec<Millis> = after.map(delay).collect();
        delays_ms.sort_unstable();
        delays_ms
    }

    /// Reads the pages of the log that are new.
    fn look(&mut self) {
        let (engine, after) = (self.executor.engine(), self.log.position);
        let pages: Vec<Page> = self.executor.run_client(async move {
            let mut pages: Vec<Page> = Vec::new();
            loop {
                let after = pages.last().map_or(after, |page| page.position);
                let more = store::log::read_after(&engine, after, 64).await.expect("no fault for the bench");
                if more.is_empty() {
                    return pages;
                }
                pages.extend(more);
            }
        });
        // What is seen now was put since the last look: times are up to a look too late, and never too early.
        let now_ms = self.executor.now_ms();
        for page in &pages {
            self.log.see(page, now_ms, &self.order);
        }
    }

    /// Lets the date after the move close and be published.
    fn close_the_date_after(&mut self) {
        let midnight_ms = self.midnight_ms + 24 * HOUR_MS;
        self.executor.run_until(midnight_ms + 1_000);
        for _ in 0..20 {
            reach_ends(&mut self.executor);
            self.executor.run_until(self.executor.now_ms() + 60_000);
        }
        self.look();
    }

    fn finish(mut self) -> Moved {
        let Log { steps, changed, pages, began_ms, ended_ms, closed_after_steps, .. } = self.log;
        self.moved.compared = self.network.adoptions_of(&self.order, self.moved.adoptions_before);
        let judged = judged::judge(&mut self.executor, &self.network.tables(), settings().account_shards);
        Moved {
            steps: steps.max(self.order.len()),
            changed,
            pages,
            walk_ms: ended_ms - began_ms,
            closed_after_steps,
            judged,
            ..self.moved
        }
    }
}

impl Log {
    fn see(&mut self, page: &Page, at_ms: Millis, order: &WalkOrder) {
        self.position = page.position;
        let mut is_of_move = false;
        for entry in &page.entries {
            match entry {
                Entry::Posted { order, .. } => {
                    self.posted_ms.entry(order.get()).or_insert(at_ms);
                }
                Entry::WalkBegan(walk) if matches!(walk.cause, Cause::Upline { .. }) => {
                    self.walk = Some(walk.id);
                    self.began_ms = at_ms;
                }
                Entry::WalkStepped { walk, place: WalkPlace::Path(path) } if Some(*walk) == self.walk => {
                    let top = Network::top();
                    self.steps =
                        path.last().map_or_else(|| order.rank(&top), |last| order.rank(last.as_str()));
                    is_of_move = true;
                }
                Entry::WalkEnded { walk } if Some(*walk) == self.walk => {
                    self.is_over = true;
                    self.ended_ms = at_ms;
                    is_of_move = true;
                }
                Entry::Corrected(correction) if matches!(correction.cause, Cause::Upline { .. }) => {
                    self.changed += 1;
                    is_of_move = true;
                }
                Entry::Close(terms) => {
                    let is_going_on = self.walk.is_some() && !self.is_over;
                    self.closed_after_steps.insert(terms.date, is_going_on.then_some(self.steps));
                }
                _ => {}
            }
        }
        self.pages += usize::from(is_of_move);
    }
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date")
}

/// Returns the midnight after which the date of tomorrow can be closed.
fn midnight() -> DateTime<Utc> {
    today().and_hms_opt(MIDNIGHT_HOUR, 0, 0).expect("a time of day").and_utc()
}

fn settings() -> Settings {
    let decisions = DecisionSettings { guard_factor: None, ..DecisionSettings::default() };
    let profile = cdc::Profile::from_json(CAPTURE).expect("a profile");
    let first_close_date = Some(today() + chrono::Days::new(1));
    Settings { decisions, profile, first_close_date, ..Settings::default() }
}

fn executor(options: &MoveOptions, epoch: DateTime<Utc>) -> Executor {
    let deployment = ledger_deployment(&LedgerOptions {
        settings: settings(),
        topics: Source::topics(),
        records_per_event: 1_000,
        warm: Throughput { write: Units::whole(options.warm), read: Units::whole(options.warm) },
        clock_skews_ms: vec![-20, 0, 35],
        subscribed: None,
    });
    let options = ExecutorOptions {
        seed: options.seed,
        profile: Profile::Measured { percent: options.percent },
        faults: FaultPlan::default(),
        epoch,
        trace_lines: false,
    };
    Executor::new(&deployment, options).expect("a valid deployment")
}

fn write_units(kinds: &Kinds) -> f64 {
    kinds.values().map(|(units, _)| units.as_f64()).sum()
}

impl Moved {
    /// Returns whether no adoption waited longer than five seconds, and everything is as it must be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.latest_ms <= 5_000 && self.judged.differences.is_empty()
    }

    /// Returns the figures as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let closed = self.closed_after_steps.iter().map(|(date, steps)| (date.to_string(), json!(steps)));
        json!({
            "accounts": self.accounts,
            "adoptions_before": self.adoptions_before,
            "adoptions_meanwhile": self.adoptions_meanwhile,
            "steps": self.steps,
            "adoptions_compared": self.compared,
            "adoptions_changed": self.changed,
            "pages": self.pages,
            "kills": self.kills,
            "from_row_to_end_ms": self.row_to_end_ms,
            "walk_ms": self.walk_ms,
            "commit_to_posted_ms": {
                "latest": self.latest_ms, "p99": self.p99_ms, "latest_before_the_move": self.latest_before_ms,
            },
            "units": {
                "write": rounded(self.write_units),
                "write_of_the_move": rounded(self.write_units_of_the_move),
                "write_per_adoption_before": rounded(self.units_per_adoption_before),
                "read": rounded(self.read_units),
            },
            "closed_after_steps": closed.collect::<serde_json::Map<_, _>>(),
            "judged": self.judged.to_json(),
            "is_good": self.is_good(),
        })
    }
}
