//! What happened, kept as a hash and, where it is wanted, line by line.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use crate::clock::Millis;

/// A record of events by which two runs are compared.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    hash: Mixer,
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
        Self { on: true, hash: Mixer(BEGIN), ..Self::default() }
    }

    /// Returns a trace that keeps a line for each event, and the hash.
    #[must_use]
    pub fn with_lines() -> Self {
        Self { lines: Some(Vec::new()), ..Self::hashed() }
    }

    /// Adds an event. What it shows in a line is what its hash is of.
    pub fn add(&mut self, at_ms: Millis, event: &(impl Debug + Hash)) {
        if !self.on {
            return;
        }
        (at_ms, event).hash(&mut self.hash);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{at_ms} {event:?}"));
        }
    }

    /// Returns the hash of all events so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// Returns the lines, where they are kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// The same in every process and on every machine, which the hasher of the standard library does not promise.
#[derive(Clone, Copy, Debug, Default)]
struct Mixer(u64);

const BEGIN: u64 = 0xcbf2_9ce4_8422_2325;

/// Returns a hash by which two runs are compared; it protects nothing.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut mixer = Mixer(BEGIN);
    mixer.write(bytes);
    mixer.finish()
}

impl Hasher for Mixer {
    /// Takes eight bytes at a time, and then how many there were.
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
