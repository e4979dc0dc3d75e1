//! Makes a large network and says what each route costs on its most difficult accounts.
//!
//! `cargo run --release -p end-to-end --example large_network -- ACCOUNTS DIRECT_REFERRALS CHAIN RECORDS`; one million,
//! 10,000, 2,000 and 100,000 if they are left out. It fails where a page takes 300 ms or more, or a step in the tree
//! 100 ms.

use std::process::ExitCode;
use std::time::Duration;

use end_to_end::large_network::{BUSY, Cost, LargeNetwork, RICH, Size, WIDE};

const PAGE_MAX: Duration = Duration::from_millis(300);
const STEP_MAX: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| {
        arguments.get(index).map_or(default, |text| text.parse().expect("a number"))
    };
    let size = Size {
        accounts: number(0, 1_000_000),
        direct_referrals: number(1, 10_000),
        chain: number(2, 2_000),
        records: number(3, 100_000),
    };
    let network = LargeNetwork::new(size, |told| eprintln!("{told}")).await;
    let counts = network.network().await.counts;
    println!("{} adoptions posted, {} held", counts.posted, counts.held.values().sum::<u64>());
    println!("{:>5} {:>6} {:>10} {:>10} {:>10}  path", "pages", "calls", "read units", "median", "slowest");
    let mut is_slow = false;
    let mut check = |cost: &Cost, most| {
        let mark = if cost.slowest >= most { "  TOO SLOW" } else { "" };
        is_slow |= cost.slowest >= most;
        print(cost, mark);
    };
    for path in network.paths() {
        let is_step = network.steps().contains(&path);
        check(&network.cost(&path).await, if is_step { STEP_MAX } else { PAGE_MAX });
    }
    for account in [WIDE, RICH, BUSY, &network.bottom()] {
        check(&network.cost_of_simulation(account).await, PAGE_MAX);
    }
    if is_slow { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn print(cost: &Cost, mark: &str) {
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
    println!(
        "{:>5} {:>6} {:>10} {:>10} {:>10}  {}{mark}",
        cost.pages,
        cost.counted.calls,
        cost.counted.read_units,
        milliseconds(cost.median),
        milliseconds(cost.slowest),
        cost.path
    );
}
