//! Random interleavings of everything that senders and receivers do, checked against a simple model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const MAX_RECEIVE_COUNT: u32 = 3;
const DELAY_MS: u64 = 1_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_fifo_queue_keeps_every_groups_order_and_loses_and_repeats_nothing(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        Model::new(true).run(steps);
    }

    #[test]
    fn a_standard_queue_loses_and_repeats_nothing(steps in prop::collection::vec(step(), 1..80)) {
        Model::new(false).run(steps);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Send { group: u8 },
    Receive { max_messages: usize, visibility_timeout_seconds: u32 },
    Delete { handle: prop::sample::Index },
    ChangeVisibility { handle: prop::sample::Index, seconds: u32 },
    Wait { duration_ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let handle = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0_u8..4).prop_map(|group| Step::Send { group }),
        4 => (1_usize..=10, 0_u32..4).prop_map(|(max_messages, visibility_timeout_seconds)| {
            Step::Receive { max_messages, visibility_timeout_seconds }
        }),
        2 => handle().prop_map(|handle| Step::Delete { handle }),
        1 => (handle(), 0_u32..4).prop_map(|(handle, seconds)| Step::ChangeVisibility { handle, seconds }),
        3 => (0_u64..3_000).prop_map(|duration_ms| Step::Wait { duration_ms }),
    ]
}

/// What ought to be in the queue, by bodies, next to the queue itself.
struct Model {
    queues: Queues,
    source: QueueName,
    dead: QueueName,
    now_ms: u64,
    /// The messages that are neither deleted nor dead by lane, in the order they were sent. A lane
    /// is a group, or a standard message alone.
    lanes: BTreeMap<String, Vec<Modelled>>,
    /// Every receipt handle there ever was: lane, body, delivery, handle.
    handles: Vec<(String, String, u32, String)>,
    sent: usize,
    deleted: usize,
    died: usize,
}

#[derive(Debug)]
struct Modelled {
    body: String,
    visible_from_ms: u64,
    in_flight_until_ms: u64,
    deliveries: u32,
}

impl Modelled {
    /// Returns whether it cannot be received now, delayed or in flight.
    fn is_hidden(&self, now_ms: u64) -> bool {
        self.visible_from_ms > now_ms || self.in_flight_until_ms > now_ms
    }
}

impl Model {
    fn new(fifo: bool) -> Self {
        let mut queues = Queues::new("us-east-1", Uuid::from_u128(1));
        let suffix = if fifo { ".fifo" } else { "" };
        let [source, dead] =
            ["source", "dead"].map(|stem| QueueName::parse(&format!("{stem}{suffix}")).unwrap());
        let kind = |mut attributes: Attributes| {
            if fifo {
                attributes.insert("FifoQueue".to_owned(), "true".to_owned());
            }
            attributes
        };
        let policy = format!(
            r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":{MAX_RECEIVE_COUNT}}}"#,
            dead.arn("us-east-1")
        );
        let attributes = Attributes::from([
            ("RedrivePolicy".to_owned(), policy),
            ("DelaySeconds".to_owned(), "1".to_owned()),
        ]);
        queues.create(0, &dead, &kind(Attributes::new())).unwrap();
        queues.create(0, &source, &kind(attributes)).unwrap();
        let (now_ms, lanes, handles) = (1_000, BTreeMap::new(), Vec::new());
        Self { queues, source, dead, now_ms, lanes, handles, sent: 0, deleted: 0, died: 0 }
    }

    fn run(mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Send { group } => self.send(group),
                Step::Receive { max_messages, visibility_timeout_seconds } => {
                    self.receive(max_messages, visibility_timeout_seconds);
                }
                Step::Delete { handle } => self.delete(handle),
                Step::ChangeVisibility { handle, seconds } => self.change_visibility(handle, seconds),
                Step::Wait { duration_ms } => self.now_ms += duration_ms,
            }
            self.check_counts();
        }
        self.give_up_on_everything();
    }

    fn send(&mut self, group: u8) {
        let body = format!("message {}", self.sent);
        let fifo = self.source.is_fifo();
        let lane = if fifo { format!("group-{group}") } else { body.clone() };
        let message = NewMessage {
            body: body.clone(),
            group_id: Some(format!("group-{group}")),
            deduplication_id: fifo.then(|| self.sent.to_string()),
            ..NewMessage::default()
        };
        self.queues.send(self.now_ms, &self.source, message).unwrap();
        self.sent += 1;
        let visible_from_ms = self.now_ms + DELAY_MS;
        let modelled = Modelled { body, visible_from_ms, in_flight_until_ms: 0, deliveries: 0 };
        self.lanes.entry(lane).or_default().push(modelled);
    }

    fn receive(&mut self, max_messages: usize, visibility_timeout_seconds: u32) {
        let now_ms = self.now_ms;
        let request = ReceiveRequest {
            max_messages,
            visibility_timeout_seconds: Some(visibility_timeout_seconds),
            wait_seconds: None,
        };
        let open_lanes: BTreeSet<String> = self
            .lanes
            .iter()
            .filter(|(_, lane)| is_open(lane, now_ms))
            .map(|(name, _)| name.clone())
            .collect();
        let deliveries = self.queues.receive(now_ms, &self.source, request).unwrap();
        assert!(deliveries.len() <= max_messages);
        self.bury_the_dead(&open_lanes);
        let mut already_taken: BTreeMap<String, usize> = BTreeMap::new();
        for delivery in &deliveries {
            let lane_name = self.lane_of(&delivery.message);
            assert!(open_lanes.contains(&lane_name), "the first message of {lane_name} is in flight");
            // The n-th message taken from a lane is the n-th that is left in it.
            let place = already_taken.entry(lane_name.clone()).or_default();
            let modelled = &mut self.lanes.get_mut(&lane_name).unwrap()[*place];
            *place += 1;
            assert_eq!(modelled.body, delivery.message.content.body);
            assert!(!modelled.is_hidden(now_ms) && modelled.deliveries < MAX_RECEIVE_COUNT);
            modelled.deliveries += 1;
            modelled.in_flight_until_ms = now_ms + u64::from(visibility_timeout_seconds) * 1_000;
            assert_eq!(delivery.message.receive_count, modelled.deliveries);
            let handle = delivery.receipt_handle.to_string();
            self.handles.push((lane_name, modelled.body.clone(), modelled.deliveries, handle));
        }
        if deliveries.len() < max_messages {
            for lane_name in &open_lanes {
                let left = &self.lanes[lane_name][already_taken.get(lane_name).copied().unwrap_or(0)..];
                assert!(left.first().is_none_or(|next| next.is_hidden(now_ms)), "{left:?} was withheld");
            }
        }
    }

    /// Empties the dead-letter queue; what is in it must have come from the front of open lanes, in order.
    fn bury_the_dead(&mut self, open_lanes: &BTreeSet<String>) {
        let request =
            ReceiveRequest { max_messages: 10, visibility_timeout_seconds: None, wait_seconds: None };
        loop {
            let dead_letters = self.queues.receive(self.now_ms, &self.dead, request).unwrap();
            if dead_letters.is_empty() {
                break;
            }
            for dead_letter in dead_letters {
                let lane_name = self.lane_of(&dead_letter.message);
                assert!(open_lanes.contains(&lane_name));
                let modelled = self.lanes.get_mut(&lane_name).unwrap().remove(0);
                assert_eq!(modelled.body, dead_letter.message.content.body);
                assert_eq!(modelled.deliveries, MAX_RECEIVE_COUNT);
                self.died += 1;
                let handle = dead_letter.receipt_handle.to_string();
                self.queues.delete_message(self.now_ms, &self.dead, &handle).unwrap();
            }
        }
    }

    fn delete(&mut self, handle: prop::sample::Index) {
        let Some((lane_name, body, delivery, handle)) = self.pick(handle) else { return };
        let result = self.queues.delete_message(self.now_ms, &self.source, &handle);
        let (fifo, now_ms) = (self.source.is_fifo(), self.now_ms);
        let lane = self.lanes.get_mut(&lane_name).unwrap();
        let Some(place) = lane.iter().position(|modelled| modelled.body == body) else {
            assert_eq!(result, Ok(()), "what is gone counts as deleted");
            return;
        };
        let is_current = lane[place].deliveries == delivery;
        let accepted = is_current && (!fifo || lane[place].in_flight_until_ms > now_ms);
        assert_eq!(result.is_ok(), accepted || !fifo);
        if accepted {
            lane.remove(place);
            self.deleted += 1;
        }
    }

    fn change_visibility(&mut self, handle: prop::sample::Index, seconds: u32) {
        let Some((lane_name, body, delivery, handle)) = self.pick(handle) else { return };
        let result = self.queues.change_visibility(self.now_ms, &self.source, &handle, seconds);
        let now_ms = self.now_ms;
        let lane = self.lanes.get_mut(&lane_name).unwrap();
        let fifo = self.source.is_fifo();
        let current = lane.iter_mut().find(|modelled| {
            let is_current = modelled.deliveries == delivery && modelled.in_flight_until_ms > now_ms;
            modelled.body == body && (is_current || !fifo)
        });
        assert_eq!(result.is_ok(), current.is_some());
        if let Some(modelled) = current {
            modelled.in_flight_until_ms = now_ms + u64::from(seconds) * 1_000;
        }
    }

    fn check_counts(&mut self) {
        let now_ms = self.now_ms;
        let counts = self.queues.counts(now_ms, &self.source).unwrap();
        let messages = || self.lanes.values().flatten();
        let in_flight = messages().filter(|message| message.in_flight_until_ms > now_ms).count();
        let delayed = messages().filter(|message| message.visible_from_ms > now_ms).count();
        let visible = messages().count() - in_flight - delayed;
        assert_eq!(counts, MessageCounts { visible, in_flight, delayed });
    }

    /// Receives without deleting until every message is dead, then accounts for all that were sent.
    fn give_up_on_everything(mut self) {
        while self.lanes.values().any(|lane| !lane.is_empty()) {
            self.now_ms += 10_000;
            self.receive(10, 1);
        }
        self.check_counts();
        assert_eq!(self.sent, self.deleted + self.died);
    }

    fn lane_of(&self, message: &Message) -> String {
        if self.source.is_fifo() {
            message.content.group_id.clone().unwrap()
        } else {
            message.content.body.clone()
        }
    }

    fn pick(&self, index: prop::sample::Index) -> Option<(String, String, u32, String)> {
        (!self.handles.is_empty()).then(|| index.get(&self.handles).clone())
    }
}

/// Returns whether the first message of a lane, if there is one, is not in flight.
fn is_open(lane: &[Modelled], now_ms: u64) -> bool {
    lane.first().is_none_or(|first| first.in_flight_until_ms <= now_ms)
}
