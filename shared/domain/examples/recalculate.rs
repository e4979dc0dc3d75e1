//! Measures the engine of plans and audits: what every adoption of a large network should be, and a comparison with
//! what is posted. Everything is in memory, and loading it is timed apart.
//!
//! `cargo run --release -p domain --example recalculate -- 1000000 1000000`: accounts, adoptions. One root; each
//! account refers to one of all before it, or of the last thousand with `recent` behind the numbers.

use std::error::Error;
use std::time::Instant;

use domain::log::{Cause, Entry, Page, PageHash};
use domain::recalculate::{Compared, Difference, Extent, Recalculation, Rules, Standing};
use domain::{AccountSequence, AdoptionRow, BusinessDate, Column, Link, OrderId, RowKey, Versions};

/// How many entries a page has.
const PAGE_ENTRIES: usize = 500;
/// Among how many of the last accounts the referrer is chosen in a network of the shape `recent`.
const RECENT_ACCOUNTS: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| arguments.get(place).map_or(Ok(1_000_000), |text| text.parse::<u64>());
    let (accounts, adoptions) = (number(0)?, number(1)?);
    let is_recent = arguments.get(2).is_some_and(|shape| shape == "recent");
    let versions = Versions::starting("{}")?;
    let rules = Rules { versions: &versions, today: "2026-02-01".parse()? };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);

    let mut network = Network { seed: 1, is_recent };
    let mut recalculation = Recalculation::new();
    timed("load accounts", || {
        for number in 0..accounts {
            recalculation.set_link(&account(number), &network.link(number));
        }
    });
    timed("load orders", || {
        let rows = (1..=adoptions).flat_map(|number| network.order(number, accounts));
        load(&mut recalculation, rows);
    });
    timed("plan", || recalculation.plan(&rules, threads));
    let missing = compare(&mut recalculation, &rules, threads, usize::MAX);
    let postings = missing.differences.into_iter().filter_map(posted);
    timed("load postings", || load(&mut recalculation, postings));
    let audit = timed("audit", || compare(&mut recalculation, &rules, threads, 100));
    println!(
        "{accounts} accounts, {adoptions} adoptions, {threads} threads: {} posted, {} differ",
        audit.posted, audit.adoptions_that_differ
    );
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it measures how long something takes here")]
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    println!("{what}: {:.2} s", began.elapsed().as_secs_f64());
    done
}

fn compare(
    recalculation: &mut Recalculation,
    rules: &Rules<'_>,
    threads: usize,
    details_max: usize,
) -> Compared {
    recalculation.compare(rules, Extent { threads, details_max })
}

fn load(recalculation: &mut Recalculation, entries: impl Iterator<Item = Entry>) {
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        let entries = entries.by_ref().take(PAGE_ENTRIES).collect();
        recalculation.add_page(&Page { position: 1, previous: PageHash::default(), time_ms: 0, entries });
    }
}

/// Returns the entry that posts what should be posted.
fn posted(difference: Difference) -> Option<Entry> {
    match difference {
        Difference::Adoption { order, should: Standing::Posted(posting), .. } => {
            Some(Entry::Posted { order, posting, first_order: None, cause: Cause::Row })
        }
        _ => None,
    }
}

/// A network of one root that follows from a seed.
struct Network {
    seed: u64,
    is_recent: bool,
}

impl Network {
    fn below(&mut self, bound: u64) -> u64 {
        // The multiplier and the increment are Knuth's for 64 bits.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % bound
    }

    fn link(&mut self, number: u64) -> Link {
        let first = if self.is_recent { number.saturating_sub(RECENT_ACCOUNTS) } else { 0 };
        match number {
            0 => Link::Root,
            _ => Link::Under(account(first + self.below(number - first))),
        }
    }

    fn order(&mut self, number: u64, accounts: u64) -> [Entry; 2] {
        let order = OrderId::new(number).expect("a positive number");
        let row = AdoptionRow {
            account: Column::Value(account(self.below(accounts))),
            trees: Column::Value(i64::try_from(1 + self.below(3)).expect("a few")),
            price: Column::Value(Some("22617.0000000000".parse().expect("an amount"))),
            date: Column::Value("2026-01-10".parse::<BusinessDate>().expect("a date")),
            status: "PAID".to_owned(),
            province: "440000".parse().ok(),
            city: "440300".parse().ok(),
        };
        let key = RowKey::new(number.to_string());
        [Entry::OrderSeen { order }, Entry::AdoptionRow { order, key, row: Some(Box::new(row)) }]
    }
}

fn account(number: u64) -> AccountSequence {
    format!("D{:011}", 25_000_000_000 + number).parse().expect("an account")
}
