//! What API Gateway does for an HTTP API: routes, the authorizer, and the event for the function.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use serde_json::{Value, json};

use crate::functions::Function;
use crate::token::Authorizer;

/// A route of the template, and the function behind it.
#[derive(Debug, Clone)]
pub struct HttpRoute {
    /// The method, or `ANY`.
    pub method: String,
    /// The path; a last segment `{proxy+}` stands for one or more.
    pub path: String,
    /// Whether the authorizer is asked first.
    pub authorized: bool,
    /// The function behind it.
    pub function: Function,
}

/// The HTTP API of the template, ready to be served.
#[derive(Debug)]
pub struct HttpApi {
    /// Its routes.
    pub routes: Vec<HttpRoute>,
    /// Its authorizer.
    pub authorizer: Authorizer,
}

impl HttpApi {
    /// The API as a service.
    pub fn into_router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }

    /// The route for a request: of several, the one that says most of the path itself.
    fn route(&self, method: &Method, path: &str) -> Option<&HttpRoute> {
        let fits = |route: &&HttpRoute| {
            (route.method == "ANY" || route.method == method.as_str()) && path_fits(&route.path, path)
        };
        self.routes.iter().filter(fits).max_by_key(|route| (!route.path.ends_with(GREEDY), route.path.len()))
    }
}

/// How a path ends that stands for any number of further segments.
const GREEDY: &str = "/{proxy+}";

fn path_fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix(GREEDY) {
        Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1),
        None => pattern == path,
    }
}

async fn answer(State(api): State<Arc<HttpApi>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let Some(route) = api.route(method, uri.path()) else {
        return gateway_answer(StatusCode::NOT_FOUND, "Not Found");
    };
    let mut claims = None;
    if route.authorized {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        claims = api.authorizer.claims(authorization);
        if claims.is_none() {
            let mut refused = gateway_answer(StatusCode::UNAUTHORIZED, "Unauthorized");
            refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
    }
    let invoked = route.function.invoke(event(route, method, uri, headers, claims)).await;
    match invoked.and_then(|response| from_function(&response)) {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(function = route.function.logical_name, "an invocation failed: {error:#}");
            gateway_answer(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}

/// The request as it stands in the event of an HTTP API, payload format 2.0.
fn event(
    route: &HttpRoute,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    claims: Option<BTreeMap<String, String>>,
) -> Value {
    let now = Utc::now();
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let domain = header(HOST).unwrap_or("localhost");
    let route_key = format!("{} {}", route.method, route.path);
    let raw_query = uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": uri.path(),
        "rawQueryString": raw_query,
        "headers": joined(headers.iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": "local",
            "http": {
                "method": method.as_str(),
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": header(axum::http::header::USER_AGENT).unwrap_or_default(),
            },
            "requestId": format!("local-{}", now.timestamp_micros()),
            "routeKey": route_key,
            "stage": "$default",
            "time": now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    if !raw_query.is_empty() {
        event["queryStringParameters"] = json!(joined(
            form_urlencoded::parse(raw_query.as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
        ));
    }
    if let Some(prefix) = route.path.strip_suffix(GREEDY) {
        event["pathParameters"] = json!({ "proxy": uri.path()[prefix.len() + 1..] });
    }
    if let Some(claims) = claims {
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
    }
    event
}

/// Values by name; where a name repeats, with commas between them.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
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

/// A function's response as the gateway sends it on.
fn from_function(response: &Value) -> Result<Response> {
    let status = response["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let body = match response["body"].as_str() {
        None => Vec::new(),
        Some(body) if response["isBase64Encoded"] == json!(true) => STANDARD.decode(body)?,
        Some(body) => body.as_bytes().to_vec(),
    };
    let mut answer = Response::builder().status(status.context("a response has a status")?);
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        answer = answer.header(name, value.as_str().context("a response's headers are text")?);
    }
    Ok(answer.body(Body::from(body))?)
}

/// What the gateway itself answers, without asking a function.
fn gateway_answer(status: StatusCode, message: &str) -> Response {
    let mut answer = Response::new(Body::from(json!({ "message": message }).to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
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
}
