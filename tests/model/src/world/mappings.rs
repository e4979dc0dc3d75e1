//! Triggers: how they are made and changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::World;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::lambda::{
    Feeder, KafkaRecord, MappingOptions, Source, SqsTrigger, StartingPosition, check_parameters,
};
use crate::table::{Key, StreamRecord};

/// A trigger with what it has in work.
#[derive(Debug)]
pub struct Mapping {
    pub(super) options: MappingOptions,
    pub(super) work: Work,
    input: Value,
    removed: bool,
}

/// What a trigger has in work.
#[derive(Debug)]
pub(super) enum Work {
    Queue(SqsTrigger),
    Topic(TopicWork),
    Stream(StreamWork),
}

#[derive(Debug)]
pub(super) struct TopicWork {
    pub(super) topic: String,
    pub(super) pollers: Vec<Feeder<KafkaRecord>>,
    /// The poller of each partition.
    pub(super) poller_of: Vec<usize>,
    /// The next offset to fetch of each partition.
    pub(super) fetched: Vec<u64>,
    /// The next offset to read again of each partition.
    pub(super) committed: Vec<u64>,
}

#[derive(Debug)]
pub(super) struct StreamWork {
    pub(super) table: String,
    pub(super) lanes: Vec<Feeder<StreamRecord>>,
    /// Among how many lanes items that appear are divided; there are more where their number was reduced.
    pub(super) width: usize,
    /// The lane of each item that has appeared.
    pub(super) lane_of: BTreeMap<Key, usize>,
    /// The next position to read.
    pub(super) position: u64,
    /// When the next poll is planned.
    pub(super) poll_ms: Option<Millis>,
}

impl World {
    /// Makes a trigger without asking whether the service would.
    pub fn preset_mapping(&mut self, input: &Value) -> Result<(), ServiceError> {
        let uuid = input["UUID"].as_str().map_or_else(|| self.new_uuid(), str::to_owned);
        let options = MappingOptions::parse(input, &uuid)?;
        self.add_mapping(options, input)
    }

    pub(super) fn create_mapping(&mut self, input: &Value) -> Result<Value, ServiceError> {
        let uuid = self.new_uuid();
        let options = MappingOptions::parse(input, &uuid)?;
        check_parameters(&options.source, input)?;
        self.check_mapping(&options)?;
        if !matches!(options.source, Source::Queue(_)) && input["StartingPosition"].is_null() {
            return Err(ErrorKind::InvalidParameterValueException.because("StartingPosition is missing"));
        }
        let same = |mapping: &&Mapping| {
            !mapping.removed
                && mapping.options.source == options.source
                && mapping.options.function == options.function
        };
        if let Some(other) = self.mappings.iter().find(same) {
            return Err(ErrorKind::ResourceConflictException.because(format!(
                "An event source mapping with this source and function already exists: {}",
                other.options.uuid
            )));
        }
        let described = described(&options, input, "Creating");
        self.add_mapping(options, input)?;
        Ok(described)
    }

    pub(super) fn update_mapping(&mut self, input: &Value) -> Result<Value, ServiceError> {
        let position = self.mapping_of(input)?;
        let mapping = &self.mappings[position];
        let (options, merged) = mapping.options.updated(&mapping.input, input)?;
        check_parameters(&options.source, &merged)?;
        self.check_mapping(&options)?;
        let was_enabled = self.mappings[position].options.enabled;
        let state = match (was_enabled, options.enabled) {
            (false, true) => "Enabling",
            (true, false) => "Disabling",
            _ => "Updating",
        };
        let described = described(&options, &merged, state);
        let is_enabled = options.enabled;
        let mapping = &mut self.mappings[position];
        match &mut mapping.work {
            Work::Queue(_) => {}
            Work::Topic(work) if options.pollers == mapping.options.pollers => {}
            Work::Topic(work) => work.divide_among(options.pollers),
            Work::Stream(work) if options.lanes == mapping.options.lanes => {}
            Work::Stream(work) => work.divide_among(options.lanes),
        }
        mapping.options = options;
        mapping.input = merged;
        if is_enabled && !was_enabled {
            self.start_mapping(position);
        }
        Ok(described)
    }

    /// Returns a trigger as it is now.
    pub(super) fn describe_mapping(&self, input: &Value) -> Result<Value, ServiceError> {
        let mapping = &self.mappings[self.mapping_of(input)?];
        Ok(described(&mapping.options, &mapping.input, mapping.state()))
    }

    /// Returns the triggers of a function or a source, or all.
    pub(super) fn list_mappings(&self, input: &Value) -> Value {
        let wanted = |name: &str, mapping: &Mapping| match input[name].as_str() {
            None => true,
            Some(text) if name == "FunctionName" => {
                text.rsplit(':').next() == Some(mapping.options.function.as_str())
            }
            Some(text) => mapping.input[name] == text,
        };
        let listed = self.mappings.iter().filter(|mapping| {
            !mapping.removed && wanted("FunctionName", mapping) && wanted("EventSourceArn", mapping)
        });
        let listed: Vec<Value> =
            listed.map(|mapping| described(&mapping.options, &mapping.input, mapping.state())).collect();
        json!({ "EventSourceMappings": listed })
    }

    /// Removes a trigger; what it has in work goes on to its end.
    pub(super) fn remove_mapping(&mut self, input: &Value) -> Result<Value, ServiceError> {
        let position = self.mapping_of(input)?;
        let mapping = &mut self.mappings[position];
        mapping.removed = true;
        mapping.options.enabled = false;
        Ok(described(&mapping.options, &mapping.input, "Deleting"))
    }

    fn mapping_of(&self, input: &Value) -> Result<usize, ServiceError> {
        let uuid = input["UUID"].as_str().unwrap_or_default();
        let same = |mapping: &Mapping| !mapping.removed && mapping.options.uuid == uuid;
        self.mappings.iter().position(same).ok_or_else(|| {
            ErrorKind::ResourceNotFoundException.because("The resource you requested does not exist.")
        })
    }

    fn new_uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.mappings.len() + 1)
    }

    fn check_mapping(&self, options: &MappingOptions) -> Result<(), ServiceError> {
        let function = self.functions.get(&options.function).ok_or_else(|| {
            ErrorKind::InvalidParameterValueException
                .because(format!("Function does not exist: {}", options.function))
        })?;
        let visibility_ms = match &options.source {
            Source::Queue(queue) => self.queues.get(queue).map(|queue| queue.attributes.visibility_ms),
            Source::Topic(_) | Source::Stream(_) => None,
        };
        options.check(function.options.timeout_ms, visibility_ms)
    }

    fn add_mapping(&mut self, options: MappingOptions, input: &Value) -> Result<(), ServiceError> {
        let work = match &options.source {
            Source::Queue(_) => Work::Queue(SqsTrigger::default()),
            Source::Topic(topic) => Work::Topic(self.topic_work(topic, &options)?),
            Source::Stream(table) => {
                let width = options.lanes.max(1);
                let lanes = (0..width).map(|_| Feeder::new()).collect();
                let stream = self.database.table_mut(table)?.stream_mut();
                let stream = stream.ok_or_else(|| {
                    ErrorKind::InvalidParameterValueException.because("The table has no stream")
                })?;
                let position = match options.starting {
                    StartingPosition::TrimHorizon => 0,
                    StartingPosition::Latest => stream.end(),
                    StartingPosition::AtTimestamp { .. } => {
                        return Err(ErrorKind::InvalidParameterValueException
                            .because("AT_TIMESTAMP is not supported for the streams of tables"));
                    }
                };
                let (table, lane_of) = (table.clone(), BTreeMap::new());
                Work::Stream(StreamWork { table, lanes, width, lane_of, position, poll_ms: None })
            }
        };
        let enabled = options.enabled;
        self.mappings.push(Mapping { options, work, input: input.clone(), removed: false });
        if enabled {
            self.start_mapping(self.mappings.len() - 1);
        }
        Ok(())
    }

    fn topic_work(&self, topic: &str, options: &MappingOptions) -> Result<TopicWork, ServiceError> {
        let log = self.topics.get(topic).ok_or_else(|| {
            ErrorKind::InvalidParameterValueException.because(format!("There is no topic {topic}"))
        })?;
        let begin = |partition: u32| match options.starting {
            StartingPosition::TrimHorizon => 0,
            StartingPosition::Latest => log.end(partition),
            StartingPosition::AtTimestamp { at_ms } => {
                log.read_from(partition, 0).iter().take_while(|record| record.at_ms < at_ms).count() as u64
            }
        };
        let committed: Vec<u64> = (0..log.partitions()).map(begin).collect();
        let mut work = TopicWork {
            topic: topic.to_owned(),
            pollers: Vec::new(),
            poller_of: vec![0; committed.len()],
            fetched: committed.clone(),
            committed,
        };
        work.divide_among(options.pollers);
        Ok(work)
    }

    fn start_mapping(&mut self, mapping: usize) {
        match &self.mappings[mapping].options.source {
            Source::Queue(_) => self.plan_queue_poll(mapping),
            Source::Topic(topic) => {
                let topic = topic.clone();
                self.fetch_topic(&topic);
            }
            Source::Stream(_) => self.plan_stream_poll(mapping),
        }
    }
}

impl TopicWork {
    /// Divides the partitions among so many pollers; one with records in work stays where they are.
    fn divide_among(&mut self, pollers: u32) {
        let pollers = (pollers as usize).clamp(1, self.poller_of.len().max(1));
        while self.pollers.len() < pollers {
            self.pollers.push(Feeder::new());
        }
        for (partition, poller) in self.poller_of.iter_mut().enumerate() {
            let stays = self.pollers[*poller].pending().any(|record| record.partition as usize == partition);
            if !stays {
                *poller = partition % pollers;
            }
        }
    }
}

impl StreamWork {
    /// Divides the items among so many lanes; one with records in work stays where they are.
    fn divide_among(&mut self, lanes: usize) {
        self.width = lanes.max(1);
        let pending = self.lanes.iter().enumerate();
        self.lane_of = pending
            .flat_map(|(lane, feeder)| feeder.pending().map(move |record| (record.key.clone(), lane)))
            .collect();
        while self.lanes.len() < self.width {
            self.lanes.push(Feeder::new());
        }
    }
}

impl Mapping {
    fn state(&self) -> &'static str {
        if self.options.enabled { "Enabled" } else { "Disabled" }
    }
}

/// Returns what the service says of a trigger: what was asked for, with its defaults.
fn described(options: &MappingOptions, input: &Value, state: &str) -> Value {
    let mut described = input.clone();
    if let Some(members) = described.as_object_mut() {
        members.remove("FunctionName");
        members.remove("Enabled");
    }
    described["UUID"] = options.uuid.clone().into();
    described["BatchSize"] = options.batch_size.into();
    described["MaximumBatchingWindowInSeconds"] = (options.window_ms / 1_000).into();
    described["FunctionArn"] =
        format!("arn:aws:lambda:us-east-1:000000000000:function:{}", options.function).into();
    described["State"] = state.into();
    described
}
