//! The source of a measurement: accounts first, then adoptions.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use runtime::Clock;
use serde_json::{Value, json};
use store::progress::PartitionName;

use crate::bench::Executor;
use crate::random::Random;

/// What a source writes.
pub struct Source {
    /// Users and referrals.
    pub accounts: Vec<Record>,
    /// Adoptions with their order numbers.
    pub adoptions: Vec<(u64, Record)>,
}

/// A record of a topic with one partition.
pub struct Record {
    topic: &'static str,
    key: String,
    value: String,
}

/// What a source is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed of everything.
    pub seed: u64,
    /// How many accounts there are.
    pub accounts: usize,
    /// How many adoptions there are.
    pub adoptions: usize,
    /// Who refers whom.
    pub shape: Shape,
    /// In how many trees the accounts hang, each with a root.
    pub trees: usize,
    /// Around which date adoptions are dated.
    pub dates: Dates,
}

/// Who refers whom: the two shapes that a bench names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each account is referred by one of the last thousand of its tree.
    Recent,
    /// Each account is referred by any before it in its tree.
    Uniform,
}

/// How adoptions are dated.
#[derive(Clone, Copy, Debug)]
pub enum Dates {
    /// On one of the sixty days up to this one.
    Within60DaysTo(NaiveDate),
    /// All on this day.
    On(NaiveDate),
}

pub(super) const USERS: &str = "dbserver1.rwa_identity.users";
pub(super) const REFERRALS: &str = "dbserver1.rwa_referral.referral_relations";
pub(super) const ADOPTIONS: &str = "dbserver1.rwa_planting.planting_orders";
const RECENT: usize = 1_000;
/// The oldest accounts adopt, each about so often: only accounts that adopted, and whose direct referrals did, are
/// paid.
const ADOPTIONS_PER_ADOPTER: usize = 3;
/// When the first row is committed, in milliseconds since 1970.
const COMMITTED_MS: u64 = 1_796_100_000_000;
/// The topics of the invented source.
pub(super) const CAPTURE: &str = r#"{ "name": "invented", "tables": {
    "dbserver1.rwa_identity.users": { "holds": "users" },
    "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    "dbserver1.rwa_planting.planting_orders": { "holds": "adoptions" }
} }"#;

impl Source {
    /// Invents a source in which nothing is odd. Prices are given, so that no order waits for one.
    #[must_use]
    pub fn invent(plan: &Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let mut lsn = 0;
        let mut accounts = Vec::with_capacity(plan.accounts * 2);
        for number in 0..plan.accounts {
            let (account, referrer) = (name(number), referrer(plan, number, &mut random).map(name));
            let user = json!({ "id": number, "account_sequence": account });
            let referral = json!({
                "id": number, "account_sequence": account, "referrer_account_sequence": referrer,
            });
            accounts.push(record(USERS, "id", &user, &mut lsn));
            accounts.push(record(REFERRALS, "id", &referral, &mut lsn));
        }
        let orders = (1..).take(plan.adoptions);
        let adoptions = orders.map(|order| (order, adoption(plan, order, &mut random, &mut lsn)));
        Self { adoptions: adoptions.collect(), accounts }
    }

    /// Returns the topics with one partition each.
    #[must_use]
    pub fn topics() -> BTreeMap<String, u32> {
        [USERS, REFERRALS, ADOPTIONS].map(|name| (name.to_owned(), 1)).into()
    }
}

fn name(number: usize) -> String {
    format!("D{:09}", number + 1)
}

/// Returns the number of the account that refers this one. Accounts are dealt out to the trees in turn.
fn referrer(plan: &Plan, number: usize, random: &mut Random) -> Option<usize> {
    let trees = plan.trees.max(1);
    let (tree, before) = (number % trees, number / trees);
    if before == 0 {
        return None;
    }
    let among = if plan.shape == Shape::Recent { before.min(RECENT) } else { before };
    let back = 1 + usize::try_from(random.below(among as u64)).expect("below a length");
    Some((before - back) * trees + tree)
}

fn adoption(plan: &Plan, order: u64, random: &mut Random, lsn: &mut u64) -> Record {
    let adopters = (plan.adoptions / ADOPTIONS_PER_ADOPTER).clamp(1, plan.accounts.max(1));
    let account = usize::try_from(random.below(adopters as u64)).expect("below a length");
    let date = match plan.dates {
        Dates::On(date) => date,
        Dates::Within60DaysTo(date) => date - chrono::Days::new(random.below(60)),
    };
    let region = random.below(8);
    let row = json!({
        "order_id": order,
        "account_sequence": name(account),
        "tree_count": 1 + random.below(5),
        "contribution_per_tree": "22617.0000000000",
        "adoption_date": date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days(),
        "created_at": Value::Null,
        "status": "PAID",
        "selected_province": (region < 3).then(|| format!("440{region}")),
        "selected_city": (region < 3).then(|| format!("44010{region}")),
    });
    record(ADOPTIONS, "order_id", &row, lsn)
}

pub(super) fn record(topic: &'static str, key: &str, row: &Value, lsn: &mut u64) -> Record {
    *lsn += 64;
    let mut parts = topic.split('.').skip(1);
    let (schema, table) = (parts.next(), parts.next());
    let commit_ms = COMMITTED_MS + *lsn / 64;
    let value = json!({
        "before": null,
        "after": row,
        "source": {
            "version": "3.6.3.Final",
            "connector": "postgresql",
            "name": "dbserver1",
            "ts_ms": commit_ms,
            "snapshot": "false",
            "db": "invented",
            "schema": schema,
            "table": table,
            "txId": *lsn / 64,
            "lsn": *lsn,
        },
        "transaction": null,
        "op": "c",
        "ts_ms": commit_ms,
    });
    Record { topic, key: json!({ key: row[key] }).to_string(), value: value.to_string() }
}

/// Writes a record to its topic.
pub fn produce(executor: &Executor, record: &Record) {
    executor
        .with_world(|world| {
            world.produce(record.topic, 0, Some(record.key.clone()), Some(record.value.clone()))
        })
        .expect("every topic of the source is there");
}

/// Records that everything there is in the topics has been read, as the source's marks prove it.
pub(super) fn reach_ends(executor: &mut Executor) {
    let engine = executor.engine();
    let now_ms = executor.clock().now().timestamp_millis();
    executor.run_client(async move {
        for topic in Source::topics().into_keys() {
            let name = PartitionName { source: "model".to_owned(), topic, partition: 0 };
            let reached = store::progress::reached_end(&engine, name, None, now_ms, true);
            reached.await.expect("no fault for the bench");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tree_has_one_root_and_referrers_of_its_own() {
        for shape in [Shape::Recent, Shape::Uniform] {
            let date = NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date");
            let dates = Dates::On(date);
            let plan = Plan { seed: 1, accounts: 3_000, adoptions: 0, shape, trees: 3, dates };
            let mut random = Random::new(1);
            let referrers: Vec<Option<usize>> =
                (0..plan.accounts).map(|number| referrer(&plan, number, &mut random)).collect();
            assert_eq!(referrers.iter().filter(|referrer| referrer.is_none()).count(), 3);
            for (number, referrer) in referrers.iter().enumerate() {
                let Some(referrer) = referrer else { continue };
                assert!(*referrer < number && referrer % 3 == number % 3, "{referrer} refers {number}");
            }
        }
    }
}
