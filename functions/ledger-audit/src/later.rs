//! Adds up what the pages after an audit's position give to owners, so that a head which is further can be compared
//! as well.
//!
//! Touches: `Log` (reads).

use std::collections::BTreeMap;

use domain::heads::{Line, Totals, lines_of};
use domain::log::{Entry, Position};
use domain::{AmountOverflow, Owner, Versions};
use store::{Engine, StoreError};

/// The pages after a position, as far as they were read.
#[derive(Debug)]
pub(crate) struct Later {
    read: Position,
    versions: Versions,
    lines: BTreeMap<Owner, Vec<Line>>,
}

impl Later {
    pub(crate) fn after(position: Position, versions: Versions) -> Self {
        Self { read: position, versions, lines: BTreeMap::new() }
    }

    /// Adds to `totals` what the pages up to `until` give to an owner.
    pub(crate) async fn add(
        &mut self,
        engine: &dyn Engine,
        owner: &Owner,
        until: Position,
        totals: &mut Totals,
    ) -> Result<Result<(), AmountOverflow>, StoreError> {
        let (versions, lines) = (&mut self.versions, &mut self.lines);
        self.read = store::log::each_page(engine, self.read, until, |page| {
            for (index, entry) in (0..).zip(&page.entries) {
                if let Entry::VersionIntroduced(terms) = entry {
                    versions.introduce((**terms).clone()).expect("the log introduces valid versions");
                }
                for (owner, line) in lines_of(entry, page.position, index, page.time_ms, versions) {
                    lines.entry(owner).or_default().push(line);
                }
            }
            Ok::<_, StoreError>(())
        })
        .await?;
        let lines = self.lines.get(owner).into_iter().flatten();
        Ok(lines.filter(|line| line.position <= until).try_for_each(|line| totals.add(line)))
    }
}
