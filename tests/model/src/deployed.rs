//! The ledger's functions with their triggers and queues, written out as `infra/template.yaml` deploys
//! them. No file is read here; `tests/deployment.rs` compares this with the template.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime::{Function, Queue, Settings};
use serde_json::{Value, json};
use store::Table;
use webhook_delivery::Limits;

use crate::bench::{Deployment, Door, QueueOptions, Registration, Shared, Subscriber, Trigger};
use crate::clock::Millis;
use crate::table::{Throughput, ViewType};

/// What a run of the ledger decides about its deployment.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The settings of the functions.
    pub settings: Settings,
    /// The topics with their numbers of partitions.
    pub topics: BTreeMap<String, u32>,
    /// How many records of a topic an event has at most.
    pub records_per_event: u32,
    /// The throughput that every table is warm for.
    pub warm: Throughput,
    /// By how much the clocks of environments are wrong, in turn.
    pub clock_skews_ms: Vec<i64>,
    /// Who is sent events; without, `webhook-delivery` is not deployed.
    pub subscribed: Option<Subscribed>,
}

/// Who is sent events, and how.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The subscriber.
    pub subscriber: Arc<Subscriber>,
    /// How much at once, and how patiently.
    pub limits: Limits,
}

/// The functions that the model runs, as the template names them.
pub const FUNCTIONS: [&str; 9] = [
    "cdc-ingest",
    "adoption-distribution",
    "ledger-stream",
    "contribution-expiry",
    "daily-snapshot",
    "talent-propagation",
    "query-api",
    "ledger-audit",
    WEBHOOKS,
];

/// The name of the function that sends events to subscribers.
pub const WEBHOOKS: &str = "webhook-delivery";
const DECISIONS: &str = "DecisionsQueue.fifo";
const TALENT: &str = "TalentQueue";
const CLOSINGS: &str = "ClosingsQueue";
const MINUTE_MS: Millis = 60_000;

/// Returns the deployment of the functions from ingest to the API.
#[must_use]
pub fn ledger_deployment(options: &LedgerOptions) -> Deployment {
    Deployment {
        streams: BTreeMap::from([(Table::Log, ViewType::KeysOnly)]),
        warm: Table::ALL.into_iter().map(|table| (table, options.warm)).collect(),
        queues: queues(),
        topics: options.topics.clone(),
        functions: functions(options),
    }
}

fn queues() -> Vec<QueueOptions> {
    let queue = |name: &str, queue, attributes: &[(&str, &str)]| QueueOptions {
        name: name.to_owned(),
        queue,
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let redrive = |dead_letters: &str, receives: u32| {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{dead_letters}");
        json!({ "deadLetterTargetArn": arn, "maxReceiveCount": receives }).to_string()
    };
    let two_weeks = ("MessageRetentionPeriod", "1209600");
    vec![
        queue("DecisionsDeadLetters.fifo", None, &[two_weeks]),
        queue("TalentDeadLetters", None, &[two_weeks]),
        queue("ClosingsDeadLetters", None, &[two_weeks]),
        queue("UndeliveredChanges", None, &[two_weeks]),
        queue(
            DECISIONS,
            Some(Queue::Decisions),
            &[
                ("DeduplicationScope", "messageGroup"),
                ("FifoThroughputLimit", "perMessageGroupId"),
                ("ContentBasedDeduplication", "true"),
                ("VisibilityTimeout", "3"),
                ("MessageRetentionPeriod", "3600"),
                ("RedrivePolicy", &redrive("DecisionsDeadLetters.fifo", 20)),
            ],
        ),
        queue(
            TALENT,
            Some(Queue::Talent),
            &[
                ("DelaySeconds", "1"),
                ("VisibilityTimeout", "360"),
                two_weeks,
                ("RedrivePolicy", &redrive("TalentDeadLetters", 3)),
            ],
        ),
        queue(
            CLOSINGS,
            Some(Queue::Closings),
            &[
                ("VisibilityTimeout", "300"),
                ("MessageRetentionPeriod", "86400"),
                ("RedrivePolicy", &redrive("ClosingsDeadLetters", 5)),
            ],
        ),
    ]
}

fn functions(options: &LedgerOptions) -> Vec<Registration> {
    let settings = &options.settings;
    let function = |name: &str, build, timeout_s: u64, triggers| Registration {
        timeout_ms: timeout_s * 1_000,
        async_retries: 0,
        clock_skews_ms: options.clock_skews_ms.clone(),
        ..Registration::new(name, build, settings, triggers)
    };
    let reports = || json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    let with_concurrency = |concurrency: u32| {
        let mut mapping = reports();
        mapping["ScalingConfig"] = json!({ "MaximumConcurrency": concurrency });
        mapping
    };
    let of_log = json!({
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "MaximumRecordAgeInSeconds": 60,
        "MaximumRetryAttempts": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    let each_minute = Trigger::Every(MINUTE_MS);
    let decider_each_minute = Trigger::MessageEvery {
        every_ms: MINUTE_MS,
        queue: DECISIONS.to_owned(),
        group: "decider".to_owned(),
    };
    let topics = options.topics.iter();
    let topics = topics
        .map(|(topic, partitions)| Trigger::topic(topic, options.records_per_event, &of_topic(*partitions)));
    let webhooks = options.subscribed.as_ref().map(|subscribed| Registration {
        build: build_webhooks(settings, subscribed),
        ..function(WEBHOOKS, webhook_delivery::build, 55, vec![webhooks_of_log(), each_minute.clone()])
    });
    let functions = vec![
        function("cdc-ingest", cdc_ingest::build, 60, topics.collect()),
        function(
            "adoption-distribution",
            adoption_distribution::build,
            3,
            vec![Trigger::queue(DECISIONS, 10, &reports()), decider_each_minute],
        ),
        function(
            "ledger-stream",
            ledger_stream::build,
            10,
            vec![Trigger::stream(Table::Log, 100, &of_log), each_minute.clone()],
        ),
        function("contribution-expiry", contribution_expiry::build, 55, vec![each_minute.clone()]),
        function(
            "daily-snapshot",
            daily_snapshot::build,
            300,
            vec![Trigger::queue(CLOSINGS, 10, &with_concurrency(2)), each_minute.clone()],
        ),
        function(
            "talent-propagation",
            talent_propagation::build,
            60,
            vec![Trigger::queue(TALENT, 10, &with_concurrency(4)), each_minute],
        ),
        function("query-api", query_api::build, 29, Vec::new()),
        // Its schedule is once a day, at half past three; who drives the bench calls it.
        function("ledger-audit", ledger_audit::build, 900, Vec::new()),
    ];
    functions.into_iter().chain(webhooks).collect()
}

/// Returns what builds `webhook-delivery` for an environment: it sends to a subscriber of the world.
fn build_webhooks(
    settings: &Settings,
    subscribed: &Subscribed,
) -> Arc<dyn Fn(&Shared) -> Arc<dyn Function> + Send + Sync> {
    let (settings, Subscribed { subscriber, limits }) = (settings.clone(), subscribed.clone());
    Arc::new(move |shared: &Shared| {
        let door = Door::new(shared, WEBHOOKS, subscriber.clone());
        webhook_delivery::build_limited(&settings, Arc::new(door), limits)
            .expect("the settings of a deployment are valid")
    })
}

fn webhooks_of_log() -> Trigger {
    let mapping = json!({
        "StartingPosition": "LATEST",
        "MaximumBatchingWindowInSeconds": 1,
        "ParallelizationFactor": 1,
        "MaximumRecordAgeInSeconds": 60,
        "MaximumRetryAttempts": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    Trigger::stream(Table::Log, 100, &mapping)
}

fn of_topic(partitions: u32) -> Value {
    json!({
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": true,
        "ProvisionedPollerConfig": { "MinimumPollers": partitions },
        "MaximumRetryAttempts": 10_000,
        "DestinationConfig": {
            "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:000000000000:UndeliveredChanges" },
        },
    })
}
