//! The event source mapping of a table's stream.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{
    OperationType, Record, ShardIteratorType, StreamRecord, StreamViewType,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::functions::{Function, RETRY_PAUSE};

/// Records that one call answers at most (a limit of the service).
const RECORDS_MAX: i32 = 1000;
/// The pause after a look that found nothing.
const IDLE_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Reads a stream, shard by shard, parents before their children.
#[derive(Debug, Clone)]
pub struct StreamReader {
    client: Client,
    stream_arn: String,
    positions: Positions,
}

impl StreamReader {
    /// A reader that goes on where `positions` are.
    #[must_use]
    pub fn new(client: Client, stream_arn: String, positions: Positions) -> Self {
        Self { client, stream_arn, positions }
    }

    /// Delivers the stream's records to a function until the task is dropped.
    ///
    /// Records from the first one that the function reports as failed come again, after a pause. If the
    /// invocation fails, they all come again, half as many at a time, until the one to blame is alone.
    pub async fn poll(self, batch_size: usize, function: Function) {
        let mut batch = batch_size;
        loop {
            match self.deliver(batch, &function).await {
                Ok(Delivered::Everything) => batch = batch_size,
                Ok(Delivered::Nothing) => sleep(IDLE_PAUSE).await,
                Ok(Delivered::UpToFailure) => sleep(RETRY_PAUSE).await,
                Ok(Delivered::Failed { records }) => {
                    batch = (records / 2).max(1);
                    sleep(RETRY_PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(
                        self.stream_arn,
                        "a stream could not be read, and will be again: {error:#}"
                    );
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// How many records are not dealt with; of each shard, at most so many are counted.
    pub async fn behind(&self, counted_max: usize) -> Result<usize> {
        let limit = i32::try_from(counted_max).unwrap_or(RECORDS_MAX);
        let mut records = 0;
        for shard in self.shards().await? {
            records += self.next(&shard, limit).await?.len();
        }
        Ok(records)
    }

    /// Delivers one batch of the first shard that has any.
    async fn deliver(&self, batch_size: usize, function: &Function) -> Result<Delivered> {
        for shard in self.shards().await? {
            let records = self.next(&shard, i32::try_from(batch_size).unwrap_or(RECORDS_MAX)).await?;
            if !records.is_empty() {
                return self.invoke(&shard, &records, function).await;
            }
        }
        Ok(Delivered::Nothing)
    }

    async fn invoke(&self, shard: &str, records: &[Record], function: &Function) -> Result<Delivered> {
        let response = match function.invoke(self.event(records)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(function = function.logical_name, "an invocation failed: {error:#}");
                return Ok(Delivered::Failed { records: records.len() });
            }
        };
        let failed = first_failure(&response, records);
        if let Some(last) = records[..failed.unwrap_or(records.len())].last() {
            self.positions.set(shard, sequence_number(last)?)?;
        }
        Ok(if failed.is_some() { Delivered::UpToFailure } else { Delivered::Everything })
    }

    /// The shards' ids, oldest first, as the service lists them.
    async fn shards(&self) -> Result<Vec<String>> {
        let mut shards = Vec::new();
        let mut after = None;
        loop {
            let request = self.client.describe_stream().stream_arn(&self.stream_arn);
            let output = request.set_exclusive_start_shard_id(after).send().await?;
            let description = output.stream_description.context("a stream has a description")?;
            shards.extend(description.shards.into_iter().flatten().filter_map(|shard| shard.shard_id));
            after = description.last_evaluated_shard_id;
            if after.is_none() {
                return Ok(shards);
            }
        }
    }

    /// The next records of a shard, at most `limit`.
    async fn next(&self, shard: &str, limit: i32) -> Result<Vec<Record>> {
        let request = self.client.get_shard_iterator().stream_arn(&self.stream_arn).shard_id(shard);
        let request = match self.positions.get(shard) {
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Some(reached) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(reached)
            }
        };
        let iterator = request.send().await?.shard_iterator.context("a shard has an iterator")?;
        let output = self.client.get_records().shard_iterator(iterator).limit(limit).send().await?;
        Ok(output.records.unwrap_or_default())
    }

    /// Records as they stand in the event of a stream trigger.
    fn event(&self, records: &[Record]) -> Value {
        let record = |record: &Record| {
            json!({
                "eventID": record.event_id,
                "eventName": record.event_name.as_ref().map(OperationType::as_str),
                "eventVersion": record.event_version,
                "eventSource": "aws:dynamodb",
                "awsRegion": "us-east-1",
                "eventSourceARN": self.stream_arn,
                "dynamodb": record.dynamodb.as_ref().map(change),
            })
        };
        json!({ "Records": records.iter().map(record).collect::<Vec<_>>() })
    }
}

/// What became of a batch.
enum Delivered {
    /// There was none.
    Nothing,
    /// All of it was dealt with.
    Everything,
    /// What is before the first failure was dealt with.
    UpToFailure,
    /// The invocation failed.
    Failed {
        /// The records in it.
        records: usize,
    },
}

fn change(record: &StreamRecord) -> Value {
    let image = |image: &Option<_>| {
        image
            .clone()
            .map(|attributes: std::collections::HashMap<String, _>| serde_dynamo::Item::from(attributes))
    };
    let mut change = json!({
        "ApproximateCreationDateTime":
            record.approximate_creation_date_time.map(|time| time.secs()),
        "Keys": image(&record.keys),
        "SequenceNumber": record.sequence_number,
        "SizeBytes": record.size_bytes,
        "StreamViewType": record.stream_view_type.as_ref().map(StreamViewType::as_str),
    });
    if let Some(new_image) = image(&record.new_image) {
        change["NewImage"] = json!(new_image);
    }
    change
}

/// Where the first record is that the response reports as failed. A number that is none of theirs fails
/// the whole batch, as on AWS.
fn first_failure(response: &Value, records: &[Record]) -> Option<usize> {
    let failures = response["batchItemFailures"].as_array().into_iter().flatten();
    let position = |failure: &Value| {
        let failed = failure["itemIdentifier"].as_str();
        records.iter().position(|record| sequence_number(record).ok() == failed).unwrap_or(0)
    };
    failures.map(position).min()
}

fn sequence_number(record: &Record) -> Result<&str> {
    let change = record.dynamodb.as_ref();
    change.and_then(|change| change.sequence_number.as_deref()).context("a record has a sequence number")
}

/// How far each shard was dealt with, by sequence number.
///
/// Everything may be delivered again, so that losing it costs time only.
#[derive(Debug, Clone)]
pub struct Positions {
    reached: Arc<Mutex<BTreeMap<String, String>>>,
    file: Option<PathBuf>,
}

impl Positions {
    /// Positions that end with the process.
    #[must_use]
    pub fn forgotten() -> Self {
        Self { reached: Arc::default(), file: None }
    }

    /// Positions in this file, so that the next process goes on there.
    pub fn kept_in(file: PathBuf) -> Result<Self> {
        let reached = match std::fs::read(&file) {
            // Half a file is what a killed process may leave: the stream is then read from its beginning.
            Ok(content) => serde_json::from_slice(&content).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { reached: Arc::new(Mutex::new(reached)), file: Some(file) })
    }

    fn get(&self, shard: &str) -> Option<String> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).get(shard).cloned()
    }

    fn set(&self, shard: &str, sequence_number: &str) -> Result<()> {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.insert(shard.to_owned(), sequence_number.to_owned());
        let Some(file) = &self.file else { return Ok(()) };
        std::fs::write(file, serde_json::to_vec(&*reached)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
