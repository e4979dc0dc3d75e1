//! The model's tables without latency, limits or faults: each call takes effect at once. What every other engine of the
//! ledger is compared with.

use std::sync::{Mutex, PoisonError};

use store::{BoxFuture, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written};

use super::requests::{
    condition_failed, get_request, key_of, of_attributes, query_request, request_of, scan_request,
};
use crate::clock::Millis;
use crate::error::{Details, ErrorKind, ServiceError};
use crate::table::{
    Billing, Database, Page as TablePage, Request, Response, Schema, TableOptions, Throughput, Units,
};

/// The model's tables, each call of which takes effect at once.
pub struct DirectEngine {
    state: Mutex<(Database, Millis)>,
}

/// A throughput that no test reaches.
const UNITS_PER_SECOND: u64 = 40_000;

impl Default for DirectEngine {
    fn default() -> Self {
        let mut database = Database::default();
        let units = Units::whole(UNITS_PER_SECOND);
        for table in Table::ALL {
            database.create(TableOptions {
                name: table.logical_name().to_owned(),
                schema: Schema { partition: "pk".to_owned(), sort: Some("sk".to_owned()) },
                billing: Billing::OnDemand { warm: Throughput { write: units, read: units } },
                stream: None,
                replica_lag_ms: 0,
            });
        }
        Self { state: Mutex::new((database, 0)) }
    }
}

impl DirectEngine {
    /// Makes a call in a second of its own, so that no limit is reached.
    fn call(&self, request: &Request) -> Result<Response, ServiceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1_000;
        let now_ms = state.1;
        state.0.execute(now_ms, request).result
    }

    fn item(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        match self.call(&get_request(key, true)) {
            Ok(Response::Got(item)) => Ok(item.map(|item| of_attributes(key.table, item))),
            Ok(_) => unreachable!("a read of one item is answered as such"),
            Err(error) => Err(refused(&error)),
        }
    }

    fn page(&self, table: Table, request: &Request) -> Result<Page, StoreError> {
        match self.call(request) {
            Ok(Response::Page(TablePage { items, last, .. })) => Ok(Page {
                items: items.into_iter().map(|item| of_attributes(table, item)).collect(),
                next: last.map(|last| key_of(table, &last)),
            }),
            Ok(_) => unreachable!("a page is answered as such"),
            Err(error) => Err(refused(&error)),
        }
    }

    fn put(&self, write: &Write) -> Result<Written, StoreError> {
        write.check_size()?;
        match self.call(&Request::Write(request_of(write))) {
            Ok(_) => Ok(Written::Done),
            Err(error) if error.kind == ErrorKind::ConditionalCheckFailedException => {
                let present = match &error.details {
                    Details::Item(item) => Some(of_attributes(write.key().table, item.clone())),
                    _ => None,
                };
                Ok(condition_failed(write, present, false))
            }
            Err(error) => Err(refused(&error)),
        }
    }
}

fn refused(error: &ServiceError) -> StoreError {
    StoreError::Refused { message: error.to_string() }
}

impl Engine for DirectEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move { self.item(&key) })
    }

    fn get_many(&self, mut keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        keys.sort();
        keys.dedup();
        Box::pin(async move { keys.iter().filter_map(|key| self.item(key).transpose()).collect() })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            match query_request(&query, true) {
                Some(request) => self.page(query.table, &request),
                None => Ok(Page::default()),
            }
        })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move { self.page(table, &scan_request(table, segment, start.as_ref())) })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { self.put(&write) })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move { writes.iter().map(|write| self.put(write)).collect() })
    }
}
