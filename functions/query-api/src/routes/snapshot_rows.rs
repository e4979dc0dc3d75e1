//! `GET /v1/snapshots/{date}/rows`: who had which part of the network on a closed business date.

use std::fmt;
use std::str::FromStr;

use futures::FutureExt;
use ledger::store::{SnapshotPosition, SnapshotRow};
use serde::Serialize;

use super::snapshot::totals;
use crate::access::Access;
use crate::answer::Answer;
use crate::cursor;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/snapshots/{date}/rows",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "snapshot-rows";

#[derive(Debug, Serialize)]
struct RowsView {
    rows: Vec<SnapshotRow>,
    next_cursor: Option<String>,
}

/// Where a page of rows starts, as a cursor holds it.
#[derive(Debug)]
pub(super) struct Start(SnapshotPosition);

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (rows, next_cursor) = page(request, LIST, request.limit()?).await?;
    Ok(Answer::json(&RowsView { rows, next_cursor }))
}

/// A page of at most `limit` rows of the date in the path, and the cursor of the next one.
pub(super) async fn page(
    request: &Request<'_>,
    list: &str,
    limit: usize,
) -> Result<(Vec<SnapshotRow>, Option<String>), Problem> {
    let start = request.cursor::<Start>(list)?.map(|start| start.0).unwrap_or_default();
    let page = request.store().snapshot_page(&totals(request).await?, start, limit).await?;
    Ok((page.rows, page.next.map(|next| cursor::encode(list, Start(next)))))
}

impl fmt::Display for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.0.part, self.0.after.as_deref().unwrap_or_default())
    }
}

impl FromStr for Start {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (part, after) = text.split_once('/').ok_or(())?;
        let after = Some(after).filter(|after| !after.is_empty()).map(ToOwned::to_owned);
        Ok(Self(SnapshotPosition { part: part.parse().map_err(|_| ())?, after }))
    }
}
