//! What happened, kept as a hash and, where it is wanted, line by line.

use std::fmt::Write;

use crate::clock::Millis;

/// A record of events by which two runs are compared.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    hash: u64,
    line: String,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Returns a trace that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Returns a trace that keeps a hash of all events.
    #[must_use]
    pub fn hashed() -> Self {
        Self { on: true, hash: 0xcbf2_9ce4_8422_2325, ..Self::default() }
    }

    /// Returns a trace that keeps a line for each event, and the hash.
    #[must_use]
    pub fn with_lines() -> Self {
        Self { lines: Some(Vec::new()), ..Self::hashed() }
    }

    /// Adds an event.
    pub fn add(&mut self, at_ms: Millis, event: &impl std::fmt::Debug) {
        if !self.on {
            return;
        }
        self.line.clear();
        write!(self.line, "{at_ms} {event:?}").expect("a string takes everything");
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    /// Returns the hash of all events so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns the lines, where they are kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
