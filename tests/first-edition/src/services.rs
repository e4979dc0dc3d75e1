//! In place of the network below the SDK: the client's requests go to the world, and the world's answers come back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, HttpClient, Region, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use chrono::{DateTime, TimeDelta, Utc};
use ledger::waiting::Waiting;
use model::bench::{WireClient, WireError};
use serde_json::Value;

use crate::deployed::EPOCH;

/// Numbers environments, so that each has a retry quota of its own, as processes have.
static ENVIRONMENTS: AtomicU64 = AtomicU64::new(0);

/// How often calls were refused, by the error and the call.
static REFUSED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// The world of the invocation that goes on now.
    static WORLD: RefCell<Option<WireClient>> = const { RefCell::new(None) };
}

/// The services as one environment's SDK reaches them.
#[derive(Clone)]
pub(crate) struct Services(WireClient);

/// Waits and asks the time in the world of the invocation that goes on now.
pub(crate) struct InVirtualTime {
    drawn: AtomicU64,
}

/// Lets what an invocation does know its world.
pub(crate) struct Within<F> {
    world: WireClient,
    work: Pin<Box<F>>,
}

impl Services {
    pub(crate) fn new(world: WireClient) -> Self {
        Self(world)
    }

    /// Returns the clients of the tables and of the queues, with the SDK's own defaults but for what is the world's.
    pub(crate) fn clients(&self) -> (aws_sdk_dynamodb::Client, aws_sdk_sqs::Client) {
        let partition = format!("environment {}", ENVIRONMENTS.fetch_add(1, Ordering::Relaxed));
        let credentials = || Credentials::new("model", "model", None, None, "model");
        let dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(credentials())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_partition(RetryPartition::new(format!("tables of {partition}")))
            .http_client(self.clone())
            .sleep_impl(self.clone())
            .time_source(self.clone())
            .build();
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(credentials())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_partition(RetryPartition::new(format!("queues of {partition}")))
            .http_client(self.clone())
            .sleep_impl(self.clone())
            .time_source(self.clone())
            .build();
        (aws_sdk_dynamodb::Client::from_conf(dynamodb), aws_sdk_sqs::Client::from_conf(sqs))
    }

    fn answer(&self, request: &HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let (version, call) = target.split_once('.').unwrap_or_default();
        let service = if version == "AmazonSQS" { "sqs" } else { "dynamodb" };
        let input: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())
            .expect("the SDK sends JSON in one piece");
        let (answered, call) = (self.0.call(service, call, &input), call.to_owned());
        HttpConnectorFuture::new(async move {
            let (status, error, body) = match answered.await {
                Ok(body) => (200, None, body),
                Err(WireError::Refused { status, name, body }) => {
                    count_refusal(format!("{name} to {call}"));
                    (status, Some(name), body)
                }
                Err(WireError::NoAnswer) => return Err(ConnectorError::io("the connection broke".into())),
            };
            let status = status.try_into().expect("a status of the services");
            let mut response = HttpResponse::new(status, body.to_string().into());
            if let Some(error) = error {
                response.headers_mut().insert("x-amzn-errortype", error);
            }
            Ok(response)
        })
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Services")
    }
}

impl HttpClient for Services {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Services {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.answer(&request)
    }
}

impl AsyncSleep for Services {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.0.sleep(duration))
    }
}

impl TimeSource for Services {
    fn now(&self) -> SystemTime {
        time_of(&self.0).into()
    }
}

impl InVirtualTime {
    pub(crate) fn new(seed: u64) -> Self {
        Self { drawn: AtomicU64::new(seed) }
    }
}

impl Waiting for InVirtualTime {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(world().sleep(duration))
    }

    fn now(&self) -> DateTime<Utc> {
        time_of(&world())
    }

    fn random(&self) -> u64 {
        // SplitMix64: the same run draws the same numbers.
        let state = self.drawn.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl<F> Within<F> {
    pub(crate) fn new(world: WireClient, work: F) -> Self {
        Self { world, work: Box::pin(work) }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        WORLD.set(Some(self.world.clone()));
        let polled = self.work.as_mut().poll(context);
        WORLD.set(None);
        polled
    }
}

fn count_refusal(what: String) {
    *REFUSED.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
}

/// Returns how often calls of this process were refused, by the error and the call.
pub(crate) fn refusals() -> BTreeMap<String, u64> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn world() -> WireClient {
    WORLD.with_borrow(Clone::clone).expect("only functions of a world ask")
}

fn time_of(world: &WireClient) -> DateTime<Utc> {
    let epoch: DateTime<Utc> = EPOCH.parse().expect("a time");
    epoch + TimeDelta::milliseconds(world.now_ms().cast_signed())
}
