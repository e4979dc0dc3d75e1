//! Progress for a person who watches: a line that renews itself on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::language::say;

/// How often the line is renewed.
const RENEWED_EVERY: Duration = Duration::from_millis(100);
/// How long work must have gone on before it is estimated how long it still takes.
const ESTIMATED_AFTER: Duration = Duration::from_secs(1);
const BAR_CHARACTERS: u64 = 30;

/// One piece of work whose size is known, or becomes known.
#[derive(Debug)]
pub struct ProgressLine {
    name: String,
    unit: &'static str,
    done: u64,
    total: u64,
    started: Instant,
    /// How much was done before this run.
    before: u64,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl ProgressLine {
    /// Returns progress of the work `name`, counted in `unit`.
    #[must_use]
    pub fn new(name: &str, unit: &'static str, total: u64) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            done: 0,
            total,
            started: Instant::now(),
            before: 0,
            shown: None,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Says how much an earlier run did already.
    pub fn begin_at(&mut self, done: u64) {
        self.before = done;
        self.set(done, self.total);
    }

    /// Says how much is done, and of how much.
    pub fn set(&mut self, done: u64, total: u64) {
        (self.done, self.total) = (done, total);
        let is_recent = self.shown.is_some_and(|shown| shown.elapsed() < RENEWED_EVERY);
        if self.is_terminal && !is_recent {
            self.shown = Some(Instant::now());
            Self::print(&format!("\r\x1b[2K{}", self.line(self.started.elapsed())));
        }
    }

    /// Says that more is done.
    pub fn add(&mut self, more: u64) {
        self.set(self.done + more, self.total);
    }

    /// Ends the line: it vanishes from a terminal, as it does when it is dropped; elsewhere one plain line says what
    /// was done.
    pub fn finish(self) {
        if !self.is_terminal {
            Self::print(&format!("{}: {} {}\n", self.name, self.done, self.unit));
        }
    }

    fn print(text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Progress that cannot be shown is no reason to fail.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    fn line(&self, elapsed: Duration) -> String {
        let Self { name, unit, done, total, .. } = self;
        let filled =
            (done * BAR_CHARACTERS).checked_div(*total).unwrap_or(BAR_CHARACTERS).min(BAR_CHARACTERS);
        let bar: String = (0..BAR_CHARACTERS).map(|place| if place < filled { '#' } else { '.' }).collect();
        let left = self.estimate(elapsed).map(|left| {
            let left = seconds(left);
            say(format!(", about {left} left"), format!("，约剩 {left}"))
        });
        format!("{name} [{bar}] {done}/{total} {unit}{}", left.unwrap_or_default())
    }

    /// Returns how long the rest takes if it goes on as it has since this run began.
    fn estimate(&self, elapsed: Duration) -> Option<Duration> {
        let done = self.done.checked_sub(self.before).filter(|done| *done > 0)?;
        let left = self.total.saturating_sub(self.done);
        if elapsed < ESTIMATED_AFTER || left == 0 {
            return None;
        }
        let left = u128::from(left) * elapsed.as_millis() / u128::from(done);
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)))
    }
}

/// Returns a duration in the coarsest unit that still says something.
fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..=1 => "1 s".to_owned(),
        seconds @ 2..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown.is_some() {
            Self::print("\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_counts_only_what_this_run_did() {
        let mut line = ProgressLine::new("c", "records", 1_000);
        line.begin_at(500);
        line.set(600, 1_000);
        let ten_seconds = Duration::from_secs(10);
        assert_eq!(line.estimate(ten_seconds), Some(Duration::from_secs(40)));
        assert!(line.line(ten_seconds).ends_with("600/1000 records, about 40 s left"));
        assert_eq!(line.estimate(Duration::from_millis(10)), None);
    }
}
