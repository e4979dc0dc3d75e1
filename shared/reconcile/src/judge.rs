//! Judges whether a row that was looked at twice differs. Pure.

use std::sync::Arc;

use cdc::{Column, RowImage, RowState};
use serde::Serialize;

use crate::fingerprint::{differing, said};
use crate::layout::Layout;
use crate::source::{Moment, SourceRow};

/// A row as both sides had it at one look. The source was read first.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its key.
    pub key: String,
    /// The row at the source, and what the decoder reads of it; `None` where there is none.
    pub source: Option<(SourceRow, RowImage)>,
    /// What the ledger keeps of it, with its revision; `None` where it never heard of it.
    pub ledger: Option<(RowState, u64)>,
    /// When the source was read.
    pub read: Moment,
}

/// What two looks say of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Both sides are the same by now.
    Gone,
    /// The source had the same at both looks, and the ledger has another.
    Stays,
    /// The source changed it between the looks.
    Moves,
}

/// A row that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What is different.
    pub kind: DifferenceKind,
    /// The topic that carries the row.
    pub topic: String,
    /// The table's layout, as it was compared; `None` where a capture was compared, from which nothing is repaired.
    pub layout: Option<Arc<Layout>>,
    /// Its primary key.
    pub key: String,
    /// What is different in it: column, what the source says, what the ledger says.
    pub columns: Vec<(Column, String, String)>,
    /// Whether the ledger had read past the first look when it was looked at again. Where it had not, what is missing
    /// may be on its way.
    pub is_certain: bool,
    /// The first look.
    pub first: Moment,
    /// The last one.
    pub seen: Seen,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DifferenceKind {
    /// The source has it, the ledger has not.
    Lost,
    /// The ledger has it, the source has not.
    Extra,
    /// The ledger has another version of it.
    Stale,
}

impl DifferenceKind {
    /// Returns the stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Extra => "EXTRA",
            Self::Stale => "STALE",
        }
    }
}

impl Seen {
    /// Returns how the row differs, if it does, and in which columns.
    #[must_use]
    pub fn difference(&self, layout: &Layout) -> Option<(DifferenceKind, Vec<(Column, String, String)>)> {
        let ledger = self.ledger.as_ref().and_then(|(state, _)| state.image());
        match (&self.source, ledger) {
            (None, None) => None,
            (Some(_), None) => Some((DifferenceKind::Lost, Vec::new())),
            (None, Some(_)) => Some((DifferenceKind::Extra, Vec::new())),
            (Some((_, source)), Some(ledger)) => {
                let columns: Vec<(Column, String, String)> =
                    differing(&said(source), &said(&ledger), &layout.compared)
                        .into_iter()
                        .map(|(column, source, ledger)| (column, source.shown(), ledger.shown()))
                        .collect();
                (!columns.is_empty()).then_some((DifferenceKind::Stale, columns))
            }
        }
    }

    /// Judges a row by this look and a later one.
    #[must_use]
    pub fn judge(&self, later: &Self, layout: &Layout) -> Judgement {
        if later.difference(layout).is_none() {
            return Judgement::Gone;
        }
        let is_same = match (&self.source, &later.source) {
            (None, None) => true,
            (Some((_, one)), Some((_, other))) => {
                differing(&said(one), &said(other), &layout.compared).is_empty()
            }
            _ => false,
        };
        if is_same { Judgement::Stays } else { Judgement::Moves }
    }
}
