//! Things that happen to calls of the tables.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
    BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::BoxFuture;

/// The same client, on which this happens.
pub(crate) fn with_interceptor(client: &Client, interceptor: impl Intercept + 'static) -> Client {
    let config = client.config().to_builder().interceptor(interceptor).retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

/// About one call in `one_in` crashes: half of them before it is made, half after it took effect.
#[derive(Debug)]
pub(crate) struct Crashes {
    one_in: u64,
    seed: u64,
    calls: AtomicU64,
    pub(crate) count: Arc<AtomicU64>,
}

impl Crashes {
    pub(crate) fn new(one_in: u64, seed: u64) -> Self {
        Self { one_in, seed, calls: AtomicU64::new(0), count: Arc::default() }
    }

    fn crash(&self, call: u64, afterwards: bool) -> Result<(), BoxError> {
        let mixed = (call ^ self.seed.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        if mixed.is_multiple_of(self.one_in) && ((mixed / self.one_in) % 2 == 1) == afterwards {
            self.count.fetch_add(1, Ordering::Relaxed);
            return Err("the process was killed".into());
        }
        Ok(())
    }
}

impl Intercept for Crashes {
    fn name(&self) -> &'static str {
        "Crashes"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.crash(self.calls.fetch_add(1, Ordering::Relaxed), false)
    }

    fn read_before_deserialization(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.crash(self.calls.load(Ordering::Relaxed), true)
    }
}

/// Something that happens once, before the first call of a kind.
pub(crate) struct Before {
    event: Mutex<Option<BoxFuture<'static, ()>>>,
    is_due: fn(&BeforeSerializationInterceptorContextRef<'_>) -> bool,
}

impl Before {
    /// Between what a function read and its first transaction.
    pub(crate) fn first_transaction(event: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            event: Mutex::new(Some(Box::pin(event))),
            is_due: |call| call.input().downcast_ref::<TransactWriteItemsInput>().is_some(),
        }
    }

    /// Between what a function did and the mark that it takes away for it.
    pub(crate) fn first_deletion(event: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            event: Mutex::new(Some(Box::pin(event))),
            is_due: |call| call.input().downcast_ref::<DeleteItemInput>().is_some(),
        }
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Before")
    }
}

impl Intercept for Before {
    fn name(&self) -> &'static str {
        "Before"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if (self.is_due)(context)
            && let Some(event) = self.event.lock().expect("not poisoned").take()
        {
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(event));
        }
        Ok(())
    }
}

/// Counts the items about talent levels that transactions write.
#[derive(Debug, Clone, Default)]
pub(crate) struct TalentWrites {
    pub(crate) items: Arc<AtomicU64>,
    pub(crate) transactions: Arc<AtomicU64>,
}

impl Intercept for TalentWrites {
    fn name(&self) -> &'static str {
        "TalentWrites"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(input) = context.input().downcast_ref::<TransactWriteItemsInput>() else { return Ok(()) };
        let partitions = input.transact_items().iter().filter_map(|item| {
            let key = item.update().map(|update| &update.key).or(item.put().map(|put| &put.item));
            match key?.get("pk") {
                Some(AttributeValue::S(partition)) => Some(partition),
                _ => None,
            }
        });
        let items = partitions.filter(|partition| partition.starts_with("TALENT")).count() as u64;
        self.items.fetch_add(items, Ordering::Relaxed);
        self.transactions.fetch_add(u64::from(items > 0), Ordering::Relaxed);
        Ok(())
    }
}
