//! Sends messages over the network by HTTP, to addresses that are checked after their names are resolved.
//!
//! Touches: the network.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use domain::webhooks::{Host, Reach, Target};
use futures::future::{Either, select};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use runtime::FunctionError;
use store::BoxFuture;
use tokio::net::TcpStream;

use crate::transport::{Post, Transport};

/// How long a subscriber may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Sends each message over a connection of its own.
///
/// The address that is connected to is the one that was checked: a name that resolves to another one a moment later
/// gains nothing.
pub struct HttpTransport {
    reach: Reach,
    #[cfg(feature = "tls")]
    tls: tokio_rustls::TlsConnector,
}

impl HttpTransport {
    /// Returns a transport that reaches this far.
    ///
    /// # Errors
    ///
    /// It says that this machine trusts no certificates.
    #[cfg(feature = "tls")]
    pub fn new(reach: Reach) -> Result<Self, FunctionError> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let failed = |message: String| FunctionError { message };
        if roots.is_empty() {
            return Err(failed("this machine has no certificates of authorities that it trusts".to_owned()));
        }
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { reach, tls: std::sync::Arc::new(tls).into() })
    }

    /// Returns a transport that reaches this far, and encrypts nothing.
    ///
    /// # Errors
    ///
    /// None; the type is that of the transport that encrypts.
    #[cfg(not(feature = "tls"))]
    pub fn new(reach: Reach) -> Result<Self, FunctionError> {
        Ok(Self { reach })
    }

    async fn send(&self, post: Post) -> Result<u16, String> {
        let address = self.resolve(&post.target).await?;
        let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
        if post.target.is_encrypted {
            #[cfg(feature = "tls")]
            return self.send_encrypted(stream, post).await;
            #[cfg(not(feature = "tls"))]
            return Err("this build encrypts nothing: build it with the feature `network`".to_owned());
        }
        exchange(TokioIo::new(stream), post).await
    }

    /// Returns the address to connect to, if every address of the host is one that may be reached.
    async fn resolve(&self, target: &Target) -> Result<SocketAddr, String> {
        let addresses: Vec<SocketAddr> = match &target.host {
            Host::Address(address) => vec![SocketAddr::new(*address, target.port)],
            Host::Name(name) => tokio::net::lookup_host((name.as_str(), target.port))
                .await
                .map_err(|error| format!("the name cannot be resolved: {error}"))?
                .collect(),
        };
        if !addresses.iter().all(|address| self.reach.allows(address.ip())) {
            return Err("the name resolves to an address that is not of the public Internet".to_owned());
        }
        addresses.first().copied().ok_or_else(|| "the name resolves to no address".to_owned())
    }

    #[cfg(feature = "tls")]
    async fn send_encrypted(&self, stream: TcpStream, post: Post) -> Result<u16, String> {
        use rustls::pki_types::ServerName;

        let name = match &post.target.host {
            Host::Address(address) => ServerName::IpAddress((*address).into()),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| error.to_string())?,
        };
        let stream = self.tls.connect(name, stream).await;
        exchange(TokioIo::new(stream.map_err(|error| format!("no encrypted connection: {error}"))?), post)
            .await
    }
}

impl Transport for HttpTransport {
    fn post(&self, post: Post) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async move {
            let sent = tokio::time::timeout(ANSWERED_WITHIN, self.send(post)).await;
            sent.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWERED_WITHIN.as_secs())))
        })
    }
}

/// Sends a message over a connection and returns the status of the answer, whose body is not read.
async fn exchange<S>(stream: S, post: Post) -> Result<u16, String>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let mut request = Request::post(&post.target.path).header("host", post.target.authority());
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let request = request
        .body(Full::new(Bytes::from(post.body)))
        .map_err(|error| format!("the message cannot be sent over HTTP: {error}"))?;
    let no_answer = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = http1::handshake(stream).await.map_err(no_answer)?;
    let answer = pin!(sender.send_request(request));
    // The connection is worked for as long as the answer is waited for, and closed then. Where it ends first, the
    // answer may have come with its end.
    let answer = match select(answer, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    };
    answer.map(|answer| answer.status().as_u16()).map_err(no_answer)
}
