//! The clock of the queues: the machine's, or one that a test sets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::Instant;

/// Where a service takes the time from: the machine, or a test.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Machine { started: Instant, started_at_ms: u64 },
    Manual(ManualClock),
}

impl Clock {
    /// Returns the machine's time, read once and carried on by its monotonic clock, so that it never goes back.
    #[must_use]
    pub fn machine() -> Self {
        let since_epoch =
            SystemTime::now().duration_since(UNIX_EPOCH).expect("the machine's date is after 1970");
        Self(Source::Machine { started: Instant::now(), started_at_ms: whole_milliseconds(since_epoch) })
    }

    /// Returns the time as milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::Machine { started, started_at_ms } => {
                started_at_ms + whole_milliseconds(started.elapsed())
            }
            Source::Manual(clock) => *clock.now_ms.borrow(),
        }
    }

    /// Waits until this clock shows at least this time.
    pub(crate) async fn sleep_until(&self, deadline_ms: u64) {
        match &self.0 {
            Source::Machine { started, started_at_ms } => {
                let since_start = Duration::from_millis(deadline_ms.saturating_sub(*started_at_ms));
                tokio::time::sleep_until(*started + since_start).await;
            }
            Source::Manual(clock) => {
                clock
                    .now_ms
                    .subscribe()
                    .wait_for(|now_ms| *now_ms >= deadline_ms)
                    .await
                    .expect("the clock that is waited for holds the sender");
            }
        }
    }
}

/// A clock that stands still until a test advances it; its clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now_ms: watch::Sender<u64>,
}

impl ManualClock {
    /// Returns a clock that shows this many milliseconds since 1970.
    #[must_use]
    pub fn starting_at(now_ms: u64) -> Self {
        Self { now_ms: watch::Sender::new(now_ms) }
    }

    /// Moves the clock forward, which wakes every long poll that now has something to look at.
    pub fn advance(&self, duration: Duration) {
        self.now_ms.send_modify(|now_ms| *now_ms += whole_milliseconds(duration));
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self(Source::Manual(clock))
    }
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a duration of fewer than 500 million years")
}
