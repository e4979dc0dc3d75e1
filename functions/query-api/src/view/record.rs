//! Records: the legs of an account's lines.

use chrono::{DateTime, Utc};
use domain::heads::{Line, LineKind, LineLeg};
use domain::log::Position;
use domain::{AccountSequence, BusinessDate, Owner};
use serde::Serialize;

use super::{LegView, instant, order_text};

/// A record as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RecordView {
    id: String,
    /// The page of the log that it comes from, and its entry there.
    page: Position,
    entry: u32,
    order_id: Option<String>,
    kind: LineKind,
    /// Whose adoption it is; kept from a member whose adoption it is not.
    adopter: Option<AccountSequence>,
    effective_date: BusinessDate,
    expire_date: Option<BusinessDate>,
    #[serde(flatten)]
    leg: LegView,
    posted_at: DateTime<Utc>,
}

impl RecordView {
    /// Returns a leg of a line of this account.
    pub(crate) fn new(
        owner: &Owner,
        line: &Line,
        leg: &LineLeg,
        may_name: impl Fn(&AccountSequence) -> bool,
    ) -> Self {
        Self {
            id: format!("{}-{}-{}", line.position, line.index, leg.slot),
            page: line.position,
            entry: line.index,
            order_id: line.order.map(order_text),
            kind: line.kind,
            adopter: line.adopter.clone().filter(may_name),
            effective_date: line.effective_date,
            expire_date: line.expire_date,
            leg: LegView::of_line(owner, line, leg),
            posted_at: instant(line.time_ms),
        }
    }
}
