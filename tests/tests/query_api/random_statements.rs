//! Statements of random accounts and periods, on histories with moves, corrections, expiries and dates
//! that close in between. The environment variable `STATEMENTS` says how many are asked for.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::log::Entry;
use domain::{Amount, BusinessDate, Link, Owner};
use end_to_end::{Client, Harness, Options, Shuffle, captured, ledger};
use oracle::generate::{Plan, history};
use serde_json::{Value, json};

use crate::ledger::{all, operator, units};
use crate::random::Random;

/// How many statements are asked for; `STATEMENTS` asks for another number.
const STATEMENTS: usize = 1_000;
/// Statements of one history.
const PER_HISTORY: usize = 100;
/// How often dates are closed while a history goes on.
const CLOSES: usize = 12;
/// Lines that take something back.
const TAKEN_BACK: &str = "taken back";

fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

/// Returns a ledger in which a contribution expires after a year, and whose dates from 2025-07-01 to 2026-11-30 were
/// closed while its history arrived.
async fn closed_in_between(seed: u64) -> Harness {
    let today = NaiveDate::from_ymd_opt(2025, 9, 10).expect("a date");
    let plan = match seed % 5 {
        // So many that sums of lines stand for most of them.
        0 => Plan { adoptions: 600, ..Plan::deep(seed) },
        1 | 3 => Plan::deep(seed),
        _ => Plan::small(seed),
    };
    let history = history(&Plan { today, ..plan });
    let mut options = Options { records_per_event: 7, ..Options::default() };
    options.settings.policy_json = json!({ "term_years": 1 }).to_string();
    options.settings.policy = serde_json::from_str(&options.settings.policy_json).expect("a policy");
    options.settings.first_close_date = Some(date("2025-07-01").into());
    let harness = Harness::new(options);
    let records = captured(&history);
    let mut until = date("2025-07-20");
    for records in records.chunks(records.len().div_ceil(CLOSES)) {
        harness.feed(records, Shuffle::AsCaptured).await;
        close(&harness, until).await;
        until = until.plus_days(44).min(date("2026-11-30"));
    }
    close(&harness, date("2026-11-30")).await;
    harness
}

async fn close(harness: &Harness, until: BusinessDate) {
    let close = json!({ "type": "close", "until": until, "source_is_complete": true });
    let body = json!({ "reason": "a test", "command": close });
    let sent = operator(harness).post("/v1/commands", &format!("close-until-{until}"), &body).await;
    assert!([200, 202].contains(&sent.status), "{}", sent.text);
    harness.settle().await;
    harness.publish().await;
}

/// Returns what an account had on a date by its snapshot; nothing on a date before the first.
async fn by_snapshot(harness: &Harness, owner: &Owner, date: BusinessDate) -> i128 {
    let found = store::snapshots::account(harness.engine(), date, owner).await.expect("memory answers");
    let effective = found.and_then(|found| found.carried).map(|carried| carried.effective);
    effective.map_or(0, Amount::units)
}

/// Checks one statement, and returns its lines by their movement.
async fn check(
    harness: &Harness,
    client: &Client<'_>,
    account: &str,
    (from, to): (BusinessDate, BusinessDate),
) -> BTreeMap<String, usize> {
    let owner: Owner = account.parse().expect("an account");
    let path = format!("/v1/accounts/{account}/statement?from={from}&to={to}&limit=200");
    let statement = client.get(&path).await.good();
    let lines = all(client, "lines", &path).await;
    let opening = by_snapshot(harness, &owner, from.previous()).await;
    let closing = by_snapshot(harness, &owner, to).await;
    assert_eq!(units(&statement["opening_balance"]), opening, "{path}");
    assert_eq!(units(&statement["closing_balance"]), closing, "{path}");
    let moved: i128 = lines.iter().map(|line| units(&line["amount"])).sum();
    assert_eq!(opening + moved, closing, "{path}");
    let mut movements = BTreeMap::new();
    for line in &lines {
        let at: BusinessDate = line["date"].as_str().expect("a date").parse().expect("a date");
        assert!((from..=to).contains(&at), "{path}: {line}");
        let movement = line["movement"].as_str().expect("a movement");
        *movements.entry(movement.to_owned()).or_default() += 1;
        if movement != "EXPIRED" && units(&line["amount"]) < 0 {
            *movements.entry(TAKEN_BACK.to_owned()).or_default() += 1;
        }
    }
    movements
}

/// Counts what makes a history hard to state: adoptions that were corrected or taken back, accounts that were moved.
async fn counted(harness: &Harness) -> BTreeMap<&'static str, usize> {
    let last = u32::try_from(harness.last_page().await).expect("a short log");
    let pages = store::log::read_after(harness.engine(), 0, last).await.expect("memory answers");
    let mut counts = BTreeMap::new();
    for entry in pages.iter().flat_map(|page| &page.entries) {
        let kind = match entry {
            Entry::Corrected(_) => "corrected",
            Entry::Withdrawn { .. } => "withdrawn",
            Entry::Upline(change) if change.before != Link::Missing => "moved",
            _ => continue,
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn statements_of_random_accounts_and_periods_add_up_to_their_snapshots() {
    let wanted = std::env::var("STATEMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(STATEMENTS);
    let mut movements: BTreeMap<String, usize> = BTreeMap::new();
    let mut statements = 0;
    for seed in 0..wanted.div_ceil(PER_HISTORY) as u64 {
        let harness = closed_in_between(seed).await;
        let client = operator(&harness);
        for (kind, count) in counted(&harness).await {
            *movements.entry(kind.to_owned()).or_default() += count;
        }
        let known = ledger(harness.engine()).await;
        let names = |part: &Value| part.as_object().expect("accounts").keys().cloned().collect::<Vec<_>>();
        let accounts: Vec<String> =
            names(&known["accounts"]).into_iter().chain(names(&known["system"])).collect();
        let manifests =
            store::snapshots::manifests(harness.engine(), None, 1_000).await.expect("memory answers");
        let dates: Vec<BusinessDate> = manifests.iter().rev().map(|manifest| manifest.date).collect();
        assert_eq!(dates.last(), Some(&date("2026-11-30")), "seed {seed}");
        let mut random = Random::new(seed + 1);
        for _ in 0..PER_HISTORY {
            let account = random.choose(&accounts);
            let (one, other) = (random.below(dates.len()), random.below(dates.len()));
            let period = (dates[one.min(other)], dates[one.max(other)]);
            for (movement, count) in check(&harness, &client, account, period).await {
                *movements.entry(movement).or_default() += count;
            }
            statements += 1;
        }
    }
    assert!(statements >= wanted, "{statements} statements");
    for movement in ["BECAME_EFFECTIVE", "LATE", "EXPIRED", TAKEN_BACK, "corrected", "withdrawn", "moved"] {
        assert!(
            movements.get(movement).is_some_and(|count| *count > 0),
            "{movement} is tried: {movements:?}"
        );
    }
}
