//! Accidents of the source: each ends at a brake or the guard, with the list of what waits. The adoptions stay posted,
//! nothing of it enters a snapshot, and once it is let go the ledger is what the source's tables give.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use end_to_end::source::{Change, ORDERS, REFERRALS, Source, paid};
use end_to_end::{Client, Harness, Options, Shuffle, ledger};
use serde_json::{Value, json};

use crate::ledger::{all, operator};

/// The orders that the accidents concern; the brake lets one less go by itself.
const ORDERS_BELOW: std::ops::RangeInclusive<u64> = 11..=14;
const FIRST_DATE: &str = "2026-01-04";
const NEXT_DATE: &str = "2026-01-05";
const AFTER_THAT: &str = "2026-01-06";

/// A ledger with a brake and a guard, its source, and what the source's tables hold.
struct Scene {
    harness: Harness,
    source: Source,
    /// The tables as inserts: what a sorted pass over them gives is what must stand in the end.
    rows: Vec<Change>,
    /// What was read last: its partitions are proved to be read whenever time passes, as marks do.
    read: Vec<cdc::CapturedRecord>,
    commands: u32,
    /// What two trees contribute.
    total: &'static str,
}

impl Scene {
    /// Returns a root, an account below it with four orders, another root with one order; the first date is closed.
    async fn new() -> Self {
        Self::priced("22617.0000000000", "45234.0000000000").await
    }

    /// Returns the same, where the source has this price of a tree, and this one of two.
    async fn priced(price: &str, total: &'static str) -> Self {
        let mut options = Options::default();
        let decisions = &mut options.settings.decisions;
        decisions.settle = Duration::from_mins(1);
        decisions.brake_adoptions = Some(3);
        decisions.guard_factor = Some(10);
        let mut source = Source::new();
        let mut rows = vec![
            source.referral("ROOT", None),
            source.referral("BELOW", Some("ROOT")),
            source.referral("OTHER", None),
            source.order(10, "OTHER", 2),
        ];
        let order = |order| source.order(order, "BELOW", 2).with("contribution_per_tree", json!(price));
        rows.extend(ORDERS_BELOW.map(order));
        for row in &rows {
            drop(source.write(row));
        }
        let mut scene =
            Self { harness: Harness::new(options), source, rows, read: Vec::new(), commands: 0, total };
        scene.read().await;
        scene.close(FIRST_DATE).await;
        scene
    }

    /// Reads what the source wrote.
    async fn read(&mut self) {
        self.read = std::mem::take(&mut self.source.records);
        self.harness.feed(&self.read, Shuffle::AsCaptured).await;
    }

    async fn pass_minutes(&self, minutes: i64) {
        for _ in 0..minutes {
            self.harness.pass(TimeDelta::minutes(1));
            self.harness.reach_ends(&self.read).await;
            self.harness.settle().await;
        }
    }

    /// Sends a command, which is carried out.
    async fn ask(&mut self, command: Value) -> Value {
        self.commands += 1;
        let key = format!("command-{:04}", self.commands);
        let client = operator(&self.harness);
        let body = json!({ "reason": "a test", "command": command });
        client.post("/v1/commands", &key, &body).await;
        self.harness.settle().await;
        let answered = client.get(&format!("/v1/commands/{key}")).await.good();
        assert_eq!(answered["outcome"], "DONE", "{answered:#}");
        answered
    }

    async fn close(&mut self, date: &str) {
        self.ask(json!({ "type": "close", "until": date, "source_is_complete": true })).await;
        self.harness.publish().await;
    }

    fn client(&self) -> Client<'_> {
        operator(&self.harness)
    }

    /// Returns what is posted.
    async fn posted(&self) -> Value {
        ledger(self.harness.engine()).await["distributions"].clone()
    }

    /// Returns the rows of a closed date, without its name.
    async fn rows_of(&self, date: &str) -> BTreeSet<(String, String)> {
        let rows = all(&self.client(), "rows", &format!("/v1/snapshots/{date}/rows")).await;
        let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
        rows.iter().map(|row| (text(row, "account"), text(row, "effective_contribution"))).collect()
    }

    /// Asserts that the accident waits at the brake: these orders and uplines are listed, what is posted is what was
    /// posted before, and a date that closes meanwhile has nothing of it.
    async fn assert_waits(&mut self, before: &Value, orders: &[u64], uplines: &[&str]) {
        self.pass_minutes(10).await;
        let client = self.client();
        let list = client.get("/v1/waiting").await.good();
        assert_eq!(list["is_braking"], true, "{list:#}");
        let waiting = list["waiting"].as_array().expect("a list");
        let named = |kind: &str, name: &str| -> BTreeSet<String> {
            let of_kind = waiting.iter().filter(|one| one["kind"] == kind);
            of_kind.map(|one| one[name].as_str().expect("a name").to_owned()).collect()
        };
        assert_eq!(named("ORDER", "order_id"), orders.iter().map(u64::to_string).collect(), "{list:#}");
        assert_eq!(named("UPLINE", "account"), uplines.iter().map(ToString::to_string).collect(), "{list:#}");
        for one in waiting {
            let concerned = one["adoptions"].as_u64().expect("a count");
            assert!(if one["kind"] == "ORDER" { concerned == 1 } else { concerned > 3 }, "{one:#}");
            assert_eq!(one["kind"] == "ORDER", one["total"] == self.total, "{one:#}");
        }
        for order in orders {
            let adoption = client.get(&format!("/v1/adoptions/{order}")).await.good();
            assert_eq!(adoption["state"], "POSTED", "{adoption:#}");
            assert!(!adoption["waiting"].is_null(), "{adoption:#}");
        }
        let problems = client.get("/v1/status").await.good()["problems"].clone();
        let codes = problems.as_array().expect("problems").iter().map(|problem| problem["code"].clone());
        assert!(codes.collect::<Vec<_>>().contains(&json!("BRAKE")), "{problems:#}");
        assert_eq!(self.posted().await, *before);
        self.close(NEXT_DATE).await;
        assert_eq!(self.rows_of(NEXT_DATE).await, self.rows_of(FIRST_DATE).await);
    }

    /// Lets everything go, and asserts that the ledger is then what a sorted pass over the tables gives, and that the
    /// guard lists these changes where it stops the next close.
    async fn assert_let_go(&mut self, change: &str, orders: &[u64]) {
        self.ask(json!({ "type": "let_go_brake" })).await;
        self.pass_minutes(3).await;
        let list = self.client().get("/v1/waiting").await.good();
        assert_eq!(list["waiting"], json!([]), "{list:#}");
        assert_eq!(ledger(self.harness.engine()).await, self.sorted_pass().await);
        self.close(AFTER_THAT).await;
        // The guard asks once more where so much was taken back since the last close.
        let list = self.client().get("/v1/waiting").await.good()["suspicious_close"].clone();
        let named = list["changes"].as_array().cloned().unwrap_or_default();
        let named = named.iter().map(|one| json!([one["change"], one["order_id"], one["amount"]]));
        let expected = orders.iter().map(|order| json!([change, order.to_string(), self.total]));
        assert_eq!(named.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{list:#}");
        if !orders.is_empty() {
            assert_eq!((&list["date"], &list["are_all_looked_at"]), (&json!(AFTER_THAT), &json!(true)));
            self.ask(json!({ "type": "let_go_close", "date": AFTER_THAT })).await;
            self.close(AFTER_THAT).await;
        }
        let rows = self.rows_of(AFTER_THAT).await;
        assert_ne!(rows, self.rows_of(NEXT_DATE).await);
        assert_eq!(self.rows_of(FIRST_DATE).await, self.rows_of(NEXT_DATE).await, "closed dates stay");
    }

    /// Returns the ledger of the tables as they are, read by a ledger that never saw anything else, in their order.
    async fn sorted_pass(&self) -> Value {
        let mut source = Source::new();
        self.rows.iter().for_each(|row| drop(source.write(row)));
        let harness = Harness::new(Options::default());
        harness.feed(&source.records, Shuffle::AsCaptured).await;
        ledger(harness.engine()).await
    }

    /// Changes the rows of the orders below, in the tables and on the wire.
    fn change_orders(&mut self, change: impl Fn(u64) -> Value) {
        for order in ORDERS_BELOW {
            let after = change(order);
            let update = self.source.insert(ORDERS, json!({ "order_id": order }), after.clone());
            let row = self.rows.iter_mut().find(|row| row.key == json!({ "order_id": order }));
            let before = std::mem::replace(&mut row.expect("it is there").after, after);
            self.source.write(&update.updating(before));
        }
    }
}

#[tokio::test]
async fn the_delete_of_a_roots_referral_waits_at_the_brake_with_all_that_hangs_below() {
    let mut scene = Scene::new().await;
    let before = scene.posted().await;
    let delete = scene.source.referral("ROOT", None).deleting();
    scene.source.write(&delete);
    scene.source.tombstone(REFERRALS, 0, &json!({ "account_sequence": "ROOT" }));
    scene.rows.retain(|row| row.key != json!({ "account_sequence": "ROOT" }));
    scene.read().await;
    scene.assert_waits(&before, &[], &["ROOT"]).await;
    scene.assert_let_go("WITHDRAWN", &[11, 12, 13, 14]).await;
    let held = ledger(scene.harness.engine()).await["held"].clone();
    assert_eq!(held, json!(ORDERS_BELOW.map(|order| json!([order, "NO_REFERRAL"])).collect::<Vec<_>>()));
}

#[tokio::test]
async fn a_truncated_table_waits_for_an_operator_and_then_at_the_brake() {
    let mut scene = Scene::new().await;
    let before = scene.posted().await;
    let truncate = scene.source.order(0, "OTHER", 1).truncating();
    scene.source.write(&truncate);
    scene.rows.retain(|row| row.topic != ORDERS);
    scene.read().await;
    scene.pass_minutes(10).await;
    let list = scene.client().get("/v1/waiting").await.good();
    assert_eq!(
        (list["truncates"].as_array().map(Vec::len), &list["waiting"]),
        (Some(1), &json!([])),
        "{list:#}"
    );
    assert_eq!(scene.posted().await, before);
    let key = list["truncates"][0]["key"].clone();
    scene.ask(json!({ "type": "let_go_truncate", "key": key })).await;
    // An invocation that stores rows may have begun before: the rows go a little later.
    scene.assert_waits(&before, &[10, 11, 12, 13, 14], &[]).await;
    scene.assert_let_go("WITHDRAWN", &[10, 11, 12, 13, 14]).await;
    assert_eq!(scene.posted().await, json!({}));
}

#[tokio::test]
async fn a_snapshot_taken_again_that_lacks_rows_changes_nothing_and_their_deletes_wait_at_the_brake() {
    let mut scene = Scene::new().await;
    let before = scene.posted().await;
    let is_kept =
        |row: &Change| row.key["order_id"].as_u64().is_none_or(|order| !ORDERS_BELOW.contains(&order));
    scene.rows.retain(is_kept);
    // What is read again comes later, and says what is known.
    let mut snapshot = Source::new();
    let rows: Vec<Change> = scene.rows.clone();
    for row in rows {
        let read =
            scene.source.insert(row.topic, row.key.clone(), row.after.clone()).read_by_snapshot("true");
        scene.source.write(&read);
        snapshot.write(&read);
    }
    scene.read().await;
    scene.pass_minutes(10).await;
    assert_eq!(scene.posted().await, before);
    assert_eq!(scene.client().get("/v1/waiting").await.good()["waiting"], json!([]));
    // The rows that it lacks are named, and go once the source says so.
    let clock = runtime::SystemClock;
    let profile = Options::default().settings.profile;
    let side = reconcile::Ledger { engine: scene.harness.engine(), profile: &profile, clock: &clock };
    let report = reconcile::reconcile_with_capture(&snapshot.records, side).await.expect("readable");
    let extra: Vec<(reconcile::DifferenceKind, String)> =
        report.differences.iter().map(|difference| (difference.kind, difference.key.clone())).collect();
    let expected = ORDERS_BELOW.map(|order| (reconcile::DifferenceKind::Extra, order.to_string()));
    assert_eq!(extra, expected.collect::<Vec<_>>());
    for order in ORDERS_BELOW {
        let delete = scene.source.order(order, "BELOW", 2).deleting();
        scene.source.write(&delete);
        scene.source.tombstone(ORDERS, 0, &json!({ "order_id": order }));
    }
    scene.read().await;
    scene.assert_waits(&before, &[11, 12, 13, 14], &[]).await;
    scene.assert_let_go("WITHDRAWN", &[11, 12, 13, 14]).await;
}

#[tokio::test]
async fn a_schema_change_that_nulls_prices_waits_at_the_brake() {
    let mut scene = Scene::priced("30000.0000000000", "60000.0000000000").await;
    let before = scene.posted().await;
    scene.change_orders(|order| {
        let mut row = paid(order, "BELOW", 2);
        row["contribution_per_tree"] = Value::Null;
        row
    });
    scene.read().await;
    scene.assert_waits(&before, &[11, 12, 13, 14], &[]).await;
    scene.assert_let_go("WITHDRAWN", &[11, 12, 13, 14]).await;
    // Without a price of its own an order costs what the ladder says at its place.
    let after = scene.posted().await;
    for order in ORDERS_BELOW {
        assert_eq!(after[order.to_string()]["total"], "45234.0000000000");
    }
    let places = end_to_end::price_book(scene.harness.engine()).await;
    let places: Vec<(u64, u64)> = places.into_iter().map(|(order, before)| (order.get(), before)).collect();
    assert_eq!(places, [(11, 2), (12, 4), (13, 6), (14, 8)]);
}

#[tokio::test]
async fn a_hundredfold_tree_count_waits_at_the_brake() {
    let mut scene = Scene::new().await;
    let before = scene.posted().await;
    scene.change_orders(|order| paid(order, "BELOW", 200));
    scene.read().await;
    scene.assert_waits(&before, &[11, 12, 13, 14], &[]).await;
    // What is taken back is little beside what is posted anew.
    scene.assert_let_go("CORRECTED", &[]).await;
    assert_eq!(scene.posted().await["11"]["total"], "4523400.0000000000");
}

#[tokio::test]
async fn a_new_order_with_a_hundredfold_tree_count_stops_the_close_of_its_date() {
    let mut scene = Scene::new().await;
    // The guard compares with the thirty dates before, of which seven have something.
    for number in 0..7_u64 {
        let row = scene.source.order(20 + number, "OTHER", 2);
        let row = row.with("adoption_date", json!(20_457 + number));
        scene.source.write(&row);
        scene.rows.push(row);
    }
    let row = scene.source.order(30, "OTHER", 200).with("adoption_date", json!(20_464));
    scene.source.write(&row);
    scene.rows.push(row);
    scene.read().await;
    // The eight dates close one by one; the last has a hundred times as much as any before.
    scene.ask(json!({ "type": "close", "until": "2026-01-12", "source_is_complete": true })).await;
    scene.harness.publish().await;
    let client = scene.client();
    let closed = client.get("/v1/snapshots/latest").await.good()["snapshot_date"].clone();
    assert_eq!(closed, "2026-01-11");
    let close = client.get("/v1/sync-status").await.good()["close"].clone();
    assert_eq!(close["waiting_date"], "2026-01-12", "{close:#}");
    let reason = close["waiting_for"][0].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("SUSPICIOUS"), "{reason}");
    // The list has what becomes effective on that date, and nothing of it is in a snapshot.
    let list = client.get("/v1/waiting").await.good()["suspicious_close"].clone();
    assert_eq!((&list["date"], &list["are_all_looked_at"]), (&json!("2026-01-12"), &json!(true)), "{list:#}");
    let changes = list["changes"].as_array().expect("changes");
    let named: Vec<Value> = changes
        .iter()
        .map(|change| json!([change["change"], change["order_id"], change["account"], change["amount"]]))
        .collect();
    assert_eq!(named, [json!(["POSTED", "30", "OTHER", "4523400.0000000000"])], "{list:#}");
    let has_it = |(account, amount): &(String, String)| account == "OTHER" && amount.len() > 17;
    let rows = scene.rows_of("2026-01-11").await;
    assert!(!rows.iter().any(has_it), "{rows:#?}");
    assert_eq!(client.get("/v1/adoptions/30").await.good()["state"], "POSTED");
    scene.ask(json!({ "type": "let_go_close", "date": "2026-01-12" })).await;
    scene.harness.publish().await;
    assert_eq!(scene.client().get("/v1/snapshots/latest").await.good()["snapshot_date"], "2026-01-12");
    assert_eq!(ledger(scene.harness.engine()).await, scene.sorted_pass().await);
}
