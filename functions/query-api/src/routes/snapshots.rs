//! `GET /v1/snapshots`, `/v1/snapshots/latest`, `/v1/snapshots/{date}` and its manifest: closed dates as a whole.

use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::days::{self, DATE_PARAMETERS, DatePage, ManifestView};
use crate::problem::Problem;
use crate::request::{LIMIT_MAX, Request};
use crate::route::{Method, Route};

pub(crate) const LIST: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots",
    access: Access::Operator,
    parameters: DATE_PARAMETERS,
    answer: |request| Box::pin(list(request)),
};

pub(crate) const LATEST: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/latest",
    access: Access::Operator,
    parameters: &[],
    answer: |request| {
        Box::pin(async { Ok(Answer::json(&ManifestView::from(&days::closed(request, None).await?))) })
    },
};

pub(crate) const ONE: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/{date}",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(one(request)),
};

pub(crate) const MANIFEST: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/{date}/manifest",
    access: Access::Member,
    parameters: &[],
    answer: |request| Box::pin(one(request)),
};

#[derive(Debug, Serialize)]
struct SnapshotsView {
    snapshots: Vec<ManifestView>,
    next_cursor: Option<String>,
}

async fn list(request: &Request<'_>) -> Result<Answer, Problem> {
    let page = DatePage::of(request, LIMIT_MAX).await?;
    let snapshots = page.manifests.iter().map(ManifestView::from).collect();
    Ok(Answer::json(&SnapshotsView { snapshots, next_cursor: page.next_cursor }))
}

async fn one(request: &Request<'_>) -> Result<Answer, Problem> {
    let manifest = days::closed(request, Some(request.path("date")?)).await?;
    Ok(Answer::json(&ManifestView::from(&manifest)))
}
