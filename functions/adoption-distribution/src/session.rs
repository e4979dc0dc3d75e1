//! A decider with what it needs around it: it reads, decides and puts until nothing is left or time is over.
//!
//! Touches: `Log` (reads, writes), `Ledger` (reads heads; reads and writes the checkpoint), the clock.

use std::time::Duration;

use domain::Versions;
use domain::decide::{CommandInput, Decider, Parameters, Step};
use domain::heads::Network;
use domain::log::{Command, Entry, Page, Position};
use runtime::Context;
use store::log;
use store::marks::{self, Marks};
use store::{Engine, StoreError, Written};

use crate::inputs::{self, Taken};
use crate::time::TimeSource;

/// How many pages are read together.
const PAGES_PER_READ: u32 = 16;
/// More heads than this are not kept from one invocation to the next.
const HEADS_KEPT_MAX: usize = 4_000_000;
/// What is due within so long is waited for: in the invocation, and where its time ends before, in the next one.
const WAITS_AT_MOST_MS: i64 = 4_000;
/// How long a decider that waits does so at a time, in milliseconds, before it looks for what was announced meanwhile.
const WAITS_AT_A_TIME_MS: i64 = 200;
/// How long a decider that ran ahead waits for the projections at a time, in milliseconds.
const PROJECTIONS_TAKE_MS: u64 = 50;
/// After so long a decider that walks looks for what was announced meanwhile, in milliseconds: new adoptions do not
/// wait until its invocation is over.
const LOOKS_AGAIN_AFTER_MS: i64 = 500;
/// How often a page is lost to another decider before the invocation gives up.
const LOST_PAGES_MAX: u64 = 16;

/// What an invocation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Pages that were put.
    pub(crate) pages: u64,
    /// Entries in them.
    pub(crate) entries: u64,
    /// Pages that another decider put first.
    pub(crate) lost: u64,
    /// Whether so many withdrawals wait that an operator has to look.
    pub(crate) is_braking: bool,
    /// Whether the guard stops a close until an operator lets it go.
    pub(crate) is_suspicious: bool,
    /// For how many minutes a kind of work has been stopped by hand, the longest; 0 where none is.
    pub(crate) paused_minutes: u64,
    /// Whether something is left to do at once, for which the time was too short.
    pub(crate) has_more: bool,
}

/// What a deployment says to its decider.
#[derive(Clone)]
pub(crate) struct Deployment {
    /// The versions of the rules before the log introduces others.
    pub(crate) versions: Versions,
    /// By which numbers it decides.
    pub(crate) parameters: Parameters,
    /// In how many parts the accounts are projected.
    pub(crate) shards: u32,
    /// By how many pages it runs ahead of the projections.
    pub(crate) pages_ahead_max: usize,
}

/// A decider and what belongs to it.
pub(crate) struct Session {
    decider: Decider,
    marks: Marks,
    deployment: Deployment,
    /// The position that the last checkpoint has.
    checkpoint: Position,
}

impl Session {
    /// Returns a session that goes on at the end of the log.
    pub(crate) async fn open(context: &Context, deployment: Deployment) -> Result<Self, StoreError> {
        let engine = &*context.engine;
        let marks = marks::read(engine).await?;
        let network =
            store::network::read(engine).await?.unwrap_or_else(|| Network::new(deployment.versions.clone()));
        let checkpoint = network.position;
        let decider = Decider::new(network, deployment.parameters.clone());
        let mut session = Self { decider, marks, deployment, checkpoint };
        // The pages that some head in storage may not include yet.
        let mut after = session.marks.heads(session.deployment.shards).min(checkpoint);
        while after < checkpoint {
            let pages = log::read_after(engine, after, PAGES_PER_READ).await?;
            for page in pages.into_iter().filter(|page| page.position <= checkpoint) {
                after = page.position;
                session.decider.read_page(page, true).map_err(|error| log::missing(error.position))?;
            }
        }
        Ok(session)
    }

    /// Decides until nothing is left to do, or until `end_ms` by the environment's clock.
    pub(crate) async fn decide_until(
        &mut self,
        context: &Context,
        time: &TimeSource,
        end_ms: i64,
        orders_partitions: Option<i32>,
    ) -> Result<Ended, StoreError> {
        let engine = &*context.engine;
        let (mut ended, mut taken) = (Ended::default(), Taken::default());
        self.catch_up(engine).await?;
        loop {
            self.keep_near_projections(context, end_ms).await?;
            let now_ms = time.now_ms(context);
            let more =
                inputs::read(engine, &mut taken, self.decider.network(), orders_partitions, now_ms).await?;
            let is_all = more.is_all;
            // The audit may have rebuilt in storage what is to be repaired, so it is read again.
            let is_repair = |input: &CommandInput| matches!(input.command, Command::Repair { .. });
            if more.inputs.commands.iter().any(is_repair) {
                self.decider.forget_heads();
            }
            self.decider.begin(more.inputs, time.now_ms(context));
            let pages_before = ended.pages;
            let due_ms = match self.put_pages(context, end_ms, &mut ended).await? {
                Outcome::Idle { due_ms } => Some(due_ms),
                Outcome::LooksAgain => None,
                Outcome::TimeIsOver => {
                    ended.has_more = true;
                    // Until this environment is invoked again, another one may take in newer rows.
                    self.decider.forget_inputs();
                    break;
                }
                Outcome::Lost => {
                    self.begin_again(context, &mut ended).await?;
                    taken = Taken::default();
                    continue;
                }
            };
            if !self.finish_inputs(context, &mut taken, pages_before, &mut ended).await? {
                self.begin_again(context, &mut ended).await?;
                taken = Taken::default();
                continue;
            }
            self.decider.forget_inputs();
            let Some(due_ms) = due_ms else { continue };
            if !is_all {
                if is_over(context, end_ms) {
                    ended.has_more = true;
                    break;
                }
                continue;
            }
            match self.wait_for_due(context, time, due_ms, end_ms).await {
                Waited::AWhile => {}
                Waited::UntilTimeIsOver => {
                    ended.has_more = true;
                    break;
                }
                Waited::ForNothing => break,
            }
        }
        self.put_checkpoint(engine).await?;
        ended.is_braking = self.decider.is_braking();
        ended.is_suspicious = self.decider.is_suspicious();
        ended.paused_minutes = self.paused_minutes(context.clock.now().timestamp_millis());
        if self.decider.heads_in_memory() > HEADS_KEPT_MAX {
            self.decider.forget_heads();
        }
        Ok(ended)
    }

    /// Removes announcements once a page was put since their rows were read. Returns whether no other decider put one
    /// first.
    async fn finish_inputs(
        &mut self,
        context: &Context,
        taken: &mut Taken,
        pages_before: u64,
        ended: &mut Ended,
    ) -> Result<bool, StoreError> {
        let is_fenced = taken.is_empty() || ended.pages > pages_before;
        if !is_fenced && !put(&*context.engine, &self.decider.fence(), ended).await? {
            return Ok(false);
        }
        inputs::finish(context, taken, &self.decider).await?;
        Ok(true)
    }

    /// Throws away what is in memory, because another decider put a page first.
    async fn begin_again(&mut self, context: &Context, ended: &mut Ended) -> Result<(), StoreError> {
        ended.lost += 1;
        if ended.lost > LOST_PAGES_MAX {
            let message = "another decider kept putting pages first".to_owned();
            return Err(StoreError::Unavailable { message });
        }
        *self = Self::open(context, self.deployment.clone()).await?;
        self.catch_up(&*context.engine).await
    }

    /// Returns what the log says of the whole network.
    pub(crate) fn network(&self) -> &Network {
        self.decider.network()
    }

    fn paused_minutes(&self, now_ms: i64) -> u64 {
        let since_ms = self.network().paused.values().min();
        since_ms.map_or(0, |since_ms| u64::try_from((now_ms - since_ms) / 60_000).unwrap_or(0))
    }

    /// Takes in the pages that others put.
    async fn catch_up(&mut self, engine: &dyn Engine) -> Result<(), StoreError> {
        loop {
            let after = self.decider.network().position;
            let pages = log::read_after(engine, after, PAGES_PER_READ).await?;
            let is_last = pages.len() < PAGES_PER_READ as usize;
            for page in pages {
                self.decider.read_page(page, false).map_err(|error| log::missing(error.position))?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Puts pages until the decider has nothing more to do.
    async fn put_pages(
        &mut self,
        context: &Context,
        end_ms: i64,
        ended: &mut Ended,
    ) -> Result<Outcome, StoreError> {
        let engine = &*context.engine;
        // What one invocation loads is there for the next, so that each comes further, however short its time is.
        let mut has_loaded = false;
        let look_again_ms = context.clock.now().timestamp_millis() + LOOKS_AGAIN_AFTER_MS;
        loop {
            match self.decider.step() {
                Step::Load(_)
                    if has_loaded && is_over(context, end_ms) && self.decider.is_between_pages() =>
                {
                    return Ok(Outcome::TimeIsOver);
                }
                Step::Load(needs) => {
                    has_loaded = true;
                    let loaded =
                        store::needs::load(engine, needs, &self.marks, self.deployment.shards).await?;
                    if self.decider.provide(loaded).is_err() {
                        return Ok(Outcome::Lost);
                    }
                    // A page that takes long to decide is put as far as it has come.
                    if is_over(context, end_ms)
                        && let Some(page) = self.decider.cut()
                    {
                        let is_put = put(engine, &page, ended).await?;
                        return Ok(if is_put { Outcome::TimeIsOver } else { Outcome::Lost });
                    }
                }
                Step::Put(page) => {
                    if !put(engine, &page, ended).await? {
                        return Ok(Outcome::Lost);
                    }
                    if is_over(context, end_ms) {
                        return Ok(Outcome::TimeIsOver);
                    }
                    if is_over(context, look_again_ms) && self.decider.is_done_with_inputs() {
                        return Ok(Outcome::LooksAgain);
                    }
                    self.keep_near_projections(context, end_ms).await?;
                }
                Step::Idle { due_ms } => return Ok(Outcome::Idle { due_ms }),
            }
        }
    }

    /// Learns how far the projections are, and waits for them where they are far behind.
    async fn keep_near_projections(&mut self, context: &Context, end_ms: i64) -> Result<(), StoreError> {
        if self.decider.tail_pages() < self.deployment.pages_ahead_max / 2 {
            return Ok(());
        }
        loop {
            self.marks = marks::read(&*context.engine).await?;
            self.decider.forget_tail_through(self.marks.heads(self.deployment.shards));
            if self.decider.tail_pages() < self.deployment.pages_ahead_max || is_over(context, end_ms) {
                return Ok(());
            }
            context.clock.sleep(Duration::from_millis(PROJECTIONS_TAKE_MS)).await;
        }
    }

    /// Waits a while for what is due soon. No wake-up reaches a decider that waits, so it looks itself meanwhile.
    async fn wait_for_due(
        &self,
        context: &Context,
        time: &TimeSource,
        due_ms: Option<i64>,
        end_ms: i64,
    ) -> Waited {
        let Some(due_ms) = due_ms else { return Waited::ForNothing };
        let left_ms = due_ms - time.now_ms(context);
        if left_ms <= 0 || left_ms > WAITS_AT_MOST_MS {
            return Waited::ForNothing;
        }
        let ends_in_ms = end_ms - context.clock.now().timestamp_millis();
        let wait_ms = left_ms.min(WAITS_AT_A_TIME_MS);
        if wait_ms > ends_in_ms {
            return Waited::UntilTimeIsOver;
        }
        context.clock.sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
        Waited::AWhile
    }

    async fn put_checkpoint(&mut self, engine: &dyn Engine) -> Result<(), StoreError> {
        let network = self.decider.network();
        if network.position > self.checkpoint {
            store::network::put(engine, network).await?;
            self.checkpoint = network.position;
        }
        Ok(())
    }
}

enum Outcome {
    Idle {
        due_ms: Option<i64>,
    },
    /// Everything that was announced is in the log; what is left to do takes long, so that more may have been
    /// announced.
    LooksAgain,
    TimeIsOver,
    Lost,
}

/// What a decider waited for that has nothing left to do at once.
enum Waited {
    /// For what is due soon, as long as it waits at a time.
    AWhile,
    /// Something is due soon, and the time of the invocation ends before.
    UntilTimeIsOver,
    /// Nothing is due soon.
    ForNothing,
}

/// Puts a page. Returns whether its number was free.
async fn put(engine: &dyn Engine, page: &Page, ended: &mut Ended) -> Result<bool, StoreError> {
    if let Written::ConditionFailed(_) = log::put(engine, page).await? {
        return Ok(false);
    }
    ended.pages += 1;
    ended.entries += page.entries.len() as u64;
    log_close(page);
    Ok(true)
}

fn is_over(context: &Context, end_ms: i64) -> bool {
    context.clock.now().timestamp_millis() >= end_ms
}

fn log_close(page: &Page) {
    if let Some(Entry::Close(terms)) = page.entries.last() {
        tracing::info!(date = %terms.date, cut = page.position, "a date is closed");
    }
}
