//! Shows adoptions as the API answers with them. Pure: a caller has read their heads.

use chrono::{DateTime, Utc};
use domain::heads::{AdoptionHead, AdoptionState};
use domain::{AdoptionRow, Amount, BusinessDate, Column, OrderId, Versions};
use serde::Serialize;

use crate::request::Request;
use crate::view::{HoldView, instant, order_text};

/// An adoption in a list.
#[derive(Debug, Serialize)]
pub(crate) struct SummaryView {
    order_id: String,
    state: &'static str,
    hold: Option<HoldView>,
    /// A change of its row waits.
    waiting: Option<WaitingView>,
    tree_count: Option<i64>,
    adoption_date: Option<BusinessDate>,
    status: Option<String>,
    total: Option<Amount>,
    effective_date: Option<BusinessDate>,
    expire_date: Option<BusinessDate>,
}

/// A change that waits.
#[derive(Debug, Serialize)]
pub(crate) struct WaitingView {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What the source says of an adoption. A column that cannot be read is absent and named in `unreadable`.
#[derive(Debug, Serialize)]
pub(crate) struct SourceView {
    account: Option<String>,
    tree_count: Option<i64>,
    contribution_per_tree: Option<Amount>,
    adoption_date: Option<BusinessDate>,
    status: String,
    province_code: Option<String>,
    city_code: Option<String>,
    unreadable: Vec<&'static str>,
}

/// Returns where an adoption stands.
pub(crate) fn state(head: &AdoptionHead) -> &'static str {
    match head.state {
        AdoptionState::Absent => "GONE",
        AdoptionState::Unpriced => "UNPRICED",
        AdoptionState::Held(_) => "HELD",
        AdoptionState::Posted(_) => "POSTED",
    }
}

/// Returns why an adoption is held, if it is.
pub(crate) fn hold(request: &Request<'_>, head: &AdoptionHead) -> Option<HoldView> {
    match &head.state {
        AdoptionState::Held(reason) => {
            let profile = &request.settings().profile;
            Some(HoldView::new(reason, profile, request.language, |account| request.name(account)))
        }
        AdoptionState::Absent | AdoptionState::Unpriced | AdoptionState::Posted(_) => None,
    }
}

/// Returns the change of an adoption's row that waits, if one does.
pub(crate) fn waiting(head: &AdoptionHead) -> Option<WaitingView> {
    let waiting = head.waiting.as_ref()?;
    Some(WaitingView { since: instant(waiting.since_ms), until: instant(waiting.until_ms) })
}

impl SummaryView {
    /// Returns what became of an adoption.
    pub(crate) fn new(
        request: &Request<'_>,
        versions: &Versions,
        order: OrderId,
        head: &AdoptionHead,
    ) -> Self {
        let row = head.row();
        let posting = head.posting();
        let term =
            posting.and_then(|posting| Some(posting.term(&versions.numbered(posting.version)?.policy)));
        Self {
            order_id: order_text(order),
            state: state(head),
            hold: hold(request, head),
            waiting: waiting(head),
            tree_count: row.and_then(|row| value(&row.trees)).copied(),
            adoption_date: row.and_then(|row| value(&row.date)).copied(),
            status: row.map(|row| row.status.clone()),
            total: posting.map(|posting| posting.total),
            effective_date: term.map(|term| term.effective_date),
            expire_date: term.map(|term| term.expire_date),
        }
    }
}

impl From<&AdoptionRow> for SourceView {
    fn from(row: &AdoptionRow) -> Self {
        let unreadable = [
            ("account", matches!(row.account, Column::Unreadable)),
            ("trees", matches!(row.trees, Column::Unreadable)),
            ("price", matches!(row.price, Column::Unreadable)),
            ("date", matches!(row.date, Column::Unreadable)),
        ];
        Self {
            account: value(&row.account).map(ToString::to_string),
            tree_count: value(&row.trees).copied(),
            contribution_per_tree: value(&row.price).copied().flatten(),
            adoption_date: value(&row.date).copied(),
            status: row.status.clone(),
            province_code: row.province.as_ref().map(ToString::to_string),
            city_code: row.city.as_ref().map(ToString::to_string),
            unreadable: unreadable.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect(),
        }
    }
}

fn value<T>(column: &Column<T>) -> Option<&T> {
    match column {
        Column::Value(value) => Some(value),
        Column::Missing | Column::Unreadable => None,
    }
}
