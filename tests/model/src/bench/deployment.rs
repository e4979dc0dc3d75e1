//! What is deployed on a world: tables, queues, topics, and functions with what triggers them.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime::{Builder, Function, Queue, Settings};
use serde_json::{Value, json};
use store::Table;

use super::shared::Shared;
use crate::clock::Millis;
use crate::error::ServiceError;
use crate::lambda::{DEFAULT_ASYNC_AGE_MS, FunctionOptions, Schedule, Target};
use crate::table::{Billing, Schema, TableOptions, Throughput, ViewType};
use crate::world::World;

/// Everything that a world contains when it begins.
#[derive(Clone, Default)]
pub struct Deployment {
    /// The stream that each table has; none where it is missing.
    pub streams: BTreeMap<Table, ViewType>,
    /// The throughput that each on-demand table is warm for.
    pub warm: BTreeMap<Table, Throughput>,
    /// The queues.
    pub queues: Vec<QueueOptions>,
    /// The topics with their numbers of partitions.
    pub topics: BTreeMap<String, u32>,
    /// The functions.
    pub functions: Vec<Registration>,
}

/// A queue of a deployment.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// Its name in the world.
    pub name: String,
    /// The queue by which functions know it; none for a dead-letter queue.
    pub queue: Option<Queue>,
    /// Its attributes, as `CreateQueue` takes them.
    pub attributes: BTreeMap<String, String>,
}

/// A function of a deployment. Each environment builds one of its own.
#[derive(Clone)]
pub struct Registration {
    /// Its name.
    pub name: String,
    /// Builds it for an environment of a world.
    pub build: Arc<dyn Fn(&Shared) -> Arc<dyn Function> + Send + Sync>,
    /// How long it may run.
    pub timeout_ms: Millis,
    /// How many of it may run at once; as many as the account's limit lets without.
    pub reserved_concurrency: Option<usize>,
    /// How often an asynchronous invocation that failed is tried again.
    pub async_retries: u32,
    /// By how much the clocks of its environments are wrong, in turn.
    pub clock_skews_ms: Vec<i64>,
    /// What calls it.
    pub triggers: Vec<Trigger>,
}

/// What calls a function.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// An event source mapping, as `CreateEventSourceMapping` takes it, but for the function's name.
    Mapping(Value),
    /// A schedule.
    Every(Millis),
    /// A schedule that sends a message to a queue by which the function is triggered.
    MessageEvery {
        /// How often.
        every_ms: Millis,
        /// The queue's name.
        queue: String,
        /// The group of the messages.
        group: String,
    },
}

impl Trigger {
    /// Returns a trigger by a queue of this name; `more` is what else the mapping says.
    #[must_use]
    pub fn queue(name: &str, batch_size: u32, more: &Value) -> Self {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
        Self::Mapping(merged(json!({ "EventSourceArn": arn, "BatchSize": batch_size }), more))
    }

    /// Returns a trigger by a topic; `more` is what else the mapping says.
    #[must_use]
    pub fn topic(name: &str, batch_size: u32, more: &Value) -> Self {
        let arn = "arn:aws:kafka:us-east-1:000000000000:cluster/model/1";
        let mapping = json!({
            "EventSourceArn": arn, "Topics": [name], "StartingPosition": "TRIM_HORIZON", "BatchSize": batch_size,
        });
        Self::Mapping(merged(mapping, more))
    }

    /// Returns a trigger by the stream of a table; `more` is what else the mapping says.
    #[must_use]
    pub fn stream(table: Table, batch_size: u32, more: &Value) -> Self {
        let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}/stream/1", table.logical_name());
        let mapping =
            json!({ "EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON", "BatchSize": batch_size });
        Self::Mapping(merged(mapping, more))
    }
}

impl Registration {
    /// Returns a function as it is deployed, by its builder and the settings of the deployment.
    #[must_use]
    pub fn new(name: &str, builder: Builder, settings: &Settings, triggers: Vec<Trigger>) -> Self {
        let settings = settings.clone();
        let build = move |_: &Shared| builder(&settings).expect("the settings of a deployment are valid");
        Self {
            name: name.to_owned(),
            build: Arc::new(build),
            timeout_ms: 60_000,
            reserved_concurrency: None,
            async_retries: 2,
            clock_skews_ms: vec![0],
            triggers,
        }
    }
}

impl Deployment {
    /// Makes everything in a world.
    pub(super) fn set_up(&self, world: &mut World) -> Result<(), ServiceError> {
        for table in Table::ALL {
            world.database.create(TableOptions {
                name: table.logical_name().to_owned(),
                schema: Schema { partition: "pk".to_owned(), sort: Some("sk".to_owned()) },
                billing: Billing::OnDemand { warm: self.warm.get(&table).copied().unwrap_or_default() },
                stream: self.streams.get(&table).copied(),
                replica_lag_ms: 0,
            });
        }
        for queue in &self.queues {
            world.queues.create(&queue.name, queue.attributes.clone())?;
        }
        for (topic, partitions) in &self.topics {
            world.create_topic(topic, *partitions);
        }
        for function in &self.functions {
            world.functions.create(FunctionOptions {
                name: function.name.clone(),
                timeout_ms: function.timeout_ms,
                reserved_concurrency: function.reserved_concurrency,
                async_retries: function.async_retries,
                async_max_age_ms: DEFAULT_ASYNC_AGE_MS,
                clock_skews_ms: function.clock_skews_ms.clone(),
            });
        }
        for function in &self.functions {
            for trigger in &function.triggers {
                match trigger {
                    Trigger::Every(every_ms) => {
                        let target = Target::Function(function.name.clone());
                        world.add_schedule(Schedule { every_ms: *every_ms, target, on: true });
                    }
                    Trigger::MessageEvery { every_ms, queue, group } => {
                        let target = Target::Queue { name: queue.clone(), group: group.clone() };
                        world.add_schedule(Schedule { every_ms: *every_ms, target, on: true });
                    }
                    Trigger::Mapping(mapping) => {
                        world.preset_mapping(&merged(
                            mapping.clone(),
                            &json!({ "FunctionName": function.name }),
                        ))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the names that the functions' queues have in the world.
    #[must_use]
    pub fn queue_names(&self) -> BTreeMap<Queue, String> {
        self.queues.iter().filter_map(|queue| Some((queue.queue?, queue.name.clone()))).collect()
    }
}

fn merged(mut mapping: Value, more: &Value) -> Value {
    if let (Some(mapping), Some(more)) = (mapping.as_object_mut(), more.as_object()) {
        mapping.extend(more.clone());
    }
    mapping
}
