//! Answers what the ledger holds, over HTTP, takes operators' commands, and serves the console.
//!
//! The contract is `openapi.json`, which this function serves and its tests check it against. A request passes
//! four gates in this order, and the first that refuses it answers: there is such a route ([`route`]), the
//! caller may use it ([`access`]), its parameters are well formed ([`request`]), and what it asks for exists.
//! So a caller who may not see something learns nothing about whether it is there.
//!
//! - Reads: `Source`, `Log`, `Ledger`, `Snapshots`.
//! - Writes: `Source` (commands, and quarantined bytes that an operator removes).
//! - Sends to: `DecisionsQueue`.

mod access;
mod account;
mod adoption;
mod answer;
mod children;
mod command;
mod csv;
mod cursor;
mod days;
mod event;
mod expected;
mod explain;
mod language;
mod lines;
mod missed;
mod network;
mod parts;
pub mod phrases;
mod position;
mod problem;
mod query;
mod refused;
mod request;
mod route;
mod routes;
mod simulate;
mod statement;
mod subscriptions;
mod suspicious;
mod system_totals;
mod thresholds;
mod verdict;
mod view;

use std::sync::Arc;

use runtime::{Context, Function, FunctionError, Settings};
use serde_json::Value;
use store::BoxFuture;

use crate::access::{Access, Caller};
use crate::answer::Answer;
use crate::event::Event;
use crate::language::Language;
use crate::network::KnownNetwork;
use crate::problem::Problem;
use crate::query::Query;
use crate::request::{PathValues, Request};
use crate::route::{Method, Route};

pub use crate::access::{ACCOUNT_CLAIM, APPROVE_SCOPE, OPERATE_SCOPE, READ_SCOPE};
pub use crate::routes::{RouteName, route_names};
pub use crate::thresholds::Thresholds;

/// The contract: an `OpenAPI` 3.1 document.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Builds the function.
///
/// # Errors
///
/// None; the type is that of every function's builder.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    Ok(Arc::new(QueryApi { settings: settings.clone(), network: KnownNetwork::default() }))
}

/// Runs the function in the Lambda service.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("query-api", build)
}

/// The function.
struct QueryApi {
    settings: Settings,
    network: KnownNetwork,
}

impl Function for QueryApi {
    fn name(&self) -> &'static str {
        "query-api"
    }

    /// Answers a request as API Gateway passes it on. Trouble is an answer, too.
    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let event: Event = serde_json::from_value(event).map_err(|error| FunctionError {
                message: format!("the event is no request of API Gateway (payload format 2.0): {error}"),
            })?;
            let answer = match self.answer(&event, context).await {
                Ok(answer) => answer,
                Err(problem) => {
                    problem.log(&context.request_id);
                    problem.into_answer(Language::of(event.header("accept-language")))
                }
            };
            Ok(answer.into_response(&event))
        })
    }
}

impl QueryApi {
    async fn answer(&self, event: &Event, context: &Context) -> Result<Answer, Problem> {
        let (route, path_values) = route::find(routes::ALL, event.method(), event.path())?;
        let caller = Caller::of(event.claims());
        let answer = self.answer_on(route, path_values, caller.clone(), event, context).await;
        if let Err(problem) = &answer
            && route.access == Access::Command
            && route.method != Method::Get
        {
            refused::keep(problem, caller.as_ref(), event, context).await?;
        }
        answer
    }

    async fn answer_on(
        &self,
        route: &'static Route,
        path_values: PathValues,
        caller: Option<Caller>,
        event: &Event,
        context: &Context,
    ) -> Result<Answer, Problem> {
        let account = path_values.iter().find(|(name, _)| *name == "account");
        route.access.check(caller.as_ref(), account.map(|(_, value)| value.as_str()))?;
        let query = Query::read(event, route.access, route.parameters)?;
        let mut request = Request::new(self, context, caller, path_values, query, event);
        if route.access == Access::Public {
            return (route.answer)(&request).await;
        }
        let at_least = request.at_least()?;
        let marks = position::marks_at_least(context, self.settings.account_shards, at_least).await?;
        request.set_marks(marks);
        let answer = (route.answer)(&request).await?;
        Ok(answer.or_at(Some(request.position())))
    }
}
