//! Serves the gateway over HTTP on this machine.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::gateway::{Gateway, Request, Response, joined};
use crate::language::say;

/// The largest body that API Gateway takes.
const BODY_BYTES_MAX: usize = 10 * 1_024 * 1_024;

/// Listens on a port of 127.0.0.1, which no other process may be using; 0 finds a free one.
pub async fn listen(port: u16) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
        say(
            format!("cannot serve on port {port}: name another with --port"),
            format!("无法使用端口 {port}：请用 --port 换一个"),
        )
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers requests for as long as the task lives.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>) -> Result<()> {
    loop {
        let (connection, _) = listener.accept().await.context("the API cannot be served any longer")?;
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &gateway));
            // A connection that breaks concerns its client, which knows.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    gateway: &Gateway,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let response = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Err(_) => Response::of(413, "Request Entity Too Large"),
        Ok(body) => {
            let headers = parts.headers.iter().filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            });
            let request = Request {
                method: parts.method.as_str().to_owned(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: joined(headers),
                body: body.to_bytes().to_vec(),
            };
            gateway.answer(request).await
        }
    };
    Ok(to_hyper(response))
}

fn to_hyper(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(response.body))).unwrap_or_else(|_| {
        let mut failed = hyper::Response::new(Full::new(Bytes::new()));
        *failed.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}
