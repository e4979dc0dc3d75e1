//! Captures of the real connector, from `events/captures`, must decode as they were recorded.

use std::collections::BTreeMap;

use domain::RowKey;
use serde::Deserialize;

use super::*;

const INCIDENT: &str = include_str!("../../../../events/captures/ordering-incident.jsonl");
const INCIDENT_SNAPSHOT: &str = include_str!("../../../../events/captures/ordering-incident.snapshot.jsonl");
const REGIONS: &str = include_str!("../../../../events/captures/flattened-regions.jsonl");
const REGIONS_SNAPSHOT: &str = include_str!("../../../../events/captures/flattened-regions.snapshot.jsonl");

fn records(capture: &str) -> Vec<CapturedRecord> {
    capture.lines().filter_map(|line| CapturedRecord::from_line(line).expect("a record")).collect()
}

pub(super) fn captured() -> Vec<CapturedRecord> {
    [INCIDENT, INCIDENT_SNAPSHOT, REGIONS, REGIONS_SNAPSHOT].into_iter().flat_map(records).collect()
}

fn changes(capture: &str) -> Vec<Change> {
    let change = |record: &CapturedRecord| match decode(&Profile::built_in(), record.as_kafka()) {
        Ok(Decoded::Change(change)) => Some(change),
        Ok(_) => None,
        Err(refusal) => panic!("{refusal}"),
    };
    records(capture).iter().filter_map(change).collect()
}

#[test]
fn every_captured_record_decodes() {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for record in captured() {
        let kind = match decode(&Profile::built_in(), record.as_kafka()).expect("a decodable record") {
            Decoded::Control(Control::Heartbeat { .. }) => "heartbeat".to_owned(),
            Decoded::Control(_) | Decoded::Truncate(_) => "other".to_owned(),
            Decoded::Change(change) => match change.operation {
                Operation::Delete => format!("deleted {}", change.table.name()),
                Operation::Tombstone => "tombstone".to_owned(),
                _ => change.table.name().to_owned(),
            },
        };
        *counts.entry(kind).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected = [
        ("adoptions", 540),
        ("deleted adoptions", 2),
        ("heartbeat", 12),
        ("referrals", 216),
        ("tombstone", 1),
        ("users", 216),
    ];
    assert_eq!(counts, expected);
}

/// What an independent implementation of the rules computed from the same source.
#[derive(Deserialize)]
struct Expected {
    distributions: BTreeMap<u64, Distribution>,
    held: Vec<(u64, String)>,
}

#[derive(Deserialize)]
struct Distribution {
    account: String,
    total: String,
    effective_date: String,
}

#[test]
fn the_rows_of_every_capture_are_what_the_source_held() {
    for (capture, expected) in [
        (INCIDENT, include_str!("../../../../events/captures/ordering-incident.expected.json")),
        (
            INCIDENT_SNAPSHOT,
            include_str!("../../../../events/captures/ordering-incident.snapshot.expected.json"),
        ),
        (REGIONS, include_str!("../../../../events/captures/flattened-regions.expected.json")),
        (
            REGIONS_SNAPSHOT,
            include_str!("../../../../events/captures/flattened-regions.snapshot.expected.json"),
        ),
    ] {
        let expected: Expected = serde_json::from_str(expected).expect("an expected state");
        let mut rows: BTreeMap<(SourceTable, RowKey), RowState> = BTreeMap::new();
        for change in changes(capture) {
            let key = (change.table, change.row_key.clone());
            let state = fold(rows.remove(&key), &change).state;
            rows.insert(key, state);
        }
        let adoptions: BTreeMap<u64, AdoptionImage> = rows
            .values()
            .filter_map(|state| match state.image()? {
                RowImage::Adoption(adoption) => Some((adoption.order.value()?.get(), adoption)),
                _ => None,
            })
            .collect();
        let mut known: Vec<u64> = expected.distributions.keys().copied().collect();
        known.extend(expected.held.iter().map(|(order, _)| order));
        known.sort_unstable();
        assert_eq!(adoptions.keys().copied().collect::<Vec<_>>(), known);
        for (order, distribution) in expected.distributions {
            let row = &adoptions[&order];
            let price = row.contribution_per_tree.value().expect("a captured price").units();
            let trees = i128::from(*row.tree_count.value().expect("captured trees"));
            let total = domain::Amount::from_units(price * trees).expect("a captured total");
            let date = row.adoption_date.value().expect("a captured date");
            assert_eq!(
                row.account.value().map(domain::AccountSequence::as_str),
                Some(distribution.account.as_str())
            );
            assert_eq!(total.to_string(), distribution.total, "order {order}");
            assert_eq!(date.next().to_string(), distribution.effective_date, "order {order}");
        }
    }
}

#[test]
fn a_capture_says_when_its_snapshot_ends() {
    for capture in [INCIDENT, REGIONS] {
        let changes: Vec<Change> =
            changes(capture).into_iter().filter(|change| change.operation != Operation::Tombstone).collect();
        let phases: Vec<SnapshotPhase> = changes.iter().map(|change| change.snapshot).collect();
        let count = |wanted| phases.iter().filter(|&&phase| phase == wanted).count();
        assert_eq!(count(SnapshotPhase::Last), 1);
        assert_eq!(count(SnapshotPhase::LastOfCollection), 2);
        assert_eq!(count(SnapshotPhase::Unknown), 0);
        let end = phases.iter().position(|&phase| phase == SnapshotPhase::Last).expect("an end");
        assert!(phases[..end].iter().all(|phase| phase.is_reading()));
        assert!(phases[end + 1..].iter().all(|&phase| phase == SnapshotPhase::Streaming));
        assert!(phases.len() > end + 1);
    }
}

#[test]
fn captured_messages_decode_the_same_with_the_schema_wrapper() {
    let parse = |json: &String| serde_json::from_str::<Value>(json).expect("JSON");
    for record in captured() {
        let wrapped = CapturedRecord {
            key: record.key.as_ref().map(|key| wrap(&parse(key)).to_string()),
            value: record.value.as_ref().map(|value| wrap(&parse(value)).to_string()),
            ..record.clone()
        };
        let profile = Profile::built_in();
        assert_eq!(decode(&profile, wrapped.as_kafka()), decode(&profile, record.as_kafka()));
    }
}

#[test]
fn nothing_that_is_kept_of_a_user_has_the_phone_number() {
    for record in captured().iter().filter(|record| record.topic == USERS) {
        let value = record.value.as_deref().expect("a user");
        assert!(value.contains("\"1390000"));
        // As it is, and broken in each column the ledger reads.
        for broken in ["", "\"account_sequence\"", "\"status\"", "\"created_at\""] {
            let value = value.replace(&format!("{broken}:"), &format!("{broken}:[],\"shifted\":"));
            let record = CapturedRecord { value: Some(value), ..record.clone() };
            let outcome = decode(&Profile::built_in(), record.as_kafka());
            let text = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
            assert!(!format!("{outcome:?} {text}").contains("1390000"));
            if let Ok(Decoded::Change(change)) = outcome {
                let state = fold(None, &change).state;
                assert!(!serde_json::to_string(&state).expect("JSON").contains("1390000"));
            }
        }
    }
}

#[test]
fn a_row_of_the_flattened_deployment_is_stored_in_less_than_half_a_unit() {
    for change in changes(REGIONS) {
        let stored = serde_json::to_string(&fold(None, &change).state).expect("JSON");
        assert!(stored.len() < 512, "{} bytes: {stored}", stored.len());
    }
}
