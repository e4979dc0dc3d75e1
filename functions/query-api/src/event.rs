//! A request as API Gateway passes it on: an HTTP API's event, payload format 2.0.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Event {
    /// The path, as the caller wrote it or decoded.
    pub(crate) raw_path: Option<String>,
    /// The query, as the caller wrote it.
    pub(crate) raw_query_string: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    http: Http,
    authorizer: Option<Authorizer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Http {
    method: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Authorizer {
    jwt: Option<Jwt>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Jwt {
    claims: Map<String, Value>,
}

impl Event {
    /// Returns the path; `/` where the event has none.
    pub(crate) fn path(&self) -> &str {
        self.raw_path.as_deref().unwrap_or("/")
    }

    /// Returns the query; empty where the event has none.
    pub(crate) fn query(&self) -> &str {
        self.raw_query_string.as_deref().unwrap_or_default()
    }

    /// Returns the method, in capitals.
    pub(crate) fn method(&self) -> &str {
        &self.request_context.http.method
    }

    /// Returns a header's value, however the caller spells its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the claims of the token that the gateway's authorizer checked; `None` if it checked none.
    pub(crate) fn claims(&self) -> Option<&Map<String, Value>> {
        Some(&self.request_context.authorizer.as_ref()?.jwt.as_ref()?.claims)
    }

    /// Returns the body as text; `None` if it is not text.
    pub(crate) fn body(&self) -> Option<String> {
        let body = self.body.clone().unwrap_or_default();
        if self.is_base64_encoded { String::from_utf8(STANDARD.decode(body).ok()?).ok() } else { Some(body) }
    }
}
