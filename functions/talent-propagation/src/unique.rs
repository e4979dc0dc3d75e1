//! Numbers that nothing else has.

use std::sync::atomic::{AtomicU64, Ordering};

use runtime::Context;

/// Makes numbers that are different for each mark.
#[derive(Debug, Default)]
pub(crate) struct Unique(AtomicU64);

impl Unique {
    /// Returns a number made of the invocation, its time and a count, so that it comes only once.
    pub(crate) fn next(&self, context: &Context) -> u64 {
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
