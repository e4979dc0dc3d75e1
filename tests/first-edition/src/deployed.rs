//! What the template of 0177ed0 deploys, written out: `git show 0177ed0:infra/template.yaml`.

use std::collections::BTreeMap;

use model::bench::{Deployment, Executor, ExecutorOptions, FaultPlan, QueueOptions, Registration, Trigger};
use model::measure::Source;
use model::table::{Billing, Schema, TableOptions, Throughput, Units, ViewType};
use model::world::Profile;
use serde_json::{Value, json};
use store::Table;

use crate::functions::builder;

/// The time of day at virtual time 0, as in every measurement.
pub(crate) const EPOCH: &str = "2026-12-01T00:00:00Z";
/// The name that the bench knows the journal's table by: the one with a stream.
pub(crate) const JOURNAL: &str = "Log";
/// The table that the bench has not, and that is made besides.
const RECORDS: &str = "Records";
/// The topics of the invented source.
const PROFILE: &str = r#"{ "tables": {
    "dbserver1.rwa_identity.users": { "holds": "users" },
    "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    "dbserver1.rwa_planting.planting_orders": { "holds": "adoptions" }
} }"#;
const MINUTE_MS: u64 = 60_000;
const TWO_WEEKS: &str = "1209600";

/// Returns a setting of the functions, as the template's `Environment` has it with its parameters' defaults.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = match name {
        // The bench's tables have the names of today.
        "SOURCE_TABLE" => "Source",
        "JOURNAL_TABLE" => JOURNAL,
        "ACCOUNTS_TABLE" => "Ledger",
        "RECORDS_TABLE" => RECORDS,
        "SNAPSHOTS_TABLE" => "Snapshots",
        "SEQUENCER_TICKS_QUEUE_URL" => "https://sqs/0/SequencerTicks.fifo",
        "RELEASED_RUNS_QUEUE_URL" => "https://sqs/0/ReleasedRuns.fifo",
        "EXPIRY_SEGMENTS_QUEUE_URL" => "https://sqs/0/ExpirySegments",
        "SNAPSHOT_SEGMENTS_QUEUE_URL" => "https://sqs/0/SnapshotSegments",
        "TALENT_QUEUE_URL" => "https://sqs/0/TalentRaised",
        "OUTBOUND_EVENTS_QUEUE_URL" => "https://sqs/0/OutboundEvents.fifo",
        "TALENT_SWEEP_AFTER_MS" => "60000",
        "STAGE" => "development",
        "BUSINESS_TZ" => "Asia/Shanghai",
        "CDC_PROFILE" => PROFILE,
        "CONTRIBUTION_POLICY" => "{}",
        "REORDER_WINDOW_MS" => "1000",
        "SNAPSHOT_QUIET_PERIOD_MS" => "10000",
        "WAKE_AGAIN_AFTER_MS" => "300000",
        "CLOSE_SEGMENTS" => "64",
        // No date closes in a measurement of postings.
        "FIRST_CLOSE_DATE" => "2100-01-01",
        "CLOSE_QUIET_PERIOD_MS" => "600000",
        "CLOSE_OVERDUE_AFTER_MS" => "14400000",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Returns a world with everything deployed.
pub(crate) fn executor(seed: u64, percent: u64, warm: u64, faults: FaultPlan) -> Executor {
    let warm = Throughput { write: Units::whole(warm), read: Units::whole(warm) };
    let deployment = Deployment {
        streams: BTreeMap::from([(Table::Log, ViewType::NewImage)]),
        warm: Table::ALL.into_iter().map(|table| (table, warm)).collect(),
        queues: queues(),
        topics: Source::topics(),
        functions: functions(),
    };
    let options = ExecutorOptions {
        seed,
        profile: Profile::Measured { percent },
        faults,
        epoch: EPOCH.parse().expect("a time"),
        trace_lines: false,
    };
    let executor = Executor::new(&deployment, options).expect("a valid deployment");
    executor.with_world(|world| {
        world.database.create(TableOptions {
            name: RECORDS.to_owned(),
            schema: Schema { partition: "pk".to_owned(), sort: Some("sk".to_owned()) },
            billing: Billing::OnDemand { warm },
            stream: None,
            replica_lag_ms: 0,
        });
    });
    executor
}

fn queues() -> Vec<QueueOptions> {
    let queue = |name: &str, attributes: &[(&str, &str)]| QueueOptions {
        name: name.to_owned(),
        queue: None,
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let redrive = |dead_letters: &str, receives: u32| {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{dead_letters}");
        json!({ "deadLetterTargetArn": arn, "maxReceiveCount": receives }).to_string()
    };
    let kept = ("MessageRetentionPeriod", TWO_WEEKS);
    let by_group =
        [("DeduplicationScope", "messageGroup"), ("FifoThroughputLimit", "perMessageGroupId"), kept];
    let segments = |name: &str, dead_letters: &str| {
        queue(name, &[("VisibilityTimeout", "960"), kept, ("RedrivePolicy", &redrive(dead_letters, 5))])
    };
    let ticks = redrive("SequencerTicksDeadLetters.fifo", 5);
    let runs = redrive("ReleasedRunsDeadLetters.fifo", 5);
    let raised = redrive("TalentRaisedDeadLetters", 3);
    vec![
        queue("SequencerTicksDeadLetters.fifo", &[kept]),
        queue("ReleasedRunsDeadLetters.fifo", &by_group),
        queue("ExpirySegmentsDeadLetters", &[kept]),
        queue("SnapshotSegmentsDeadLetters", &[kept]),
        queue("LedgerStreamDeadLetters", &[kept]),
        queue("TalentRaisedDeadLetters", &[kept]),
        queue("UndeliveredChanges", &[kept]),
        queue("OutboundEvents.fifo", &by_group),
        queue(
            "SequencerTicks.fifo",
            &[
                ("DelaySeconds", "1"),
                ("VisibilityTimeout", "900"),
                ("MessageRetentionPeriod", "86400"),
                ("RedrivePolicy", &ticks),
            ],
        ),
        queue(
            "ReleasedRuns.fifo",
            &[&by_group[..], &[("VisibilityTimeout", "900"), ("RedrivePolicy", &runs)]].concat(),
        ),
        segments("ExpirySegments", "ExpirySegmentsDeadLetters"),
        segments("SnapshotSegments", "SnapshotSegmentsDeadLetters"),
        queue(
            "TalentRaised",
            &[("DelaySeconds", "1"), ("VisibilityTimeout", "360"), kept, ("RedrivePolicy", &raised)],
        ),
    ]
}

fn functions() -> Vec<Registration> {
    let function = |name: &'static str, timeout_s: u64, triggers: Vec<Trigger>| Registration {
        name: name.to_owned(),
        build: builder(name),
        timeout_ms: timeout_s * 1_000,
        reserved_concurrency: None,
        async_retries: 0,
        // As in every measurement.
        clock_skews_ms: vec![-20, 0, 35],
        triggers,
    };
    let reports = || json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    let with_concurrency = |mut mapping: Value, concurrency: u32| {
        mapping["ScalingConfig"] = json!({ "MaximumConcurrency": concurrency });
        mapping
    };
    let topics = Source::topics().into_keys().map(|topic| Trigger::topic(&topic, 1_000, &of_topic()));
    let each_minute = || Trigger::Every(MINUTE_MS);
    let each_five_minutes = || Trigger::Every(5 * MINUTE_MS);
    let ticks = with_concurrency(json!({}), 2);
    let runs = with_concurrency(reports(), 32);
    let segments = with_concurrency(reports(), 32);
    let raised = with_concurrency(reports(), 4);
    vec![
        function("cdc-ingest", 120, topics.collect()),
        function(
            "adoption-sequencer",
            300,
            vec![Trigger::queue("SequencerTicks.fifo", 10, &ticks), each_minute()],
        ),
        function("adoption-distribution", 300, vec![Trigger::queue("ReleasedRuns.fifo", 10, &runs)]),
        function("ledger-stream", 120, vec![Trigger::stream(Table::Log, 100, &of_journal())]),
        function(
            "contribution-expiry",
            900,
            vec![Trigger::queue("ExpirySegments", 1, &segments), each_five_minutes()],
        ),
        function(
            "daily-snapshot",
            900,
            vec![Trigger::queue("SnapshotSegments", 1, &segments), each_five_minutes()],
        ),
        function("talent-propagation", 60, vec![Trigger::queue("TalentRaised", 10, &raised), each_minute()]),
    ]
}

fn of_topic() -> Value {
    json!({
        "MaximumBatchingWindowInSeconds": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ProvisionedPollerConfig": { "MinimumPollers": 1, "MaximumPollers": 4 },
        "MaximumRetryAttempts": 10_000,
        "DestinationConfig": {
            "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:000000000000:UndeliveredChanges" },
        },
    })
}

fn of_journal() -> Value {
    json!({
        "MaximumBatchingWindowInSeconds": 1,
        "ParallelizationFactor": 1,
        "BisectBatchOnFunctionError": true,
        "MaximumRecordAgeInSeconds": 82_800,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {
            "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:000000000000:LedgerStreamDeadLetters" },
        },
    })
}
