//! The one clock: a trait, and the machine's clock behind it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use store::BoxFuture;

/// Tells the time and waits. No other code of the ledger does either.
pub trait Clock: Send + Sync {
    /// Returns the time as this environment knows it. Clocks of different environments differ.
    fn now(&self) -> DateTime<Utc>;

    /// Waits for `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// The machine's clock. No other code may ask the machine for the time, or sleep.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
