//! `GET /v1/snapshots/{date}/export`: a closed business date's rows as comma-separated values.
//!
//! A large network's do not fit into one answer. The header `link` then says where the rest is: the
//! parts, one after another, are the whole file, and only the first begins with the columns' names.

use std::fmt::Write as _;

use futures::FutureExt;

use super::snapshot_rows::page;
use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/snapshots/{date}/export",
    access: Access::Operator,
    parameters: &["cursor"],
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "snapshot-export";
/// Rows in one answer, which may be 6 MB; a row is at most about 150 bytes.
const ROWS_MAX: usize = 20_000;
const COLUMNS: &str =
    "snapshot_date,account,effective_contribution,network_total_contribution,contribution_ratio\n";

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let is_first = !request.has("cursor");
    let (rows, next_cursor) = page(request, LIST, ROWS_MAX).await?;
    let mut text = String::from(if is_first { COLUMNS } else { "" });
    for row in &rows {
        writeln!(
            text,
            "{},{},{},{},{}",
            row.snapshot_date,
            row.account,
            row.effective_contribution,
            row.network_total_contribution,
            row.contribution_ratio
        )
        .expect("writing to a string works");
    }
    let answer = Answer::text("text/csv; charset=utf-8", text);
    Ok(match next_cursor {
        Some(next) => answer.with_header("link", format!("<export?cursor={next}>; rel=\"next\"")),
        None => answer,
    })
}
