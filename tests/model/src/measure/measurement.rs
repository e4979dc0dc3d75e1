//! The measurement of adoptions at a steady rate: runs it, and works its figures out.

use super::figures::{Figures, WriteUnits};
use super::numbers::as_f64;
use super::run::{
    Kinds, MeasureOptions, Posted, Run, consumption, executor, hottest_keys, kinds, load, run_adoptions,
    source, sum_of,
};
use super::standstill::standstill;
use crate::bench::FaultPlan;
use crate::clock::Millis;

/// Measures, and returns the figures.
#[must_use]
pub fn measure(options: &MeasureOptions) -> Figures {
    let mut executor = executor(options, FaultPlan::default());
    let source = source(options);
    load(&mut executor, &source);
    let (loaded, before) = (kinds(&executor), consumption(&executor));
    let run = run_adoptions(&mut executor, &source, options.rate);
    let consumed = consumption(&executor).since(&before);
    let mut figures = figures(&run);
    figures.write_units = units(options, &run, &loaded, &kinds(&executor));
    figures.hottest_keys = hottest_keys(&executor);
    figures.dollars = consumed.dollars_per_million(run.posted.len());
    let by_adoption = |count: f64| count / as_f64(run.posted.len().max(1));
    figures.read_units_per_adoption = by_adoption(consumed.read_units);
    let requests = consumed.requests.iter();
    let count_of = |count: &u64| as_f64(usize::try_from(*count).expect("a run has fewer calls"));
    figures.requests_per_adoption =
        requests.map(|(name, count)| (*name, by_adoption(count_of(count)))).collect();
    if options.with_standstill {
        figures.standstill = standstill(options);
    }
    figures
}

/// Works out of a run how fast it was, what was left over, and whom adoptions paid.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
pub fn figures(run: &Run) -> Figures {
    let middle_ms = u64::midpoint(run.began_ms, run.ended_ms);
    let backlog = |at_ms: Millis| {
        let committed = run.committed_ms.values().filter(|committed_ms| **committed_ms <= at_ms).count();
        committed.saturating_sub(run.posted.values().filter(|posted| posted.at_ms <= at_ms).count())
    };
    let in_last_half = |posted: &&Posted| (middle_ms..=run.ended_ms).contains(&posted.at_ms);
    let mut delays_ms: Vec<Millis> = run
        .committed_ms
        .iter()
        .filter(|(_, committed_ms)| **committed_ms >= middle_ms)
        .filter_map(|(order, committed_ms)| Some(run.posted.get(order)?.at_ms.saturating_sub(*committed_ms)))
        .collect();
    delays_ms.sort_unstable();
    let quantile =
        |hundredths: usize| delays_ms.get(delays_ms.len() * hundredths / 100).copied().unwrap_or(0);
    let mean = |of: fn(&Posted) -> usize| {
        run.posted.values().map(of).sum::<usize>() as f64 / run.posted.len().max(1) as f64
    };
    Figures {
        adoptions_per_second: run.posted.values().filter(in_last_half).count() as f64 * 1_000.0
            / (run.ended_ms - middle_ms).max(1) as f64,
        backlog_middle: backlog(middle_ms),
        backlog_end: backlog(run.ended_ms),
        commit_to_posted_p50_ms: quantile(50),
        commit_to_posted_p99_ms: quantile(99),
        mean_chain: mean(|posted| posted.chain),
        mean_accounts_paid: mean(|posted| posted.accounts_paid),
        ..Figures::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn units(options: &MeasureOptions, run: &Run, loaded: &Kinds, after: &Kinds) -> WriteUnits {
    let since = |is_meant: fn(&str) -> bool| {
        let (end, begin) = (sum_of(after, is_meant), sum_of(loaded, is_meant));
        (end.0 - begin.0, end.1 - begin.1)
    };
    let (accounts, _) = since(is_of_accounts);
    let (_, heads) = since(|kind| kind == "ACCOUNT");
    let (others, _) = since(|kind| !is_of_accounts(kind) && !is_of_talent(kind));
    let referrals = as_f64(options.accounts.max(1));
    let adoptions = as_f64(run.posted.len().max(1));
    WriteUnits {
        per_referral: sum_of(loaded, |kind| !is_of_talent(kind) && !is_of_users(kind)).0 / referrals,
        per_user: sum_of(loaded, is_of_users).0 / referrals,
        per_referral_talent: sum_of(loaded, is_of_talent).0 / referrals,
        per_adoption: others / adoptions,
        per_account_paid: accounts / heads.max(1) as f64,
        heads_per_adoption: heads as f64 / adoptions,
    }
}

/// Returns whether a kind of item is of teams and talent levels.
fn is_of_talent(kind: &str) -> bool {
    kind.starts_with("TALENT")
}

/// Returns whether a kind of item is of the source's users.
fn is_of_users(kind: &str) -> bool {
    kind == "USER" || kind == "ROW#USER"
}

/// Returns whether a kind of item is an account's head or its lines.
fn is_of_accounts(kind: &str) -> bool {
    kind == "ACCOUNT" || kind == "LINES"
}
