//! The API over tables on this machine, without a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use query_api::{APPROVE_SCOPE, OPERATE_SCOPE, READ_SCOPE};
use serde_json::Value;
use store::BoxFuture;

use super::{Api, COMMANDS_PATH, Reply};
use crate::gateway::{self, Request};
use crate::invocation::RunningFunction;
use crate::language::accept_language;
use crate::operators_log;
use crate::replay;
use crate::stack::Stack;
use crate::template::Route;
use crate::truncated;

/// The route of the template that every question goes through.
const ROUTE_PATH: &str = "/v1/{proxy+}";

/// Has the API's function answer in this process.
///
/// The ledger is read as it stands: nothing that is left to do is done. A command has everything done that is left.
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

impl LocalApi {
    async fn ask(&self, request: Request, scopes: String) -> Result<Reply> {
        let route = Route { method: "ANY".to_owned(), path: ROUTE_PATH.to_owned(), is_authorized: true };
        let claims = [("sub".to_owned(), operators_log::operator()), ("scope".to_owned(), scopes)];
        let shared = &self.stack.shared;
        let now = shared.clock.now();
        let event = gateway::event(&route, &request, Some(BTreeMap::from(claims)), &shared.next_id(), now);
        let answer = self.function.invoke(event, shared).await?;
        let response = gateway::Response::of_function(&answer)?;
        Ok(Reply {
            status: response.status,
            headers: response.headers,
            body: String::from_utf8(response.body)?,
        })
    }
}

impl Api for LocalApi {
    fn get<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Reply>> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let request = request("GET", path, query, Vec::new(), None);
        // The ledger's directory has the deployment's secrets, so that its owner may be shown those that follow from
        // them.
        Box::pin(self.ask(request, [READ_SCOPE, OPERATE_SCOPE].join(" ")))
    }

    fn send<'a>(&'a self, key: &'a str, body: &'a Value) -> BoxFuture<'a, Result<Reply>> {
        let request = request("POST", COMMANDS_PATH, "", body.to_string().into_bytes(), Some(key));
        let scopes = [READ_SCOPE, OPERATE_SCOPE, APPROVE_SCOPE].join(" ");
        Box::pin(async move {
            let reply = self.ask(request, scopes).await?;
            // The process ends with the command, so that what follows from it is done before.
            self.stack.settle().await?;
            truncated::remove_rows(&self.stack).await?;
            replay::place_what_waits(&self.stack).await?;
            Ok(reply)
        })
    }
}

fn request(method: &str, path: &str, query: &str, body: Vec<u8>, key: Option<&str>) -> Request {
    let mut headers = BTreeMap::from([("accept-language".to_owned(), accept_language().to_owned())]);
    headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
    Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers, body }
}
