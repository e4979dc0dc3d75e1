//! How far changes reach, and what they leave behind.

use std::collections::BTreeMap;

use ledger::store::TalentCause;
use ledger::telemetry::keeping_metrics;
use serde_json::{Value, json};

use crate::support::{Ledger, Log, OfSnapshot, Source};

#[tokio::test]
async fn a_change_reaches_the_twentieth_ancestor_and_not_the_next() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    ledger.feed(&source.chain(24), 1000).await;
    ledger.sweep().await;
    ledger.deliver_messages().await;
    // C24 is to have a direct referral: of that, C24 is the first ancestor and C5 the twentieth.
    let before: Vec<_> = [ledger.talent("C5").await, ledger.talent("C4").await].into();

    ledger.feed(&[source.referral("NEW", Some("C24"))], 1).await;
    assert_eq!(ledger.numbers("C24").await, (1, 1, 0), "the first ancestor changed in the invocation");
    let delivered = ledger.deliver_messages().await;
    assert_eq!(delivered, 1, "one message carries a change up nineteen ancestors");

    let twentieth = ledger.talent("C5").await;
    assert_eq!(twentieth.team.promotion_count(), before[0].team.promotion_count() + 1);
    assert_eq!(twentieth.team.people[19], 1);
    assert_eq!(ledger.talent("C4").await, before[1], "the twenty-first ancestor is untouched");
}

#[tokio::test]
async fn changes_below_one_account_before_its_message_is_delivered_share_the_message() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    ledger.feed(&source.chain(3), 1000).await;
    ledger.deliver_messages().await;
    for number in 0..30 {
        ledger.feed(&[source.referral(&format!("N{number}"), Some("C3"))], 1).await;
    }
    assert_eq!(ledger.waiting_messages().await, 1);
    ledger.deliver_messages().await;
    assert_eq!(ledger.numbers("C0").await, (1, 33, 0));
    assert_eq!(ledger.numbers("C3").await, (30, 30, 2));
}

#[tokio::test]
async fn a_streamed_change_has_a_message_although_a_snapshot_raised_its_mark_without_one() {
    // Marks are not swept: another snapshot may be being read.
    let ledger = Ledger::start_with(&[("SnapshotQuietPeriodMs", "600000".to_owned())]).await;
    let mut source = Source::default();
    ledger.feed(&source.chain(3), 1000).await;
    ledger.feed(&[source.referral("READ", Some("C3")).of_snapshot()], 1).await;
    ledger.functions.propagator.invoke(json!({})).await.expect("a sweep");
    assert_eq!(ledger.store.raised_talent_marks(10).await.expect("readable").len(), 1);
    assert_eq!(ledger.waiting_messages().await, 0);

    for account in ["STREAMED", "ANOTHER"] {
        ledger.feed(&[source.referral(account, Some("C3"))], 1).await;
    }
    assert_eq!(ledger.waiting_messages().await, 1);
    ledger.deliver_messages().await;
    assert_eq!(ledger.numbers("C0").await, (1, 6, 0));
    assert!(ledger.store.raised_talent_marks(10).await.expect("readable").is_empty());
}

#[tokio::test]
async fn a_promotion_at_the_bottom_promotes_everyone_above_as_a_computation_from_scratch_does() {
    // Level 1 for two direct referrals, or for one that has it: then it goes all the way up.
    let policy = json!({ "talent": { "rows": [
        { "direct_count": 1, "direct_at_level": { "level": 2, "count": 1 } },
        { "direct_count": 2 },
    ] } });
    // The highest row that holds wins, so level 2 must be reachable from below as well.
    let cascading = json!({ "talent": { "rows": [
        { "direct_count": 3 },
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } },
    ] } });
    for (policy, referrals_needed) in [(policy, 2), (cascading, 3)] {
        let ledger = Ledger::start_with(&[("ContributionPolicy", policy.to_string())]).await;
        let mut source = Source::default();
        ledger.feed(&source.chain(45), 1000).await;
        ledger.deliver_messages().await;
        assert_eq!(ledger.numbers("C45").await.2, 0);
        for number in 1..=referrals_needed {
            ledger.feed(&source.joined(&format!("N{number}"), Some("C45")), 2).await;
        }
        ledger.deliver_messages().await;

        let mut edges: BTreeMap<String, String> =
            (1..=45).map(|number| (format!("C{number}"), format!("C{}", number - 1))).collect();
        edges.extend((1..=referrals_needed).map(|number| (format!("N{number}"), "C45".to_owned())));
        let levels = from_scratch(&edges, referrals_needed == 3);
        for number in 0..=45 {
            let account = format!("C{number}");
            assert_eq!(ledger.numbers(&account).await.2, levels[&account], "{account} of {policy}");
        }
        if referrals_needed == 3 {
            assert!((0..45).all(|number| levels[&format!("C{number}")] == 2), "it is a cascade");
            let changes = ledger.changes("C0").await;
            assert_eq!(changes.len(), 1);
            assert_eq!(
                changes[0].cause,
                TalentCause::LevelChanged { account: "C1".parse().expect("an account") }
            );
        }
    }
}

/// The levels of a forest of accounts with users, computed from the bottom up, with either table of
/// the test above.
fn from_scratch(referrers: &BTreeMap<String, String>, cascading: bool) -> BTreeMap<String, u8> {
    fn level(
        account: &str,
        children: &BTreeMap<&str, Vec<&str>>,
        cascading: bool,
        levels: &mut BTreeMap<String, u8>,
    ) -> u8 {
        let below: Vec<u8> = children
            .get(account)
            .into_iter()
            .flatten()
            .map(|child| level(child, children, cascading, levels))
            .collect();
        let own = if cascading {
            if below.iter().any(|level| *level >= 1) { 2 } else { u8::from(below.len() >= 3) }
        } else if below.len() >= 2 {
            2
        } else {
            u8::from(below.iter().any(|level| *level >= 2))
        };
        levels.insert(account.to_owned(), own);
        own
    }
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (account, referrer) in referrers {
        children.entry(referrer).or_default().push(account);
    }
    let mut levels = BTreeMap::new();
    level("C0", &children, cascading, &mut levels);
    levels
}

#[tokio::test]
async fn an_ancestor_without_a_user_is_left_as_it_is_until_the_user_arrives() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    let mut rows = source.joined("TOP", None).to_vec();
    rows.push(source.referral("MIDDLE", Some("TOP")));
    for number in 0..12 {
        rows.extend(source.joined(&format!("N{number}"), Some("MIDDLE")));
    }
    for number in 0..2 {
        rows.extend(source.joined(&format!("T{number}"), Some("TOP")));
    }
    ledger.feed(&rows, 1000).await;
    ledger.deliver_messages().await;
    assert_eq!(ledger.numbers("MIDDLE").await, (12, 12, 0), "it is counted, but has no level");
    assert_eq!(ledger.changes("MIDDLE").await, []);
    assert_eq!(ledger.numbers("TOP").await, (3, 15, 1), "whoever is further up is not held up");

    let user = source.user("MIDDLE");
    ledger.feed(&[user.clone(), user], 1000).await;
    assert_eq!(ledger.numbers("MIDDLE").await, (12, 12, 1));
    let changes = ledger.changes("MIDDLE").await;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].old_level.get(), changes[0].new_level.get()), (0, 1));
    assert_eq!((changes[0].direct_count, changes[0].promotion_count), (12, 12));
    let middle = "MIDDLE".parse().expect("an account");
    assert_eq!(changes[0].cause, TalentCause::UserChanged { account: middle });
}

#[tokio::test]
async fn who_skips_an_ancestor_without_a_user_warns_and_counts_it() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    let mut rows = source.joined("TOP", None).to_vec();
    rows.push(source.referral("MIDDLE", Some("TOP")));
    for below in ["A", "B", "C"] {
        rows.extend(source.joined(below, Some("MIDDLE")));
        rows.extend((0..2).flat_map(|leaf| source.joined(&format!("{below}{leaf}"), Some(below))));
    }
    ledger.feed(&rows, 1000).await;
    ledger.sweep().await;
    assert_eq!(ledger.numbers("MIDDLE").await, (3, 9, 0));

    // The tenth descendant of MIDDLE, whose user is missing and who is the second ancestor.
    let log = Log::kept();
    let tenth = source.joined("A2", Some("A"));
    let ((), metrics) = keeping_metrics(async {
        ledger.feed(&tenth, 10).await;
        ledger.sweep().await;
    })
    .await;
    assert_eq!(ledger.numbers("MIDDLE").await, (3, 10, 0));
    assert!(without_user(&metrics, "cdc-ingest").total_cmp(&0.0).is_eq(), "{metrics:?}");
    assert!(without_user(&metrics, "talent-propagation").total_cmp(&1.0).is_eq(), "{metrics:?}");
    let text = log.text();
    assert!(text.contains("WARN") && text.contains("account=\"MIDDLE\""), "{text}");

    // Of the first ancestor the invocation that applies the change tells.
    let late = source.joined("D", Some("MIDDLE"));
    let ((), metrics) = keeping_metrics(ledger.feed(&late, 10)).await;
    assert!(without_user(&metrics, "cdc-ingest").total_cmp(&1.0).is_eq(), "{metrics:?}");

    let user = source.user("MIDDLE");
    let ((), metrics) = keeping_metrics(async {
        ledger.feed(&[user], 1).await;
        ledger.sweep().await;
    })
    .await;
    assert_eq!(ledger.numbers("MIDDLE").await, (4, 11, 1));
    for function in ["cdc-ingest", "talent-propagation"] {
        assert!(without_user(&metrics, function).total_cmp(&0.0).is_eq(), "{metrics:?}");
    }
}

/// How many ancestors without a user these lines of a function's metrics count.
fn without_user(metrics: &[Value], function: &str) -> f64 {
    let of_function = metrics.iter().filter(|line| line["function"] == function);
    of_function.filter_map(|line| line["TalentAncestorsWithoutUser"].as_f64()).sum()
}

#[tokio::test]
async fn an_account_counts_as_active_until_it_was_not_seen_for_the_days_of_the_table() {
    let policy = json!({ "talent": { "rows": [{ "direct_count": 1, "active_promotion_count": 2 }] } });
    let users = json!({ "holds": "users", "columns": { "last_activity": ["last_seen"] } });
    let profile = json!({ "tables": {
        "dbserver1.rwa_identity.users": users,
        "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    } });
    let ledger = Ledger::start_with(&[
        ("ContributionPolicy", policy.to_string()),
        ("CdcProfile", profile.to_string()),
    ])
    .await;
    let mut source = Source::default();
    let lately = (chrono::Utc::now() - chrono::TimeDelta::days(1)).to_rfc3339();
    // The fifteen days of this one end in a moment.
    let just =
        (chrono::Utc::now() - chrono::TimeDelta::days(15) + chrono::TimeDelta::seconds(4)).to_rfc3339();
    ledger
        .feed(
            &[
                source.user("TOP"),
                source.referral("TOP", None),
                source.user_seen("A", Some(&lately)),
                source.referral("A", Some("TOP")),
                source.user_seen("B", Some(&just)),
                source.referral("B", Some("A")),
            ],
            1000,
        )
        .await;
    ledger.sweep().await;
    assert_eq!(ledger.numbers("TOP").await, (1, 2, 1));
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    ledger.sweep().await;
    assert_eq!(ledger.numbers("TOP").await, (1, 2, 0), "one of the two was not seen for too long");
    ledger.feed(&[source.user_seen("B", Some(&lately))], 1).await;
    ledger.sweep().await;
    assert_eq!(ledger.numbers("TOP").await, (1, 2, 1), "and is seen again");
    assert_eq!(ledger.changes("TOP").await.len(), 3);
}
