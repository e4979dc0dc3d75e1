//! Engines over a service in this process, one of them with a clock that pauses a tenth as long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use chrono::{DateTime, Utc};
use runtime::aws::DynamoEngine;
use runtime::{Clock, SystemClock, TableNames, Variables};
use store::BoxFuture;

/// A clock on which the pauses between attempts take a tenth of their time.
struct FastClock;

/// No pause is as long, and an attempt waits longer for its answer.
const BEYOND_PAUSES: Duration = Duration::from_millis(400);

impl Clock for FastClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let is_pause = duration < BEYOND_PAUSES;
        Box::pin(async move { SystemClock.sleep(if is_pause { duration / 10 } else { duration }).await })
    }
}

/// Returns settings of the SDK for a service at this address.
pub(crate) fn sdk_of(address: SocketAddr) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build()
}

/// Returns the names of the tables in tests.
pub(crate) fn names() -> TableNames {
    TableNames::read(&Variables::new(|variable| Some(format!("test-{variable}")))).unwrap()
}

/// Returns an engine of a service at this address.
pub(crate) fn engine_of(address: SocketAddr) -> DynamoEngine {
    DynamoEngine::new(&sdk_of(address), names(), Arc::new(SystemClock))
}

/// Returns an engine that pauses a tenth as long as it should.
pub(crate) fn impatient_engine_of(address: SocketAddr) -> DynamoEngine {
    DynamoEngine::new(&sdk_of(address), names(), Arc::new(FastClock))
}
