//! `GET /v1/accounts/{account}/records` and `GET /v1/system-accounts/{id}/records`: every leg that an account was
//! given, or had to give back. At most three calls, however many there are.

use domain::{BusinessDate, LegType, OrderId, Owner, SystemAccount};
use serde::Serialize;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::expected::Expected;
use crate::lines::{self, Filter, Place};
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::RecordView;

/// The query parameters of every list of records.
const PARAMETERS: &[&str] = &["type", "order_id", "active_on", "direction", "cursor", "limit"];

pub(crate) const OF_ACCOUNT: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/records",
    access: Access::Account,
    parameters: PARAMETERS,
    answer: |request| Box::pin(async { page(request, request.path("account")?).await }),
};

pub(crate) const OF_SYSTEM_ACCOUNT: Route = Route {
    method: Method::Get,
    path: "/v1/system-accounts/{id}/records",
    access: Access::Operator,
    parameters: PARAMETERS,
    answer: |request| {
        Box::pin(async { page(request, Owner::System(request.path::<SystemAccount>("id")?)).await })
    },
};

#[derive(Debug, Serialize)]
struct RecordsView {
    records: Vec<RecordView>,
    next_cursor: Option<String>,
}

async fn page(request: &Request<'_>, owner: Owner) -> Result<Answer, Problem> {
    let descending = match request.query::<String>("direction")?.as_deref() {
        None | Some("ascending") => false,
        Some("descending") => true,
        Some(_) => return Err(Problem::invalid("direction", Expected::one_of(&["ascending", "descending"]))),
    };
    let filter = Filter {
        leg_type: request.query::<LegType>("type")?,
        order: request.query::<OrderId>("order_id")?,
        active_on: request.query::<BusinessDate>("active_on")?,
    };
    let (limit, after) = (request.limit()?, request.place::<Place>()?);
    let (head, position) = account::known(request, &owner).await?;
    let found = lines::find(request.engine(), &owner, &head, &filter, after, descending, limit).await?;
    let record = |(line, leg)| RecordView::new(&owner, line, leg, |adopter| request.may_name(adopter));
    let records = found.legs.iter().map(|(line, leg)| record((line, leg))).collect();
    let next_cursor = found.next.map(|place| request.cursor(place));
    Ok(Answer::json(&RecordsView { records, next_cursor }).at(position))
}
