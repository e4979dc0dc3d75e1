//! Goes through the log for what operators say about subscriptions.
//!
//! Touches: `Log` (reads), `Ledger` (reads, writes), the clock.

use domain::log::{Entry, EventPlace, Page};
use runtime::Context;
use store::webhooks::{self, Registry};
use store::{StoreError, log};

use crate::limits::Limits;

/// How many pages are read at once.
const PAGES_READ: u32 = 32;
/// Pages are read only while more than this is left of the invocation, in milliseconds.
const PAGES_TAKE_MS: i64 = 2_000;

/// Returns what the log says of subscriptions, from what is known on.
pub(crate) async fn read_on(
    known: Registry,
    limits: Limits,
    context: &Context,
) -> Result<Registry, StoreError> {
    let engine = &*context.engine;
    let stored = webhooks::registry(engine).await?;
    let mut saved = stored.position;
    // Both are what the log says; the later one says more.
    let mut registry = if known.position > stored.position { known } else { stored };
    let mut changed = false;
    while (context.deadline - context.clock.now()).num_milliseconds() > PAGES_TAKE_MS {
        let pages = log::read_after(engine, registry.position, PAGES_READ).await?;
        for page in &pages {
            changed |= fold(&mut registry, page);
        }
        if changed || registry.position >= saved + limits.pages_unsaved_max {
            webhooks::put_registry(engine, &registry).await?;
            (changed, saved) = (false, registry.position);
        }
        if pages.len() < PAGES_READ as usize {
            break;
        }
    }
    Ok(registry)
}

/// Folds a page in. Returns whether it says anything of subscriptions or versions.
fn fold(registry: &mut Registry, page: &Page) -> bool {
    let before = registry.webhooks.clone();
    let mut is_changed = false;
    for (index, entry) in (0_u32..).zip(&page.entries) {
        match entry {
            Entry::VersionIntroduced(terms) => {
                registry.versions.push((**terms).clone());
                is_changed = true;
            }
            Entry::Commanded { .. } => {
                registry.webhooks.apply(entry, EventPlace::of_entry(page.position, index), page.time_ms);
            }
            _ => {}
        }
    }
    registry.position = page.position;
    is_changed || registry.webhooks != before
}
