//! What an event source mapping says, and what is refused.

use serde_json::Value;

use super::feeder::FeederRules;
use super::filter::Filter;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::queue::is_fifo;

/// The window of a topic's trigger where the mapping names none.
const KAFKA_WINDOW_MS: Millis = 500;
/// How often a topic's batch is tried again where a destination is named and no number.
const KAFKA_RETRIES_WITH_DESTINATION: u32 = 10;
const MAX_BATCH: u64 = 10_000;
/// The largest batch of a FIFO queue, and of a standard queue without a window.
const MAX_QUEUE_BATCH: u64 = 10;
const MAX_WINDOW_SECONDS: u64 = 300;

/// What an event source mapping says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingOptions {
    /// Its id.
    pub uuid: String,
    /// Where its records come from.
    pub source: Source,
    /// The function it calls.
    pub function: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// How many records a batch has at most.
    pub batch_size: usize,
    /// How long a batch waits for more records.
    pub window_ms: Millis,
    /// Whether the function may report which records failed.
    pub reports_failures: bool,
    /// How many batches of a queue may be in work.
    pub max_concurrency: Option<usize>,
    /// How many pollers a topic has.
    pub pollers: u32,
    /// How often a batch is tried again; without a number until it succeeds.
    pub retries: Option<u32>,
    /// How old a record may be to be tried again.
    pub max_age_ms: Option<Millis>,
    /// Whether a batch that fails is halved.
    pub bisects: bool,
    /// How many lanes a stream has.
    pub lanes: usize,
    /// The queue that gets what is given up.
    pub destination: Option<String>,
    /// Where a topic or a stream is read from.
    pub starting: StartingPosition,
    /// Which records the function gets; all without.
    pub filter: Option<Filter>,
}

/// Where the records of a mapping come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A queue.
    Queue(String),
    /// A topic.
    Topic(String),
    /// A table's stream.
    Stream(String),
}

/// Where a topic or a stream is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// From its oldest record.
    TrimHorizon,
    /// From what comes after the mapping was made.
    Latest,
    /// From the first record that is not older than this.
    AtTimestamp {
        /// The time.
        at_ms: Millis,
    },
}

impl MappingOptions {
    /// Reads the input of `CreateEventSourceMapping`, filled up with the service's defaults.
    pub fn parse(input: &Value, uuid: &str) -> Result<Self, ServiceError> {
        let source = source(input)?;
        let fifo_or_plain_queue = matches!(source, Source::Queue(_));
        let window = whole(input, "MaximumBatchingWindowInSeconds")?;
        let default_window_ms = if matches!(source, Source::Topic(_)) { KAFKA_WINDOW_MS } else { 0 };
        let destination = input["DestinationConfig"]["OnFailure"]["Destination"].as_str().map(last_part);
        let retries = match input["MaximumRetryAttempts"].as_i64() {
            None | Some(-1) if destination.is_some() && matches!(source, Source::Topic(_)) => {
                Some(KAFKA_RETRIES_WITH_DESTINATION)
            }
            None | Some(-1) => None,
            Some(retries @ 0..=10_000) => Some(u32::try_from(retries).expect("at most 10,000")),
            Some(_) => return Err(refused("MaximumRetryAttempts must be from -1 to 10000")),
        };
        let max_age_ms = match input["MaximumRecordAgeInSeconds"].as_i64() {
            None | Some(-1) => None,
            Some(seconds @ 60..=604_800) => Some(seconds.unsigned_abs() * 1_000),
            Some(_) => return Err(refused("MaximumRecordAgeInSeconds must be -1 or from 60 to 604800")),
        };
        let batch_size = whole(input, "BatchSize")?.unwrap_or(if fifo_or_plain_queue { 10 } else { 100 });
        let function = input["FunctionName"].as_str().ok_or_else(|| refused("FunctionName is missing"))?;
        Ok(Self {
            uuid: uuid.to_owned(),
            function: last_part(function),
            enabled: input["Enabled"].as_bool().unwrap_or(true),
            batch_size: usize::try_from(batch_size).map_err(|_| refused("BatchSize is too large"))?,
            window_ms: window.map_or(default_window_ms, |seconds| seconds * 1_000),
            reports_failures: input["FunctionResponseTypes"]
                .as_array()
                .is_some_and(|types| types.iter().any(|kind| kind == "ReportBatchItemFailures")),
            max_concurrency: input["ScalingConfig"]["MaximumConcurrency"]
                .as_u64()
                .and_then(|concurrency| usize::try_from(concurrency).ok()),
            pollers: input["ProvisionedPollerConfig"]["MinimumPollers"]
                .as_u64()
                .map_or(1, |pollers| u32::try_from(pollers).unwrap_or(u32::MAX)),
            retries,
            max_age_ms,
            bisects: input["BisectBatchOnFunctionError"].as_bool().unwrap_or(false),
            lanes: input["ParallelizationFactor"]
                .as_u64()
                .map_or(1, |lanes| usize::try_from(lanes).unwrap_or(0)),
            destination,
            starting: starting(input)?,
            filter: Filter::parse(&input["FilterCriteria"])?,
            source,
        })
    }

    /// Returns the mapping with what an `UpdateEventSourceMapping` changes.
    pub fn updated(&self, original: &Value, changes: &Value) -> Result<(Self, Value), ServiceError> {
        let mut merged = original.clone();
        if let (Some(merged), Some(changes)) = (merged.as_object_mut(), changes.as_object()) {
            for (name, value) in changes.iter().filter(|(name, _)| *name != "UUID") {
                merged.insert(name.clone(), value.clone());
            }
        }
        Ok((Self::parse(&merged, &self.uuid)?, merged))
    }

    /// Refuses what the service refuses; `function_timeout_ms` and `visibility_ms` are those of its function and queue.
    pub fn check(
        &self,
        function_timeout_ms: Millis,
        visibility_ms: Option<Millis>,
    ) -> Result<(), ServiceError> {
        let batch_size = self.batch_size as u64;
        if !(1..=MAX_BATCH).contains(&batch_size) {
            return Err(refused("BatchSize must be from 1 to 10000"));
        }
        if self.window_ms > MAX_WINDOW_SECONDS * 1_000 {
            return Err(refused("MaximumBatchingWindowInSeconds must be from 0 to 300"));
        }
        match &self.source {
            Source::Queue(queue) => self.check_queue(queue, batch_size, function_timeout_ms, visibility_ms),
            Source::Topic(_) | Source::Stream(_) => {
                if self.max_concurrency.is_some() {
                    return Err(refused("ScalingConfig is for queues only"));
                }
                if !(1..=10).contains(&self.lanes) {
                    return Err(refused("ParallelizationFactor must be from 1 to 10"));
                }
                Ok(())
            }
        }
    }

    /// Returns what a feeder has to know.
    #[must_use]
    pub fn feeder_rules(&self) -> FeederRules {
        FeederRules {
            batch_size: self.batch_size,
            window_ms: self.window_ms,
            retries: self.retries,
            max_age_ms: self.max_age_ms,
            bisects: self.bisects,
            reports_failures: self.reports_failures,
        }
    }

    fn check_queue(
        &self,
        queue: &str,
        batch_size: u64,
        function_timeout_ms: Millis,
        visibility_ms: Option<Millis>,
    ) -> Result<(), ServiceError> {
        let visibility_ms = visibility_ms.ok_or_else(|| refused("The queue does not exist"))?;
        if visibility_ms < function_timeout_ms {
            return Err(refused("Queue visibility timeout is less than Function timeout"));
        }
        if is_fifo(queue) {
            if self.window_ms > 0 {
                return Err(refused("Batching window is not supported for FIFO queues"));
            }
            if batch_size > MAX_QUEUE_BATCH {
                return Err(refused("BatchSize of a FIFO queue must be from 1 to 10"));
            }
        } else if batch_size > MAX_QUEUE_BATCH && self.window_ms == 0 {
            return Err(refused(
                "MaximumBatchingWindowInSeconds must be at least 1 where BatchSize is above 10",
            ));
        }
        if self.max_concurrency.is_some_and(|concurrency| !(2..=1_000).contains(&concurrency)) {
            return Err(refused("MaximumConcurrency must be from 2 to 1000"));
        }
        Ok(())
    }
}

fn source(input: &Value) -> Result<Source, ServiceError> {
    let topic = || input["Topics"][0].as_str().map(|topic| Source::Topic(topic.to_owned()));
    let Some(arn) = input["EventSourceArn"].as_str() else {
        return topic().ok_or_else(|| refused("EventSourceArn is missing"));
    };
    match arn.split(':').nth(2) {
        Some("sqs") => Ok(Source::Queue(last_part(arn))),
        Some("kafka") => topic().ok_or_else(|| refused("Topics is missing")),
        Some("dynamodb") => match arn.split('/').nth(1) {
            Some(table) if arn.contains("/stream/") => Ok(Source::Stream(table.to_owned())),
            _ => Err(refused("Unrecognized event source, must be a stream")),
        },
        _ => Err(refused("Unrecognized event source")),
    }
}

fn starting(input: &Value) -> Result<StartingPosition, ServiceError> {
    match input["StartingPosition"].as_str() {
        None | Some("TRIM_HORIZON") => Ok(StartingPosition::TrimHorizon),
        Some("LATEST") => Ok(StartingPosition::Latest),
        Some("AT_TIMESTAMP") => {
            let seconds = input["StartingPositionTimestamp"].as_u64();
            let seconds = seconds.ok_or_else(|| refused("StartingPositionTimestamp is missing"))?;
            Ok(StartingPosition::AtTimestamp { at_ms: seconds * 1_000 })
        }
        Some(_) => Err(ServiceError::validation("StartingPosition is unknown")),
    }
}

fn whole(input: &Value, name: &str) -> Result<Option<u64>, ServiceError> {
    match &input[name] {
        Value::Null => Ok(None),
        value => value.as_u64().map(Some).ok_or_else(|| refused(&format!("{name} must not be negative"))),
    }
}

fn last_part(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or(arn).to_owned()
}

pub(super) fn refused(message: &str) -> ServiceError {
    ErrorKind::InvalidParameterValueException.because(message)
}
