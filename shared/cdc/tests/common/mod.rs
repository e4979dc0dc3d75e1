//! What the tests of whole captures share.
#![allow(unreachable_pub, dead_code, reason = "each test binary has a copy, and not each uses all of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use cdc::{
    CapturedRecord, Decoded, Fold, Folded, Profile, Refusal, RowImage, RowState, SourceTable, decode, fold,
};
use domain::RowKey;

/// Rows of the source, folded from records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Each row that a record was about.
    pub states: BTreeMap<(SourceTable, RowKey), RowState>,
    /// Refused records, by topic, partition and offset.
    pub refused: BTreeMap<(String, i32, i64), Refusal>,
}

impl Rows {
    /// Folds records in this order.
    pub fn of<'a>(profile: &Profile, records: impl IntoIterator<Item = &'a CapturedRecord>) -> Self {
        let mut rows = Self::default();
        for record in records {
            rows.add(profile, record);
        }
        rows
    }

    /// Folds one record; says what it did, if it was a change of a row.
    pub fn add(&mut self, profile: &Profile, record: &CapturedRecord) -> Option<Folded> {
        match decode(profile, record.as_kafka()) {
            Ok(Decoded::Change(change)) => {
                let mut folded_here = None;
                for row_key in change.row_keys() {
                    let key = (change.table, row_key.clone());
                    let Fold { state, folded, .. } = fold(self.states.remove(&key), &change.in_row(row_key));
                    self.states.insert(key, state);
                    folded_here.get_or_insert(folded);
                }
                folded_here
            }
            Ok(Decoded::Truncate(_) | Decoded::Control(_)) => None,
            Err(refusal) => {
                self.refused.insert((record.topic.clone(), record.partition, record.offset), refusal);
                None
            }
        }
    }

    /// Returns the rows that stand, without their keys, which differ between two ways to write one source.
    pub fn images(&self) -> Vec<RowImage> {
        let mut images: Vec<RowImage> = self.states.values().filter_map(RowState::image).collect();
        images.sort_by_key(|image| format!("{image:?}"));
        images
    }

    /// Returns the codes of the refusals, each once.
    pub fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = self.refused.values().map(Refusal::code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// Returns the records of a capture below `events/`.
pub fn records(path: &str) -> Vec<CapturedRecord> {
    let path = events(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = |line: &str| {
        CapturedRecord::from_line(line).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    text.lines().filter_map(read).collect()
}

/// Returns a path below `events/`.
pub fn events(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events").join(path)
}

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    /// Returns the dice of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// Returns a number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        // Xorshift: good enough to shuffle with, and needs no crate.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("below a usize")
    }

    /// Puts items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
