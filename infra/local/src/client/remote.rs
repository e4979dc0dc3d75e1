//! The API of a deployment, or of a stack that runs on this machine, over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use store::BoxFuture;
use tokio::net::TcpStream;

use super::{Api, COMMANDS_PATH, Reply};
use crate::language::{accept_language, say, translated};

/// How long an answer may take: API Gateway gives up after thirty seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// The largest answer that Lambda gives is 6 MB.
const BODY_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// The port of an address that names none and is not encrypted.
const PLAIN_PORT: u16 = 80;

/// Asks an API over HTTP.
pub struct RemoteApi {
    way: Way,
    /// Without a slash at its end.
    url: String,
    token: String,
}

/// How requests get there.
enum Way {
    /// Without encryption, to this machine: its host and port.
    Plain(String, u16),
    #[cfg(feature = "network")]
    Encrypted(Box<encrypted::Encrypted>),
}

impl RemoteApi {
    /// Returns the API at this address, for the bearer of this token.
    ///
    /// # Errors
    ///
    /// It says what is wrong with the address, that this build encrypts nothing, or that this machine trusts no
    /// certificates.
    pub fn new(url: &str, token: &str) -> Result<Self> {
        let url = url.trim_end_matches('/');
        let no_address = || say(format!("--url {url} is not an address"), format!("--url {url} 不是网址"));
        let uri: Uri = url.parse().with_context(no_address)?;
        let way = match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => Self::encrypted(url)?,
            (Some("http"), Some(host @ ("127.0.0.1" | "localhost" | "[::1]"))) => {
                Way::Plain(host.to_owned(), uri.port_u16().unwrap_or(PLAIN_PORT))
            }
            (Some("http"), Some(host)) => {
                bail!(say(
                    format!(
                        "--url {url}: a token is sent to {host} over https only; write https:// before it"
                    ),
                    format!("--url {url}：令牌只能经 https 发往 {host}；请在前面写 https://")
                ))
            }
            _ => bail!(say(
                format!("--url {url} is not an address such as https://api.example.com"),
                format!("--url {url} 不是形如 https://api.example.com 的网址")
            )),
        };
        Ok(Self { way, url: url.to_owned(), token: token.to_owned() })
    }

    #[cfg(feature = "network")]
    fn encrypted(_url: &str) -> Result<Way> {
        Ok(Way::Encrypted(Box::new(encrypted::Encrypted::new()?)))
    }

    #[cfg(not(feature = "network"))]
    fn encrypted(url: &str) -> Result<Way> {
        let way = "`cargo build --release -p contribution --features network`";
        bail!(say(
            format!(
                "this build of the command cannot ask {url}: it was made without the network, and asks stacks of this \
                 machine only. Build it with {way}, or name a directory with --data"
            ),
            format!(
                "此版本未包含网络功能，无法询问 {url}，只能询问本机的账本。请用 {way} 构建，或用 --data 写明目录"
            )
        ))
    }

    fn request(&self, method: Method, path_and_query: &str) -> request::Builder {
        let uri = match &self.way {
            Way::Plain(..) => path_and_query.to_owned(),
            #[cfg(feature = "network")]
            Way::Encrypted(_) => format!("{}{path_and_query}", self.url),
        };
        Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept-language", accept_language())
            .header("user-agent", concat!("contribution/", env!("CARGO_PKG_VERSION")))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        match &self.way {
            Way::Plain(host, port) => send_plain(host, *port, request).await,
            #[cfg(feature = "network")]
            Way::Encrypted(encrypted) => encrypted.send(request).await,
        }
    }

    async fn ask(&self, request: request::Builder, body: Full<Bytes>) -> Result<Reply> {
        let url = &self.url;
        let request = request.body(body).context(say(
            "the token, the key or the path cannot be sent over HTTP",
            "令牌、键或路径无法经 HTTP 发送",
        ))?;
        let response = self.send(request).await.with_context(|| {
            say(
                format!("{url} cannot be reached: check --url, and that the stack is up"),
                format!("无法连接 {url}：请核对 --url，并确认账本已启动"),
            )
        })?;
        let (parts, body) = response.into_parts();
        if parts.status.is_redirection() && parts.status != StatusCode::NOT_MODIFIED {
            bail!(say(
                format!("{url} sends requests elsewhere: name the API's own address with --url"),
                format!("{url} 将请求转往他处：请用 --url 写明接口本身的地址")
            ));
        }
        let headers = parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            anyhow::anyhow!(say(
                format!("the answer of {url} broke off: {error}"),
                format!("{url} 的返回中断：{}", translated(&error.to_string()))
            ))
        })?;
        let body = String::from_utf8(body.to_bytes().to_vec())
            .context(say("the answer is not text", "返回内容不是文本"))?;
        Ok(Reply { status: parts.status.as_u16(), headers, body })
    }

    async fn answered_in_time(&self, request: request::Builder, body: Full<Bytes>) -> Result<Reply> {
        tokio::time::timeout(ANSWERED_WITHIN, self.ask(request, body)).await.with_context(|| {
            let (url, seconds) = (&self.url, ANSWERED_WITHIN.as_secs());
            say(
                format!("{url} did not answer within {seconds} s"),
                format!("{url} 在 {seconds} 秒内没有返回"),
            )
        })?
    }
}

/// Sends a request to this machine, over a connection of its own.
async fn send_plain(host: &str, port: u16, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    request.headers_mut().insert("host", format!("{host}:{port}").parse()?);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer, or with the process.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
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

#[cfg(feature = "network")]
mod encrypted {
    use anyhow::{Context as _, Result};
    use http_body_util::Full;
    use hyper::body::{Bytes, Incoming};
    use hyper::{Request, Response};
    use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
    use hyper_util::client::legacy::{Client, connect::HttpConnector};
    use hyper_util::rt::TokioExecutor;

    /// A client that sends encrypted, and keeps connections.
    pub(super) struct Encrypted(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

    impl Encrypted {
        pub(super) fn new() -> Result<Self> {
            let provider = rustls::crypto::ring::default_provider();
            let tls = rustls::ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()?
                .with_native_roots()
                .context(crate::language::say(
                    "this machine has no certificates of authorities that it trusts",
                    "本机没有受信任的根证书",
                ))?
                .with_no_client_auth();
            let connector =
                HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
            Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
        }

        pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
            Ok(self.0.request(request).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_over_https_or_to_this_machine_only() {
        for url in ["http://127.0.0.1:8787", "http://localhost:8787", "http://[::1]:8787"] {
            assert!(RemoteApi::new(url, "t").is_ok(), "{url}");
        }
        let encrypted = RemoteApi::new("https://api.example.com/", "t");
        assert_eq!(encrypted.is_ok(), cfg!(feature = "network"));
        for url in ["http://api.example.com", "ftp://api.example.com", "api.example.com", "not an address"] {
            assert!(RemoteApi::new(url, "t").is_err(), "{url}");
        }
    }
}
