//! Tells the time of decisions: the queue's time of the wake-up, plus what has passed since by the clock
//! of the invocation's `Context`.
//!
//! Touches: the clock.

use chrono::DateTime;
use runtime::Context;
use serde_json::Value;

/// Tells the time of decisions.
///
/// It is never the environment's clock itself: that of one environment may be ahead of another's. Only how much time
/// has passed since the invocation began is taken from it.
pub(crate) struct TimeSource {
    woken_at_ms: i64,
    began_ms: i64,
}

impl TimeSource {
    /// Returns the time source of an invocation by this event: of a queue, or of a schedule.
    pub(crate) fn of(event: &Value, context: &Context) -> Self {
        let began_ms = context.clock.now().timestamp_millis();
        let sent = event.get("Records").and_then(Value::as_array).into_iter().flatten();
        let sent =
            sent.filter_map(|record| record.pointer("/attributes/SentTimestamp")?.as_str()?.parse().ok());
        let scheduled = event.get("time").and_then(Value::as_str);
        let scheduled = scheduled.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let scheduled = scheduled.map(|time| time.timestamp_millis());
        Self { woken_at_ms: sent.max().or(scheduled).unwrap_or(began_ms), began_ms }
    }

    /// Returns the time now, in milliseconds since 1970.
    pub(crate) fn now_ms(&self, context: &Context) -> i64 {
        let passed_ms = context.clock.now().timestamp_millis() - self.began_ms;
        self.woken_at_ms + passed_ms.max(0)
    }
}
