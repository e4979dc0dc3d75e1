//! What one look at the ledger found.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use ledger::store::Key;

use crate::report::{AbsentOrders, Difference, Examined, InProgress, Kind, LISTED_PER_KIND_MAX, Subject};

/// What one look found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) counts: BTreeMap<Kind, u64>,
    pub(crate) differences: Vec<Difference>,
    pub(crate) examined: Examined,
    pub(crate) in_progress: InProgress,
    pub(crate) held: BTreeMap<String, u64>,
    pub(crate) quarantined: BTreeMap<String, u64>,
    pub(crate) absent_orders: AbsentOrders,
    pub(crate) complete: bool,
    /// Where items that differ are, by the text that names them.
    pub(crate) keys: BTreeMap<String, Key>,
}

impl Findings {
    pub(crate) fn differs(
        &mut self,
        kind: Kind,
        subject: Subject,
        expected: impl Display,
        found: impl Display,
    ) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.add(Difference { kind, subject, expected, found, repair: None });
    }

    pub(crate) fn add(&mut self, difference: Difference) {
        let count = self.counts.entry(difference.kind).or_default();
        *count += 1;
        if *count <= LISTED_PER_KIND_MAX as u64 {
            self.differences.push(difference);
        }
    }

    pub(crate) fn item_differs(
        &mut self,
        kind: Kind,
        key: &Key,
        subject: Subject,
        expected: &str,
        found: &str,
    ) {
        let name = key.to_string();
        self.keys.insert(name.clone(), key.clone());
        self.differs(kind, Subject { item: Some(name), ..subject }, expected, found);
    }

    /// What this look found and an earlier one found too. The ledger goes on while it is looked at, so
    /// that one look may see one half of a posting and not the other; the same half is not seen twice.
    pub(crate) fn confirmed_by(mut self, earlier: &Self) -> Self {
        let before: HashSet<&Difference> = earlier.differences.iter().collect();
        self.differences.retain(|difference| before.contains(difference));
        let mut listed: BTreeMap<Kind, u64> = BTreeMap::new();
        for difference in &self.differences {
            *listed.entry(difference.kind).or_default() += 1;
        }
        // Of a kind too frequent to list, only the number can be compared.
        for (kind, count) in &self.counts {
            let both = (*count).min(earlier.counts.get(kind).copied().unwrap_or(0));
            if both > LISTED_PER_KIND_MAX as u64 {
                listed.insert(*kind, both);
            }
        }
        self.counts = listed;
        self
    }
}
