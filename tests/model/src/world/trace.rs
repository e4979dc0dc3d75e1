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
        Self { on: true, hash: BEGIN, ..Self::default() }
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
        self.hash = mixed(self.hash, self.line.as_bytes());
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

const BEGIN: u64 = 0xcbf2_9ce4_8422_2325;

/// Returns a hash by which two runs are compared; it protects nothing.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> u64 {
    mixed(BEGIN, bytes)
}

/// Takes eight bytes at a time into a hash, and then how many there were.
fn mixed(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut take = |word: u64| hash = (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        take(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    take(u64::from_le_bytes(last));
    take(bytes.len() as u64);
    hash
}
