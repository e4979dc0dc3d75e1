//! The Lambda Runtime API, as far as a compiled function needs it, and a function's process behind it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};

/// How long a function may take to start or to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a function made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It answered.
    Response(Value),
    /// It reported a failed invocation.
    Failure(Value),
}

/// A function's compiled binary, running as on Lambda.
///
/// Nothing of the environment of this process reaches it, and it ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<Signal>,
    server: tokio::task::JoinHandle<()>,
    /// From the start of the process to its first request for an event.
    pub initialisation: Duration,
}

/// What the runtime in the process did.
#[derive(Debug)]
enum Signal {
    AsksForEvent,
    Answered(Answer),
    FailedToStart(Value),
}

/// What the server shares with whoever invokes.
struct Shared {
    events: Mutex<mpsc::Receiver<Value>>,
    signals: mpsc::Sender<Signal>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Process {
    /// Starts a binary with these environment variables, and waits until it asks for an event.
    pub async fn start(binary: &Path, variables: &BTreeMap<String, String>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (events, receiver) = mpsc::channel(1);
        let (signals, answers) = mpsc::channel(8);
        let shared = Arc::new(Shared { events: Mutex::new(receiver), signals });
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router(shared)).await {
                eprintln!("the runtime API cannot be served: {error}");
            }
        });
        let started = Instant::now();
        let child = Command::new(binary)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "1")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut process = Self { child, events, answers, server, initialisation: Duration::ZERO };
        match process.next_signal().await? {
            Signal::AsksForEvent => process.initialisation = started.elapsed(),
            Signal::FailedToStart(reason) => bail!("{} did not start: {reason}", binary.display()),
            Signal::Answered(_) => bail!("{} answered before it was asked", binary.display()),
        }
        Ok(process)
    }

    /// Sends an event, and waits for what the function makes of it and for it to be ready for another.
    pub async fn invoke(&mut self, event: Value) -> Result<Answer> {
        self.events.send(event).await.context("the runtime API has ended")?;
        let Signal::Answered(answer) = self.next_signal().await? else {
            bail!("the function asked for another event without an answer");
        };
        let Signal::AsksForEvent = self.next_signal().await? else {
            bail!("the function answered twice");
        };
        Ok(answer)
    }

    /// The process's id, unless it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    async fn next_signal(&mut self) -> Result<Signal> {
        tokio::select! {
            signal = timeout(PATIENCE, self.answers.recv()) => {
                signal.context("the function takes too long")?.context("the runtime API has ended")
            }
            status = self.child.wait() => bail!("the function's process has ended: {}", status?),
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
        .route("/2018-06-01/runtime/init/error", post(failed_to_start))
        .with_state(shared)
}

/// Hands out the next event, however long that takes to come.
async fn next(State(shared): State<Arc<Shared>>) -> Result<(HeaderMap, String), StatusCode> {
    signal(&shared, Signal::AsksForEvent).await;
    let event = shared.events.lock().await.recv().await.ok_or(StatusCode::GONE)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline_ms = (now + Duration::from_mins(5)).as_millis().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", &deadline_ms),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:function"),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"),
    ];
    let headers = headers.map(|(name, value)| {
        let value = HeaderValue::from_str(value).expect("constants and digits");
        (HeaderName::from_static(name), value)
    });
    Ok((HeaderMap::from_iter(headers), event.to_string()))
}

async fn response(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    signal(&shared, Signal::Answered(Answer::Response(json_of(&body)))).await;
    StatusCode::ACCEPTED
}

async fn failure(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    signal(&shared, Signal::Answered(Answer::Failure(json_of(&body)))).await;
    StatusCode::ACCEPTED
}

async fn failed_to_start(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    signal(&shared, Signal::FailedToStart(json_of(&body))).await;
    StatusCode::ACCEPTED
}

async fn signal(shared: &Shared, signal: Signal) {
    // Nobody listens any more only when the process is being ended.
    let _ = shared.signals.send(signal).await;
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}
