//! What answers cost in calls to storage and in read units.

use std::sync::Arc;

use domain::heads::{Line, LineKind, LineLeg, Lines, Money, Node, Totals};
use domain::log::{Entry, Page, PageHash};
use domain::{Amount, OrderId, Owner, Slot};
use end_to_end::{Client, CountedEngine, Harness, Options};
use store::heads::{AccountHead, LinePage, put_account, put_line_page};
use store::marks::{Projection, advance};
use store::{Engine, Shard};

use crate::ledger::ALL_SCOPES;

fn line(number: u64) -> Line {
    let date = "2026-01-10".parse().expect("a date");
    Line {
        position: 1 + number / 50,
        index: u32::try_from(number % 50).expect("small"),
        time_ms: 1_768_000_000_000,
        kind: LineKind::Posted,
        is_of_system: false,
        order: OrderId::new(number + 1),
        adopter: Some("D25122700019".parse().expect("an account")),
        effective_date: date,
        expire_date: None,
        legs: vec![LineLeg {
            slot: Slot::TeamLevel(1),
            would_be: None,
            is_unallocated: false,
            amount: "226.17".parse::<Amount>().expect("an amount"),
        }],
    }
}

/// Puts an account with so many orders of its own and so many lines, in pages of so many lines.
async fn put(
    engine: &dyn Engine,
    owner: &Owner,
    own_orders: u64,
    count: u64,
    per_page: usize,
    recent: usize,
) {
    let lines: Vec<Line> = (0..count).map(line).collect();
    let (stored, recent) = lines.split_at(lines.len() - recent);
    let mut writes = Vec::new();
    let mut pages = 0;
    for (number, lines) in (0_u32..).zip(stored.chunks(per_page)) {
        writes.push(put_line_page(
            owner,
            number,
            &LinePage { opening: Totals::default(), lines: lines.to_vec() },
        ));
        pages = number + 1;
    }
    let mut money = Money { lines: Lines { recent: recent.to_vec(), pages, count }, ..Money::default() };
    for line in &lines {
        money.totals.add(line).expect("small");
    }
    // Its own orders, of a million in all.
    let orders = (0..own_orders).filter_map(|number| OrderId::new(1 + number * 20 + number % 7)).collect();
    let node = Node { orders, ..Node::default() };
    writes.push(put_account(owner, &AccountHead { node, money }, 9_999, 0));
    for written in engine.write_many(writes).await {
        let _ = written.expect("memory answers");
    }
    let projections = Shard::all(16).map(Projection::Heads).collect();
    advance(engine, projections, 9_999).await.expect("memory answers");
}

#[tokio::test]
async fn any_page_of_a_hundred_thousand_records_takes_three_calls_and_thirty_units() {
    let engine = Arc::new(CountedEngine::default());
    let user: Owner = "D25122700018".parse().expect("an account");
    let system: Owner = "OPERATION".parse().expect("an account");
    // As the projection has them: 640 bytes and 16 KB a page.
    put(&*engine, &user, 50_000, 100_000, 9, 5).await;
    put(&*engine, &system, 0, 100_000, 230, 120).await;
    let harness = Harness::over(engine.clone(), Options::default());
    let client = Client::operator(&harness, ALL_SCOPES);
    for account in ["D25122700018", "OPERATION"] {
        for query in [
            "limit=50",
            "limit=200",
            "direction=descending",
            "direction=descending&limit=200",
            "order_id=7",
            "active_on=2030-01-01&limit=20",
        ] {
            let path = format!("/v1/accounts/{account}/records");
            let mut next = format!("{path}?{query}");
            for page in 0..5 {
                engine.take();
                let reply = client.get(&next).await.good();
                let cost = engine.take();
                assert!(cost.calls <= 3 && cost.read_units <= 30, "{account} {query} page {page}: {cost:?}");
                match reply["next_cursor"].as_str() {
                    Some(cursor) => next = format!("{path}?cursor={cursor}"),
                    None => break,
                }
            }
        }
    }
}

#[tokio::test]
async fn the_log_is_listed_without_gaps_and_by_few_pages_where_they_have_thousands_of_entries() {
    let engine = Arc::new(CountedEngine::default());
    let mut previous = PageHash::default();
    for position in 1..=23 {
        // The first ones are large, as those of a bulk load are.
        let count = if position <= 13 { 3_000 } else { 1 };
        let entries = (1..=count).filter_map(OrderId::new).map(|order| Entry::OrderSeen { order }).collect();
        let page = Page { position, previous, time_ms: 1_768_000_000_000, entries };
        previous = page.hash();
        let _ = store::log::put(&*engine, &page).await.expect("memory answers");
    }
    let harness = Harness::over(engine.clone(), Options::default());
    let client = Client::operator(&harness, ALL_SCOPES);
    let (mut listed, mut sizes) = (Vec::new(), Vec::new());
    let mut next = "/v1/log".to_owned();
    loop {
        let answer = client.get(&next).await.good();
        let pages = answer["pages"].as_array().expect("pages").clone();
        sizes.push(pages.len());
        listed.extend(pages.iter().map(|page| page["page"].as_u64().expect("a number")));
        let Some(cursor) = answer["next_cursor"].as_str() else { break };
        next = format!("/v1/log?cursor={cursor}");
    }
    assert_eq!(listed, (1..=23).rev().collect::<Vec<u64>>());
    assert_eq!(sizes, [15, 5, 3]);
}
