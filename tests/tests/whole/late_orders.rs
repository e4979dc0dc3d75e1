//! What an order that comes late costs, however many are posted.

use std::sync::Arc;

use cdc::CapturedRecord;
use end_to_end::{Counted, CountedEngine, Harness, Options, Shuffle, captured};
use oracle::generate::{Plan, Prices, Shape, history};

/// The reads of one item that the decider may make for a late order without a price, once it has begun.
const ITEMS_MAX: u64 = 20;

/// Returns what the decider reads for the order in the middle of so many, none of which has a price, if it comes last.
async fn read_for_the_order_in_the_middle_of(adoptions: usize) -> Counted {
    let plan = Plan { prices: Prices::None, ..Plan::large(1, 300, adoptions, Shape::Recent { of_last: 50 }) };
    let mut records = captured(&history(&plan));
    let of_orders = |record: &CapturedRecord| record.topic.ends_with(".planting_orders");
    let orders: Vec<usize> = (0..records.len()).filter(|number| of_orders(&records[*number])).collect();
    let late = records.remove(orders[orders.len() / 2]);
    let tables = Arc::new(CountedEngine::default());
    let harness = Harness::over(tables.clone(), Options::default());
    harness.feed(&records, Shuffle::AsCaptured).await;

    harness.ingest(end_to_end::kafka_event(std::slice::from_ref(&late))).await.expect("it is read");
    harness.reach_ends(&[late]).await;
    let before = harness.last_page().await;
    tables.take();
    harness.decide(serde_json::json!({ "Records": [] })).await.expect("it decides");
    let counted = tables.take();
    assert!(harness.last_page().await > before, "the late order is decided");
    counted
}

#[tokio::test]
async fn a_late_order_without_a_price_reads_few_items_however_many_orders_follow_it() {
    let [few, many] =
        [read_for_the_order_in_the_middle_of(400).await, read_for_the_order_in_the_middle_of(4_000).await];
    println!("of 400 orders {few:?}; of 4,000 {many:?}");
    assert!(many.items <= ITEMS_MAX, "{many:?}");
    assert!(many.items <= few.items + 3, "{few:?}, {many:?}");
}
