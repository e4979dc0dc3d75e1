//! How long the oracle needs: `cargo run -p oracle --example oracle_speed [HISTORIES]`.

use std::time::Instant;

use oracle::generate::{self, Plan, Shape};
use oracle::{Inputs, Judgement};

fn main() {
    let histories = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let started = Instant::now();
    let changes: usize =
        (0..histories).map(|seed| generate::history(&Plan::small(seed)).transactions.len()).sum();
    println!("{histories} small histories of {changes} transactions invented in {:.2?}", started.elapsed());

    let started = Instant::now();
    let mut posted = 0;
    for seed in 0..histories {
        let plan = Plan::small(seed);
        let judgement = Judgement::of(&Inputs::new(generate::history(&plan).tables, plan.today));
        posted += judgement.posted().filter_map(|order_id| judgement.distribution(order_id)).count();
    }
    println!("invented again and judged, {posted} adoptions posted, in {:.2?}", started.elapsed());

    for shape in [Shape::Recent { of_last: 1_000 }, Shape::Uniform, Shape::Flat, Shape::OneRoot] {
        let plan = Plan::large(1, 100_000, 100_000, shape);
        let inputs = Inputs::new(generate::tables(&plan), plan.today);
        let started = Instant::now();
        let judgement = Judgement::of(&inputs);
        let decided = started.elapsed();
        let (accounts, system) = (judgement.accounts().len(), judgement.system_accounts().len());
        let rows = judgement.snapshot(plan.today).expect("nothing is negative").rows.len();
        let talents = judgement.talents().len();
        println!(
            "{shape:?}: {} of 100,000 adoptions posted in {decided:.2?}; with {accounts} accounts, {system} system \
             accounts, {rows} rows of a snapshot and {talents} talents in {:.2?}",
            judgement.posted().count(),
            started.elapsed()
        );
    }
}
