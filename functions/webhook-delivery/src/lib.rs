//! Sends what the log tells to the subscribers of events, over HTTP.
//!
//! The log is the outbox. A subscription is a place in it: everything up to there was taken by the subscriber, and what
//! comes next is the same whenever it is read. So a delivery may be repeated, and none can be lost. The function goes
//! through the log for what operators say about subscriptions, and then sends each subscriber what is new to it, in the
//! order of the log, by the convention of Standard Webhooks.
//!
//! - Reads: `Log`, `Ledger`, `Snapshots`.
//! - Writes: `Ledger` (what the log says of subscriptions, how far each is, attempts to deliver).
//! - Sends to: no queue.

mod courier;
mod http;
mod limits;
mod message;
mod take_in;
mod transport;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Versions;
use domain::proof::Secret;
use domain::webhooks::Reach;
use runtime::telemetry::Metrics;
use runtime::{Context, Function, FunctionError, Settings};
use serde_json::{Value, json};
use store::webhooks::{self, Registry};
use store::{BoxFuture, StoreError, events};

use courier::{Courier, Delivered};

pub use http::HttpTransport;
pub use limits::Limits;
pub use transport::{Post, Transport};

/// The name under which it is deployed, logs and counts.
const NAME: &str = "webhook-delivery";
/// How often it is looked whether the heads include a page that was just decided, and for how long.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOKS_MAX: usize = 20;

/// Returns the function, which sends over HTTP.
///
/// # Errors
///
/// It says what is wrong with the policy, or that this machine trusts no certificates.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    let transport = HttpTransport::new(settings.webhook_reach)?;
    build_with(settings, Arc::new(transport))
}

/// Returns the function, which sends by this transport.
///
/// # Errors
///
/// It says what is wrong with the policy.
pub fn build_with(
    settings: &Settings,
    transport: Arc<dyn Transport>,
) -> Result<Arc<dyn Function>, FunctionError> {
    build_limited(settings, transport, Limits::default())
}

/// Returns the function, which sends by this transport, within other limits than the deployed ones.
///
/// # Errors
///
/// It says what is wrong with the policy.
pub fn build_limited(
    settings: &Settings,
    transport: Arc<dyn Transport>,
    limits: Limits,
) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    Ok(Arc::new(WebhookDelivery {
        versions,
        shards: settings.account_shards,
        secret: settings.webhook_secret.clone(),
        reach: settings.webhook_reach,
        transport,
        limits,
        known: Mutex::default(),
    }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run(NAME, build)
}

struct WebhookDelivery {
    versions: Versions,
    shards: u32,
    secret: Option<Secret>,
    reach: Reach,
    transport: Arc<dyn Transport>,
    limits: Limits,
    /// What this process has read of the log.
    known: Mutex<Registry>,
}

impl Function for WebhookDelivery {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(
        &'a self,
        _event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let failed = |error: StoreError| FunctionError {
                message: format!("events could not be sent further: {error}"),
            };
            let registry = self.take_in(context).await.map_err(failed)?;
            if registry.webhooks.count() > 0 {
                let Some(secret) = &self.secret else {
                    return Err(FunctionError {
                        message: "there are subscriptions and nothing to sign with: set WEBHOOK_SECRET"
                            .to_owned(),
                    });
                };
                let delivered = self.deliver(&registry, secret, context).await.map_err(failed)?;
                report(&delivered, context);
            }
            Ok(json!({ "batchItemFailures": [] }))
        })
    }
}

impl WebhookDelivery {
    /// Goes through the log for what operators say about subscriptions.
    async fn take_in(&self, context: &Context) -> Result<Registry, StoreError> {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let registry = take_in::read_on(known, self.limits, context).await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = registry.clone();
        Ok(registry)
    }

    /// Sends every subscriber what is new to it, side by side.
    async fn deliver(
        &self,
        registry: &Registry,
        secret: &Secret,
        context: &Context,
    ) -> Result<Delivered, StoreError> {
        let engine = &*context.engine;
        let mut versions = self.versions.clone();
        for terms in &registry.versions {
            versions.introduce(terms.clone()).map_err(|error| StoreError::Refused {
                message: format!("the log introduces a version that cannot be: {error}"),
            })?;
        }
        let courier = Courier {
            context,
            transport: &*self.transport,
            secret,
            reach: self.reach,
            versions: &versions,
            limits: self.limits,
            last: self.last_page(registry, context).await?,
        };
        let states = webhooks::states(engine).await?;
        let each = registry.webhooks.iter().map(|(name, webhook)| {
            let state = states.get(name).cloned();
            courier.deliver(name, webhook, state)
        });
        let outcomes = futures::future::join_all(each).await;
        let mut delivered = Delivered::default();
        for outcome in outcomes {
            delivered.add(outcome?);
        }
        Ok(delivered)
    }

    /// Returns the last page that was read and that all heads include, which are waited for briefly: a page that was
    /// just put wakes this function and the projection at the same time.
    async fn last_page(&self, registry: &Registry, context: &Context) -> Result<u64, StoreError> {
        let mut last = 0;
        for look in 0..LOOKS_MAX {
            if look > 0 {
                context.clock.sleep(LOOK_AGAIN).await;
            }
            last = events::last_page(&*context.engine, self.shards).await?;
            if last >= registry.position {
                break;
            }
        }
        // Pages that were put meanwhile may say more of subscriptions and versions than was read.
        Ok(last.min(registry.position))
    }
}

fn report(delivered: &Delivered, context: &Context) {
    Metrics::of(NAME)
        .count("EventsDelivered", delivered.events)
        .count("DeliveriesFailed", delivered.failed)
        // The alarm for a subscriber that gets nothing any more watches it.
        .count("WebhooksStopped", delivered.stopped)
        .emit(context.clock.now());
}
