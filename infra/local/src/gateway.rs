//! What API Gateway does for an HTTP API: routes, the authorizer, and the event for the function.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::invocation::{RunningFunction, Shared};
use crate::template::Route;
use crate::token::Authorizer;

/// How a path ends that stands for any number of further segments.
const GREEDY: &str = "/{proxy+}";

/// A request, as far as the gateway reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// The headers, with names in lower case; repeated ones are joined.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The HTTP API of the template.
pub struct Gateway {
    /// Its routes, each with its function.
    pub routes: Vec<(Route, Arc<RunningFunction>)>,
    /// Its authorizer.
    pub authorizer: Authorizer,
    /// What the functions work with.
    pub shared: Arc<Shared>,
}

impl Gateway {
    /// Answers a request.
    pub async fn answer(&self, request: Request) -> Response {
        let now = self.shared.clock.now();
        let Some((route, function)) = self.route(&request) else { return Response::of(404, "Not Found") };
        let mut claims = None;
        if route.is_authorized {
            claims = self.authorizer.claims(request.headers.get("authorization").map(String::as_str), now);
            if claims.is_none() {
                let mut refused = Response::of(401, "Unauthorized");
                refused.headers.insert("www-authenticate".to_owned(), "Bearer".to_owned());
                return refused;
            }
        }
        let event = event(route, &request, claims, &self.shared.next_id(), now);
        let answered = function.invoke(event, &self.shared).await;
        // Failed invocations are logged where they happen.
        let answer = answered.map_err(anyhow::Error::from).and_then(|answer| Response::of_function(&answer));
        answer.unwrap_or_else(|_| Response::of(500, "Internal Server Error"))
    }

    /// Returns the route for a request: of several, the one that says most of the path itself.
    fn route(&self, request: &Request) -> Option<(&Route, &Arc<RunningFunction>)> {
        let fits = |route: &Route| {
            (route.method == "ANY" || route.method == request.method) && path_fits(&route.path, &request.path)
        };
        let fitting = self.routes.iter().filter(|(route, _)| fits(route));
        let (route, function) =
            fitting.max_by_key(|(route, _)| (!route.path.ends_with(GREEDY), route.path.len()))?;
        Some((route, function))
    }
}

impl Response {
    /// Returns what the gateway itself answers, without asking a function.
    #[must_use]
    pub fn of(status: u16, message: &str) -> Self {
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        Self { status, headers, body: json!({ "message": message }).to_string().into_bytes() }
    }

    /// Returns what a function answered, as its caller gets it.
    pub(crate) fn of_function(answer: &Value) -> Result<Self> {
        let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let body = match answer["body"].as_str() {
            None => Vec::new(),
            Some(body) if answer["isBase64Encoded"] == json!(true) => STANDARD.decode(body)?,
            Some(body) => body.as_bytes().to_vec(),
        };
        let headers = answer["headers"].as_object().into_iter().flatten().map(|(name, value)| {
            let value = value.as_str().context("the headers of an answer are text")?;
            Ok((name.clone(), value.to_owned()))
        });
        Ok(Self {
            status: status.context("an answer has a status")?,
            headers: headers.collect::<Result<_>>()?,
            body,
        })
    }
}

fn path_fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix(GREEDY) {
        Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1),
        None => pattern == path,
    }
}

/// Returns the request as it stands in the event of an HTTP API, payload format 2.0.
pub(crate) fn event(
    route: &Route,
    request: &Request,
    claims: Option<BTreeMap<String, String>>,
    id: &str,
    now: DateTime<Utc>,
) -> Value {
    let header = |name: &str| request.headers.get(name).map(String::as_str).unwrap_or_default();
    let route_key = format!("{} {}", route.method, route.path);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": request.headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": header("host"),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": header("user-agent"),
            },
            "requestId": id,
            "routeKey": route_key,
            "stage": "$default",
            "time": now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    if !request.query.is_empty() {
        let pairs = form_urlencoded::parse(request.query.as_bytes());
        event["queryStringParameters"] = json!(joined(pairs.into_owned()));
    }
    if !request.body.is_empty() {
        if let Ok(text) = std::str::from_utf8(&request.body) {
            event["body"] = text.into();
        } else {
            event["body"] = STANDARD.encode(&request.body).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    if let Some(prefix) = route.path.strip_suffix(GREEDY) {
        event["pathParameters"] = json!({ "proxy": request.path[prefix.len() + 1..] });
    }
    if let Some(claims) = claims {
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
    }
    event
}

/// Returns values by name; where a name repeats, with commas between them.
pub(crate) fn joined(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut by_name: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        by_name
            .entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    by_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greedy_path_stands_for_one_or_more_segments() {
        assert!(path_fits("/v1/{proxy+}", "/v1/accounts/D1"));
        assert!(path_fits("/v1/{proxy+}", "/v1/network"));
        assert!(!path_fits("/v1/{proxy+}", "/v1/"));
        assert!(!path_fits("/v1/{proxy+}", "/v1"));
        assert!(!path_fits("/v1/{proxy+}", "/v10/network"));
        assert!(path_fits("/", "/"));
        assert!(!path_fits("/", "/health"));
    }

    #[test]
    fn an_event_carries_what_the_request_says() {
        let route = Route { method: "ANY".to_owned(), path: "/v1/{proxy+}".to_owned(), is_authorized: true };
        let request = Request {
            method: "POST".to_owned(),
            path: "/v1/simulate".to_owned(),
            query: "a=1&b=x%20y&a=2".to_owned(),
            body: b"{}".to_vec(),
            ..Request::default()
        };
        let claims = BTreeMap::from([("sub".to_owned(), "operator".to_owned())]);
        let event = event(&route, &request, Some(claims), "1", DateTime::UNIX_EPOCH);
        assert_eq!(event["queryStringParameters"], json!({ "a": "1,2", "b": "x y" }));
        assert_eq!(event["pathParameters"]["proxy"], "simulate");
        assert_eq!(event["body"], "{}");
        assert_eq!(event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"], "operator");
    }
}
