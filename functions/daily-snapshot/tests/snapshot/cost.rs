//! What a closed date costs: counts the writes to a store in memory.

use domain::log::{Entry, UplineChange};
use domain::proof::Secret;
use domain::{BusinessDate, Link, Owner};

use crate::support::{Stage, account, date, posted, posting};

/// How many accounts the network has.
const ACCOUNTS: u64 = 5_000;
/// An account refers to one of so many before it.
const RECENT: u64 = 1_000;

fn name(number: u64) -> String {
    format!("D{}", 25_122_700_000 + number)
}

/// Returns a number that looks random, made from another one.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

fn referrer(number: u64) -> Option<u64> {
    (number > 0).then(|| number - 1 - mixed(number) % RECENT.min(number))
}

fn adoption(number: u64, on: BusinessDate, order: u64) -> Entry {
    let mut upline = Vec::new();
    let mut above = referrer(number);
    while let Some(ancestor) = above.filter(|_| upline.len() < 15) {
        upline.push(name(ancestor));
        above = referrer(ancestor);
    }
    let upline: Vec<(&str, bool, u32)> =
        (0..).zip(&upline).map(|(level, name)| (name.as_str(), true, 5 - level % 5)).collect();
    // Amounts with as many digits as there can be, so that they do not compress better than in life.
    let total = format!("{}.{:010}", 20_000 + mixed(order) % 80_000, mixed(order * 3) % 10_000_000_000);
    posted(order, posting(&name(number), &total, &on.to_string(), &upline))
}

#[tokio::test]
async fn an_account_of_a_closed_date_costs_less_than_a_fifth_of_a_write_unit() {
    let stage = Stage::new();
    let first = date("2026-01-01");
    let mut order = 0;
    for start in (0..ACCOUNTS).step_by(100) {
        let mut entries = Vec::new();
        for number in start..start + 100 {
            order += 1;
            entries.push(Entry::Upline(UplineChange {
                account: account(&name(number)),
                before: Link::Missing,
                after: referrer(number).map_or(Link::Root, |referrer| Link::Under(account(&name(referrer)))),
                first_order: None,
            }));
            entries.push(adoption(number, first, order));
        }
        stage.page(entries).await;
    }
    stage.close("2026-01-02", "2026-01-02").await;
    let before = stage.engine.count(|tables| &tables.write_units);
    stage.invoke().await;
    let units = stage.engine.count(|tables| &tables.write_units) - before;
    let latest = store::snapshots::latest(&*stage.engine).await.expect("read").expect("a date is closed");
    report("first date, every account new", units, latest.totals.rows);
    assert!(units * 5 <= latest.totals.rows, "{units} units for {} rows", latest.totals.rows);

    // A tenth adopts again on each of the next dates.
    let mut total_units = 0;
    let dates = 5;
    for day in 1..=dates {
        let on = first.plus_days(day);
        let adopters = (0..ACCOUNTS / 10).map(|number| mixed(number * 31 + u64::from(day)) % ACCOUNTS);
        let adopters: Vec<u64> = adopters.collect();
        for chunk in adopters.chunks(100) {
            let entries = chunk.iter().map(|number| {
                order += 1;
                adoption(*number, on, order)
            });
            stage.page(entries.collect()).await;
        }
        stage.close("2026-01-02", &on.next().to_string()).await;
        let before = stage.engine.count(|tables| &tables.write_units);
        stage.invoke().await;
        total_units += stage.engine.count(|tables| &tables.write_units) - before;
    }
    let rows = latest.totals.rows * u64::from(dates);
    report("a tenth adopts on each date", total_units, rows);
    assert!(total_units * 5 <= rows, "{total_units} units for {rows} rows");
    let latest = store::snapshots::latest(&*stage.engine).await.expect("read").expect("a date is closed");
    for number in (0..ACCOUNTS).step_by(499) {
        let owner = Owner::User(account(&name(number)));
        let secret = Secret::new("a test");
        let proof = store::snapshots::proof(&*stage.engine, latest.date, &owner, &secret).await;
        assert_eq!(proof.expect("a proof").verify(latest.root), Ok(()), "{owner}");
    }
    let largest = stage.engine.count(|tables| &tables.item_bytes_max);
    assert!(largest < 300_000, "the largest item has {largest} bytes");
}

fn report(what: &str, units: u64, rows: u64) {
    println!(
        "{what}: {units} write units for {rows} rows, {}.{:03} each",
        units / rows,
        units * 1_000 / rows % 1_000
    );
}
