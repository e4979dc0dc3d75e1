//! The state digest: a hash over exactly what two ledgers with the same inputs have in common (rules, section 10).
//!
//! The state is a list of lines, each a key and a value, in ten sections. Keys ascend by their bytes. A section's
//! digest is the SHA-256 of its lines, each written `key`, tab, `value`, line feed. The state digest is the SHA-256 of
//!
//! ```text
//! contribution state 1
//! date 2026-02-10
//! legs 21 5c2e...
//! totals 3 09af...
//! ```
//!
//! and so on, with the name, number of lines and digest of each section in the order of [`Section::ALL`]. Amounts have
//! ten decimals, order numbers nineteen digits, `-` stands for nothing. That something waits is said beside the digest
//! and is not part of it.

mod dump;
mod lines;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::heads::Totals;
use crate::log::{AdjustmentTerms, HoldReason, PageHash};
use crate::{AccountSequence, BusinessDate, OrderId, Owner, Posting, TalentLevel, Versions};

pub use dump::{InvalidDump, KeyDifference, diff, write_dump};

/// A part of the state that has a digest of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The net legs of each adoption.
    Legs,
    /// What each account has in all.
    Totals,
    /// What decides each account's unlocks.
    UnlockFacts,
    /// Each account's talent.
    Talent,
    /// What each system account has.
    SystemAccounts,
    /// Adoptions that are not posted, with the reason.
    Held,
    /// The trees adopted below each account, by level.
    TeamTrees,
    /// The place of each order that has one.
    PriceBook,
    /// The versions of the rules.
    Versions,
    /// The adjustments.
    Adjustments,
}

impl Section {
    /// Every section, in the order in which they are written.
    pub const ALL: [Self; 10] = [
        Self::Legs,
        Self::Totals,
        Self::UnlockFacts,
        Self::Talent,
        Self::SystemAccounts,
        Self::Held,
        Self::TeamTrees,
        Self::PriceBook,
        Self::Versions,
        Self::Adjustments,
    ];

    /// Returns the section's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Legs => "legs",
            Self::Totals => "totals",
            Self::UnlockFacts => "unlock_facts",
            Self::Talent => "talent",
            Self::SystemAccounts => "system_accounts",
            Self::Held => "held",
            Self::TeamTrees => "team_trees",
            Self::PriceBook => "price_book",
            Self::Versions => "versions",
            Self::Adjustments => "adjustments",
        }
    }
}

/// The state of a ledger, as far as two ledgers with the same inputs have it in common.
#[derive(Debug, Clone)]
pub struct State {
    /// The business date.
    pub date: BusinessDate,
    /// How many changes wait, so that the state is not that of the inputs as they are.
    pub waiting: u64,
    /// The versions of the rules.
    pub versions: Versions,
    /// Every order that a row names, or that has a place.
    pub adoptions: BTreeMap<OrderId, StateAdoption>,
    /// Every account.
    pub accounts: BTreeMap<AccountSequence, StateAccount>,
    /// What each owner has in all.
    pub totals: BTreeMap<Owner, Totals>,
    /// The adjustments, in any order.
    pub adjustments: Vec<AdjustmentTerms>,
}

/// An adoption's part of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateAdoption {
    /// The trees before it, where that was decided.
    pub trees_before: Option<u64>,
    /// What became of it.
    pub outcome: StateOutcome,
}

/// What became of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateOutcome {
    /// No row names it.
    Absent,
    /// It waits for its place.
    Unpriced,
    /// It is held.
    Held(HoldReason),
    /// It is posted.
    Posted(Box<Posting>),
}

/// An account's part of the state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateAccount {
    /// Its referrer in force.
    pub referrer: Option<AccountSequence>,
    /// Its own first posted order.
    pub first_order: Option<OrderId>,
    /// How many of its direct referrals have a posted adoption.
    pub direct_adopters: u32,
    /// Its talent.
    pub talent: StateTalent,
}

/// An account's talent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateTalent {
    /// Its level by the forest.
    pub level: TalentLevel,
    /// Direct referrals.
    pub direct_count: u64,
    /// Descendants within twenty levels.
    pub promotion_count: u64,
}

/// The digest of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateDigest {
    /// The business date.
    pub date: BusinessDate,
    /// The digest.
    pub hash: String,
    /// How many changes wait.
    pub waiting: u64,
    /// The digest of each section.
    pub sections: Vec<SectionDigest>,
}

/// The digest of a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionDigest {
    /// The section.
    pub section: Section,
    /// How many lines it has.
    pub lines: u64,
    /// Their digest.
    pub hash: String,
}

impl StateDigest {
    /// Returns the digest of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let sections: Vec<SectionDigest> = Section::ALL.map(|section| section_digest(state, section)).into();
        let head = format!("contribution state 1\ndate {}\n", state.date);
        let line = |SectionDigest { section, lines, hash }: &SectionDigest| {
            format!("{} {lines} {hash}\n", section.name())
        };
        let text: String = std::iter::once(head).chain(sections.iter().map(line)).collect();
        let hash = PageHash::of(text.as_bytes()).to_string();
        Self { date: state.date, hash, waiting: state.waiting, sections }
    }
}

fn section_digest(state: &State, section: Section) -> SectionDigest {
    let (mut hasher, mut lines) = (Sha256::new(), 0);
    state.each_line(section, &mut |key, value| {
        hasher.update(key.as_bytes());
        hasher.update(b"\t");
        hasher.update(value.as_bytes());
        hasher.update(b"\n");
        lines += 1;
    });
    let hash = PageHash::from_bytes(hasher.finalize().into()).to_string();
    SectionDigest { section, lines, hash }
}

impl fmt::Display for StateDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}  state of {}", self.hash, self.date)?;
        for SectionDigest { section, lines, hash } in &self.sections {
            writeln!(formatter, "{hash}  {} ({lines} lines)", section.name())?;
        }
        if self.waiting > 0 {
            writeln!(formatter, "WAITING: {} changes are not in force yet", self.waiting)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
