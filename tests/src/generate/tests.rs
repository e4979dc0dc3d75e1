use std::collections::{BTreeMap, HashMap, HashSet};

use super::*;
use crate::capture;
use crate::oracle::{self, Options};

fn expected(records: &[CaptureRecord]) -> Value {
    oracle::expected(records, &Options::default())
}

fn envelopes(records: &[CaptureRecord]) -> impl Iterator<Item = (&CaptureRecord, Value)> {
    let changes = records.iter().filter(|record| record.topic.starts_with("dbserver1."));
    changes.filter_map(|record| {
        let text = record.value.as_deref()?;
        Some((record, serde_json::from_str(text).expect("JSON")))
    })
}

fn units(value: &Value) -> i128 {
    value.as_str().expect("text").replace('.', "").parse().expect("digits")
}

fn sum<'a>(values: impl IntoIterator<Item = &'a Value>) -> i128 {
    values.into_iter().map(units).sum()
}

/// Whether everything distributed is somewhere, and the ratios sum to exactly one.
fn assert_balanced(ledger: &Value) {
    let rows = |part: &'static str| ledger[part].as_object().expect("an object").values();
    let total = units(&ledger["distributed_total"]);
    let accounts = rows("accounts").map(|account| &account["total"]);
    assert_eq!(sum(accounts.chain(rows("system"))), total);
    let legs = rows("distributions").flat_map(|row| row["legs"].as_array().expect("an array"));
    assert_eq!(sum(legs.map(|leg| &leg["amount"])), total);
    let snapshot = ledger["snapshot"]["rows"].as_object().expect("an object").values();
    assert_eq!(sum(snapshot.map(|row| &row["ratio"])), 10_i128.pow(18));
}

#[test]
fn a_bulk_capture_is_a_complete_snapshot_of_its_size() {
    let records = bulk(2_000, 5_500, 1);
    assert_eq!(records.len(), 2_000 + 5_500 + 2_000 + 3);
    let (_, last) = envelopes(&records).last().expect("a change");
    assert_eq!(last["source"]["snapshot"], "last");
    assert!(records[9_500..].iter().all(|record| record.topic == "__debezium-heartbeat.dbserver1"));
    assert!(envelopes(&records).all(|(_, change)| change["op"] == "r"));

    let ledger = expected(&records);
    assert_balanced(&ledger);
    assert_eq!(ledger["accounts"].as_object().expect("an object").len(), 2_000);
    let held = ledger["held"].as_array().expect("an array").len();
    assert_eq!(ledger["orders"].as_u64(), Some(5_500 - held as u64));
    assert!((900..1_300).contains(&held), "one in five orders has a status that does not count: {held}");
}

#[test]
fn a_bulk_capture_unlocks_every_depth_and_every_bonus() {
    let ledger = expected(&bulk(2_000, 5_500, 1));
    let accounts = ledger["accounts"].as_object().expect("an object").values();
    let mut depths = BTreeMap::new();
    let mut tiers = BTreeMap::new();
    for account in accounts {
        *depths.entry(account["unlocked_level_depth"].as_u64()).or_insert(0) += 1;
        *tiers.entry(account["unlocked_bonus_tiers"].as_u64()).or_insert(0) += 1;
    }
    assert_eq!(depths.keys().flatten().copied().collect::<Vec<_>>(), [0, 5, 10, 15]);
    assert_eq!(tiers.keys().flatten().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(depths.values().chain(tiers.values()).all(|accounts| *accounts >= 15), "{depths:?} {tiers:?}");
    let levels = ledger["talent"].as_object().expect("an object").values();
    let levels: HashSet<_> = levels.map(|row| row["talent_level"].as_u64()).collect();
    assert!(levels.len() >= 3, "{levels:?}");
}

fn depths(records: &[CaptureRecord]) -> Vec<u64> {
    envelopes(records).filter_map(|(_, change)| change["after"]["depth"].as_u64()).collect()
}

#[test]
fn chains_are_longer_than_what_counts_and_roots_are_few() {
    for seed in 0..5 {
        let depths = depths(&bulk(2_000, 0, seed));
        let beyond = |levels| depths.iter().filter(|depth| **depth > levels).count();
        assert!(beyond(20) > 20, "{} of 2,000 beyond 20 levels", beyond(20));
        assert!(beyond(15) > 150, "{} of 2,000 beyond 15 levels", beyond(15));
        let roots = depths.iter().filter(|depth| **depth == 0).count();
        assert!((5..=50).contains(&roots), "{roots} roots");
    }
}

#[test]
fn small_histories_have_chains_beyond_fifteen_levels_too() {
    let deep = |seed: &u64| depths(&history(*seed, 60)).iter().any(|depth| *depth > 15);
    assert!((0..20).filter(deep).count() > 5);
}

#[test]
fn some_regions_are_given_and_some_are_not() {
    let records = bulk(50, 500, 1);
    let orders = envelopes(&records).map(|(_, change)| change["after"].clone());
    let given = |order: &Value, column: &str| !order[column].is_null();
    let kinds: HashSet<(bool, bool)> = orders
        .filter(|order| given(order, "order_id"))
        .map(|order| (given(&order, "selected_province"), given(&order, "selected_city")))
        .collect();
    assert_eq!(kinds, HashSet::from([(false, false), (true, false), (true, true)]));
}

#[test]
fn a_seed_always_makes_the_same_capture() {
    assert_eq!(bulk(50, 100, 3), bulk(50, 100, 3));
    assert_ne!(bulk(50, 100, 3), bulk(50, 100, 4));
    assert_eq!(history(3, 30), history(3, 30));
    assert_ne!(history(3, 30), history(4, 30));
}

#[test]
fn without_prices_the_ladder_decides() {
    let with = bulk(200, 800, 1);
    let without = without_prices(&with);
    assert!(without.iter().all(|record| !record.value.as_deref().unwrap_or("").contains("contribution_per")));
    let (with, without) = (expected(&with), expected(&without));
    assert_balanced(&without);
    assert_eq!(with["orders"], without["orders"]);
    assert_ne!(with["distributed_total"], without["distributed_total"]);
}

#[test]
fn a_history_has_every_kind_of_change() {
    let records = history(1, 60);
    let mut kinds = BTreeMap::new();
    for (record, change) in envelopes(&records) {
        let table = record.topic.rsplit('.').next().expect("a table").to_owned();
        *kinds.entry((table, change["op"].as_str().expect("text").to_owned())).or_insert(0) += 1;
    }
    let of = |table: &str, op: &str| kinds.get(&(table.to_owned(), op.to_owned())).copied().unwrap_or(0);
    for (table, op) in [
        ("users", "r"),
        ("users", "c"),
        ("referral_relations", "r"),
        ("referral_relations", "c"),
        ("planting_orders", "r"),
        ("planting_orders", "c"),
        ("planting_orders", "u"),
        ("planting_orders", "d"),
    ] {
        assert!(of(table, op) >= 5, "{table} {op}: {kinds:?}");
    }
    let partitions: HashSet<_> = records.iter().map(|record| (&record.topic, record.partition)).collect();
    assert_eq!(partitions.len(), 10, "three topics of three partitions, and the heartbeat's one");
}

#[test]
fn keys_stay_in_their_partition_offsets_rise_and_only_resent_records_are_old() {
    let records = history(1, 60);
    let mut partition_of = HashMap::new();
    let mut next_offset: HashMap<_, i64> = HashMap::new();
    for record in &records {
        let known = partition_of.entry((&record.topic, &record.key)).or_insert(record.partition);
        assert_eq!(*known, record.partition);
        let next = next_offset.entry((&record.topic, record.partition)).or_default();
        assert_eq!(record.offset, *next);
        *next += 1;
    }
    let old = |changes: &[Change]| {
        let records = history_of(1, 60, changes);
        let lsn: Vec<_> = envelopes(&records).map(|(_, change)| change["source"]["lsn"].as_u64()).collect();
        lsn.windows(2).filter(|pair| pair[0] > pair[1]).count()
    };
    assert!(old(&Change::ALL) > 5);
    let fresh: Vec<Change> = Change::ALL.into_iter().filter(|change| *change != Change::Resend).collect();
    assert_eq!(old(&fresh), 0);
}

#[test]
fn orders_are_committed_out_of_turn_only_if_late_ones_are_asked_for() {
    let overtaken = |changes: &[Change]| {
        let records = history_of(2, 60, changes);
        let created = envelopes(&records).filter(|(_, change)| change["op"] == "c");
        let orders: Vec<u64> =
            created.filter_map(|(_, change)| change["after"]["order_id"].as_u64()).collect();
        orders.windows(2).filter(|pair| pair[0] > pair[1]).count()
    };
    assert!(overtaken(&Change::ALL) > 5);
    assert_eq!(overtaken(&[Change::Adoption]), 0);
}

#[test]
fn late_referrals_hold_adoptions_until_the_end_and_beyond() {
    let reasons = |records: &[CaptureRecord]| -> Vec<String> {
        let ledger = expected(records);
        let held = ledger["held"].as_array().expect("an array");
        held.iter().map(|held| held[1].as_str().expect("text").to_owned()).collect()
    };
    let waiting =
        |records: &[CaptureRecord]| reasons(records).iter().filter(|reason| *reason == "NO_REFERRAL").count();
    let histories: Vec<_> = (0..10).map(|seed| history(seed, 60)).collect();
    let half: usize = histories.iter().map(|records| waiting(&records[..records.len() / 2])).sum();
    let never: usize = histories.iter().map(|records| waiting(records)).sum();
    assert!(half > never, "{half} held half way, {never} at the end");
    assert!(never > 0, "in some histories a row never comes");
    assert_eq!(waiting(&history_of(1, 60, &[Change::Registration, Change::Adoption])), 0);
}

#[test]
fn without_changes_a_history_is_its_snapshot() {
    let records = history_of(1, 20, &[]);
    assert!(envelopes(&records).all(|(_, change)| change["op"] == "r"));
    let ledger = expected(&records);
    assert_eq!(ledger["accounts"].as_object().expect("an object").len(), 20);
}

#[test]
fn every_order_of_arrival_of_a_history_has_the_same_outcome() {
    for seed in 0..12 {
        let records = history(seed, 5 + 3 * usize::try_from(seed).expect("small"));
        let ledger = expected(&records);
        assert_balanced(&ledger);
        let delivered = capture::shuffled(&capture::repeated(&records, 2), seed);
        assert_eq!(expected(&delivered), ledger, "seed {seed}");
    }
}
