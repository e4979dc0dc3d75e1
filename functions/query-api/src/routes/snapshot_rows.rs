//! `GET /v1/snapshots/{date}/rows` and `/export`: who had which part of the network on a closed date, the largest
//! first.
//!
//! A large network's rows do not fit into one file. The header `link` then says where the rest is: the parts, one
//! after another, are the whole file, and only the first begins with the columns' names.

use domain::snapshot::{Manifest, Row};
use domain::{Amount, BusinessDate, Owner, Ratio};
use serde::Serialize;
use store::snapshots::{self, RANKED_ROWS_PER_PAGE};

use crate::access::Access;
use crate::answer::Answer;
use crate::csv::{Csv, number_cell, text_cell};
use crate::days;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROWS: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/{date}/rows",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(rows(request)),
};

pub(crate) const EXPORT: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/{date}/export",
    access: Access::Operator,
    parameters: &["cursor"],
    answer: |request| Box::pin(export(request)),
};

/// Rows in one file, which may be 6 MB; a row is at most about 180 bytes.
const EXPORTED_ROWS_MAX: u64 = 20_000;
const COLUMNS: [&str; 5] = [
    "snapshot_date",
    "account",
    "effective_contribution",
    "network_total_contribution",
    "contribution_ratio",
];

#[derive(Debug, Serialize)]
struct RowsView {
    rows: Vec<RowView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct RowView {
    rank: u64,
    snapshot_date: BusinessDate,
    account: Owner,
    effective_contribution: Amount,
    network_total_contribution: Amount,
    contribution_ratio: Ratio,
}

async fn rows(request: &Request<'_>) -> Result<Answer, Problem> {
    let limit = request.limit()? as u64;
    let first = request.place::<u64>()?.unwrap_or(0);
    let manifest = days::closed(request, Some(request.path("date")?)).await?;
    let rows = page(request, &manifest, first, limit).await?;
    let next = first.saturating_add(limit);
    let view = |(rank, row): (u64, Row)| RowView {
        rank,
        snapshot_date: manifest.date,
        account: row.owner,
        effective_contribution: row.effective,
        network_total_contribution: manifest.totals.network,
        contribution_ratio: row.ratio,
    };
    Ok(Answer::json(&RowsView {
        rows: (first.saturating_add(1)..).zip(rows).map(view).collect(),
        next_cursor: (next < manifest.totals.rows).then(|| request.cursor(next)),
    }))
}

async fn export(request: &Request<'_>) -> Result<Answer, Problem> {
    let first = request.place::<u64>()?.unwrap_or(0);
    let manifest = days::closed(request, Some(request.path("date")?)).await?;
    let mut csv = Csv::default();
    if first == 0 {
        csv.texts(COLUMNS);
    }
    for row in page(request, &manifest, first, EXPORTED_ROWS_MAX).await? {
        csv.row([
            number_cell(manifest.date),
            text_cell(&row.owner.to_string()),
            number_cell(row.effective),
            number_cell(manifest.totals.network),
            number_cell(row.ratio),
        ]);
    }
    let answer = Answer::text("text/csv; charset=utf-8", csv.finish());
    let name = format!("attachment; filename=\"snapshot-{}.csv\"", manifest.date);
    let answer = answer.with_header("content-disposition", name);
    let next = first.saturating_add(EXPORTED_ROWS_MAX);
    Ok(if next < manifest.totals.rows {
        answer.with_header("link", format!("<export?cursor={}>; rel=\"next\"", request.cursor(next)))
    } else {
        answer
    })
}

/// Returns `count` ranked rows from number `first` on, counted from 0.
async fn page(
    request: &Request<'_>,
    manifest: &Manifest,
    first: u64,
    count: u64,
) -> Result<Vec<Row>, Problem> {
    let per_page = RANKED_ROWS_PER_PAGE as u64;
    let end = first.saturating_add(count).min(manifest.totals.rows);
    let mut rows = Vec::new();
    let mut next = first;
    while next < end {
        let number = u32::try_from(next / per_page).map_err(|_| Problem::InvalidCursor)?;
        let stored = snapshots::ranked(request.engine(), manifest, number).await?;
        let skipped = usize::try_from(next % per_page).expect("less than a page");
        let wanted = usize::try_from(end - next).unwrap_or(usize::MAX);
        let before = rows.len();
        rows.extend(stored.into_iter().skip(skipped).take(wanted));
        if rows.len() == before {
            return Err(Problem::inconsistent("a snapshot has fewer rows than its manifest says"));
        }
        next += (rows.len() - before) as u64;
    }
    Ok(rows)
}
