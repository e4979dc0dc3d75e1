//! Reads what changes from a closed date to the next.
//!
//! Touches: `Ledger` (reads), `Log` (reads).

use domain::Versions;
use domain::log::Position;
use domain::snapshot::{DayChanges, Window};
use store::Engine;

use crate::{SnapshotError, Time, pages_at};

/// How many pages are read together.
const PAGES_PER_READ: usize = 64;

/// Returns what changes in this window: by earlier pages on whose legs something begins or ends on the date, and by
/// the pages since the date before. `None` where the time is over.
pub(crate) async fn read(
    engine: &dyn Engine,
    window: &Window,
    versions: &Versions,
    time: &Time<'_>,
) -> Result<Option<DayChanges>, SnapshotError> {
    let earlier = store::dates::pages_of(engine, window.date).await?;
    let earlier = earlier.into_iter().filter(|position| *position <= window.previous_cut());
    let positions: Vec<Position> = earlier.chain(window.previous_cut() + 1..=window.cut).collect();
    let mut changes = DayChanges::default();
    for positions in positions.chunks(PAGES_PER_READ) {
        if !time.is_left() {
            return Ok(None);
        }
        for page in pages_at(engine, positions).await? {
            changes.add(&page, window, versions)?;
        }
    }
    Ok(Some(changes))
}

/// Returns what a single page after the cut changes, with the window that has it.
pub(crate) async fn next_page(
    engine: &dyn Engine,
    window: &Window,
    versions: &Versions,
) -> Result<(Window, DayChanges), SnapshotError> {
    let wider = Window { cut: window.cut + 1, ..*window };
    let mut changes = DayChanges::default();
    for page in pages_at(engine, &[wider.cut]).await? {
        changes.add(&page, &wider, versions)?;
    }
    Ok((wider, changes))
}
