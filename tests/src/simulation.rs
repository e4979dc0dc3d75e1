//! The functions over a real store, with what happens on the way: redelivery, concurrency, crashes.
//!
//! A simulation is decided by its seed. Each step delivers some records, runs sequencers, or runs
//! distributors, perhaps two at once, and perhaps with a crash: from some storage call on nothing of
//! the invocation gets through any more, and the call it starts at may or may not have taken effect.
//! When all records were delivered, whatever is left is worked off without crashes.

mod faults;
mod world;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::capture::CaptureRecord;
pub use world::{Settings, World};

/// Records delivered in one batch at most.
const BATCH_RECORDS_MAX: usize = 40;
/// Rounds after which what is left counts as stuck.
const ROUNDS_MAX: usize = 200;

/// What a simulation does to the functions.
#[derive(Debug, Clone, Copy)]
pub struct Harassment {
    /// How many of a hundred invocations crash.
    pub crash_percent: u32,
    /// How many of a hundred batches are delivered again.
    pub redelivery_percent: u32,
    /// How many sequencers and distributors run at once at most.
    pub concurrency_max: usize,
    /// Whether the ledger's sums are checked after every step.
    pub checks_every_step: bool,
}

impl Harassment {
    /// Everything, often.
    pub const FULL: Self =
        Self { crash_percent: 30, redelivery_percent: 20, concurrency_max: 2, checks_every_step: true };
}

/// Runs a history to its end and answers the ledger's state in the shape of the expected files.
pub async fn run(
    records: &[CaptureRecord],
    seed: u64,
    harassment: Harassment,
    settings: &Settings,
) -> Result<Value> {
    let world = World::new(settings).await?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut delivered = 0;
    let mut last_batch = 0..0;
    while delivered < records.len() {
        world.advance(TimeDelta::milliseconds(rng.random_range(0..4_000)));
        if rng.random_range(0..100) < harassment.crash_percent {
            world.crash_after(rng.random_range(1..30), rng.random());
        }
        match rng.random_range(0..3) {
            0 => {
                let size = rng.random_range(1..=BATCH_RECORDS_MAX);
                let end = records.len().min(delivered + size);
                let again = rng.random_range(0..100) < harassment.redelivery_percent;
                let batch = if again { last_batch.clone() } else { delivered..end };
                let failed = world.deliver(&records[batch.clone()]).await?;
                world.recover();
                if !again {
                    // What failed is delivered again with the next batch, as its partitions' next records.
                    delivered = if failed { batch.start } else { batch.end };
                    last_batch = batch;
                }
            }
            1 => {
                world.sequence(rng.random_range(1..=harassment.concurrency_max)).await;
                world.recover();
            }
            _ => {
                world.distribute(rng.random_range(1..=harassment.concurrency_max)).await?;
                world.recover();
            }
        }
        if harassment.checks_every_step {
            world.check_sums().await.with_context(|| format!("after {delivered} records"))?;
        }
    }
    for _ in 0..ROUNDS_MAX {
        // Long enough for every delay, window and visibility timeout to end.
        world.advance(TimeDelta::seconds(1_000));
        world.sequence(1).await;
        world.distribute(1).await?;
        if world.is_done().await? {
            world.check_sums().await?;
            return world.export().await;
        }
    }
    ensure!(false, "work is left that nobody does: {}", world.describe_backlog().await?);
    unreachable!("ensured above")
}
