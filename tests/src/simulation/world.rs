//! Services, functions and a clock, for one simulation.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use adoption_distribution::Distributor;
use adoption_sequencer::Sequencer;
use anyhow::{Context, Result, anyhow, bail, ensure};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cdc_ingest::Ingest;
use chrono::{DateTime, TimeDelta, Utc};
use contribution::calls::Calls;
use contribution::endpoints::Clients;
use contribution::functions::environment;
use contribution::resources::{self, Created};
use contribution::template::Template;
use dynoxide::Database;
use ledger::rules::{Amount, OrderId, Owner, Policy, Slot};
use ledger::store::{AccountsItem, EntryCause, JournalEntry, JournalItem, Store, Table};
use local_queues::{ManualClock, QueueService};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::faults::{Faults, Interceptor};
use crate::capture::CaptureRecord;

/// When every simulation begins. Milliseconds since 1970.
const STARTS_AT_MS: u64 = 1_795_000_000_000;

/// What a simulation's template parameters are.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The policy as JSON; the rules' defaults if empty.
    pub policy: String,
    /// Where the functions' calls are noted, if anybody wants to know.
    pub calls: Option<Calls>,
}

/// Services, functions and a clock.
pub struct World {
    clock: ManualClock,
    faults: Arc<Faults>,
    /// Without faults, for looking at what became of it all.
    store: Store,
    policy: Policy,
    sqs: aws_sdk_sqs::Client,
    created: Created,
    servers: [tokio::task::JoinHandle<()>; 2],
    ingest: Ingest,
    sequencer: Sequencer,
    distributor: Distributor,
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

impl World {
    /// An empty world.
    pub async fn new(settings: &Settings) -> Result<Self> {
        let clock = ManualClock::starting_at(STARTS_AT_MS);
        let database = Database::memory().map_err(|error| anyhow!("no embedded store: {error}"))?;
        let tables = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let tables_url = format!("http://{}", tables.local_addr()?);
        let tables = tokio::spawn(dynoxide::server::serve_on(tables, database));
        let queues = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = queues.local_addr()?;
        let service = QueueService::new(address).with_clock(clock.clone());
        let queues = tokio::spawn(local_queues::serve(queues, service));

        let sqs = aws_sdk_sqs::Client::from_conf(
            aws_sdk_sqs::Config::builder()
                .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
                .region(aws_sdk_sqs::config::Region::from_static("us-east-1"))
                .credentials_provider(aws_sdk_sqs::config::Credentials::new("t", "t", None, None, "t"))
                .endpoint_url(format!("http://{address}"))
                .build(),
        );
        let dynamodb = || {
            aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("us-east-1"))
                .credentials_provider(Credentials::new("t", "t", None, None, "t"))
                .endpoint_url(&tables_url)
                .retry_config(RetryConfig::disabled())
        };
        // No stream is read here: what is proved are postings.
        let streams = aws_sdk_dynamodbstreams::Client::from_conf(
            aws_sdk_dynamodbstreams::Config::builder().behavior_version(BehaviorVersion::latest()).build(),
        );
        let plain = Clients {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb().build()),
            streams: streams.clone(),
            sqs: sqs.clone(),
        };
        let faults = Arc::new(Faults::default());
        let crashing = dynamodb().interceptor(Interceptor(Arc::clone(&faults))).build();
        let crashing =
            Clients { dynamodb: aws_sdk_dynamodb::Client::from_conf(crashing), streams, sqs: sqs.clone() };

        let mut parameters = Vec::new();
        if !settings.policy.is_empty() {
            parameters.push(("ContributionPolicy", settings.policy.clone()));
        }
        let template = Template::load(&parameters)?;
        let created = resources::create(&template, &plain).await?;
        let of = |function| {
            let noting = settings.calls.as_ref().map(|calls| calls.noting(&crashing, function));
            environment(&template, noting.as_ref().unwrap_or(&crashing), &created, function)
        };
        let plain = environment(&template, &plain, &created, "CdcIngest")?;
        Ok(Self {
            clock,
            faults,
            store: plain.store,
            policy: plain.policy,
            sqs,
            ingest: Ingest::new(of("CdcIngest")?)?,
            sequencer: Sequencer::new(of("AdoptionSequencer")?)?,
            distributor: Distributor::new(of("AdoptionDistribution")?)?,
            created,
            servers: [tables, queues],
        })
    }

    /// The store, without faults.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let now_ms = local_queues::Clock::from(self.clock.clone()).now_ms();
        DateTime::from_timestamp_millis(i64::try_from(now_ms).expect("a time of this era"))
            .expect("a time of this era")
    }

    /// Lets time pass.
    pub fn advance(&self, time: TimeDelta) {
        self.clock.advance(Duration::from_millis(u64::try_from(time.num_milliseconds()).unwrap_or(0)));
    }

    /// The next invocations crash at this storage call.
    pub fn crash_after(&self, calls: i64, takes_effect: bool) {
        self.faults.crash_after(calls, takes_effect);
    }

    /// Crashes are over.
    pub fn recover(&self) {
        self.faults.recover();
    }

    /// Delivers a batch of records. Whether any of it has to be delivered again.
    pub async fn deliver(&self, batch: &[CaptureRecord]) -> Result<bool> {
        let event = serde_json::from_value(kafka_event(batch)).context("an event of Kafka")?;
        let response = self.ingest.handle(event, self.now()).await;
        Ok(response.failures().next().is_some())
    }

    /// Runs so many sequencers at once. One that fails will be called again.
    pub async fn sequence(&self, sequencers: usize) {
        let deadline = self.now() + TimeDelta::minutes(5);
        let runs = (0..sequencers).map(|_| self.sequencer.handle(|| self.now(), deadline));
        futures::future::join_all(runs).await;
    }

    /// Runs so many distributors at once, each with what the queue has for it.
    pub async fn distribute(&self, distributors: usize) -> Result<()> {
        futures::future::try_join_all((0..distributors).map(|_| self.distribute_once())).await.map(|_| ())
    }

    async fn distribute_once(&self) -> Result<()> {
        let url = self.created.queue_url("ReleasedRuns")?;
        let received = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(());
        }
        let event = serde_json::from_value(sqs_event(&messages)).context("an event of SQS")?;
        let deadline = self.now() + TimeDelta::minutes(5);
        let response = self.distributor.handle(event, || self.now(), deadline).await;
        let mut done = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let failed = response
                .batch_item_failures
                .iter()
                .any(|failure| Some(&failure.item_identifier) == message.message_id.as_ref());
            if !failed {
                let handle = message.receipt_handle.clone().context("a received message has a handle")?;
                done.push(
                    DeleteMessageBatchRequestEntry::builder()
                        .id(index.to_string())
                        .receipt_handle(handle)
                        .build()?,
                );
            }
        }
        if !done.is_empty() {
            self.sqs.delete_message_batch().queue_url(url).set_entries(Some(done)).send().await?;
        }
        Ok(())
    }

    /// Whether nothing is left to do.
    pub async fn is_done(&self) -> Result<bool> {
        Ok(self.store.staged(1).await?.is_empty() && self.store.outstanding_trees().await?.is_empty())
    }

    /// What is left to do, for a message.
    pub async fn describe_backlog(&self) -> Result<String> {
        let staged = self.store.staged(20).await?;
        let trees = self.store.outstanding_trees().await?;
        Ok(format!("staged {staged:?}, trees {trees:?}"))
    }

    /// The ledger's state.
    pub async fn export(&self) -> Result<Value> {
        Ok(serde_json::to_value(contribution::export::export(&self.store, &self.policy).await?)?)
    }

    /// Checks that every entry's legs make up the adoption's total, and that accounts are the sums of
    /// their legs (rules, section 10).
    pub async fn check_sums(&self) -> Result<()> {
        let mut of_owner: BTreeMap<Owner, Amount> = BTreeMap::new();
        let mut of_slot_kind: BTreeMap<(Owner, &'static str), Amount> = BTreeMap::new();
        let mut of_order: BTreeMap<OrderId, Vec<JournalEntry>> = BTreeMap::new();
        for item in self.scan(Table::Journal).await? {
            let JournalItem::Entry(entry) = JournalItem::of_item(item)? else { continue };
            for leg in &entry.legs {
                let owner = leg.recipient.owner();
                let kind = match leg.slot {
                    Slot::TeamLevel(_) => "team_level",
                    Slot::TeamBonus(_) => "team_bonus",
                    _ => "personal",
                };
                let sum = of_owner.entry(owner.clone()).or_default();
                *sum = sum.checked_add(leg.amount)?;
                let sum = of_slot_kind.entry((owner, kind)).or_default();
                *sum = sum.checked_add(leg.amount)?;
            }
            of_order.entry(entry.order).or_default().push(entry);
        }
        for (order, entries) in &of_order {
            let first = &entries[0];
            let total = first.contribution_per_tree.amount().times(first.tree_count.get())?;
            let mut net = Amount::ZERO;
            for (number, entry) in entries.iter().enumerate() {
                ensure!(entry.number as usize == number, "adoption {order} misses entry {number}");
                let expected = match entry.cause {
                    EntryCause::Distribution | EntryCause::Redistribution => total,
                    EntryCause::Reversal => -total,
                    EntryCause::Reassessment { .. } => Amount::ZERO,
                };
                ensure!(
                    entry.sum()? == expected,
                    "entry {number} of adoption {order} sums to {}",
                    entry.sum()?
                );
                net = net.checked_add(expected)?;
            }
            ensure!(net == total || net.is_zero(), "adoption {order} is posted {net} of {total}");
        }
        let mut shares: BTreeMap<Owner, Amount> = BTreeMap::new();
        for item in self.scan(Table::Accounts).await? {
            match AccountsItem::from_item(item)? {
                AccountsItem::Account { account, state } => {
                    let owner = Owner::User(account);
                    let stored = [
                        ("personal", state.personal),
                        ("team_level", state.team_level),
                        ("team_bonus", state.team_bonus),
                    ];
                    for (kind, amount) in stored {
                        let legs = of_slot_kind.get(&(owner.clone(), kind)).copied().unwrap_or_default();
                        ensure!(legs == amount, "{kind} of {owner} is {amount}, its legs are {legs}");
                    }
                    of_owner.remove(&owner);
                }
                AccountsItem::Share { account, share } => {
                    let sum = shares.entry(Owner::System(account)).or_default();
                    *sum = sum.checked_add(share.total)?;
                }
                AccountsItem::Cursor { .. } | AccountsItem::Task(_) | AccountsItem::Other => {}
            }
        }
        for (owner, total) in shares {
            let legs = of_owner.remove(&owner).unwrap_or_default();
            ensure!(legs == total, "{owner} is {total}, its legs are {legs}");
        }
        of_owner.retain(|_, amount| !amount.is_zero());
        if let Some((owner, amount)) = of_owner.first_key_value() {
            bail!("{owner} has legs of {amount} and no account");
        }
        Ok(())
    }

    async fn scan(&self, table: Table) -> Result<Vec<ledger::store::Item>> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let (items, next) = self.store.scan(table, (0, 1), start).await?;
            found.extend(items);
            start = next;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}

fn kafka_event(batch: &[CaptureRecord]) -> Value {
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in batch {
        let encode = |text: &Option<String>| text.as_ref().map(|text| STANDARD.encode(text));
        records.entry(format!("{}-{}", record.topic, record.partition)).or_default().push(json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "timestampType": "CREATE_TIME",
            "key": encode(&record.key),
            "value": encode(&record.value),
            "headers": [],
        }));
    }
    json!({
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/simulated",
        "records": records,
    })
}

fn sqs_event(messages: &[Message]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": {},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:simulated.fifo",
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records })
}
