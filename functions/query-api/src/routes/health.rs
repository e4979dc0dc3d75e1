//! `GET /health`: whether the function runs. It asks nobody else, so that anybody may ask it often.

use futures::FutureExt;
use serde_json::json;

use crate::access::Access;
use crate::answer::Answer;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/health",
    access: Access::Public,
    parameters: &[],
    answer: |_| async { Ok(Answer::momentary_json(&json!({ "status": "ok" }))) }.boxed(),
};
