//! How much processor time the decider takes for an adoption whose upline is in memory and later than all before it.
//!
//! `cargo run --release -p domain --example decide -- 1000000 200000 recent`

use std::collections::BTreeSet;
use std::time::Duration;

use domain::decide::{AdoptionInput, Decider, Inputs, Loaded, Need, Parameters, ReferralInput, Step};
use domain::heads::{AdoptionHead, Network, Node, SumNode};
use domain::{
    AccountSequence, AdoptionRow, Amount, BusinessDate, Column, OrderId, ReferralRow, RowKey, Versions,
};

/// 2026-02-10.
const NOW_MS: i64 = 1_770_696_000_000;
const BATCH: usize = 5_000;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default| arguments.get(index).map_or(default, |text| text.parse().expect("a number"));
    let (accounts, adoptions) = (number(0, 100_000), number(1, 50_000));
    let is_recent = arguments.get(2).is_none_or(|shape| shape == "recent");
    let mut random = Random(7);
    let mut decider = Decider::new(
        Network::new(Versions::starting("{}").expect("the rules' own numbers")),
        Parameters { settle_ms: 0, ..Parameters::default() },
    );

    let referrals = (0..accounts).map(|number| {
        let referrer = match (number, is_recent) {
            (0, _) => None,
            (_, true) => Some(number - 1 - random.below(number.min(1_000))),
            (_, false) => Some(random.below(number)),
        };
        (
            RowKey::new(number.to_string()),
            ReferralRow { account: account(number), referrer: referrer.map(account) },
        )
    });
    let referrals: Vec<_> = referrals.collect();
    let mut time = Spent::default();
    for batch in referrals.chunks(BATCH) {
        let inputs = batch.iter().map(|(key, row)| {
            (key.clone(), ReferralInput { row: Some(row.clone()), accounts: vec![row.account.clone()] })
        });
        decide(&mut decider, Inputs { referrals: inputs.collect(), ..Inputs::default() }, &mut time);
    }
    time.show("referral", accounts);

    let mut time = Spent::default();
    let orders: Vec<u64> = (1..=adoptions).collect();
    for batch in orders.chunks(BATCH) {
        let mut inputs = Inputs::default();
        for number in batch {
            let order = OrderId::new(*number).expect("not zero");
            let row = row(account(random.below(accounts)));
            let input = AdoptionInput { row: Some((order, row)), orders: vec![order], committed_ms: NOW_MS };
            inputs.add_adoption(RowKey::new(number.to_string()), input);
        }
        decide(&mut decider, inputs, &mut time);
    }
    time.show("adoption", adoptions);
    println!("{:?}", decider.network().counts.posted);
}

#[derive(Default)]
struct Spent {
    deciding: Duration,
    loading: Duration,
    pages: u64,
    bytes: usize,
}

impl Spent {
    fn show(&self, what: &str, count: u64) {
        let count = u32::try_from(count).expect("a number of 32 bits");
        println!(
            "{what}: {:?} of deciding each, {:?} of handing in, {} bytes each, {} pages",
            self.deciding / count,
            self.loading / count,
            self.bytes / count as usize,
            self.pages
        );
    }
}

fn decide(decider: &mut Decider, inputs: Inputs, spent: &mut Spent) {
    decider.begin(inputs, NOW_MS);
    loop {
        let began = processor_time();
        let step = decider.step();
        spent.deciding += processor_time().saturating_sub(began);
        match step {
            Step::Load(needs) => {
                let position = decider.network().position;
                let loaded = needs.into_iter().map(|need| loaded(need, position)).collect();
                let began = processor_time();
                decider.provide(loaded).expect("one decider alone");
                spent.loading += processor_time().saturating_sub(began);
            }
            Step::Put(page) => {
                spent.pages += 1;
                spent.bytes += page.encode().len();
                decider.forget_tail_through(page.position);
            }
            Step::Idle { .. } => return,
        }
    }
}

/// Returns how long this thread has had a processor, so that other work on the machine does not count (Linux only).
fn processor_time() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstat");
    let nanoseconds = schedule.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

/// Returns new heads: everything that is in storage is in memory already.
fn loaded(need: Need, position: u64) -> Loaded {
    match need {
        Need::Node(account) => Loaded::Node { account, node: Box::new(Node::default()), position },
        Need::Children(account) => Loaded::Children { account, children: BTreeSet::new(), position },
        Need::Adoption(order) => {
            Loaded::Adoption { order, head: Box::new(AdoptionHead::default()), position }
        }
        Need::Total(owner) => Loaded::Total { owner, total: Some(Amount::ZERO), position },
        Need::Sum(key) => Loaded::Sum { key, node: SumNode::default(), position },
        Need::FirstOrders(_) => unreachable!("the decider completes first orders itself"),
    }
}

fn account(number: u64) -> AccountSequence {
    format!("D{number:011}").parse().expect("an account")
}

fn row(account: AccountSequence) -> AdoptionRow {
    AdoptionRow {
        account: Column::Value(account),
        trees: Column::Value(1),
        price: Column::Value(Some("22617".parse().expect("an amount"))),
        date: Column::Value(BusinessDate::new(2026, 2, 9).expect("a date")),
        status: "PAID".to_owned(),
        province: "44".parse().ok(),
        city: "4401".parse().ok(),
    }
}
