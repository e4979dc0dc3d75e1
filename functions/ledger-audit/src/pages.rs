//! Reads the log's pages between two positions.
//!
//! Touches: `Log` (reads).

use domain::log::{Page, Position};
use store::Engine;

use crate::error::AuditError;

/// Takes each page after one position, up to another, in order.
pub(crate) async fn read(
    engine: &dyn Engine,
    after: Position,
    until: Position,
    take: impl FnMut(Page) -> Result<(), AuditError> + Send,
) -> Result<(), AuditError> {
    let last = store::log::each_page(engine, after, until, take).await?;
    if last < until { Err(AuditError::MissingPage { position: last + 1 }) } else { Ok(()) }
}
