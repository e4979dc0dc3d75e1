//! What makes a close suspicious, for an operator to judge: the largest changes.
//!
//! Touches: `Log` (reads), `Ledger` (reads).

use std::cmp::Reverse;

use domain::heads::Network;
use domain::log::{Correction, Entry, Page, Position};
use domain::{AccountSequence, Amount, BusinessDate};
use serde::Serialize;
use store::{dates, log};

use crate::problem::Problem;
use crate::request::Request;
use crate::view::order_text;

/// How many changes are shown.
const SHOWN: usize = 10;
/// At most so many pages of the log are looked at, the latest.
const PAGES_MAX: usize = 1_000;
/// How many pages are read at once.
const PAGES_AT_ONCE: usize = 64;
/// How a reason begins that the guard gives.
const BY_GUARD: &str = "SUSPICIOUS: ";

/// A close that the guard stops.
#[derive(Debug, Serialize)]
pub(crate) struct SuspiciousCloseView {
    date: BusinessDate,
    /// What is suspicious about it.
    reason: String,
    /// The largest changes: what becomes effective on the date, and what was taken back since the last close.
    changes: Vec<ChangeView>,
    /// Whether every change was looked at, and not only the latest.
    are_all_looked_at: bool,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    /// `POSTED`, `CORRECTED` or `WITHDRAWN`.
    change: &'static str,
    order_id: String,
    account: AccountSequence,
    /// What becomes effective; of the others, what was taken back.
    amount: Amount,
    page: Position,
}

/// Returns the close that the guard stops, if it stops one.
pub(crate) async fn close(
    request: &Request<'_>,
    network: &Network,
) -> Result<Option<SuspiciousCloseView>, Problem> {
    let Some((date, reasons)) = &network.close_waits else { return Ok(None) };
    let Some(reason) = reasons.iter().find_map(|reason| reason.strip_prefix(BY_GUARD)) else {
        return Ok(None);
    };
    let cut = network.closed.as_ref().map_or(0, |closed| closed.cut);
    let mut pages = dates::pages_of(request.engine(), *date).await?;
    pages.extend(cut + 1..=network.position);
    pages.sort_unstable();
    pages.dedup();
    let passed_over = pages.len().saturating_sub(PAGES_MAX);
    let mut changes = Vec::new();
    for part in pages[passed_over..].chunks(PAGES_AT_ONCE) {
        for page in log::read_at(request.engine(), part.to_vec()).await? {
            changes.extend(page.entries.iter().filter_map(|entry| change(entry, &page, *date, cut)));
        }
        changes.sort_by_key(|change: &ChangeView| (Reverse(change.amount), change.page));
        changes.truncate(SHOWN);
    }
    let reason = request.language.translate(reason);
    Ok(Some(SuspiciousCloseView { date: *date, reason, changes, are_all_looked_at: passed_over == 0 }))
}

fn change(entry: &Entry, page: &Page, date: BusinessDate, cut: Position) -> Option<ChangeView> {
    let (change, order, posting) = match entry {
        Entry::Posted { order, posting, .. } if posting.adoption_date.next() == date => {
            ("POSTED", *order, &**posting)
        }
        Entry::Corrected(correction) if page.position > cut => {
            let Correction { order, was, .. } = &**correction;
            ("CORRECTED", *order, was)
        }
        Entry::Withdrawn { order, posting, .. } if page.position > cut => ("WITHDRAWN", *order, &**posting),
        _ => return None,
    };
    Some(ChangeView {
        change,
        order_id: order_text(order),
        account: posting.account.clone(),
        amount: posting.total,
        page: page.position,
    })
}
