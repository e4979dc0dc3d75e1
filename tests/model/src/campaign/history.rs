//! One history: a source's life, fed to the functions on a world with faults, and judged while it goes on and at its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oracle::generate::{History, Plan, history};
use runtime::{Clock, Settings};
use serde_json::json;
use store::progress::PartitionName;
use store::rows::RowTable;

use super::act::Act;
use super::agenda::{FAULTS_AFTER_MS, agenda};
use super::clients::Reader;
use super::cycles::Cycle;
use super::deliveries;
use super::ending;
use super::feed::{Feed, PREFIX, TABLES, Written, feed};
use super::rare::{Rare, called_often, stands_still_until_ms};
use super::returning_order;
use super::script::Script;
use super::setting::Setting;
use super::situations::Situations;
use super::source::reduced;
use super::subscriptions::Subscriptions;
use super::watcher::Watcher;
use crate::bench::{
    Executor, ExecutorOptions, FaultPlan, FaultRates, Happened, Interruptions, Mutation, Provoked,
    SENDER_DIED, Touch,
};
use crate::clock::Millis;
use crate::deployed::{LedgerOptions, Subscribed, WEBHOOKS, ledger_deployment};
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
    /// What is taken away from the functions, to see whether that is found.
    pub mutation: Option<Mutation>,
    /// What is provoked, so that what is taken away is missed.
    pub provoked: Option<Provoked>,
    /// Whether it is counted what the functions do to which kinds of items.
    pub counts_touches: bool,
    /// Whether a history ends with the first finding.
    pub ends_at_finding: bool,
}

impl HistoryOptions {
    /// Returns published latencies and, if wanted, the usual faults.
    #[must_use]
    pub fn usual(with_faults: bool) -> Self {
        Self {
            profile: Profile::Measured { percent: 100 },
            rates: if with_faults { FaultRates::usual() } else { FaultRates::default() },
            trace_lines: false,
            mutation: None,
            provoked: None,
            counts_touches: false,
            ends_at_finding: false,
        }
    }
}

/// What came out of a history.
#[derive(Clone, Debug)]
pub struct HistoryOutcome {
    /// What gives it again, with the faults as they happened.
    pub script: Script,
    /// What must not be.
    pub findings: Vec<String>,
    /// The faults that happened.
    pub faults: Vec<Happened>,
    /// How many transactions the source committed.
    pub transactions: usize,
    /// How many rows they changed.
    pub changes: usize,
    /// How many records the connector wrote.
    pub records: usize,
    /// How many invocations there were.
    pub invocations: u64,
    /// How many dates were closed.
    pub closes: usize,
    /// How often each situation was met.
    pub situations: Situations,
    /// Which functions were interrupted inside a call, and by which.
    pub interruptions: Interruptions,
    /// What the functions did to which kinds of items, where that was counted.
    pub touches: BTreeMap<Touch, u64>,
    /// What they wrote that changed nothing but the revision, where that was counted.
    pub fences: BTreeMap<Touch, u64>,
    /// How many entries of each kind the log has.
    pub entry_kinds: BTreeMap<String, u64>,
    /// The hash of everything that happened.
    pub trace_hash: u64,
    /// Everything that happened, where it was kept.
    pub trace: Vec<String>,
}

/// The name that ingest gives the source, after the cluster of the events.
const SOURCE: &str = "model";
/// How many transactions follow those that register the accounts.
const CHANGES: usize = 38;
/// How long after the last fault everything must be done.
const QUIET_AFTER_MS: Millis = 15 * 60 * 1_000;
/// How long is waited for what is to be read before topics are made anew.
const READ_WITHIN_MS: Millis = 20_000;
/// How often the ends of partitions are marked as reached once everything is read.
const MARK_EVERY_MS: Millis = 30_000;
/// How long nothing may change before a history counts as over.
const QUIET_FOR_MS: Millis = 130_000;

/// Runs a history.
#[must_use]
pub fn run_history(script: &Script, options: &HistoryOptions) -> HistoryOutcome {
    let mut random = Random::new(script.seed ^ 0x00c0_ffee);
    let setting = Setting::of(script.seed);
    let plan = Plan { today: setting.dated_around, changes: CHANGES, ..Plan::small(script.seed) };
    let whole = history(&plan);
    let whole = match Cycle::of(script.seed) {
        Some(cycle) => cycle.added_to(whole, plan.today),
        None if returning_order::is_in(script.seed) => returning_order::added_to(whole, plan.today),
        None => whole,
    };
    let history = match &script.keep {
        Some(keep) => reduced(&whole, keep),
        None => whole,
    };
    let mut feed = feed(
        &history,
        setting.epoch.timestamp_millis(),
        &mut random,
        !script.without.disorder && script.seed.is_multiple_of(2),
    );
    if let Some(until_ms) = stands_still_until_ms(script) {
        feed.stand_still(until_ms);
    }
    let partitions = i32::try_from(feed.partitions).expect("few partitions");
    // A deployment says how many partitions the orders have, so that one that has not begun is waited for.
    let settings = Settings { orders_partitions: Some(partitions), ..setting.settings.clone() };
    let setting = Setting { settings, ..setting };
    let mut run = Run::begin(script, options, setting, feed, random);
    run.go_on();
    run.finish(script, &history)
}

/// A history that goes on.
struct Run {
    executor: Executor,
    watcher: Arc<Mutex<Watcher>>,
    setting: Setting,
    feed: Feed,
    /// What happens when, besides what the functions do.
    agenda: BTreeMap<(Millis, usize), Act>,
    ends_ms: Millis,
    rests_from_ms: Millis,
    reader: Reader,
    subscriptions: Option<Subscriptions>,
    is_audited: bool,
    ends_at_finding: bool,
    is_provoked: bool,
}

impl Run {
    fn begin(
        script: &Script,
        options: &HistoryOptions,
        setting: Setting,
        feed: Feed,
        mut random: Random,
    ) -> Self {
        let last_ms = feed.records.last().map_or(0, |record| record.at_ms);
        let ends_ms = last_ms + FAULTS_AFTER_MS;
        let Rare { acts, rests_from_ms } = Rare::of(script, last_ms, ends_ms);
        let mut subscriptions = Subscriptions::of(script, last_ms);
        let often = called_often(options.provoked.as_ref(), subscriptions.is_some(), ends_ms);
        let of_subscriptions = subscriptions.iter_mut().flat_map(|of| of.acts(last_ms, ends_ms));
        let acts = acts.into_iter().chain(often).chain(of_subscriptions).collect();
        let agenda = agenda(script, &setting, &feed, acts, &mut random);
        let faults = FaultPlan {
            rates: FaultRates {
                duplicates: if script.duplicates.is_some() { 0 } else { options.rates.duplicates },
                ..if script.fates.is_some() { FaultRates::default() } else { options.rates }
            },
            ends_ms,
            exactly: script.fates.clone().unwrap_or_default(),
            duplicates_exactly: script.duplicates.clone().unwrap_or_default(),
            once: None,
        };
        let executor_options = ExecutorOptions {
            seed: script.seed,
            profile: options.profile,
            faults,
            epoch: setting.epoch,
            trace_lines: options.trace_lines,
        };
        let subscribed = subscriptions.as_ref().map(Subscriptions::deployed);
        let deployment = ledger_deployment(&ledger_options(&setting.settings, feed.partitions, subscribed));
        let mut executor = Executor::new(&deployment, executor_options).expect("a valid deployment");
        executor.set_small_pages();
        if options.counts_touches {
            executor.count_touches();
        }
        if let Some(mutation) = &options.mutation {
            executor.mutate(mutation.clone());
        }
        if let Some(provoked) = &options.provoked {
            executor.provoke(provoked.clone());
        }
        let zone = setting.settings.policy.business_time_zone();
        let mut watcher = Watcher::new(setting.versions.clone(), setting.settings.account_shards, zone);
        watcher.know_committed(feed.orders_committed());
        let watcher = Arc::new(Mutex::new(watcher));
        let watching = watcher.clone();
        executor.watch(Box::new(move |at_ms, effect| lock(&watching).see(at_ms, &effect)));
        let reader = Reader::new(random.fork());
        let is_audited = agenda.values().any(|act| matches!(act, Act::Audit));
        let ends_at_finding = options.ends_at_finding;
        Self {
            executor,
            watcher,
            setting,
            feed,
            agenda,
            ends_ms,
            rests_from_ms,
            reader,
            subscriptions,
            is_audited,
            ends_at_finding,
            is_provoked: options.provoked.is_some(),
        }
    }

    /// Lets everything happen that comes from outside, then everything that follows.
    fn go_on(&mut self) {
        // A reader that waits delays what follows, and the source keeps its distances: else records of minutes would
        // be of one millisecond, and nothing would tell which came first.
        let mut late_ms = 0;
        while let Some(((planned_ms, _), act)) = self.agenda.pop_first() {
            if self.is_over() {
                return;
            }
            late_ms = self.executor.now_ms().saturating_sub(planned_ms).max(late_ms);
            self.executor.run_until(planned_ms + late_ms);
            match act {
                Act::Write(written) => produce(&self.executor, &written),
                Act::Read => {
                    let answer = self.reader.read(&mut self.executor);
                    if let Some(answer) = answer {
                        self.reader.check(&answer, &lock(&self.watcher).shadow);
                    }
                }
                Act::Recreate => self.recreate_topics(),
                // Work in hand, such as a walk over all orders, is a difference to an audit: only the last is judged.
                Act::Audit => self.executor.call("ledger-audit", &json!({ "repair": false })),
                Act::Truncate(written) => {
                    lock(&self.watcher).shadow.situations.count("a table was truncated");
                    produce(&self.executor, &written);
                }
                Act::CallAgain(function) => {
                    lock(&self.watcher).shadow.situations.count("a schedule called a function twice");
                    self.executor.call(function, &json!({ "repair": false }));
                }
                Act::Ask(command) => command.ask(&mut self.executor, self.setting.today),
                Act::Say(word) => {
                    let subscriptions = self.subscriptions.as_mut().expect("a history says it of one");
                    let situation = subscriptions.say(word, &mut self.executor, self.setting.today);
                    if let Some(what) = situation {
                        lock(&self.watcher).shadow.situations.count(what);
                    }
                }
                Act::AskBoth(rivals) => {
                    lock(&self.watcher).shadow.situations.count("two operators asked under one key");
                    let found = rivals.ask(&mut self.executor, self.setting.today);
                    self.reader.findings.extend(found);
                }
            }
        }
        self.ends_ms += late_ms;
        self.executor.run_until(self.ends_ms);
    }

    /// Returns whether enough was found.
    fn is_over(&self) -> bool {
        self.ends_at_finding && !(self.executor.findings().is_empty() && self.reader.findings.is_empty())
    }

    /// Runs until everything is read, the source is known to be read, and nothing changes any more.
    fn come_to_rest(&mut self) -> Result<(), String> {
        let deadline_ms = self.ends_ms + QUIET_AFTER_MS;
        while self.has_unread() && !self.is_over() {
            if self.executor.now_ms() > deadline_ms {
                return Err("records of the source wait for ever".to_owned());
            }
            self.executor.run_until(self.executor.now_ms() + 1_000);
        }
        let (mut changes, mut changed_ms) = (0, self.executor.now_ms().max(self.rests_from_ms));
        let mut marked_ms = None;
        while self.executor.now_ms() < changed_ms + QUIET_FOR_MS && !self.is_over() {
            // As the connector's marks do, again and again: a date may begin meanwhile.
            let now_ms = self.executor.now_ms();
            if marked_ms.is_none_or(|marked_ms| marked_ms + MARK_EVERY_MS <= now_ms) {
                self.reach_ends();
                marked_ms = Some(now_ms);
                if self.look_after_subscriptions() {
                    changed_ms = now_ms.max(self.rests_from_ms);
                }
            }
            self.executor.run_until(self.executor.now_ms() + 5_000);
            let now = lock(&self.watcher).ledger_changes;
            if now != changes {
                (changes, changed_ms) = (now, self.executor.now_ms().max(self.rests_from_ms));
            }
            if self.executor.now_ms() > deadline_ms + self.rests_from_ms + QUIET_FOR_MS {
                return Err("the log never comes to rest".to_owned());
            }
        }
        Ok(())
    }

    /// Has an operator look after what is sent. Returns whether something is still waited for.
    fn look_after_subscriptions(&mut self) -> bool {
        let Some(subscriptions) = &mut self.subscriptions else { return false };
        let (resumed, is_waited_for) = subscriptions.look_after(&mut self.executor, self.setting.today);
        let situations = &mut lock(&self.watcher).shadow.situations;
        situations.add("a subscription was stopped and resumed", resumed);
        is_waited_for
    }

    /// Makes the topics anew once everything in them is read; leaves them as they are if that takes too long.
    fn recreate_topics(&mut self) {
        let until_ms = self.executor.now_ms() + READ_WITHIN_MS;
        while self.has_unread() {
            if self.executor.now_ms() >= until_ms {
                return;
            }
            self.executor.run_until(self.executor.now_ms() + 100);
        }
        self.executor.with_world(|world| topics().for_each(|topic| world.recreate_topic(&topic)));
    }

    fn has_unread(&self) -> bool {
        let partitions = self.feed.partitions;
        self.executor.with_world(|world| {
            topics().any(|topic| {
                (0..partitions).any(|partition| {
                    let end = world.topic(&topic).map(|log| log.end(partition));
                    world.committed(&topic, "cdc-ingest", partition) != end
                })
            })
        })
    }

    fn reach_ends(&mut self) {
        let engine = self.executor.engine();
        let now_ms = self.executor.clock().now().timestamp_millis();
        let partitions = i32::try_from(self.feed.partitions).expect("few partitions");
        self.executor.run_client(async move {
            // A partition in which nothing ever was is named with its table, as its first record would.
            let tables = [RowTable::Users, RowTable::Referrals, RowTable::Adoptions];
            for (topic, table) in topics().zip(tables) {
                for partition in 0..partitions {
                    let name = PartitionName { source: SOURCE.to_owned(), topic: topic.clone(), partition };
                    store::progress::reached_end(&engine, name, Some(table), now_ms, true)
                        .await
                        .expect("no fault for the bench");
                }
            }
        });
    }

    fn finish(mut self, script: &Script, history: &History) -> HistoryOutcome {
        let mut findings = Vec::new();
        match self.come_to_rest() {
            Err(finding) => findings.push(finding),
            Ok(()) if self.is_over() => {}
            Ok(()) => match ending::read(&mut self.executor, &self.setting) {
                Err(error) => findings.push(format!("at the end: {error}")),
                Ok(read) => {
                    let shadow = &mut lock(&self.watcher).shadow;
                    findings.extend(ending::judge(&read, shadow, &self.setting, &history.tables));
                }
            },
        }
        if !self.is_over() {
            findings.extend(self.judge_deliveries());
        }
        if self.is_audited && !self.is_over() {
            let position = lock(&self.watcher).shadow.position();
            findings.extend(ending::audit(&mut self.executor, position));
        }
        let shown = if self.executor.trace_lines().is_empty() {
            Vec::new()
        } else {
            ending::shown(&mut self.executor)
        };
        findings.append(&mut self.reader.findings);
        let of_executor = self.executor.findings().iter();
        findings.extend(of_executor.map(|finding| format!("{} ms: {}", finding.at_ms, finding.message)));
        let shadow = &lock(&self.watcher).shadow;
        let mut situations = shadow.situations.clone();
        let notes = self.executor.notes();
        for (what, times) in self.feed.notes.iter().chain(&notes) {
            situations.add(what, *times);
        }
        situations.add("an account was read through the API", self.reader.answers);
        if let Some(cycle) = Cycle::of(script.seed).filter(|_| script.keep.is_none()) {
            situations.count(cycle.situation);
        }
        if returning_order::is_in(script.seed) && script.keep.is_none() {
            situations.count(returning_order::SITUATION);
        }
        let faults = self.executor.faults();
        let fates = faults.iter().map(|fault| (fault.call.clone(), fault.fate)).collect();
        let script =
            Script { fates: Some(fates), duplicates: Some(self.executor.duplicated()), ..script.clone() };
        HistoryOutcome {
            script,
            findings,
            faults,
            transactions: history.transactions.len(),
            changes: history.transactions.iter().map(|transaction| transaction.changes.len()).sum(),
            records: self.feed.records.len(),
            invocations: self.executor.invocations(),
            closes: shadow.closes().len(),
            situations,
            interruptions: self.executor.interruptions(),
            touches: self.executor.touches(),
            fences: self.executor.fences(),
            entry_kinds: shadow.entry_kinds.clone(),
            trace_hash: self.executor.trace_hash(),
            trace: self.executor.trace_lines().into_iter().chain(shown).collect(),
        }
    }

    /// Returns what is wrong with what subscribers were sent.
    fn judge_deliveries(&mut self) -> Vec<String> {
        let Some(subscriptions) = &self.subscriptions else { return Vec::new() };
        let watcher = &*self.watcher;
        let (last, versions) = {
            let shadow = &lock(watcher).shadow;
            (shadow.position(), shadow.versions.clone())
        };
        let reached = std::mem::take(&mut lock(watcher).reached);
        let epoch_ms = self.setting.epoch.timestamp_millis();
        let (faults, notes) = (self.executor.faults(), self.executor.notes());
        let is_disturbed = self.is_provoked
            || faults.iter().any(|fault| fault.call.function == WEBHOOKS)
            || notes.contains_key(SENDER_DIED);
        deliveries::judge(
            subscriptions,
            &mut self.executor,
            last,
            &versions,
            &reached,
            epoch_ms,
            is_disturbed,
        )
    }
}

fn lock(watcher: &Mutex<Watcher>) -> MutexGuard<'_, Watcher> {
    watcher.lock().unwrap_or_else(PoisonError::into_inner)
}

fn topics() -> impl Iterator<Item = String> {
    TABLES.into_iter().map(|(schema, table)| format!("{PREFIX}.{schema}.{table}"))
}

fn produce(executor: &Executor, written: &Written) {
    let Written { topic, partition, key, value, .. } = written;
    executor
        .with_world(|world| world.produce(topic, *partition, key.clone(), value.clone()))
        .expect("every topic of the source is there");
}

fn ledger_options(settings: &Settings, partitions: u32, subscribed: Option<Subscribed>) -> LedgerOptions {
    LedgerOptions {
        settings: settings.clone(),
        topics: topics().map(|topic| (topic, partitions)).collect(),
        records_per_event: 7,
        warm: Throughput::default(),
        clock_skews_ms: vec![-300, 0, 450],
        subscribed,
    }
}
