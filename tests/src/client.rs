//! Asks the API as callers do.

use serde_json::{Value, json};

use crate::Harness;

/// A caller of the API: whom the gateway says a token is for.
#[derive(Clone)]
pub struct Client<'a> {
    harness: &'a Harness,
    claims: Option<Value>,
    language: &'static str,
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: u64,
    /// Its headers.
    pub headers: Value,
    /// Its body as text; empty if it has none.
    pub text: String,
}

impl<'a> Client<'a> {
    /// Returns a caller with no token.
    #[must_use]
    pub fn without_token(harness: &'a Harness) -> Self {
        Self { harness, claims: None, language: "en" }
    }

    /// Returns a caller with these claims.
    #[must_use]
    pub fn with_claims(harness: &'a Harness, claims: Value) -> Self {
        Self { claims: Some(claims), ..Self::without_token(harness) }
    }

    /// Returns an operator with these scopes.
    #[must_use]
    pub fn operator(harness: &'a Harness, scopes: &str) -> Self {
        Self::with_claims(harness, json!({ "sub": "anna", "scope": scopes }))
    }

    /// Returns the member with this account.
    #[must_use]
    pub fn member(harness: &'a Harness, account: &str) -> Self {
        Self::with_claims(harness, json!({ "sub": "m", "account_sequence": account }))
    }

    /// Returns the same caller, who reads Chinese.
    #[must_use]
    pub fn in_chinese(self) -> Self {
        Self { language: "zh-CN", ..self }
    }

    /// Returns the answer to a `GET`.
    pub async fn get(&self, path_and_query: &str) -> Reply {
        self.send("GET", path_and_query, &json!({}), None).await
    }

    /// Returns the answer to a `POST` with an idempotency key.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Reply {
        self.send("POST", path, &json!({ "Idempotency-Key": key }), Some(body.to_string())).await
    }

    /// Returns the answer to any request.
    pub async fn send(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &Value,
        body: Option<String>,
    ) -> Reply {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut all_headers = json!({ "accept-language": self.language });
        for (name, value) in headers.as_object().into_iter().flatten() {
            all_headers[name] = value.clone();
        }
        let mut context = json!({ "http": { "method": method, "path": path } });
        if let Some(claims) = &self.claims {
            context["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
        }
        let event = json!({
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": all_headers,
            "requestContext": context,
            "body": body,
            "isBase64Encoded": false,
        });
        Reply::from(self.harness.ask(event).await)
    }
}

impl Reply {
    /// Returns the body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// Returns the body of a good answer as JSON.
    ///
    /// # Panics
    ///
    /// If the answer is not a good one.
    #[must_use]
    pub fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }
}

impl From<Value> for Reply {
    fn from(response: Value) -> Self {
        Self {
            status: response["statusCode"].as_u64().expect("a status"),
            headers: response["headers"].clone(),
            text: response["body"].as_str().unwrap_or_default().to_owned(),
        }
    }
}
