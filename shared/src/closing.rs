//! What the two functions that close business dates share: being called, handing out a step's
//! segments, and moving a close from step to step.
//!
//! The state of a close is in the store, and a message only says that there is something to do. So
//! whatever is lost, repeated or killed, the schedule's next call goes on from the state.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::environment::{Environment, InvalidEnvironment};
use crate::queue::{CloseMessage, CloseRequest, QueueError, Queues};
use crate::rules::{AmountOverflow, CloseStep};
use crate::store::{CloseState, Store, StoreError};

/// The variable that holds the URL of the queue of segments to expire and to activate.
pub const EXPIRY_QUEUE_VARIABLE: &str = "EXPIRY_SEGMENTS_QUEUE_URL";
/// The variable that holds the URL of the queue of segments of snapshots.
pub const SNAPSHOT_QUEUE_VARIABLE: &str = "SNAPSHOT_SEGMENTS_QUEUE_URL";
/// The variable that holds into how many segments a close is split.
pub const SEGMENTS_VARIABLE: &str = "CLOSE_SEGMENTS";
/// The variable that holds after what time segments that are not done are sent again.
const ANNOUNCE_AGAIN_VARIABLE: &str = "WAKE_AGAIN_AFTER_MS";
/// What is left of an invocation's time when a segment stops and notes how far it is.
pub const TIME_RESERVE: TimeDelta = TimeDelta::seconds(20);

/// What keeps a close from going on. All of it is safe to do again.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Passing: postings to the same accounts kept coming.
    #[error("postings to the same accounts kept coming")]
    Contended,
    /// Lasting: the network's total does not fit an amount. The date stays open.
    #[error("the network's contribution: {0}")]
    Overflow(#[from] AmountOverflow),
    /// Lasting: something other than the close changed what is effective. The date stays open.
    #[error("EFFECTIVE_CHANGED: what is effective changed while {date} was closed; run the audit")]
    EffectiveChanged {
        /// The date.
        date: crate::rules::BusinessDate,
    },
    /// Lasting: what called is none of this system's.
    #[error("the event cannot be read: {0}")]
    Event(#[from] serde_json::Error),
}

/// What calls one of these functions.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum CloseEvent {
    /// Its queue.
    Messages(SqsEvent),
    /// The schedule, or an operator.
    Call(CloseRequest),
}

/// What a message asks for.
pub fn content(message: &SqsMessage) -> Result<CloseMessage, CloseError> {
    Ok(serde_json::from_str(message.body.as_deref().unwrap_or_default())?)
}

/// Notes in the answer to a batch what became of one of its messages: one that failed comes again.
pub fn note(response: &mut SqsBatchResponse, message: SqsMessage, outcome: Result<(), CloseError>) {
    if let Err(error) = outcome {
        let message_id = message.message_id.unwrap_or_default();
        tracing::error!(message_id, %error, "a part of a close failed; its message will be delivered again");
        response.add_failure(message_id);
    }
}

/// A queue of segments.
#[derive(Debug, Clone)]
pub struct SegmentQueue {
    queues: Queues,
    url: String,
    announce_again_after: TimeDelta,
}

impl SegmentQueue {
    /// The queue whose URL is in this variable.
    pub fn new(environment: &Environment, url_variable: &'static str) -> Result<Self, InvalidEnvironment> {
        let variables = environment.variables();
        Ok(Self {
            queues: environment.queues.clone(),
            url: variables.required(url_variable)?,
            announce_again_after: TimeDelta::milliseconds(
                variables.parsed_or(ANNOUNCE_AGAIN_VARIABLE, 300_000)?,
            ),
        })
    }

    /// Sends what is not done again, if it was sent long ago.
    pub async fn announce_again(
        &self,
        store: &Store,
        state: &CloseState,
        now: DateTime<Utc>,
    ) -> Result<(), CloseError> {
        let announced_ago = now.timestamp_millis() - state.announced_at_ms;
        if announced_ago >= self.announce_again_after.num_milliseconds() {
            self.announce(store, state, now).await?;
        }
        Ok(())
    }

    /// Sends every segment of the current step that is not done.
    ///
    /// When is noted first: whoever finishes the last segment moves the state on, and must not find it
    /// changed in between. Whoever dies in between leaves it to the schedule to send them again.
    pub async fn announce(
        &self,
        store: &Store,
        state: &CloseState,
        now: DateTime<Utc>,
    ) -> Result<(), CloseError> {
        let announced = CloseState { announced_at_ms: now.timestamp_millis(), ..state.clone() };
        if !store.apply(announced.write_next()?).await? {
            // Somebody else moved the state on, and sends what is to be sent.
            return Ok(());
        }
        let segments = store.close_segments(state, state.step).await?;
        let open = (0..state.segments).zip(segments).filter(|(_, segment)| !segment.is_done());
        let message = |segment| CloseMessage::Segment { date: state.date, step: state.step, segment };
        self.queues.send_all(&self.url, open.map(|(segment, _)| message(segment))).await?;
        Ok(())
    }

    /// Sends one message.
    pub async fn send(&self, message: CloseMessage) -> Result<(), CloseError> {
        Ok(self.queues.send_all(&self.url, [message]).await?)
    }
}

/// Whether every segment of a step is done.
pub async fn is_step_done(store: &Store, state: &CloseState, step: CloseStep) -> Result<bool, StoreError> {
    Ok(store.close_segments(state, step).await?.iter().all(crate::store::SegmentState::is_done))
}

/// Moves a close to its next step; `None` if somebody else moved it meanwhile.
pub async fn advance(store: &Store, state: CloseState) -> Result<Option<CloseState>, StoreError> {
    let step = state.step.next().expect("a closed date is not moved");
    let next = CloseState { step, waiting_for: Vec::new(), announced_at_ms: 0, ..state };
    let moved = store.apply(next.write_next()?).await?;
    Ok(moved.then_some(CloseState { revision: next.revision + 1, ..next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_an_empty_object_or_a_request_and_a_misspelt_request_is_neither() {
        let read = serde_json::from_str::<CloseEvent>;
        assert!(
            matches!(read("{}"), Ok(CloseEvent::Call(request)) if request == CloseRequest::default()),
            "the schedule's"
        );
        let until = read(r#"{"until": "2026-02-10"}"#);
        assert!(matches!(until, Ok(CloseEvent::Call(request)) if request.until.is_some()));
        assert!(read(r#"{"untill": "2026-02-10"}"#).is_err(), "it would close every date there is");
        assert!(read(r#"{"Records": "none"}"#).is_err(), "messages that cannot be read are no call");
        assert!(matches!(read(r#"{"Records": []}"#), Ok(CloseEvent::Messages(_))));
    }

    #[test]
    fn a_message_is_read_with_what_it_asks_for() {
        let begin: CloseMessage =
            serde_json::from_str(r#"{"kind": "BEGIN", "until": "2026-02-10", "release": "EVERYTHING"}"#)
                .expect("a message");
        assert!(matches!(begin, CloseMessage::Begin(request) if request.until.is_some()));
    }
}
