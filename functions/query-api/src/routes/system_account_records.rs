//! `GET /v1/system-accounts/{id}/records`: every leg a system account was given, or had to give back.

use futures::FutureExt;
use ledger::rules::Owner;

use crate::access::Access;
use crate::record::{self, RecordList};
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/system-accounts/{id}/records",
    access: Access::Operator,
    parameters: record::PARAMETERS,
    answer: |request| {
        async { record::page(request, &Owner::System(request.path("id")?), RecordList::Held).await }.boxed()
    },
};
