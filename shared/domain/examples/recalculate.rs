//! Measures a recalculation: `cargo run --release -p domain --example recalculate -- 1000000 1000000`.
//!
//! The arguments are the numbers of accounts and of adoptions. Each account refers to one of the thousand before it.
//! Everything is loaded as it should stand, so that what is measured is an audit that finds nothing, and then a plan
//! in which every adoption changes.

use std::time::Instant;

use domain::heads::{AdoptionHead, AdoptionState, Node};
use domain::recalculate::{Difference, Extent, Recalculation, Rules, Standing};
use domain::{AccountSequence, AdoptionRow, BusinessDate, Column, OrderId, RowKey, VersionTerms, Versions};

/// Measures time on the clock and, where the system shows it, time of all processors.
struct Stopwatch(Instant, Option<u64>);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "it measures real time")]
    fn start() -> Self {
        Self(Instant::now(), processor_ticks())
    }

    fn stop(&self) -> String {
        let elapsed = self.0.elapsed();
        match processor_ticks().zip(self.1) {
            Some((now, before)) => format!("{elapsed:.2?} ({} ms of processors)", (now - before) * 10),
            None => format!("{elapsed:.2?}"),
        }
    }
}

/// Returns the processor time of this process, in hundredths of a second, on Linux.
fn processor_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let (accounts, adoptions) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(1_000_000));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let versions = Versions::starting("{}").expect("a policy");
    let rules = Rules { versions: &versions, today: "2026-02-10".parse().expect("a date") };

    // What should stand is found by a first run, in which nothing stands.
    let mut heads = vec![AdoptionHead::default(); usize::try_from(adoptions).expect("a count")];
    let mut empty = load(accounts, &mut heads, true);
    for difference in empty.compare(&rules, Extent { threads, details_max: usize::MAX }).differences {
        match difference {
            Difference::Adoption { order, should: Standing::Posted(posting), .. } => {
                place(&mut heads, order).state = AdoptionState::Posted(posting);
            }
            Difference::EligibleTrees { order, should, .. } => {
                place(&mut heads, order).eligible_trees = should;
            }
            _ => {}
        }
    }
    drop(empty);

    let began = Stopwatch::start();
    let mut recalculation = load(accounts, &mut heads, false);
    println!("{accounts} accounts and {adoptions} adoptions loaded in {}", began.stop());
    let began = Stopwatch::start();
    let compared = recalculation.compare(&rules, Extent { threads, details_max: 1_000 });
    println!("compared on {threads} threads in {}", began.stop());
    let of_adoptions = |difference: &&Difference| difference.order().is_some();
    println!(
        "{} posted, {} differ",
        compared.posted,
        compared.differences.iter().filter(of_adoptions).count()
    );

    let mut next = versions.clone();
    next.introduce(VersionTerms {
        number: 2,
        from: Some("2020-01-01".parse().expect("a date")),
        until: None,
        reason: "a measurement".to_owned(),
        introduced_by: "a measurement".to_owned(),
        policy: r#"{"rates": {"personal": "0.69", "operation": "0.13"}}"#.to_owned(),
    })
    .expect("a version");
    let began = Stopwatch::start();
    let plan = recalculation.plan(&Rules { versions: &next, ..rules }, threads);
    println!("planned in {}: {} adoptions change", began.stop(), plan.adoptions);
}

fn place(heads: &mut [AdoptionHead], order: OrderId) -> &mut AdoptionHead {
    &mut heads[usize::try_from(order.get() - 1).expect("an index")]
}

fn name(number: u64) -> AccountSequence {
    format!("D{number:09}").parse().expect("an account")
}

fn load(accounts: u64, heads: &mut [AdoptionHead], writes_rows: bool) -> Recalculation {
    let mut random = Random(7);
    let mut recalculation = Recalculation::new();
    for number in 0..accounts {
        let referrer = (number > 0).then(|| name(number - 1 - random.below(number.min(1_000))));
        let mut node = Node::default();
        node.rows.insert(RowKey::new(number.to_string()), referrer);
        recalculation.add_account(&name(number), &node);
    }
    let date: BusinessDate = "2026-01-05".parse().expect("a date");
    for (number, head) in (1_u64..).zip(heads.iter_mut()) {
        let adopter = random.below(accounts);
        if writes_rows {
            let row = AdoptionRow {
                account: Column::Value(name(adopter)),
                trees: Column::Value(1 + i64::try_from(adopter % 5).expect("small")),
                price: Column::Value(Some("22617".parse().expect("an amount"))),
                date: Column::Value(date),
                status: "PAID".to_owned(),
                province: None,
                city: None,
            };
            head.rows.insert(RowKey::new(number.to_string()), row);
        }
        recalculation.add_adoption(OrderId::new(number).expect("an order"), head);
    }
    recalculation
}
