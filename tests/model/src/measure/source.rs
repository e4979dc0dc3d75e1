//! The source of a measurement: accounts first, then adoptions at a steady rate.

use std::collections::BTreeMap;

use oracle::capture::Record;
use oracle::generate::{self, Plan, history};
use serde_json::Value;

use crate::bench::Executor;

/// What a source writes.
pub(super) struct Source {
    /// Users and referrals.
    pub(super) accounts: Vec<Record>,
    /// Adoptions with their order numbers.
    pub(super) adoptions: Vec<(u64, Record)>,
}

/// The topic of the adoptions.
const ADOPTIONS: &str = "dbserver1.rwa_planting.planting_orders";
/// The topics of the invented source.
pub(super) const CAPTURE: &str = r#"{ "name": "invented", "tables": {
    "dbserver1.rwa_identity.users": { "holds": "users" },
    "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    "dbserver1.rwa_planting.planting_orders": { "holds": "adoptions" }
} }"#;

impl Source {
    /// Invents a source.
    pub(super) fn invent(seed: u64, accounts: usize, adoptions: usize, shape: generate::Shape) -> Self {
        let records = history(&Plan::large(seed, accounts, adoptions, shape)).records();
        let (adoptions, accounts): (Vec<Record>, Vec<Record>) =
            records.into_iter().partition(|record| record.topic == ADOPTIONS);
        let numbered = adoptions.into_iter().filter_map(|record| Some((order_number(&record)?, record)));
        Self { adoptions: numbered.collect(), accounts }
    }

    /// Returns the topics with one partition each.
    pub(super) fn topics() -> BTreeMap<String, u32> {
        let names = ["rwa_identity.users", "rwa_referral.referral_relations", "rwa_planting.planting_orders"];
        names.map(|name| (format!("dbserver1.{name}"), 1)).into()
    }
}

/// Writes a record to its topic.
pub(super) fn produce(executor: &Executor, record: &Record) {
    executor
        .with_world(|world| world.produce(&record.topic, 0, record.key.clone(), record.value.clone()))
        .expect("every topic of the source is there");
}

fn order_number(record: &Record) -> Option<u64> {
    let value: Value = serde_json::from_str(record.value.as_ref()?).ok()?;
    let number = &value["after"]["order_id"];
    number.as_u64().or_else(|| number.as_str()?.parse().ok())
}
