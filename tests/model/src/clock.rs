//! Virtual time.

/// A moment in virtual time, or a duration: whole milliseconds.
pub type Millis = u64;

/// The length of the windows in which throughput is counted.
pub const WINDOW_MS: Millis = 1_000;
