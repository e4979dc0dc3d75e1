//! What routes cost where accounts are hard to show: at most so much, and no more on a larger network.
//!
//! `cargo run --release -p end-to-end --example large_network` measures the same with a million accounts.

use end_to_end::large_network::{BUSY, LargeNetwork, RICH, Size, WIDE};

async fn network(times: usize) -> LargeNetwork {
    let size = Size {
        accounts: 600 * times,
        direct_referrals: 150 * times,
        chain: 60 * times,
        records: 300 * times,
    };
    LargeNetwork::new(size, |_| {}).await
}

#[tokio::test]
async fn no_page_writes_and_records_and_steps_in_the_tree_cost_what_they_may() {
    let network = network(1).await;
    for path in network.paths() {
        let cost = network.cost(&path).await;
        assert_eq!(cost.counted.writes, 0, "{cost:?}");
        if path.contains("/records") {
            assert!(cost.counted.calls <= 4 && cost.counted.read_units <= 31, "{cost:?}");
        }
        if path.contains("/unallocated") {
            assert!(cost.counted.calls <= 500 && cost.counted.read_units <= 1_300, "{cost:?}");
        }
    }
}

#[tokio::test]
async fn pages_of_lists_cost_the_same_on_a_network_four_times_as_large() {
    let (small, large) = (network(1).await, network(4).await);
    for account in [WIDE, RICH, BUSY] {
        for path in ["", "/records", "/records?direction=descending", "/adoptions", "/referrals", "/team"] {
            let path = format!("/v1/accounts/{account}{path}");
            let (before, after) = (small.cost(&path).await.counted, large.cost(&path).await.counted);
            assert!(after.calls <= before.calls, "{path}: {before:?} {after:?}");
            assert!(after.read_units <= before.read_units + 3, "{path}: {before:?} {after:?}");
        }
    }
}
