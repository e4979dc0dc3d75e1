//! Calls DynamoDB over the network: the engine that has the tables on AWS.

mod attributes;
mod batch;
mod read;
mod write;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use store::{BoxFuture, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written};

use super::call::{Failure, FailureKind};
use crate::{Clock, TableNames};

/// The ledger's tables in DynamoDB.
///
/// Throttles, conflicts and errors are tried again within a call, with pauses of two seconds together, and an
/// answer that does not come after half a second is asked for again, twice. A write that is repeated because
/// its answer was lost is done if what stands at its key is what it put.
#[derive(Clone)]
pub struct DynamoEngine {
    client: Client,
    names: Arc<TableNames>,
    clock: Arc<dyn Clock>,
}

impl DynamoEngine {
    /// Returns the tables of these names.
    pub fn new(sdk: &SdkConfig, names: TableNames, clock: Arc<dyn Clock>) -> Self {
        Self { client: Client::new(sdk), names: Arc::new(names), clock }
    }

    /// Makes a cheap call, so that a later one finds credentials and a connection. Whether it worked shows
    /// then.
    pub async fn warm_up(&self) {
        if let Err(error) = self.get(Key::new(Table::Log, "WARM_UP", "WARM_UP")).await {
            tracing::warn!(%error, "the tables could not be reached beforehand");
        }
    }
}

fn unavailable_or_refused(failure: Failure) -> StoreError {
    let message = failure.message;
    match failure.kind {
        FailureKind::NotNow | FailureKind::Unknown => StoreError::Unavailable { message },
        FailureKind::Refused => StoreError::Refused { message },
    }
}

impl Engine for DynamoEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(read::get(self, key))
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(read::get_many(self, keys))
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(read::query(self, query))
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(read::scan(self, table, segment, start))
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(write::write(self, write))
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(batch::write_many(self, writes))
    }
}
