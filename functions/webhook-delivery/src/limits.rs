//! How much is read and sent at once, and how patiently. A bench makes all of it small, so that short histories cross
//! every boundary.

/// How much is read and sent at once, and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many events a delivery has at most.
    pub events_per_delivery: usize,
    /// What was read of the log is put at the latest after so many pages, so that a new process need not read more.
    pub pages_unsaved_max: u64,
    /// How long a delivery that failed waits first, in milliseconds. Each failure doubles it.
    pub retry_first_ms: i64,
    /// How long a delivery that failed waits at most, in milliseconds.
    pub retry_max_ms: i64,
    /// A subscription that fails for so long is stopped, in milliseconds.
    pub stopped_after_ms: i64,
}

impl Default for Limits {
    /// Returns what is deployed: fifty events are some 200 KB, and a subscriber has three days.
    fn default() -> Self {
        Self {
            events_per_delivery: 50,
            pages_unsaved_max: 512,
            retry_first_ms: 30_000,
            retry_max_ms: 3_600_000,
            stopped_after_ms: 3 * 24 * 3_600 * 1_000,
        }
    }
}

impl Limits {
    /// Returns how long a delivery waits after so many failures, in milliseconds.
    pub(crate) fn retry_after_ms(&self, attempts: u32) -> i64 {
        let doublings = attempts.saturating_sub(1).min(16);
        (self.retry_first_ms << doublings).min(self.retry_max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_that_fails_again_waits_twice_as_long_up_to_an_hour() {
        let limits = Limits::default();
        let minutes = [1, 2, 3, 4, 7, 8, 9, 100].map(|attempts| limits.retry_after_ms(attempts) / 30_000);
        assert_eq!(minutes, [1, 2, 4, 8, 64, 120, 120, 120]);
    }
}
