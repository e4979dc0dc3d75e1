//! How many calls a FIFO queue takes in a second.

use std::collections::BTreeMap;

use crate::clock::{Millis, WINDOW_MS};

const MAX_CALLS: u32 = 300;

/// An action whose calls are counted by themselves; a batch counts as one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Send,
    Receive,
    Delete,
}

/// The calls of the present second.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    window: u64,
    calls: BTreeMap<(Action, String), u32>,
}

impl Throughput {
    /// Counts a call, of a group or of the whole queue (`""`); returns whether it is still within the limit.
    pub(super) fn take(&mut self, now_ms: Millis, action: Action, group: &str) -> bool {
        let window = now_ms / WINDOW_MS;
        if window != self.window {
            self.window = window;
            self.calls.clear();
        }
        let calls = self.calls.entry((action, group.to_owned())).or_default();
        let fits = *calls < MAX_CALLS;
        *calls += u32::from(fits);
        fits
    }
}
