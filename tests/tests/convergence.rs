//! Whatever happens on the way, the ledger ends up as one sorted pass over the source's last rows.
//!
//! `HISTORIES` says how many random histories to run, `FIRST_SEED` with which seed to begin:
//! `HISTORIES=2000 cargo test --release -p end-to-end --test convergence`.

use end_to_end::generate::{self, Change};
use end_to_end::golden::assert_same_postings;
use end_to_end::oracle::{self, Backfill, Options};
use end_to_end::simulation::{self, Harassment, Settings};
use futures::stream::{self, StreamExt};

/// Histories run at the same time; more than there are processors, because each waits for its store.
const CONCURRENT_HISTORIES: usize = 4;

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs one history of a seed through crashes and compares it with the sorted pass.
async fn run_history(seed: u64, accounts: usize, backfill: Backfill) {
    let records = generate::history(seed, accounts);
    let expected = oracle::expected(&records, &Options { backfill, ..Options::default() });
    let policy = match backfill {
        Backfill::None => "{}",
        Backfill::OnUnlock => r#"{"backfill": "on_unlock"}"#,
    };
    let settings = Settings { policy: policy.to_owned(), ..Settings::default() };
    let actual = simulation::run(&records, seed, Harassment::FULL, &settings).await;
    let actual = actual.unwrap_or_else(|error| panic!("seed {seed}, {accounts} accounts: {error:#}"));
    assert_same_postings(&actual, &expected, &format!("seed {seed}, {accounts} accounts, {backfill:?}"));
}

async fn run_histories(first_seed: u64, histories: u64, accounts: fn(u64) -> usize, backfill: Backfill) {
    stream::iter(first_seed..first_seed + histories)
        .map(|seed| tokio::spawn(run_history(seed, accounts(seed), backfill)))
        .buffer_unordered(CONCURRENT_HISTORIES)
        .for_each(async |outcome| outcome.expect("a history failed; its seed is above"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_histories_end_as_the_sorted_pass() {
    let first_seed = number_from("FIRST_SEED", 0);
    run_histories(first_seed, number_from("HISTORIES", 24), |seed| 4 + (seed % 9) as usize, Backfill::None)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_of_hundreds_of_accounts_end_as_the_sorted_pass() {
    let histories = (number_from("HISTORIES", 24) / 200).max(1);
    run_histories(
        number_from("FIRST_SEED", 0),
        histories,
        |seed| 150 + (seed % 3) as usize * 100,
        Backfill::None,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_backfill_on_unlock_histories_end_as_that_policys_sorted_pass() {
    let histories = number_from("HISTORIES", 24) / 4;
    run_histories(1_000_000, histories, |seed| 4 + (seed % 17) as usize, Backfill::OnUnlock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_crashes_and_late_changes_nothing_is_ever_corrected() {
    let changes = [Change::Registration, Change::Adoption];
    let records = generate::history_of(7, 40, &changes);
    let expected = oracle::expected(&records, &Options::default());
    let calm =
        Harassment { crash_percent: 0, redelivery_percent: 0, concurrency_max: 1, checks_every_step: false };
    let actual = simulation::run(&records, 7, calm, &Settings::default()).await.expect("a calm run");
    assert_same_postings(&actual, &expected, "a calm history");
}
