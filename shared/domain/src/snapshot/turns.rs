//! The dates on which something that an entry gives or takes begins or ends.

use crate::log::Entry;
use crate::{BusinessDate, Posting, Versions};

/// What happens to an amount on a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// It becomes active.
    Begins,
    /// It is no longer active.
    Ends,
}

/// Returns every date on which an amount or a tree of this entry begins to count, or no longer counts.
///
/// What is taken back has the same dates as what was given.
#[must_use]
pub fn turns_of(entry: &Entry, versions: &Versions) -> Vec<(Turn, BusinessDate)> {
    let of_posting = |posting: &Posting| {
        let policy = &versions.numbered(posting.version).expect("a posting names a known version").policy;
        let term = posting.term(policy);
        [(Turn::Begins, term.effective_date), (Turn::Ends, term.expire_date)]
    };
    match entry {
        Entry::Posted { posting, .. } | Entry::Withdrawn { posting, .. } => of_posting(posting).to_vec(),
        Entry::Corrected(correction) => {
            let (was, is) = (of_posting(&correction.was), of_posting(&correction.is));
            if was == is { is.to_vec() } else { [was, is].concat() }
        }
        Entry::Adjusted(terms) => {
            let ends = terms.expire_date.map(|date| (Turn::Ends, date));
            [(Turn::Begins, terms.effective_date)].into_iter().chain(ends).collect()
        }
        _ => Vec::new(),
    }
}
