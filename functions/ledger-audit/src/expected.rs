//! What the log says up to a position: read once from its pages, and what everything stored is compared with.
//!
//! Touches: `Log` (reads).

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::{SumKey, SumNode, sum_path};
use domain::log::{Entry, Page, PageHash, Position, WalkId};
use domain::recalculate::{Recalculation, ReferralForest};
use domain::{AccountSequence, Versions};
use store::Engine;

use crate::error::AuditError;
use crate::pages;

/// What the log says up to a position.
pub(crate) struct Expected {
    pub(crate) recalculation: Recalculation,
    pub(crate) versions: Versions,
    pub(crate) lists: ExpectedLists,
    pub(crate) forest: ReferralForest,
    /// Walks that have begun and not ended.
    pub(crate) walks: BTreeSet<WalkId>,
    /// The time of the last page.
    pub(crate) last_ms: i64,
    last_hash: PageHash,
}

/// What the log says of sums and lists.
#[derive(Debug, Default)]
pub(crate) struct ExpectedLists {
    pub(crate) sums: BTreeMap<SumKey, SumNode>,
    /// Referrers and the accounts that ever had them.
    pub(crate) children: BTreeSet<(AccountSequence, AccountSequence)>,
}

/// Reads what the log says up to a position.
pub(crate) async fn read(
    engine: &dyn Engine,
    versions: Versions,
    position: Position,
) -> Result<Expected, AuditError> {
    let mut expected = Expected {
        recalculation: Recalculation::new(),
        versions,
        lists: ExpectedLists::default(),
        forest: ReferralForest::new(),
        walks: BTreeSet::new(),
        last_ms: i64::MIN,
        last_hash: PageHash::default(),
    };
    pages::read(engine, 0, position, |page| expected.take(&page)).await?;
    Ok(expected)
}

impl Expected {
    fn take(&mut self, page: &Page) -> Result<(), AuditError> {
        // What the first page carries is of the policy, whose text may have been set anew since: `verify` looks at it.
        if page.position > 1 && page.previous != self.last_hash {
            return Err(AuditError::BrokenChain { position: page.position });
        }
        self.last_hash = page.hash();
        self.recalculation.add_page(page);
        self.last_ms = page.time_ms;
        for entry in &page.entries {
            self.forest.apply(entry, page.position);
            for (key, _) in SumNode::order_of(entry).into_iter().flat_map(sum_path) {
                self.lists.sums.entry(key).or_default().apply(key, entry);
            }
            match entry {
                Entry::ReferralRow { account, row: Some(Some(referrer)), .. } => {
                    self.lists.children.insert((referrer.clone(), account.clone()));
                }
                Entry::VersionIntroduced(terms) => self.versions.introduce((**terms).clone())?,
                Entry::WalkBegan(walk) => drop(self.walks.insert(walk.id)),
                Entry::WalkEnded { walk } => drop(self.walks.remove(walk)),
                _ => {}
            }
        }
        Ok(())
    }
}
