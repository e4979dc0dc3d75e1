//! The API over tables on this machine, without a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use query_api::READ_SCOPE;
use store::BoxFuture;

use super::{Api, Reply, accept_language};
use crate::gateway::{self, Request};
use crate::invocation::RunningFunction;
use crate::stack::Stack;
use crate::template::Route;

/// The route of the template that every question goes through.
const ROUTE_PATH: &str = "/v1/{proxy+}";

/// Has the API's function answer in this process.
///
/// The ledger is read as it stands: nothing that is left to do is done.
pub struct LocalApi {
    stack: Stack,
    function: Arc<RunningFunction>,
}

impl LocalApi {
    /// Returns the API over a stack's tables.
    ///
    /// # Errors
    ///
    /// It says that the stack has no API.
    pub fn over(stack: Stack) -> Result<Self> {
        let function = Arc::clone(stack.function("query-api")?);
        Ok(Self { stack, function })
    }
}

impl Api for LocalApi {
    fn get<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
            let language = [("accept-language".to_owned(), accept_language().to_owned())];
            let request = Request {
                method: "GET".to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                headers: language.into(),
                body: Vec::new(),
            };
            let route = Route { method: "ANY".to_owned(), path: ROUTE_PATH.to_owned(), is_authorized: true };
            let claims = [("sub", "contribution"), ("scope", READ_SCOPE)];
            let claims = claims.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let shared = &self.stack.shared;
            let now = shared.clock.now();
            let event =
                gateway::event(&route, &request, Some(BTreeMap::from(claims)), &shared.next_id(), now);
            let answer = self.function.invoke(event, shared).await?;
            let response = gateway::Response::of_function(&answer)?;
            Ok(Reply {
                status: response.status,
                headers: response.headers,
                body: String::from_utf8(response.body)?,
            })
        })
    }
}
