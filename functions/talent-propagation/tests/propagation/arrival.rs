//! Users arrive apart from referrals, and some are seen and others not.

use chrono::TimeDelta;
use domain::Link;
use runtime::Clock;
use serde_json::json;
use store::talent::{Mark, MarkKind, TalentCause};

use crate::support::{Bench, account, schedule, shards, under, user};

#[tokio::test]
async fn a_level_is_published_when_its_user_arrives() {
    let mut bench = Bench::new(&json!({ "talent": { "rows": [{ "direct_count": 1 }] } }));
    bench.move_accounts(&[("A", Link::Root), ("B", under("A"))]).await;
    let invocation = bench.invoke(schedule());
    let (_, metrics) = runtime::telemetry::keeping_metrics(invocation).await;
    assert_eq!(metrics.iter().filter(|line| line["TalentLevelsWithoutUser"] == 1.0).count(), 1);
    assert_eq!(bench.talent("A").await, (1, 1, 1, 0));
    assert_eq!(bench.changes("A").await, []);
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A").await.3, 0);

    bench.set_user("A", Some(user(None))).await;
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A").await, (1, 1, 1, 1));
    assert_eq!(bench.changes("A").await, [(1, 0, 1, "USER_CHANGED".to_owned())]);
}

#[tokio::test]
async fn activity_counts_where_the_source_knows_it_and_ends_after_fifteen_days() {
    let profile = json!({ "tables": {
        "shop.users": { "holds": "users", "columns": { "last_activity": ["last_login_at"] } },
        "shop.referrals": { "holds": "referrals" },
        "shop.orders": { "holds": "adoptions" },
    } });
    let policy = json!({ "talent": { "rows": [{ "direct_count": 1, "active_direct_count": 1 }] } });
    let mut bench = Bench::with_profile(&policy, &profile.to_string());
    let seen_ms = bench.clock.now().timestamp_millis();
    bench.set_user("A", Some(user(None))).await;
    bench.set_user("B", Some(user(None))).await;
    bench.move_accounts(&[("A", Link::Root), ("B", under("A"))]).await;
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A").await, (1, 1, 0, 0), "B was never seen");

    bench.set_user("B", Some(user(Some(seen_ms)))).await;
    // As `cdc-ingest` marks each user that a batch names.
    let cause = TalentCause::UserChanged { account: account("B") };
    let mark = Mark { account: account("B"), kind: MarkKind::User, raised_by: 1, cause };
    store::talent::raise(&*bench.engine, shards(), vec![mark]).await.unwrap();
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A").await, (1, 1, 1, 1));

    bench.clock.advance(TimeDelta::days(15));
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A").await, (1, 1, 0, 0));
    assert_eq!(bench.changes("A").await[0].3, "ACTIVITY_ENDED");
}
