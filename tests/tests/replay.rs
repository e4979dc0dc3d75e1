//! Captures through the whole local stack: the ledger is what it must be, however they arrive.

use contribution::capture::{Capture, CaptureRecord};
use contribution::endpoints::Storage;
use contribution::export;
use contribution::replay;
use contribution::stack::{Options, Stack};
use end_to_end::golden;
use end_to_end::{capture, generate};
use serde_json::{Value, json};

/// Starts a stack in memory, feeds it these records and answers the ledger's state.
async fn ledger_of(records: Vec<CaptureRecord>, concurrency: usize) -> (Stack, Value) {
    feed(Options { concurrency, ..Options::new(Storage::Ephemeral) }, records).await
}

/// The same with other options.
async fn feed(options: Options, records: Vec<CaptureRecord>) -> (Stack, Value) {
    let stack = Stack::start(&options).await.expect("the stack starts");
    let captures = [Capture { source: "test".to_owned(), records }];
    replay::replay(&stack, &captures).await.expect("the replay ends");
    let state = export::export(stack.store(), &stack.environment().policy).await.expect("an export");
    let state = serde_json::to_value(state).expect("an export is JSON");
    (stack, state)
}

fn read(name: &str) -> Vec<capture::CaptureRecord> {
    capture::read(golden::capture_path(name)).expect("a capture")
}

fn records(of: &[capture::CaptureRecord]) -> Vec<CaptureRecord> {
    of.iter().map(|record| serde_json::from_value(json!(record)).expect("the same shape")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_of_a_real_connector_give_exactly_the_golden_ledger() {
    for name in golden::NAMES {
        let (_stack, state) = ledger_of(records(&read(name)), 2).await;
        golden::assert_same_postings(&state, &golden::expected(name), name);
        assert_eq!(state["talent"], golden::expected(name)["talent"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_ordering_incident_the_upline_gets_level_1_of_all_three_orders() {
    let (_stack, state) = ledger_of(records(&read("ordering-incident.snapshot")), 2).await;
    for order in ["57", "58", "59"] {
        let legs = state["distributions"][order]["legs"].as_array().expect("a distribution");
        let level_1 = legs.iter().find(|leg| leg["index"] == 1 && leg["type"] == "TEAM_LEVEL");
        assert_eq!(level_1.expect("level 1 is allocated")["owner"], "D25122700018", "order {order}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sequence_across_topics_and_partitions_does_not_matter() {
    for (seed, name) in golden::NAMES.into_iter().enumerate() {
        let shuffled = capture::shuffled(&read(name), seed as u64);
        let (_stack, state) = ledger_of(records(&shuffled), 2).await;
        golden::assert_same_postings(&state, &golden::expected(name), name);
        assert_eq!(state["talent"], golden::expected(name)["talent"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_delivered_three_times_counts_once() {
    for name in golden::NAMES {
        let (stack, state) = ledger_of(records(&capture::repeated(&read(name), 3)), 2).await;
        golden::assert_same_postings(&state, &golden::expected(name), name);
        let duplicated: u64 = stack
            .store()
            .progress()
            .await
            .expect("progress")
            .iter()
            .map(|progress| progress.counts.duplicated)
            .sum();
        assert!(duplicated > 0, "{name}: repetitions are counted as such");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_sequencers_and_four_distributors_at_once_post_everything_once() {
    let name = "flattened-regions";
    let options = Options { concurrency: 4, ..Options::new(Storage::Ephemeral) };
    let stack = Stack::start(&options).await.expect("the stack starts");
    let sequencers: Vec<_> = (0..4)
        .map(|_| {
            let sequencer = stack.functions.sequencer.clone();
            tokio::spawn(async move {
                loop {
                    sequencer.invoke(json!({})).await.expect("the sequencer runs");
                }
            })
        })
        .collect();
    let captures = [Capture { source: "test".to_owned(), records: records(&read(name)) }];
    replay::replay(&stack, &captures).await.expect("the replay ends");
    for sequencer in sequencers {
        sequencer.abort();
    }
    let state = export::export(stack.store(), &stack.environment().policy).await.expect("an export");
    golden::assert_same_postings(&json!(state), &golden::expected(name), name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_a_rule_is_in_quarantine_with_its_reason_and_nothing_else_is_affected() {
    let name = "ordering-incident.snapshot";
    let mut all = records(&read(name));
    let orders = "dbserver1.rwa_planting.planting_orders";
    let referrals = "dbserver1.rwa_referral.referral_relations";
    let order = |id: u64, trees: Value, price: &str| {
        json!({"op": "c", "after": {
            "order_id": id, "account_sequence": "D25122700031", "tree_count": trees,
            "contribution_per_tree": price, "adoption_date": 20454, "status": "PAID",
        }, "source": {"lsn": 99_999_999}})
    };
    let referral = |account: &str, referrer: &str| {
        json!({"op": "c", "after": {"account_sequence": account, "referrer_account_sequence": referrer},
            "source": {"lsn": 99_999_999}})
    };
    let refused = [
        (orders, "{not json".to_owned(), "MALFORMED_JSON"),
        ("dbserver1.rwa_other.things", "{}".to_owned(), "UNKNOWN_TOPIC"),
        (orders, order(9001, json!(-3), "22617").to_string(), "INVALID_FIELD"),
        (orders, order(9002, json!(4_000_000_000_u64), "999999999999999999").to_string(), "AMOUNT_OVERFLOW"),
        (referrals, referral("D25122700001", "D25122700001").to_string(), "SELF_REFERRAL"),
        (referrals, referral("D25122700001", "D25122700018").to_string(), "REFERRER_CHANGED"),
        // Two accounts that name each other: the second closes the cycle.
        (referrals, referral("D9001", "D9002").to_string(), ""),
        (referrals, referral("D9002", "D9001").to_string(), "REFERRAL_CYCLE"),
    ];
    for (index, (topic, value, _)) in refused.iter().enumerate() {
        let record = CaptureRecord {
            topic: (*topic).to_owned(),
            partition: 0,
            offset: 10_000 + i64::try_from(index).expect("a small number"),
            timestamp: 0,
            // As large as a broker takes.
            key: (index == 0).then(|| "k".repeat(450_000)),
            value: Some(value.clone()),
        };
        // Even twice within a batch.
        all.extend([record.clone(), record]);
    }
    let (stack, state) = ledger_of(all, 2).await;
    let quarantined = stack.store().quarantined().await.expect("the quarantine");
    let mut reasons: Vec<&str> = quarantined.iter().map(|refused| refused.reason.as_str()).collect();
    reasons.sort_unstable();
    let mut expected: Vec<&str> =
        refused.iter().map(|(.., reason)| *reason).filter(|reason| !reason.is_empty()).collect();
    expected.sort_unstable();
    assert_eq!(reasons, expected);
    for kept in &quarantined {
        let index = usize::try_from(kept.position.offset - 10_000).expect("one of ours");
        assert_eq!(kept.value.as_deref(), Some(refused[index].1.as_bytes()), "the bytes are kept");
        assert_eq!(kept.key.as_ref().map_or(0, Vec::len), if index == 0 { 450_000 } else { 0 });
        assert!(!kept.message.is_empty());
    }
    // One more account is known, that waits for its referrer; everything else is as without all this.
    let mut state = state;
    state["accounts"].as_object_mut().expect("an object").remove("D9001");
    golden::assert_same_postings(&state, &golden::expected(name), name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_of_an_adoption_does_not_grow_with_accounts_or_adoptions() {
    let mut costs = Vec::new();
    for scale in [1, 4] {
        // One account is above everybody else.
        let bulk = generate::below_one_root(&generate::bulk(100 * scale, 275 * scale, 1));
        let mut options = Options { concurrency: 1, ..Options::new(Storage::Ephemeral) };
        // The capture marks the end of its snapshot, so no pause of a busy machine may be taken for it.
        options.parameters.push(("SnapshotQuietPeriodMs".to_owned(), "60000".to_owned()));
        let (stack, state) = feed(options, records(&bulk)).await;
        let cost = stack.functions.distributor.meter.cost();
        let adoptions = state["orders"].as_f64().expect("a number");
        costs.push(cost.write_units / adoptions);
        assert!(
            cost.write_units / adoptions <= 45.0,
            "{} write units per adoption",
            cost.write_units / adoptions
        );
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let round_trips = cost.round_trips as f64 / adoptions;
        assert!(round_trips <= 0.5, "{round_trips} sequential round trips per adoption");
    }
    assert!(costs[1] <= costs[0] * 1.6, "write units per adoption grew: {costs:?}");
}
