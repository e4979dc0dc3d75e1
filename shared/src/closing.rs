//! What the two functions that close business dates share: handing out a step's segments, and moving
//! a close from step to step.
//!
//! The state of a close is in the store, and a message only says that there is something to do. So
//! whatever is lost, repeated or killed, the schedule's next call goes on from the state.

use chrono::{DateTime, TimeDelta, Utc};

use crate::queue::{CloseMessage, QueueError, Queues};
use crate::rules::{AmountOverflow, CloseStep};
use crate::store::{CloseState, Store, StoreError};

/// The variable that holds the URL of the queue of segments to expire and to activate.
pub const EXPIRY_QUEUE_VARIABLE: &str = "EXPIRY_SEGMENTS_QUEUE_URL";
/// The variable that holds the URL of the queue of segments of snapshots.
pub const SNAPSHOT_QUEUE_VARIABLE: &str = "SNAPSHOT_SEGMENTS_QUEUE_URL";
/// The variable that holds into how many segments a close is split.
pub const SEGMENTS_VARIABLE: &str = "CLOSE_SEGMENTS";
/// The variable that holds after what time segments that are not done are sent again.
pub const ANNOUNCE_AGAIN_VARIABLE: &str = "WAKE_AGAIN_AFTER_MS";
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

/// A queue of segments.
#[derive(Debug, Clone)]
pub struct SegmentQueue {
    /// The queues.
    pub queues: Queues,
    /// Its URL.
    pub url: String,
}

impl SegmentQueue {
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
