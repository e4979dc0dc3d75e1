//! `GET /openapi.json`: the contract.

use futures::FutureExt;

use crate::OPENAPI;
use crate::access::Access;
use crate::answer::Answer;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/openapi.json",
    access: Access::Public,
    parameters: &[],
    answer: |_| async { Ok(Answer::text("application/json", OPENAPI)) }.boxed(),
};
