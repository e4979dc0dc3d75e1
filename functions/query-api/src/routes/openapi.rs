//! `GET /openapi.json`: the contract.

use crate::OPENAPI;
use crate::access::Access;
use crate::answer::Answer;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/openapi.json",
    access: Access::Public,
    parameters: &[],
    answer: |_| Box::pin(async { Ok(Answer::text("application/json", OPENAPI)) }),
};
