//! The AWS JSON 1.0 protocol: how requests name their action, and how answers and errors are written.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::actions;
use crate::error::QueueError;
use crate::service::QueueService;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// JSON may write a byte as six characters, and a request has up to 1 MiB of them.
const LONGEST_REQUEST_BYTES: usize = 8 * 1_048_576;

/// Answers SQS requests on this listener, for as long as the future is polled.
///
/// Connections that were accepted until then stay open until their clients close them.
pub async fn serve(listener: TcpListener, service: QueueService) {
    serve_until(listener, service, std::future::pending()).await;
}

/// Answers SQS requests on this listener until `shutdown` ends; then it ends the long polls, and returns when
/// every request has its answer.
pub async fn serve_until(
    listener: TcpListener,
    service: QueueService,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    // Answers are small, and a client that waits for one should not wait for the next acknowledgement too.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its small packets back");
        }
    });
    let queues = service.clone();
    let shutdown = async move {
        shutdown.await;
        queues.close();
    };
    if let Err(error) = axum::serve(listener, router(service)).with_graceful_shutdown(shutdown).await {
        tracing::error!(%error, "the queue endpoint has stopped");
    }
}

/// Returns the routes of a queue endpoint: every action is a POST, to whatever path the client derives from
/// a queue URL.
fn router(service: QueueService) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(LONGEST_REQUEST_BYTES)).with_state(service)
}

async fn answer(
    State(service): State<QueueService>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let action = headers
        .get(TARGET)
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.strip_prefix("AmazonSQS."))
        .unwrap_or_default();
    let result = match body {
        Ok(body) => {
            let trace_header = headers.get(TRACE).and_then(|header| header.to_str().ok());
            actions::perform(&service, action, trace_header, &body).await
        }
        Err(rejection) => Err(QueueError::MalformedRequest { reason: rejection.body_text() }),
    };
    let headers = [(REQUEST_ID, request_id), (header::CONTENT_TYPE, CONTENT_TYPE.to_owned())];
    match result {
        Ok(answer) => (headers, answer).into_response(),
        Err(error) => {
            tracing::debug!(action, code = error.query_code(), %error, "a queue request was refused");
            (StatusCode::BAD_REQUEST, headers, error_answer(&error)).into_response()
        }
    }
}

fn error_answer(error: &QueueError) -> impl IntoResponse {
    let body = json!({
        "__type": format!("com.amazonaws.sqs#{}", error.name()),
        "message": error.to_string(),
    });
    ([(QUERY_ERROR, format!("{};Sender", error.query_code()))], body.to_string())
}
