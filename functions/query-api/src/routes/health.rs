//! `GET /health`: whether the function runs. It reads nothing, so that every caller may ask it often.

use serde_json::json;

use crate::access::Access;
use crate::answer::Answer;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/health",
    access: Access::Public,
    parameters: &[],
    answer: |request| {
        Box::pin(async {
            let zone = request.zone().name();
            Ok(Answer::momentary_json(&json!({ "status": "ok", "business_time_zone": zone })))
        })
    },
};
