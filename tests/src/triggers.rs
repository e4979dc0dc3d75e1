//! The events in `events/`, one for each trigger of the template, in an order in which they follow from
//! each other: rows arrive, are released, posted and published; a date closes; levels are carried up; and
//! somebody asks about all of it.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// An event and the function it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The function's name in the template.
    pub function: &'static str,
    /// The function's crate, which is also its binary.
    pub package: &'static str,
    /// The trigger's name in the template.
    pub trigger: &'static str,
    /// The file in `events/`, without its ending.
    pub event: &'static str,
}

/// Every event.
pub const STEPS: [Step; 19] = [
    step("CdcIngest", "cdc-ingest", "UserChanges", "kafka-users"),
    step("CdcIngest", "cdc-ingest", "ReferralChanges", "kafka-referrals"),
    step("CdcIngest", "cdc-ingest", "AdoptionChanges", "kafka-adoptions"),
    step("CdcIngest", "cdc-ingest", "Heartbeats", "kafka-heartbeat"),
    step("AdoptionSequencer", "adoption-sequencer", "Ticks", "sqs-ticks"),
    step("AdoptionSequencer", "adoption-sequencer", "EveryMinute", "schedule-sequencer"),
    step("AdoptionDistribution", "adoption-distribution", "Runs", "sqs-released-runs"),
    step("LedgerStream", "ledger-stream", "Postings", "stream-postings"),
    step("CdcIngest", "cdc-ingest", "ReferralChanges", "kafka-registration"),
    step("TalentPropagation", "talent-propagation", "Raised", "sqs-talent-raised"),
    step("TalentPropagation", "talent-propagation", "EveryMinute", "schedule-talent"),
    step("ContributionExpiry", "contribution-expiry", "EveryFiveMinutesFromMidnight", "schedule-expiry"),
    step("ContributionExpiry", "contribution-expiry", "Segments", "sqs-expiry-segment"),
    step("ContributionExpiry", "contribution-expiry", "Segments", "sqs-activation-segment"),
    step("DailySnapshot", "daily-snapshot", "Segments", "sqs-snapshot-segment"),
    step("DailySnapshot", "daily-snapshot", "EveryFiveMinutesFromMidnight", "schedule-snapshot"),
    step("LedgerAudit", "ledger-audit", "Daily", "schedule-audit"),
    step("QueryApi", "query-api", "Questions", "http-account"),
    step("QueryApi", "query-api", "Health", "http-health"),
];

/// Parameters of the template with which nothing waits, and a close has a single segment.
#[must_use]
pub fn parameters() -> [(&'static str, String); 5] {
    [
        ("ReorderWindowMs", "0".to_owned()),
        ("SnapshotQuietPeriodMs", "0".to_owned()),
        ("CloseQuietPeriodMs", "0".to_owned()),
        ("CloseSegments", "1".to_owned()),
        ("TalentSweepAfterMs", "0".to_owned()),
    ]
}

/// Reads an event.
pub fn read(event: &str) -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(format!("{event}.json"));
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))
}

const fn step(
    function: &'static str,
    package: &'static str,
    trigger: &'static str,
    event: &'static str,
) -> Step {
    Step { function, package, trigger, event }
}
