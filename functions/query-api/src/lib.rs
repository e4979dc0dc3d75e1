//! Answers what the ledger holds, over HTTP, and serves the operators' console.
//!
//! The contract is `openapi.json`, which this function serves and its tests check it against. A
//! request passes four gates in this order, and the first that refuses it answers: there is such a
//! route ([`route`]), the caller may use it ([`access`]), its parameters are well formed
//! ([`request`]), and what it asks for exists. So whoever may not see something learns nothing
//! about whether it is there.

mod access;
mod answer;
mod cursor;
mod dates;
mod leg;
mod problem;
mod record;
mod request;
mod route;
mod routes;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use chrono::{DateTime, Utc};
use ledger::environment::{Environment, InvalidEnvironment};

use crate::access::Caller;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;

pub use crate::access::{ACCOUNT_CLAIM, OPERATE_SCOPE};
pub use crate::routes::paths;

/// The contract: an `OpenAPI` 3.1 document.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// The function, built once per process.
#[derive(Debug)]
pub struct QueryApi {
    environment: Environment,
    knows_activity: bool,
}

impl QueryApi {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        Ok(Self { knows_activity: environment.profile()?.knows_activity(), environment })
    }

    /// Answers a request as API Gateway passes it on. Trouble is an answer, too.
    pub async fn handle(
        &self,
        event: ApiGatewayV2httpRequest,
        now: DateTime<Utc>,
    ) -> ApiGatewayV2httpResponse {
        let answer = match self.answer(&event, now).await {
            Ok(answer) => answer,
            Err(problem) => {
                problem.log(event.request_context.request_id.as_deref());
                problem.into_answer()
            }
        };
        answer.into_response(&event.headers)
    }

    async fn answer(&self, event: &ApiGatewayV2httpRequest, now: DateTime<Utc>) -> Result<Answer, Problem> {
        let path = event.raw_path.as_deref().unwrap_or("/");
        let (route, path_values) = route::find(routes::ALL, path).ok_or(Problem::NotFound)?;
        if event.request_context.http.method.as_str() != "GET" {
            return Err(Problem::MethodNotAllowed);
        }
        let caller = Caller::of(event.request_context.authorizer.as_ref());
        route.access.check(caller.as_ref(), &path_values)?;
        let query = event.raw_query_string.as_deref().unwrap_or_default();
        let request = Request::new(self, now, route, caller, path_values, query)?;
        (route.answer)(&request).await
    }
}
