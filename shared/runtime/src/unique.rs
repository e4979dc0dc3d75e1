//! Makes numbers that occur only once, from the invocation, its clock and a count.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::function::Context;

/// Makes numbers of which each comes only once.
#[derive(Debug, Default)]
pub struct Unique(AtomicU64);

impl Unique {
    /// Returns a number made of the invocation, its time and a count, so that it comes only once. It is never 0.
    pub fn next(&self, context: &Context) -> u64 {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let now_ms = context.clock.now().timestamp_millis();
        let parts = [context.request_id.as_bytes(), &now_ms.to_be_bytes(), &count.to_be_bytes()];
        let hash = parts.concat().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // A revision is a signed number in some tables, and 0 stands for none.
        (hash >> 1).max(1)
    }
}
