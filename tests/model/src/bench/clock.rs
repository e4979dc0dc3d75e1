//! The clock of one environment.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use runtime::Clock;
use store::BoxFuture;

use super::shared::Shared;
use crate::clock::Millis;

/// A clock that shows virtual time, and is wrong by as much as its environment's.
#[derive(Clone)]
pub struct ModelClock {
    shared: Shared,
    /// The time of day at virtual time 0.
    epoch: DateTime<Utc>,
    skew_ms: i64,
}

impl ModelClock {
    /// Returns a clock of a world.
    #[must_use]
    pub fn new(shared: Shared, epoch: DateTime<Utc>, skew_ms: i64) -> Self {
        Self { shared, epoch, skew_ms }
    }
}

impl Clock for ModelClock {
    fn now(&self) -> DateTime<Utc> {
        let now_ms = self.shared.lock().world.now_ms().cast_signed();
        self.epoch + TimeDelta::milliseconds(now_ms + self.skew_ms)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        // The world has whole milliseconds; no sleep is shorter than was asked for.
        let duration_ms =
            Millis::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(Millis::MAX / 2);
        Box::pin(self.shared.sleep(duration_ms))
    }
}
