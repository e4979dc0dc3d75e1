//! Event source mappings of Kafka, against any broker.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use ledger::store::Store;
use rskafka::client::error::{Error as KafkaError, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::RecordAndOffset;
use tokio::task::JoinSet;

use crate::functions::{Function, RETRY_PAUSE};
use crate::triggers::{KafkaRecord, deliver};

/// Bytes asked for at once at most; a Lambda event has room for 6 MB.
const FETCH_BYTES_MAX: i32 = 1024 * 1024;
/// How long the broker waits for records before it answers that there are none.
const FETCH_WAIT_MS: i32 = 500;
/// How often topics and partitions are looked for that were not there before.
const DISCOVERY_PAUSE: Duration = Duration::from_secs(1);

/// The change topics of a broker, and the function that takes their records.
///
/// As on AWS, the records of a partition are delivered in order, and a partition whose record failed
/// comes again from that record on. How far a partition was read is what the function stored.
pub struct Kafka {
    client: Client,
    source: String,
    topics: BTreeSet<String>,
    batch_size: usize,
    store: Store,
    function: Function,
}

impl Kafka {
    /// Connects to a broker, `host:port`; several are separated by commas.
    ///
    /// Positions belong to a cluster, and clusters are told apart by this address: a broker that
    /// starts empty again at the same one needs tables that are empty too.
    pub async fn connect(
        bootstrap: &str,
        topics: BTreeSet<String>,
        batch_size: usize,
        store: Store,
        function: Function,
    ) -> Result<Self> {
        let brokers = bootstrap.split(',').map(|broker| broker.trim().to_owned()).collect();
        let connecting = ClientBuilder::new(brokers).client_id("contribution").build();
        // The client would try for ever, and somebody waits.
        let client = tokio::time::timeout(Duration::from_secs(10), connecting)
            .await
            .with_context(|| format!("no Kafka broker answers at {bootstrap}"))?
            .with_context(|| format!("cannot talk to the Kafka broker at {bootstrap}"))?;
        Ok(Self { client, source: bootstrap.to_owned(), topics, batch_size, store, function })
    }

    /// Delivers what the topics hold now, from where each partition was read before, and returns.
    /// `progress` is told how many records were dealt with.
    pub async fn read_to_the_end(&self, progress: impl Fn(usize) + Sync) -> Result<()> {
        let partitions = self.partitions(&BTreeSet::new()).await?;
        let progress = &progress;
        try_join_all(partitions.into_iter().map(|mut partition| async move {
            let end = partition.client.get_offset(OffsetAt::Latest).await?;
            while partition.next < end {
                progress(partition.poll_once().await?);
            }
            anyhow::Ok(())
        }))
        .await?;
        Ok(())
    }

    /// Delivers whatever comes, until the task is dropped.
    pub async fn follow(self) {
        let mut known = BTreeSet::new();
        let mut pollers = JoinSet::new();
        loop {
            match self.partitions(&known).await {
                Ok(partitions) => {
                    for partition in partitions {
                        known.insert(partition.id());
                        pollers.spawn(partition.follow());
                    }
                }
                Err(error) => tracing::warn!("topics cannot be listed, and will be again: {error:#}"),
            }
            tokio::time::sleep(DISCOVERY_PAUSE).await;
        }
    }

    /// The partitions that are there, but for those known already.
    async fn partitions(&self, known: &BTreeSet<(String, i32)>) -> Result<Vec<Partition>> {
        let topics = self.client.list_topics().await.context("the topics cannot be listed")?;
        let topics = topics.into_iter().filter(|topic| self.topics.contains(&topic.name));
        let ids = topics.flat_map(|topic| {
            topic.partitions.into_iter().map(move |partition| (topic.name.clone(), partition))
        });
        let new: Vec<(String, i32)> = ids.filter(|id| !known.contains(id)).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let read: BTreeMap<(String, i32), i64> = self
            .store
            .progress()
            .await?
            .into_iter()
            .filter(|progress| progress.source == self.source)
            .map(|progress| ((progress.topic, progress.partition), progress.offset))
            .collect();
        try_join_all(new.into_iter().map(async |(topic, number)| {
            let client = self.client.partition_client(&topic, number, UnknownTopicHandling::Retry).await?;
            let next = match read.get(&(topic.clone(), number)) {
                Some(last) => last + 1,
                None => client.get_offset(OffsetAt::Earliest).await?,
            };
            Ok(Partition {
                client,
                next,
                source: self.source.clone(),
                batch_size: self.batch_size,
                function: self.function.clone(),
            })
        }))
        .await
    }
}

/// A partition of a topic.
struct Partition {
    client: PartitionClient,
    /// The offset to go on with.
    next: i64,
    source: String,
    batch_size: usize,
    function: Function,
}

impl Partition {
    fn id(&self) -> (String, i32) {
        (self.client.topic().to_owned(), self.client.partition())
    }

    async fn follow(mut self) {
        loop {
            if let Err(error) = self.poll_once().await {
                let (topic, partition) = self.id();
                tracing::warn!(topic, partition, "a partition cannot be read, and will be again: {error:#}");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// Fetches once and delivers what came. Answers how many records were dealt with.
    async fn poll_once(&mut self) -> Result<usize> {
        let fetched = self.client.fetch_records(self.next, 1..FETCH_BYTES_MAX, FETCH_WAIT_MS).await;
        let (records, end) = match fetched {
            Err(KafkaError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }) => {
                // Retention removed what was not read yet. That loses changes, so it is said loudly.
                let earliest = self.client.get_offset(OffsetAt::Earliest).await?;
                let (topic, partition) = self.id();
                tracing::error!(topic, partition, self.next, earliest, "records are gone unread");
                self.next = earliest;
                return Ok(0);
            }
            fetched => fetched?,
        };
        if records.is_empty() {
            // What is left before the end holds no records for readers.
            self.next = end.max(self.next);
            return Ok(0);
        }
        let mut done = 0;
        for batch in records.chunks(self.batch_size) {
            done += self.deliver(batch).await;
            let last = batch.last().expect("chunks are not empty");
            if self.next <= last.offset {
                // The rest of the partition must not overtake what failed.
                tokio::time::sleep(RETRY_PAUSE).await;
                break;
            }
        }
        Ok(done)
    }

    /// Delivers a batch and moves on to the first record that was not dealt with.
    async fn deliver(&mut self, batch: &[RecordAndOffset]) -> usize {
        let (topic, partition) = self.id();
        let records: Vec<KafkaRecord<'_>> = batch
            .iter()
            .map(|RecordAndOffset { record, offset }| KafkaRecord {
                topic: &topic,
                partition: i64::from(partition),
                offset: *offset,
                timestamp_ms: record.timestamp.timestamp_millis(),
                key: record.key.as_deref(),
                value: record.value.as_deref(),
            })
            .collect();
        let failed = deliver(&self.source, &records, &self.function).await;
        let first_failed = failed.values().min().copied().unwrap_or(i64::MAX);
        let done = records.iter().take_while(|record| record.offset < first_failed).count();
        if let Some(last) = done.checked_sub(1) {
            self.next = records[last].offset + 1;
        }
        done
    }
}
