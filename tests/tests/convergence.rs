//! Whatever happens on the way, the ledger ends up as one sorted pass over the source's last rows.
//!
//! A history's seed decides everything about it. `HISTORIES` says how many to run and `FIRST_SEED` with
//! which to begin; a failure prints the command that runs its history again.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use end_to_end::generate::{self, Change};
use end_to_end::golden::assert_same_postings;
use end_to_end::oracle::{self, Backfill, Options};
use end_to_end::simulation::{self, Harassment, Settings, Tally};

/// Deep futures without optimisation take more than a thread has by default.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// One random history and the policy it is run under.
#[derive(Debug)]
struct Case {
    seed: u64,
    accounts: usize,
    backfill: Backfill,
    /// Whether the ledger is audited at the end.
    audits: bool,
}

impl Case {
    /// Of a thousand histories, nine hundred have 3 to 12 accounts, where crossings are dense; 95 have
    /// 20 to 60; and five have 100 to 300. Every fourth is run with the backfill policy `on_unlock`,
    /// every fifth is audited.
    fn of(seed: u64) -> Self {
        let some = |from: u64, to: u64| from + (seed / 1000 * 7 + seed) % (to - from + 1);
        let accounts = match seed % 1000 {
            number if number % 200 == 199 => some(100, 300),
            number if number % 10 == 9 => some(20, 60),
            _ => some(3, 12),
        };
        let backfill = if seed % 4 == 3 { Backfill::OnUnlock } else { Backfill::None };
        let accounts = usize::try_from(accounts).expect("hundreds");
        Self { seed, accounts, backfill, audits: seed.is_multiple_of(5) || seed % 200 == 199 }
    }

    /// Runs the history through crashes and compares the ledger with the sorted pass.
    fn run(&self) -> Tally {
        let records = generate::history(self.seed, self.accounts);
        let options = Options { backfill: self.backfill, ..Options::default() };
        let expected = oracle::expected(&records, &options);
        let policy = match self.backfill {
            Backfill::None => "{}",
            Backfill::OnUnlock => r#"{"backfill": "on_unlock"}"#,
        };
        let settings = Settings { policy: policy.to_owned(), audits: self.audits, ..Settings::default() };
        let simulated = in_time_of_its_own(simulation::run(&records, self.seed, Harassment::FULL, &settings));
        let simulated = simulated.unwrap_or_else(|error| panic!("{self:?}: {error:#}"));
        assert_same_postings(&simulated.ledger, &expected, &format!("{self:?}"));
        if let Some(report) = simulated.audit {
            assert!(report.is_clean(), "{self:?}: {report}");
        }
        simulated.tally
    }
}

/// Runs a simulation on this thread. Its pauses pass at once, because nothing else could happen.
fn in_time_of_its_own<T>(simulation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(simulation)
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn thousands_of_histories_end_as_the_sorted_pass() {
    let first = number_from("FIRST_SEED", 0);
    let histories = number_from("HISTORIES", 2_000);
    let started = Instant::now();
    let next = AtomicU64::new(first);
    let tally = Mutex::new(Tally::default());
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + histories || !failed.lock().expect("not poisoned").is_empty() {
                return;
            }
            // The panic's message is printed by then.
            match std::panic::catch_unwind(|| Case::of(seed).run()) {
                Ok(of_history) => *tally.lock().expect("not poisoned") += of_history,
                Err(_) => failed.lock().expect("not poisoned").push(seed),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let worker = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            worker.expect("a thread");
        }
    });
    let (tally, failed) =
        (tally.into_inner().expect("not poisoned"), failed.into_inner().expect("not poisoned"));
    // Past the test's captured output, so that it shows whenever the test runs.
    let _ = writeln!(
        std::io::stderr(),
        "{histories} histories from seed {first} in {:.1} s: {tally:?}",
        started.elapsed().as_secs_f64()
    );
    let commands: Vec<String> = failed
        .iter()
        .map(|seed| {
            format!("FIRST_SEED={seed} HISTORIES=1 cargo test -p end-to-end --test convergence thousands")
        })
        .collect();
    assert!(failed.is_empty(), "failed; to run it again:\n{}", commands.join("\n"));
    assert!(tally.crashes as u64 >= histories, "the simulation lets too few invocations crash: {tally:?}");
    assert!(tally.corrections as u64 >= histories, "the histories need too few corrections: {tally:?}");
}

#[test]
fn without_crashes_and_late_changes_nothing_is_ever_corrected() {
    let changes = [Change::Registration, Change::Adoption];
    let records = generate::history_of(7, 40, &changes);
    let expected = oracle::expected(&records, &Options::default());
    let settings = Settings::default();
    let calm =
        in_time_of_its_own(simulation::run(&records, 7, Harassment::NONE, &settings)).expect("a calm run");
    assert_same_postings(&calm.ledger, &expected, "a calm history");
    assert_eq!(calm.tally.corrections, 0);
}
