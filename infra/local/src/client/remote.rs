//! The API of a deployment, over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::http::request;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use store::BoxFuture;

use super::{Api, COMMANDS_PATH, Reply, accept_language};

/// How long an answer may take: API Gateway gives up after thirty seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// The largest answer that Lambda gives is 6 MB.
const BODY_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Asks an API over HTTP.
pub struct RemoteApi {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a slash at its end.
    url: String,
    token: String,
}

impl RemoteApi {
    /// Returns the API at this address, for the bearer of this token.
    ///
    /// # Errors
    ///
    /// It says what is wrong with the address, or that this machine trusts no certificates.
    pub fn new(url: &str, token: &str) -> Result<Self> {
        let url = url.trim_end_matches('/');
        let uri: Uri = url.parse().with_context(|| format!("--url {url} is not an address"))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => {}
            (Some("http"), Some("127.0.0.1" | "localhost" | "[::1]")) => {}
            (Some("http"), Some(host)) => {
                bail!("--url {url}: a token is sent to {host} over https only; write https:// before it")
            }
            _ => bail!("--url {url} is not an address such as https://api.example.com"),
        }
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_native_roots()
            .context("this machine has no certificates of authorities that it trusts")?
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, url: url.to_owned(), token: token.to_owned() })
    }

    fn request(&self, method: Method, path_and_query: &str) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path_and_query}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept-language", accept_language())
            .header("user-agent", concat!("contribution/", env!("CARGO_PKG_VERSION")))
    }

    async fn ask(&self, request: request::Builder, body: Full<Bytes>) -> Result<Reply> {
        let url = &self.url;
        let request =
            request.body(body).context("the token, the key or the path cannot be sent over HTTP")?;
        let response = self
            .client
            .request(request)
            .await
            .with_context(|| format!("{url} cannot be reached: check --url, and that the stack is up"))?;
        let (parts, body) = response.into_parts();
        if parts.status.is_redirection() && parts.status != StatusCode::NOT_MODIFIED {
            bail!("{url} sends requests elsewhere: name the API's own address with --url");
        }
        let headers = parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer of {url} broke off: {error}"))?;
        let body = String::from_utf8(body.to_bytes().to_vec()).context("the answer is not text")?;
        Ok(Reply { status: parts.status.as_u16(), headers, body })
    }

    async fn answered_in_time(&self, request: request::Builder, body: Full<Bytes>) -> Result<Reply> {
        tokio::time::timeout(ANSWERED_WITHIN, self.ask(request, body))
            .await
            .with_context(|| format!("{} did not answer within {} s", self.url, ANSWERED_WITHIN.as_secs()))?
    }
}

impl Api for RemoteApi {
    fn get<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Reply>> {
        let request = self.request(Method::GET, path_and_query);
        Box::pin(self.answered_in_time(request, Full::default()))
    }

    fn send<'a>(&'a self, key: &'a str, body: &'a Value) -> BoxFuture<'a, Result<Reply>> {
        let request = self
            .request(Method::POST, COMMANDS_PATH)
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        Box::pin(self.answered_in_time(request, Full::from(body.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_over_https_or_to_this_machine_only() {
        for url in ["https://api.example.com/", "http://127.0.0.1:8787", "http://localhost:8787"] {
            assert!(RemoteApi::new(url, "t").is_ok(), "{url}");
        }
        for url in ["http://api.example.com", "ftp://api.example.com", "api.example.com", "not an address"] {
            assert!(RemoteApi::new(url, "t").is_err(), "{url}");
        }
    }
}
