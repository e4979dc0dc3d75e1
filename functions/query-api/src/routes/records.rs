//! `GET /v1/accounts/{account}/records`: every leg an account was given, or had to give back.

use futures::FutureExt;
use ledger::rules::Owner;

use crate::access::Access;
use crate::record::{self, RecordList};
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/accounts/{account}/records",
    access: Access::Account,
    parameters: record::PARAMETERS,
    answer: |request| {
        async { record::page(request, &Owner::User(request.path("account")?), RecordList::Held).await }
            .boxed()
    },
};
