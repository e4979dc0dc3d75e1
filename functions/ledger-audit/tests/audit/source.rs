//! The comparison with the source's tables that a schedule asks for.

use end_to_end::source::{ORDERS, Source as Written};
use end_to_end::{Harness, Options, Shuffle};
use ledger_audit::build_with;
use reconcile::fingerprint::{fingerprint, said};
use reconcile::layout::{Catalog, Layout};
use reconcile::record::image;
use reconcile::source::Load;
use reconcile::{Bucket, Moment, Source, SourceError, SourceRow};
use runtime::telemetry::keeping_metrics;
use runtime::{Function, Settings, SourceConnection};
use serde_json::{Value, json};
use std::sync::Arc;
use store::BoxFuture;

/// The orders of the source, each with its trees.
const AT_THE_SOURCE: [(i64, u32); 4] = [(11, 2), (12, 2), (13, 2), (15, 2)];
/// What the connector sent of them: order 13 with other trees, order 14, and never order 15.
const SENT: [(u64, i64); 4] = [(11, 2), (12, 2), (13, 3), (14, 2)];

/// The source's table of orders.
struct Orders {
    has_index: bool,
}

fn row(order: i64, trees: u32) -> SourceRow {
    let values = [&order.to_string(), "TOP", &trees.to_string(), "22617.0000000000", "2026-01-03", "PAID"]
        .map(str::to_owned);
    SourceRow { key: order.to_string(), values: values.map(Some).into() }
}

fn rows_after(after: Option<&str>) -> impl Iterator<Item = SourceRow> {
    let after: i64 = after.map_or(0, |after| after.parse().expect("a number"));
    AT_THE_SOURCE.into_iter().filter(move |(order, _)| *order > after).map(|(order, trees)| row(order, trees))
}

fn fingerprint_of(layout: &Layout, row: &SourceRow) -> i64 {
    let image = image(&cdc::Profile::built_in(), layout, row, Moment::default()).expect("a row");
    fingerprint(&row.key, &said(&image), &layout.compared)
}

impl Source for Orders {
    fn catalog<'a>(
        &'a self,
        _: Option<&'a str>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Catalog>, SourceError>> {
        let columns = [
            ("order_id", "int8"),
            ("account_sequence", "varchar"),
            ("tree_count", "int4"),
            ("contribution_per_tree", "numeric"),
            ("adoption_date", "date"),
            ("status", "varchar"),
        ];
        let indexed = if self.has_index { vec!["order_id".to_owned()] } else { Vec::new() };
        let catalog = Catalog {
            schema: "rwa_planting".to_owned(),
            table: "planting_orders".to_owned(),
            columns: columns.map(|(name, of)| (name.to_owned(), of.to_owned())).into(),
            primary_key: vec!["order_id".to_owned()],
            indexed_first: indexed,
        };
        let found = (table == "planting_orders").then_some(catalog).into_iter().collect();
        Box::pin(async { Ok(found) })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, SourceError>> {
        Box::pin(async { Ok(Moment { at_ms: 1_796_083_200_000, position: 1 }) })
    }

    fn buckets<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Bucket>, SourceError>> {
        let rows: Vec<SourceRow> = rows_after(after).collect();
        let bucket = rows.last().map(|last| Bucket {
            last: last.key.clone(),
            rows: rows.len() as u64,
            sum: rows.iter().map(|row| i128::from(fingerprint_of(layout, row))).sum(),
        });
        Box::pin(async { Ok(bucket.into_iter().collect()) })
    }

    fn fingerprints<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<(String, i64)>, SourceError>> {
        let found = rows_after(after).map(|row| (row.key.clone(), fingerprint_of(layout, &row))).collect();
        Box::pin(async { Ok(found) })
    }

    fn rows<'a>(
        &'a self,
        _: &'a Layout,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<SourceRow>, SourceError>> {
        let found = rows_after(None).filter(|row| keys.contains(&row.key)).collect();
        Box::pin(async { Ok(found) })
    }

    fn load(&self) -> Load {
        Load::default()
    }
}

/// Connects to the source's table, where the address is good for that.
fn connect(address: &str) -> BoxFuture<'_, Result<Box<dyn Source>, String>> {
    let has_index = address != "without-index";
    let connected = match address {
        "nowhere" => Err("the server does not answer".to_owned()),
        _ => Ok(Box::new(Orders { has_index }) as Box<dyn Source>),
    };
    Box::pin(async { connected })
}

/// Returns a ledger that was told of these orders, and the function that is given a connection.
async fn ledger(address: Option<&str>) -> (Harness, Arc<dyn Function>) {
    let mut written = Written::new();
    let changes = [written.referral("TOP", None)];
    for change in &changes {
        drop(written.write(change));
    }
    for (order, trees) in SENT {
        let change = written.order(order, "TOP", trees);
        written.write(&change);
    }
    let harness = Harness::new(Options::default());
    harness.feed(&written.records, Shuffle::AsCaptured).await;
    let settings = Settings { source_postgres: address.map(SourceConnection::new), ..Settings::default() };
    (harness, build_with(&settings, Some(connect)).expect("valid settings"))
}

#[tokio::test]
async fn the_schedule_compares_the_sources_tables_and_counts_what_differs() {
    let (harness, function) = ledger(Some("somewhere")).await;
    let (answer, metrics) = keeping_metrics(harness.invoke(&function, json!({ "reconcile": true }))).await;
    let answer = answer.expect("it compares");
    assert_eq!((&answer["compared"], &answer["differences"]), (&json!(true), &json!(3)), "{answer:#}");
    assert_eq!(answer["rows"], 4, "{answer:#}");
    let counted: Vec<&Value> = metrics.iter().filter(|line| line["SourceRowsDiffer"] == 3.0).collect();
    assert_eq!(counted.len(), 1, "{metrics:?}");
    // Comparing changes nothing.
    let (again, _) = keeping_metrics(harness.invoke(&function, json!({ "reconcile": true }))).await;
    assert_eq!(again.expect("it compares")["differences"], 3);
    assert!(ORDERS.ends_with("planting_orders"));
}

#[tokio::test]
async fn without_a_connection_or_an_index_or_a_server_it_says_so() {
    let (harness, function) = ledger(None).await;
    let answer = harness.invoke(&function, json!({ "reconcile": true })).await.expect("an answer");
    assert_eq!(answer["compared"], false);
    assert!(answer["why"].as_str().expect("why").contains("SourceConnectionArn"), "{answer:#}");
    let (harness, function) = ledger(Some("nowhere")).await;
    let error = harness.invoke(&function, json!({ "reconcile": true })).await.expect_err("no server");
    assert!(error.message.contains("the server does not answer"), "{}", error.message);
    let (harness, function) = ledger(Some("without-index")).await;
    let answer = harness.invoke(&function, json!({ "reconcile": true })).await.expect("an answer");
    assert_eq!((&answer["rows"], &answer["differences"]), (&json!(0), &json!(0)), "{answer:#}");
    // The tables of users and referrals are missing there, and the orders' has no index.
    assert_eq!(answer["obstacles"], 3, "{answer:#}");
}

#[test]
fn the_address_of_the_source_is_never_shown() {
    let connection = SourceConnection::new("postgres://reader:hunter2@host/planting postgres://x:y@z/w");
    assert_eq!(connection.addresses().count(), 2);
    let settings = Settings { source_postgres: Some(connection), ..Settings::default() };
    assert!(!format!("{settings:?}").contains("hunter2"));
}
