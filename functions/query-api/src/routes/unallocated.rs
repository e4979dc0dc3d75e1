//! `GET /v1/accounts/{account}/unallocated`: what an account would have received, and why not.

use futures::FutureExt;
use ledger::rules::Owner;

use crate::access::Access;
use crate::record::{self, RecordList};
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/accounts/{account}/unallocated",
    access: Access::Account,
    parameters: record::PARAMETERS,
    answer: |request| {
        async { record::page(request, &Owner::User(request.path("account")?), RecordList::Unallocated).await }
            .boxed()
    },
};
