//! The functions over a real store, with what happens on the way: redelivery, concurrency, crashes.
//!
//! A simulation is decided by its seed. In each step one function is invoked, or several at once whose
//! calls overtake each other: with the next records of some partitions, with what the queue has, or
//! because the sequencer's time has come. An invocation may be killed at any of its calls, or find that
//! no call gets through from then on; the call at which that happens may or may not have taken effect.
//! When all records were delivered, whatever is left is worked off without crashes.

mod broker;
mod connection;
mod invocation;
mod sums;
mod world;

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use futures::future::try_join_all;
use ledger_audit::Report;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use self::broker::{Arrival, Batch, Broker};
use self::invocation::{Crash, Fate, invoke};
use self::sums::Sums;
pub use self::world::Settings;
use self::world::World;
use crate::capture::CaptureRecord;

/// Records delivered in one batch at most.
const BATCH_RECORDS_MAX: usize = 40;
/// At which of an invocation's calls it crashes at the latest.
const CRASH_CALL_MAX: u32 = 30;
/// Rounds after which what is left counts as stuck.
const ROUNDS_MAX: usize = 200;

/// What a simulation does to the functions.
#[derive(Debug, Clone, Copy)]
pub struct Harassment {
    /// How many of a hundred invocations crash, if they make enough calls.
    pub crash_percent: u32,
    /// How many of a hundred transactions meet another one.
    pub conflict_percent: u32,
    /// Before how many of a hundred steps records are delivered again.
    pub redelivery_percent: u32,
    /// How many functions run at once at most.
    pub concurrency_max: usize,
    /// Whether partitions may be read in any order, against each other.
    pub any_arrival: bool,
    /// Whether the ledger's sums are checked after every step.
    pub checks_every_step: bool,
}

impl Harassment {
    /// Everything, often.
    pub const FULL: Self = Self {
        crash_percent: 30,
        conflict_percent: 3,
        redelivery_percent: 20,
        concurrency_max: 3,
        any_arrival: true,
        checks_every_step: true,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        crash_percent: 0,
        conflict_percent: 0,
        redelivery_percent: 0,
        concurrency_max: 1,
        any_arrival: false,
        checks_every_step: false,
    };
}

/// How a simulation ended.
#[derive(Debug)]
pub struct Simulated {
    /// The ledger's state in the shape of the expected files.
    pub ledger: Value,
    /// What the audit found, if it was asked.
    pub audit: Option<Report>,
    /// What happened on the way.
    pub tally: Tally,
}

/// What happened in simulations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records of the source.
    pub records: usize,
    /// Steps, after each of which the sums were right.
    pub steps: usize,
    /// Invocations that crashed.
    pub crashes: usize,
    /// Entries of the journal.
    pub postings: usize,
    /// Of these, the entries that correct earlier ones.
    pub corrections: usize,
}

/// What a function is invoked for.
#[derive(Debug)]
enum Turn<'a> {
    Ingest(Batch<'a>),
    Sequence,
    Distribute,
}

/// What became of it.
#[derive(Debug)]
struct Done {
    crashed: bool,
    /// For records: the partitions to deliver again, each with the offset to begin at.
    failures: Option<Vec<(String, i64)>>,
}

/// Runs a history to its end.
pub async fn run(
    records: &[CaptureRecord],
    seed: u64,
    harassment: Harassment,
    settings: &Settings,
) -> Result<Simulated> {
    let world = World::new(settings).await?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let in_any_order = harassment.any_arrival && random.random();
    let mut broker = Broker::new(records, if in_any_order { Arrival::Any } else { Arrival::AsWritten });
    let mut sums = Sums::default();
    let mut tally = Tally { records: records.len(), ..Tally::default() };
    while !broker.is_done() {
        world.advance(some_time(&mut random));
        if random.random_range(0..100) < harassment.redelivery_percent {
            broker.rewind(&mut random);
        }
        let turns: Vec<Turn<'_>> = (0..random.random_range(1..=harassment.concurrency_max))
            .map(|_| match random.random_range(0..5) {
                0 | 1 => Turn::Ingest(broker.lease(random.random_range(1..=BATCH_RECORDS_MAX), &mut random)),
                2 | 3 => Turn::Distribute,
                _ => Turn::Sequence,
            })
            .collect();
        let taken = turns.iter().map(|turn| Box::pin(take(&world, turn, harassment.fate(&mut random))));
        let done = try_join_all(taken.collect::<Vec<_>>()).await?;
        for (turn, done) in turns.iter().zip(done) {
            tally.crashes += usize::from(done.crashed);
            if let Turn::Ingest(batch) = turn {
                broker.settle(batch, done.failures.as_deref());
            }
        }
        tally.steps += 1;
        if harassment.checks_every_step {
            let at = || format!("after step {}, {} records", tally.steps, broker.done());
            world.check_written(&mut sums).await.with_context(at)?;
        }
    }
    finish(&world).await?;
    world.check_written(&mut sums).await?;
    world.check_all(&sums).await?;
    (tally.postings, tally.corrections) = sums.postings();
    let audit = if settings.audits { Some(world.audit().await?) } else { None };
    Ok(Simulated { ledger: world.export().await?, audit, tally })
}

/// Works off what is left.
async fn finish(world: &World) -> Result<()> {
    for _ in 0..ROUNDS_MAX {
        // Long enough for every delay, window and visibility timeout to end.
        world.advance(TimeDelta::seconds(1_000));
        Box::pin(world.sequence()).await;
        let messages = world.receive().await?;
        world.delete(world.distribute(&messages).await?).await?;
        if messages.is_empty() && world.is_done().await? {
            return Ok(());
        }
    }
    bail!("work is left that nobody does: {}", world.describe_backlog().await?)
}

/// Invokes a function.
async fn take(world: &World, turn: &Turn<'_>, fate: Fate) -> Result<Done> {
    match turn {
        Turn::Ingest(batch) => {
            let outcome = invoke(fate, Box::pin(world.ingest(&batch.records))).await;
            let response = outcome.answer.transpose()?;
            let failures = response.map(|response| {
                response.failures().map(|(partition, offset)| (partition.to_owned(), offset)).collect()
            });
            Ok(Done { crashed: outcome.crashed, failures })
        }
        Turn::Sequence => {
            let outcome = invoke(fate, Box::pin(world.sequence())).await;
            Ok(Done { crashed: outcome.crashed, failures: None })
        }
        Turn::Distribute => {
            let messages = world.receive().await?;
            let outcome = invoke(fate, Box::pin(world.distribute(&messages))).await;
            // Messages of a distributor that was killed come again when their visibility timeout ends.
            world.delete(outcome.answer.transpose()?.unwrap_or_default()).await?;
            Ok(Done { crashed: outcome.crashed, failures: None })
        }
    }
}

/// Mostly moments; now and then long enough for timeouts to end.
fn some_time(random: &mut ChaCha8Rng) -> TimeDelta {
    let longest_ms = if random.random_ratio(1, 20) { 1_200_000 } else { 4_000 };
    TimeDelta::milliseconds(random.random_range(0..longest_ms))
}

impl Harassment {
    fn fate(&self, random: &mut ChaCha8Rng) -> Fate {
        let crashes = random.random_range(0..100) < self.crash_percent;
        let crash = Crash {
            at_call: random.random_range(1..=CRASH_CALL_MAX),
            takes_effect: random.random(),
            kills: random.random(),
        };
        Fate {
            seed: random.random(),
            crash: crashes.then_some(crash),
            conflict_percent: self.conflict_percent,
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.postings += other.postings;
        self.corrections += other.corrections;
    }
}
