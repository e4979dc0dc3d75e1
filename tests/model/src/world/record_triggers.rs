//! Triggers of topics and of streams: what is read, given to the function in order, and committed.

use super::mappings::{Mapping, StreamWork, TopicWork, Work};
use super::{Event, World};
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::lambda::{
    Directive, FeederRules, Finished, KafkaRecord, Origin, Outcome, Payload, Record, Source, Then,
};
use crate::table::{Stream, StreamRecord};

/// What has to be done after a feeder took in a result.
struct Settled {
    /// Texts of records that were given up.
    discarded: Vec<String>,
    /// The offsets to commit: partitions with the next offset.
    offsets: Vec<(u32, u64)>,
    then: Then,
}

impl World {
    /// Appends a record to a topic.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: u32,
        key: Option<String>,
        value: Option<String>,
    ) -> Result<u64, ServiceError> {
        let now_ms = self.now_ms;
        let fetchable_ms = now_ms + self.latencies.draw_fetch_ms();
        let log = self.topics.get_mut(topic);
        let appended = log.and_then(|log| log.append(now_ms, fetchable_ms, partition, key, value));
        let (offset, fetchable_ms) = appended.ok_or_else(|| {
            ErrorKind::ResourceNotFoundException.because(format!("There is no partition {topic}-{partition}"))
        })?;
        self.at(fetchable_ms, Event::Fetchable { topic: topic.to_owned() });
        Ok(offset)
    }

    /// Returns the next offset that a function's trigger would read again.
    #[must_use]
    pub fn committed(&self, topic: &str, function: &str, partition: u32) -> Option<u64> {
        self.mappings.iter().find_map(|mapping| match &mapping.work {
            Work::Topic(work) if work.topic == topic && mapping.options.function == function => {
                work.committed.get(partition as usize).copied()
            }
            _ => None,
        })
    }

    /// Has the triggers of a topic begin at its beginning.
    pub(super) fn forget_offsets(&mut self, topic: &str) {
        for mapping in &mut self.mappings {
            if let Work::Topic(work) = &mut mapping.work
                && work.topic == topic
            {
                work.fetched.fill(0);
                work.committed.fill(0);
            }
        }
    }

    /// Fetches what can be fetched of a topic, for each of its triggers.
    pub(super) fn fetch_topic(&mut self, topic: &str) {
        let now_ms = self.now_ms;
        for mapping in 0..self.mappings.len() {
            let Mappings { work: Work::Topic(work), enabled: true } = self.mapping_work(mapping) else {
                continue;
            };
            if work.topic != topic {
                continue;
            }
            let log = &self.topics[topic];
            let Mapping { work: Work::Topic(work), options, .. } = &mut self.mappings[mapping] else {
                continue;
            };
            let passes = |record: &KafkaRecord| {
                options.filter.as_ref().is_none_or(|filter| filter.passes_topic_record(record))
            };
            let mut records: Vec<KafkaRecord> = Vec::new();
            for partition in 0..log.partitions() {
                let fetched = &mut work.fetched[partition as usize];
                let unread = log.read_from(partition, *fetched).iter();
                let fetchable = unread.take_while(|record| record.fetchable_ms <= now_ms);
                for record in fetchable {
                    *fetched += 1;
                    if passes(record) {
                        records.push(record.clone());
                    }
                }
            }
            records.sort_by_key(|record| record.fetchable_ms);
            let pollers = work.pollers.len();
            for record in records {
                let poller = work.poller_of[record.partition as usize];
                work.pollers[poller].offer(record);
            }
            self.commit_filtered(mapping);
            (0..pollers).for_each(|poller| self.advance_feeder(mapping, poller));
        }
    }

    /// Commits records that the trigger's filter does not let through, where nothing before them is in work.
    fn commit_filtered(&mut self, mapping: usize) {
        let Mapping { work: Work::Topic(work), options, .. } = &mut self.mappings[mapping] else { return };
        let Some(filter) = &options.filter else { return };
        let log = &self.topics[&work.topic];
        for partition in 0..log.partitions() {
            let fetched = work.fetched[partition as usize];
            let committed = &mut work.committed[partition as usize];
            let unread = log.read_from(partition, *committed).iter();
            let passed_over = unread
                .take_while(|record| record.offset < fetched && !filter.passes_topic_record(record))
                .count();
            *committed += passed_over as u64;
        }
    }

    /// Plans polls of the triggers whose stream has something unread.
    pub(super) fn settle_streams(&mut self) {
        for mapping in 0..self.mappings.len() {
            self.plan_stream_poll(mapping);
        }
    }

    pub(super) fn plan_stream_poll(&mut self, mapping: usize) {
        let Mappings { work: Work::Stream(work), enabled: true } = self.mapping_work(mapping) else { return };
        if work.poll_ms.is_some() {
            return;
        }
        let end = self.database.tables().get(&work.table).and_then(|table| table.stream()).map(Stream::end);
        if end.is_none_or(|end| end <= work.position) {
            return;
        }
        let poll_ms = self.latencies.draw_stream_poll_at_ms(self.now_ms);
        let Work::Stream(work) = &mut self.mappings[mapping].work else { return };
        work.poll_ms = Some(poll_ms);
        self.at(poll_ms, Event::StreamPoll { mapping });
    }

    pub(super) fn poll_stream(&mut self, mapping: usize) {
        let now_ms = self.now_ms;
        let Mapping { work: Work::Stream(work), options, .. } = &mut self.mappings[mapping] else { return };
        work.poll_ms = None;
        let Ok(table) = self.database.table_mut(&work.table) else { return };
        let filter = options.filter.as_ref().map(|filter| (filter, table.schema().clone()));
        let (Some(stream), true) = (table.stream_mut(), options.enabled) else { return };
        let (width, view) = (work.width, stream.view);
        let passes = |record: &StreamRecord| {
            filter.as_ref().is_none_or(|(filter, schema)| {
                filter.passes_stream_record(record, &schema.attributes_of(&record.key), view)
            })
        };
        for record in stream.read_from(now_ms, work.position) {
            work.position = record.sequence + 1;
            if !passes(record) {
                continue;
            }
            let appeared = work.lane_of.len();
            let lane = match work.lane_of.get(&record.key) {
                Some(lane) => *lane,
                None if width == 1 => 0,
                None => *work.lane_of.entry(record.key.clone()).or_insert(appeared % width),
            };
            work.lanes[lane].offer(record.clone());
        }
        work.position = work.position.max(stream.end());
        let lanes = work.lanes.len();
        (0..lanes).for_each(|lane| self.advance_feeder(mapping, lane));
    }

    pub(super) fn feeder_timer(&mut self, mapping: usize, feeder: usize, generation: u64) {
        let rules = self.mappings[mapping].options.feeder_rules();
        let now_ms = self.now_ms;
        let (discarded, offsets, directive) = match &mut self.mappings[mapping].work {
            Work::Topic(work) => {
                let (old, directive) = work.pollers[feeder].on_timer(now_ms, generation, &rules);
                (texts(&old), offsets_after(&old), directive)
            }
            Work::Stream(work) => {
                let (old, directive) = work.lanes[feeder].on_timer(now_ms, generation, &rules);
                (texts(&old), Vec::new(), directive)
            }
            Work::Queue(_) => unreachable!("a queue has no feeder"),
        };
        let all_discarded = directive.is_none() && !discarded.is_empty();
        if discarded.is_empty() {
            self.follow(mapping, feeder, directive);
            return;
        }
        self.discard(mapping, &discarded);
        let delay_ms = self.draw_commit_delay_ms(mapping);
        self.after(delay_ms, Event::FeederCommit { mapping, feeder, offsets, goes_on: all_discarded });
        self.follow(mapping, feeder, directive);
    }

    pub(super) fn feeder_result(&mut self, mapping: usize, feeder: usize, outcome: &Outcome) {
        let rules = self.mappings[mapping].options.feeder_rules();
        let now_ms = self.now_ms;
        let Settled { discarded, offsets, then } = match &mut self.mappings[mapping].work {
            Work::Topic(work) => {
                let finished = work.pollers[feeder].finish(now_ms, outcome, &rules);
                let done: Vec<KafkaRecord> =
                    finished.settled.iter().chain(&finished.discarded).cloned().collect();
                Settled {
                    offsets: offsets_after(&done),
                    discarded: texts(&finished.discarded),
                    then: finished.then,
                }
            }
            Work::Stream(work) => {
                let Finished { discarded, then, .. } = work.lanes[feeder].finish(now_ms, outcome, &rules);
                Settled { offsets: Vec::new(), discarded: texts(&discarded), then }
            }
            Work::Queue(_) => unreachable!("a queue has no feeder"),
        };
        self.discard(mapping, &discarded);
        let goes_on = then == Then::Next;
        if goes_on || !offsets.is_empty() {
            let delay_ms = self.draw_commit_delay_ms(mapping);
            self.after(delay_ms, Event::FeederCommit { mapping, feeder, offsets, goes_on });
        }
        if let Then::Retry(directive) = then {
            self.follow(mapping, feeder, Some(directive));
        }
    }

    pub(super) fn feeder_commit(
        &mut self,
        mapping: usize,
        feeder: usize,
        offsets: &[(u32, u64)],
        goes_on: bool,
    ) {
        if let Work::Topic(work) = &mut self.mappings[mapping].work {
            for (partition, offset) in offsets {
                let committed = &mut work.committed[*partition as usize];
                *committed = (*committed).max(*offset);
            }
        }
        self.commit_filtered(mapping);
        if goes_on {
            let now_ms = self.now_ms;
            let directive = self.with_feeder(
                mapping,
                |work, rules| work.pollers[feeder].next(now_ms, rules),
                |work, rules| work.lanes[feeder].next(now_ms, rules),
            );
            self.follow(mapping, feeder, directive);
        }
    }

    fn advance_feeder(&mut self, mapping: usize, feeder: usize) {
        let now_ms = self.now_ms;
        let directive = self.with_feeder(
            mapping,
            |work, rules| work.pollers[feeder].advance(now_ms, rules),
            |work, rules| work.lanes[feeder].advance(now_ms, rules),
        );
        self.follow(mapping, feeder, directive);
    }

    fn follow(&mut self, mapping: usize, feeder: usize, directive: Option<Directive>) {
        match directive {
            None => {}
            Some(Directive::Timer { at_ms, generation }) => {
                self.at(at_ms, Event::FeederTimer { mapping, feeder, generation });
            }
            Some(Directive::Ask) => {
                let options = &self.mappings[mapping].options;
                let (function, enabled) = (options.function.clone(), options.enabled);
                let payload = match &self.mappings[mapping].work {
                    Work::Topic(work) => Payload::TopicRecords(work.pollers[feeder].batch().to_vec()),
                    Work::Stream(work) => Payload::StreamRecords {
                        table: work.table.clone(),
                        records: work.lanes[feeder].batch().to_vec(),
                    },
                    Work::Queue(_) => unreachable!("a queue has no feeder"),
                };
                let now_ms = self.now_ms;
                if !enabled || !self.ask(&function, Origin::Feeder { mapping, feeder }, payload) {
                    let directive = self.with_feeder(
                        mapping,
                        |work, _| Some(work.pollers[feeder].throttled(now_ms)),
                        |work, _| Some(work.lanes[feeder].throttled(now_ms)),
                    );
                    self.follow(mapping, feeder, directive);
                }
            }
        }
    }

    fn with_feeder(
        &mut self,
        mapping: usize,
        topic: impl FnOnce(&mut TopicWork, &FeederRules) -> Option<Directive>,
        stream: impl FnOnce(&mut StreamWork, &FeederRules) -> Option<Directive>,
    ) -> Option<Directive> {
        let rules = self.mappings[mapping].options.feeder_rules();
        match &mut self.mappings[mapping].work {
            Work::Topic(work) => topic(work, &rules),
            Work::Stream(work) => stream(work, &rules),
            Work::Queue(_) => unreachable!("a queue has no feeder"),
        }
    }

    /// Sends records that are given up to the mapping's destination, if it has one.
    fn discard(&mut self, mapping: usize, texts: &[String]) {
        let destination = self.mappings[mapping].options.destination.clone();
        if let Some(queue) = destination.filter(|_| !texts.is_empty()) {
            self.queues.deposit(self.now_ms, &queue, format!("discarded:{}", texts.join(",")));
        }
    }

    /// Returns after how long a trigger commits: a topic's a little later, a stream's at once.
    fn draw_commit_delay_ms(&mut self, mapping: usize) -> Millis {
        match self.mappings[mapping].options.source {
            Source::Topic(_) => self.latencies.draw_commit_ms(),
            Source::Stream(_) | Source::Queue(_) => 0,
        }
    }

    fn mapping_work(&self, mapping: usize) -> Mappings<'_> {
        let mapping = &self.mappings[mapping];
        Mappings { work: &mapping.work, enabled: mapping.options.enabled }
    }
}

struct Mappings<'world> {
    work: &'world Work,
    enabled: bool,
}

fn texts<R: Record>(records: &[R]) -> Vec<String> {
    records.iter().map(Record::text).collect()
}

fn offsets_after(records: &[KafkaRecord]) -> Vec<(u32, u64)> {
    records.iter().map(|record| (record.partition, record.offset + 1)).collect()
}
