//! Services, functions and a clock, for one simulation.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use adoption_distribution::Distributor;
use adoption_sequencer::Sequencer;
use anyhow::{Context, Result, anyhow, ensure};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use cdc_ingest::{Ingest, KafkaBatchResponse};
use chrono::{DateTime, TimeDelta, Utc};
use contribution::calls::Calls;
use contribution::endpoints::Clients;
use contribution::functions::environment;
use contribution::resources::{self, Created};
use contribution::template::{Resources as _, Template};
use contribution::triggers::{KafkaRecord, kafka_event, sqs_event};
use ledger::rules::Policy;
use ledger::store::{Key, Store, Table};
use ledger_audit::{Auditor, Report};
use local_queues::{ManualClock, QueueService};
use serde_json::Value;

use super::connection::{Connection, Queues, Tables};
use super::sums::Sums;
use crate::capture::CaptureRecord;

/// When every simulation begins. Milliseconds since 1970.
const STARTS_AT_MS: u64 = 1_795_000_000_000;
/// How long an invocation may take, by the simulation's clock.
const INVOCATION_TIME: TimeDelta = TimeDelta::minutes(5);

/// What a simulation runs on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Read once, because that takes longer than a step.
    template: Arc<Template>,
    /// Whether the ledger is audited at the end.
    pub audits: bool,
    /// Where the functions' calls are noted, if anybody wants to know.
    pub calls: Option<Calls>,
}

impl Settings {
    /// The template with this policy, as JSON.
    pub fn with_policy(policy: &str) -> Result<Self> {
        let template = Template::load(&[("ContributionPolicy", policy.to_owned())])?;
        Ok(Self { template: Arc::new(template), audits: false, calls: None })
    }
}

/// Services, functions and a clock.
pub(super) struct World {
    clock: ManualClock,
    tables: Tables,
    store: Store,
    policy: Policy,
    sqs: aws_sdk_sqs::Client,
    created: Created,
    ingest: Ingest,
    sequencer: Sequencer,
    distributor: Distributor,
    auditor: Auditor,
}

impl World {
    /// An empty world.
    pub(super) async fn new(settings: &Settings) -> Result<Self> {
        let clock = ManualClock::starting_at(STARTS_AT_MS);
        let tables = Tables::new().map_err(|error| anyhow!("no embedded store: {error}"))?;
        // No address is ever connected to; the queues' URLs have one.
        let queues = QueueService::new(([127, 0, 0, 1], 1).into()).with_clock(clock.clone());
        let clients = clients(tables.clone(), Queues::new(queues));

        let template = &settings.template;
        let created = resources::create(template, &clients).await?;
        let of = |function| {
            let noting = settings.calls.as_ref().map(|calls| calls.noting(&clients, function));
            environment(template, noting.as_ref().unwrap_or(&clients), &created, function)
        };
        let looking = environment(template, &clients, &created, "LedgerAudit")?;
        tables.take_written();
        Ok(Self {
            clock,
            tables,
            store: looking.store.clone(),
            policy: looking.policy.clone(),
            sqs: clients.sqs.clone(),
            ingest: Ingest::new(of("CdcIngest")?)?,
            sequencer: Sequencer::new(of("AdoptionSequencer")?)?,
            distributor: Distributor::new(of("AdoptionDistribution")?)?,
            auditor: Auditor::new(looking)?,
            created,
        })
    }

    /// The time.
    fn now(&self) -> DateTime<Utc> {
        let now_ms = local_queues::Clock::from(self.clock.clone()).now_ms();
        DateTime::from_timestamp_millis(i64::try_from(now_ms).expect("a time of this era"))
            .expect("a time of this era")
    }

    /// Lets time pass.
    pub(super) fn advance(&self, time: TimeDelta) {
        self.clock.advance(Duration::from_millis(u64::try_from(time.num_milliseconds()).unwrap_or(0)));
    }

    /// Delivers records. What has to be delivered again.
    pub(super) async fn ingest(&self, records: &[&CaptureRecord]) -> Result<KafkaBatchResponse> {
        let batch: Vec<KafkaRecord<'_>> = records.iter().map(|record| as_kafka(record)).collect();
        let event = serde_json::from_value(kafka_event("simulated", &batch)).context("an event of Kafka")?;
        Ok(self.ingest.handle(event, self.now()).await)
    }

    /// Runs a sequencer. One that fails will be called again.
    pub(super) async fn sequence(&self) {
        let _ = self.sequencer.handle(|| self.now(), self.now() + INVOCATION_TIME).await;
    }

    /// What the queue has for a distributor.
    pub(super) async fn receive(&self) -> Result<Vec<Message>> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(self.created.queue_url("ReleasedRuns")?)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Runs a distributor with these messages. Those it is done with.
    pub(super) async fn distribute(&self, messages: &[Message]) -> Result<Vec<Message>> {
        let event = sqs_event(self.created.queue_arn("ReleasedRuns")?, messages);
        let event = serde_json::from_value(event).context("an event of SQS")?;
        let response = self.distributor.handle(event, || self.now(), self.now() + INVOCATION_TIME).await;
        let is_done = |message: &&Message| {
            let mut failures = response.batch_item_failures.iter();
            !failures.any(|failure| Some(&failure.item_identifier) == message.message_id.as_ref())
        };
        Ok(messages.iter().filter(is_done).cloned().collect())
    }

    /// Takes messages off the queue.
    pub(super) async fn delete(&self, messages: Vec<Message>) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let entry = |(index, message): (usize, Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            entry.set_receipt_handle(message.receipt_handle).build()
        };
        let entries = messages.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        let url = self.created.queue_url("ReleasedRuns")?;
        self.sqs.delete_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
        Ok(())
    }

    /// Whether nothing is left to do.
    pub(super) async fn is_done(&self) -> Result<bool> {
        Ok(self.store.staged(1).await?.is_empty() && self.store.outstanding_trees().await?.is_empty())
    }

    /// What is left to do, for a message.
    pub(super) async fn describe_backlog(&self) -> Result<String> {
        let staged = self.store.staged(20).await?;
        let trees = self.store.outstanding_trees().await?;
        Ok(format!("staged {staged:?}, trees {trees:?}"))
    }

    /// The ledger's state.
    pub(super) async fn export(&self) -> Result<Value> {
        Ok(serde_json::to_value(contribution::export::export(&self.store, &self.policy).await?)?)
    }

    /// What the audit finds.
    pub(super) async fn audit(&self) -> Result<Report> {
        let request = ledger_audit::Request::default();
        Ok(self.auditor.handle(request, || self.now(), self.now() + INVOCATION_TIME).await?)
    }

    /// Checks the ledger's sums wherever something was written since the last time.
    pub(super) async fn check_written(&self, sums: &mut Sums) -> Result<()> {
        let of_table = |table: Table| {
            let name = self.created.reference(table.logical_name());
            name.map(|name| (name, table)).context("every table was created")
        };
        let tables = [of_table(Table::Journal)?, of_table(Table::Accounts)?];
        let mut keys = BTreeSet::new();
        for (name, partition, sort) in self.tables.take_written() {
            let table = tables.iter().find(|(known, _)| *known == name);
            keys.extend(table.map(|(_, table)| Key::new(*table, partition, sort)));
        }
        let items = self.store.batch_get(keys.iter().cloned()).await?;
        sums.follow(&keys, items)
    }

    /// Checks all of the ledger's sums, and that nothing was written unnoticed.
    pub(super) async fn check_all(&self, followed: &Sums) -> Result<()> {
        let mut items = Vec::new();
        for table in [Table::Journal, Table::Accounts] {
            let mut start = None;
            loop {
                let (page, next) = self.store.scan(table, (0, 1), start).await?;
                items.extend(page);
                start = next;
                if start.is_none() {
                    break;
                }
            }
        }
        let mut all = Sums::default();
        all.follow(&BTreeSet::new(), items)?;
        ensure!(all == *followed, "something was written that no call wrote");
        Ok(())
    }
}

fn as_kafka(record: &CaptureRecord) -> KafkaRecord<'_> {
    KafkaRecord {
        topic: &record.topic,
        partition: record.partition.into(),
        offset: record.offset,
        timestamp_ms: record.timestamp,
        key: record.key.as_deref().map(str::as_bytes),
        value: record.value.as_deref().map(str::as_bytes),
    }
}

/// Clients of services in this process. They sign nothing, because nobody checks, and try nothing
/// twice, so that a crash is not got around.
fn clients(tables: Tables, queues: Queues) -> Clients {
    let region = Region::from_static("us-east-1");
    let endpoint = "http://in.this.process";
    let dynamodb = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.clone())
        .allow_no_auth()
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(Connection(tables))
        .build();
    let sqs = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .allow_no_auth()
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(Connection(queues))
        .build();
    // No stream is read here: what is proved are postings.
    let streams = aws_sdk_dynamodbstreams::Config::builder().behavior_version(BehaviorVersion::latest());
    Clients {
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
        streams: aws_sdk_dynamodbstreams::Client::from_conf(streams.build()),
        sqs: aws_sdk_sqs::Client::from_conf(sqs),
    }
}
