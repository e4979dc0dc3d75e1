//! Histories of a source through the deployed functions on the model.

use model::bench::FaultRates;
use model::campaign::{HistoryOptions, run_history};
use model::world::Profile;

#[test]
fn a_history_without_faults_ends_as_the_oracle_says_and_the_same_each_time() {
    let options = HistoryOptions {
        profile: Profile::Measured { percent: 100 },
        rates: FaultRates::default(),
        trace_lines: true,
    };
    let first = run_history(1, &options);
    assert_eq!(first.findings, Vec::<String>::new());
    assert!(first.records >= 60 && first.invocations > 50);
    let second = run_history(1, &options);
    assert_eq!(first.trace.len(), second.trace.len());
    for (position, (first, second)) in first.trace.iter().zip(&second.trace).enumerate() {
        assert_eq!(first, second, "line {position}");
    }
}
