//! `GET /v1/snapshots/{date}/restated`: what the close of a date found that earlier closed dates would have had.

use domain::{Amount, BusinessDate, Owner};
use serde::Serialize;
use store::snapshots::{self, RESTATED_PER_PAGE};

use crate::access::Access;
use crate::answer::Answer;
use crate::days;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/{date}/restated",
    access: Access::Operator,
    parameters: &["account", "cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

/// How many pages one answer reads at most, where an account is looked for.
const PAGES_MAX: u64 = 40;

#[derive(Debug, Serialize)]
struct RestatedListView {
    snapshot_date: BusinessDate,
    /// How many there are in all.
    count: u64,
    restated: Vec<RestatedView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct RestatedView {
    account: Owner,
    first_date: BusinessDate,
    last_date: BusinessDate,
    /// What the account would have had more on each of these dates.
    difference: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (limit, account) = (request.limit()?, request.query::<Owner>("account")?);
    let mut next = request.place::<u64>()?.unwrap_or(0);
    let manifest = days::closed(request, Some(request.path("date")?)).await?;
    let per_page = RESTATED_PER_PAGE as u64;
    let pages_end = (next / per_page).saturating_add(PAGES_MAX);
    let mut restated = Vec::new();
    while next < manifest.restated && restated.len() < limit && next / per_page < pages_end {
        let number = u32::try_from(next / per_page).map_err(|_| Problem::InvalidCursor)?;
        let page = snapshots::restated(request.engine(), manifest.date, number).await?;
        let skipped = usize::try_from(next % per_page).expect("less than a page");
        let before = next;
        for one in page.into_iter().skip(skipped) {
            if restated.len() == limit {
                break;
            }
            next += 1;
            if account.as_ref().is_none_or(|account| one.owner == *account) {
                restated.push(RestatedView {
                    account: one.owner,
                    first_date: one.first_date,
                    last_date: one.last_date,
                    difference: one.difference,
                });
            }
        }
        if next == before {
            return Err(Problem::inconsistent("a snapshot lists fewer differences than its manifest says"));
        }
    }
    Ok(Answer::json(&RestatedListView {
        snapshot_date: manifest.date,
        count: manifest.restated,
        restated,
        next_cursor: (next < manifest.restated).then(|| request.cursor(next)),
    }))
}
