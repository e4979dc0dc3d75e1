//! Reads the log's pages between two positions.
//!
//! Touches: `Log` (reads).

use domain::log::{Page, Position};
use store::Engine;

use crate::error::AuditError;

/// How many pages of the log are read at once.
const PAGES_READ: u32 = 128;

/// Takes each page after one position, up to another, in order.
pub(crate) async fn read(
    engine: &dyn Engine,
    after: Position,
    until: Position,
    mut take: impl FnMut(&Page) -> Result<(), AuditError> + Send,
) -> Result<(), AuditError> {
    let mut read = after;
    while read < until {
        let count = PAGES_READ.min(u32::try_from(until - read).unwrap_or(PAGES_READ));
        let pages = store::log::read_after(engine, read, count).await?;
        let Some(last) = pages.last() else { return Err(AuditError::MissingPage { position: read + 1 }) };
        read = last.position;
        pages.iter().try_for_each(&mut take)?;
    }
    Ok(())
}
