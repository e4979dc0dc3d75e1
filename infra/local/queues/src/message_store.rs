//! The messages of one queue: which of them can be received, in which order, and when that changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::message::NewMessage;

/// A message's place in its queue; later messages have higher positions.
pub(crate) type Position = u64;

/// A message with what happened to it so far; this is what moves between queues.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) content: Arc<NewMessage>,
    pub(crate) sent_at_ms: u64,
    /// When the retention period began.
    pub(crate) enqueued_at_ms: u64,
    /// How often it was received, in whichever queue.
    pub(crate) receive_count: u32,
    pub(crate) first_received_at_ms: Option<u64>,
    /// The queue that gave up on it.
    pub(crate) dead_letter_source_arn: Option<String>,
}

impl Message {
    /// Returns a message that was just sent.
    pub(crate) fn new(id: Uuid, content: Arc<NewMessage>, now_ms: u64) -> Self {
        Self {
            id: id.to_string(),
            content,
            sent_at_ms: now_ms,
            enqueued_at_ms: now_ms,
            receive_count: 0,
            first_received_at_ms: None,
            dead_letter_source_arn: None,
        }
    }
}

/// A message in its queue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    /// How often this queue has delivered it.
    pub(crate) deliveries: u32,
    pub(crate) state: State,
    lane: Lane,
}

/// Whether a message can be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Visible,
    Delayed { until_ms: u64 },
    InFlight { delivered_at_ms: u64, until_ms: u64 },
}

/// The messages of one queue.
///
/// Every message stands in a lane: a FIFO message in its group's, a standard message in one of its
/// own. A lane is open while its first message is visible, even if a later one is still in flight. Only
/// the first message of an open lane can be received, together with those right behind it. Lanes take
/// turns: one that opens again goes behind those that are open.
#[derive(Debug, Default)]
pub(crate) struct MessageStore {
    entries: BTreeMap<Position, Entry>,
    next_position: Position,
    lanes: HashMap<Lane, LaneMessages>,
    /// The first message of every open lane, in the order in which the lanes opened.
    open: BTreeSet<(Turn, Position)>,
    next_turn: Turn,
    /// Messages by the time their delay ends.
    delayed: BTreeSet<(u64, Position)>,
    /// Messages by the time their visibility timeout ends.
    in_flight: BTreeSet<(u64, Position)>,
    /// Messages by the time their retention period began.
    by_age: BTreeSet<(u64, Position)>,
}

/// A place in the line of open lanes.
type Turn = u64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lane {
    Group(Arc<str>),
    Alone(Position),
}

#[derive(Debug, Default)]
struct LaneMessages {
    positions: BTreeSet<Position>,
    /// What stands for this lane in `MessageStore::open`.
    open_at: Option<(Turn, Position)>,
}

/// How many messages are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Messages that are neither delayed nor in flight: `ApproximateNumberOfMessages`.
    pub visible: usize,
    /// Messages that were received and neither deleted nor given back:
    /// `ApproximateNumberOfMessagesNotVisible`.
    pub in_flight: usize,
    /// Messages whose delay has not ended: `ApproximateNumberOfMessagesDelayed`.
    pub delayed: usize,
}

impl MessageStore {
    /// Puts a message at the end, in the lane of this group or in one of its own, visible from the
    /// given time on.
    pub(crate) fn push(
        &mut self,
        message: Message,
        group_id: Option<&str>,
        now_ms: u64,
        visible_from_ms: u64,
    ) -> Position {
        let position = self.next_position;
        self.next_position += 1;
        let lane = group_id.map_or(Lane::Alone(position), |group_id| Lane::Group(group_id.into()));
        self.by_age.insert((message.enqueued_at_ms, position));
        self.lanes.entry(lane.clone()).or_default().positions.insert(position);
        self.entries.insert(position, Entry { message, deliveries: 0, state: State::Visible, lane });
        let state = if visible_from_ms > now_ms {
            State::Delayed { until_ms: visible_from_ms }
        } else {
            State::Visible
        };
        self.set_state(position, state);
        position
    }

    /// Returns the message to receive next.
    pub(crate) fn first_open(&self) -> Option<Position> {
        self.open.first().map(|(_, position)| *position)
    }

    /// Returns the message right behind this one in its lane, if it is visible too.
    pub(crate) fn next_visible_in_lane(&self, position: Position) -> Option<Position> {
        let lane = &self.lanes[&self.entries[&position].lane];
        let next = *lane.positions.range(position + 1..).next()?;
        (self.entries[&next].state == State::Visible).then_some(next)
    }

    /// Returns the message at this position, if it is still there.
    pub(crate) fn get(&self, position: Position) -> Option<&Entry> {
        self.entries.get(&position)
    }

    /// Counts one more delivery of the message and puts it in flight.
    pub(crate) fn deliver(&mut self, position: Position, now_ms: u64, until_ms: u64) -> &Entry {
        let entry = self.entries.get_mut(&position).expect("only a message that is there is delivered");
        entry.deliveries += 1;
        entry.message.receive_count += 1;
        entry.message.first_received_at_ms.get_or_insert(now_ms);
        self.set_state(position, State::InFlight { delivered_at_ms: now_ms, until_ms });
        &self.entries[&position]
    }

    /// Changes a message's state, and with it whether its lane is open.
    pub(crate) fn set_state(&mut self, position: Position, state: State) {
        self.leave_state(position);
        let entry = self.entries.get_mut(&position).expect("only a message that is there changes state");
        entry.state = state;
        let lane_name = entry.lane.clone();
        match state {
            State::Visible => {}
            State::Delayed { until_ms } => {
                self.delayed.insert((until_ms, position));
            }
            State::InFlight { until_ms, .. } => {
                self.in_flight.insert((until_ms, position));
            }
        }
        self.reopen(&lane_name);
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, position: Position) -> Option<Message> {
        if !self.entries.contains_key(&position) {
            return None;
        }
        self.leave_state(position);
        let entry = self.entries.remove(&position)?;
        self.by_age.remove(&(entry.message.enqueued_at_ms, position));
        self.lanes.get_mut(&entry.lane).expect("every message has a lane").positions.remove(&position);
        self.reopen(&entry.lane);
        Some(entry.message)
    }

    /// Takes all messages out; positions are not used again.
    pub(crate) fn clear(&mut self) {
        *self = Self { next_position: self.next_position, next_turn: self.next_turn, ..Self::default() };
    }

    /// Ends the delays and visibility timeouts that end by now.
    pub(crate) fn end_waits(&mut self, now_ms: u64) {
        while let Some(&(_, position)) = first_due(&self.delayed, now_ms) {
            self.set_state(position, State::Visible);
        }
        while let Some(&(_, position)) = first_due(&self.in_flight, now_ms) {
            self.set_state(position, State::Visible);
        }
    }

    /// Takes out the messages that were enqueued by then, in whatever state they are.
    pub(crate) fn remove_enqueued_by(&mut self, time_ms: u64) {
        while let Some(&(_, position)) = first_due(&self.by_age, time_ms) {
            self.remove(position);
        }
    }

    /// Lets every delay that has not ended last this long from the message's enqueueing on.
    pub(crate) fn change_delays(&mut self, delay_ms: u64) {
        for (_, position) in self.delayed.clone() {
            let until_ms = self.entries[&position].message.enqueued_at_ms + delay_ms;
            self.set_state(position, State::Delayed { until_ms });
        }
    }

    /// Returns when the next delay or visibility timeout ends.
    pub(crate) fn next_wait_ends_at_ms(&self) -> Option<u64> {
        let first = |waiting: &BTreeSet<(u64, Position)>| waiting.first().map(|(until_ms, _)| *until_ms);
        first(&self.delayed).into_iter().chain(first(&self.in_flight)).min()
    }

    /// Returns when the oldest message was enqueued.
    pub(crate) fn oldest_enqueued_at_ms(&self) -> Option<u64> {
        self.by_age.first().map(|(enqueued_at_ms, _)| *enqueued_at_ms)
    }

    /// Returns how many messages are in which state.
    pub(crate) fn counts(&self) -> MessageCounts {
        let (in_flight, delayed) = (self.in_flight.len(), self.delayed.len());
        MessageCounts { visible: self.entries.len() - in_flight - delayed, in_flight, delayed }
    }

    /// Takes a message out of what its state put it in.
    fn leave_state(&mut self, position: Position) {
        let entry = &self.entries[&position];
        match entry.state {
            State::Visible => {}
            State::Delayed { until_ms } => {
                self.delayed.remove(&(until_ms, position));
            }
            State::InFlight { until_ms, .. } => {
                self.in_flight.remove(&(until_ms, position));
            }
        }
    }

    /// Brings `open` up to date for one lane, and drops the lane if it is empty.
    fn reopen(&mut self, name: &Lane) {
        let lane = self.lanes.get_mut(name).expect("a lane lasts until it is empty");
        let first = lane.positions.first().copied();
        let receivable = first.filter(|first| self.entries[first].state == State::Visible);
        let open_at = receivable.map(|position| {
            // A lane keeps its place for as long as it stays open.
            let turn = lane.open_at.map_or(self.next_turn, |(turn, _)| turn);
            self.next_turn = self.next_turn.max(turn + 1);
            (turn, position)
        });
        if lane.open_at != open_at {
            if let Some(place) = lane.open_at {
                self.open.remove(&place);
            }
            self.open.extend(open_at);
            lane.open_at = open_at;
        }
        if first.is_none() {
            self.lanes.remove(name);
        }
    }
}

fn first_due(times: &BTreeSet<(u64, Position)>, now_ms: u64) -> Option<&(u64, Position)> {
    times.first().filter(|(time_ms, _)| *time_ms <= now_ms)
}
