//! Whatever happens on the way, the ledger ends up as one sorted pass over the source's last rows.
//!
//! A history's seed decides everything about it. `HISTORIES` says how many to run and `FIRST_SEED` with
//! which to begin; a failure prints the command that runs its history again.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Instant;

use end_to_end::generate::{self, Change};
use end_to_end::golden::assert_same_postings;
use end_to_end::oracle::{self, Backfill, Options};
use end_to_end::simulation::{self, Harassment, Settings, Tally};

/// How many histories are run where nothing is said: about as many as take less than a minute without
/// optimisation. Whatever passes a change runs thousands of them with it.
const HISTORIES_DEFAULT: u64 = 40;
/// From so many histories on, it is looked at whether enough happened in them.
const BATCH_HISTORIES_MIN: u64 = 100;
/// Deep futures without optimisation take more than a thread has by default.
const STACK_BYTES: usize = 16 * 1024 * 1024;

static WITHOUT_BACKFILL: LazyLock<Settings> =
    LazyLock::new(|| Settings::with_policy(r#"{"backfill": "none"}"#).expect("a policy"));
static WITH_BACKFILL: LazyLock<Settings> =
    LazyLock::new(|| Settings::with_policy(r#"{"backfill": "on_unlock"}"#).expect("a policy"));

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
    /// Of five hundred histories, 480 have 3 to 10 accounts, where crossings are dense; 19 have 20 to 60,
    /// and one has 100 to 300. Every fourth is run with the backfill policy `on_unlock`. Every fifth is
    /// audited, the larger ones among them.
    fn of(seed: u64) -> Self {
        let some = |from: u64, to: u64| from + (seed / 1000 * 7 + seed) % (to - from + 1);
        let accounts = match seed % 500 {
            495 => some(100, 300),
            number if number % 25 == 20 => some(20, 60),
            _ => some(3, 10),
        };
        let backfill = if (seed + seed / 500) % 4 == 3 { Backfill::OnUnlock } else { Backfill::None };
        let accounts = usize::try_from(accounts).expect("hundreds");
        Self { seed, accounts, backfill, audits: seed.is_multiple_of(5) }
    }

    /// Runs the history through crashes and compares the ledger with the sorted pass.
    fn run(&self) -> Tally {
        let records = generate::history(self.seed, self.accounts);
        let options = Options { backfill: self.backfill, ..Options::default() };
        let expected = oracle::expected(&records, &options);
        let policy = match self.backfill {
            Backfill::None => &*WITHOUT_BACKFILL,
            Backfill::OnUnlock => &*WITH_BACKFILL,
        };
        let mut settings = policy.clone();
        settings.audits = self.audits;
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
fn random_histories_end_as_the_sorted_pass() {
    let first = number_from("FIRST_SEED", 0);
    let histories = number_from("HISTORIES", HISTORIES_DEFAULT);
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
            format!("FIRST_SEED={seed} HISTORIES=1 cargo test -p end-to-end --test convergence random")
        })
        .collect();
    assert!(failed.is_empty(), "failed; to run it again:\n{}", commands.join("\n"));
    if histories >= BATCH_HISTORIES_MIN {
        let enough = |what: usize| what as u64 > histories / 2;
        assert!(enough(tally.crashes) && enough(tally.corrections), "too little happened: {tally:?}");
    }
}

#[test]
fn without_crashes_and_late_changes_nothing_is_ever_corrected() {
    let changes = [Change::Registration, Change::Adoption];
    let records = generate::history_of(7, 40, &changes);
    let expected = oracle::expected(&records, &Options::default());
    let settings = WITHOUT_BACKFILL.clone();
    let calm =
        in_time_of_its_own(simulation::run(&records, 7, Harassment::NONE, &settings)).expect("a calm run");
    assert_same_postings(&calm.ledger, &expected, "a calm history");
    assert_eq!(calm.tally.corrections, 0);
}
