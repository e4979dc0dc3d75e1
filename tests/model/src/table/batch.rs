//! Batches of reads and writes, each part by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::Direction;
use super::database::{Database, Reply};
use super::key::Key;
use super::read::{MAX_PAGE_BYTES, projected};
use super::request::{BatchGet, BatchWrite, Effect, Response, ReturnValues, Write};
use super::units::{Consumed, Units};
use super::write::check_size;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::value::{Item, Text};

const MAX_WRITES: usize = 25;
const MAX_READS: usize = 100;
const MAX_READ_BYTES: usize = 16 * 1_024 * 1_024;

impl Database {
    /// Writes items each by itself, and returns those that did not fit; if none fits, fails as a single write would.
    pub(super) fn batch_write(&mut self, now_ms: Millis, writes: &[BatchWrite]) -> Reply {
        if let Err(error) = self.check_batch_write(writes) {
            return Reply::refused(error);
        }
        let mut reply = Reply::empty();
        let mut unprocessed = Vec::new();
        let mut throttled = None;
        for part in writes {
            let write = Write {
                table: part.table.clone(),
                effect: Effect::from(part.part.clone()),
                condition: None,
                item_on_failure: false,
                return_values: ReturnValues::None,
            };
            let table = self.table_mut(&part.table).expect("the tables were checked before");
            let (result, units) = table.write(now_ms, &write);
            reply.charge(&part.table, Consumed::write(units));
            if let Err(error) = result {
                // A part that meets a running transaction comes back unprocessed; no source says what the service does.
                if error.kind != ErrorKind::TransactionConflictException {
                    throttled.get_or_insert(error);
                }
                unprocessed.push(part.clone());
            }
        }
        reply.result = match throttled {
            Some(error) if unprocessed.len() == writes.len() => Err(error),
            _ => Ok(Response::BatchWritten(unprocessed)),
        };
        reply
    }

    /// Reads items each by itself, and returns the keys that did not fit; if none fits, fails as a single read would.
    pub(super) fn batch_get(&mut self, now_ms: Millis, requests: &[BatchGet]) -> Reply {
        if let Err(error) = self.check_batch_get(requests) {
            return Reply::refused(error);
        }
        let mut reading = BatchReading::default();
        let mut responses = BTreeMap::new();
        let mut unprocessed = Vec::new();
        for request in requests {
            let mut items = Vec::new();
            let mut rest = Vec::new();
            for key in &request.keys {
                match self.batch_get_one(now_ms, request, key, &mut reading) {
                    Fit::Read(item) => items.extend(item),
                    Fit::DoesNotFit => rest.push(key.clone()),
                }
            }
            responses.insert(request.table.clone(), items);
            if !rest.is_empty() {
                unprocessed.push(BatchGet { keys: rest, ..request.clone() });
            }
        }
        let mut reply = reading.reply;
        reply.result = match reading.throttled {
            Some(error) if reading.parts_read == 0 => Err(error),
            _ => Ok(Response::BatchGot(responses, unprocessed)),
        };
        reply
    }

    fn batch_get_one(
        &mut self,
        now_ms: Millis,
        request: &BatchGet,
        key: &Item,
        reading: &mut BatchReading,
    ) -> Fit {
        if reading.full {
            return Fit::DoesNotFit;
        }
        let table = self.table_mut(&request.table).expect("the tables were checked before");
        let key = table.schema.exact_key(key).expect("the keys were checked before");
        let stored = table.get(now_ms, &key, request.consistent);
        let bytes = stored.as_ref().map_or(0, |stored| stored.bytes);
        if reading.bytes + bytes > MAX_READ_BYTES {
            reading.full = true;
            return Fit::DoesNotFit;
        }
        let partition = (request.table.clone(), key.partition.clone());
        let of_partition = reading.bytes_by_partition.get(&partition).copied().unwrap_or_default();
        if of_partition > 0 && of_partition + bytes > MAX_PAGE_BYTES {
            return Fit::DoesNotFit;
        }
        let units = Units::read(bytes, request.consistent);
        if let Err(error) = table.charge(now_ms, Direction::Read, &key.partition, units) {
            reading.throttled.get_or_insert(error);
            return Fit::DoesNotFit;
        }
        reading.bytes += bytes;
        reading.parts_read += 1;
        reading.bytes_by_partition.insert(partition, of_partition + bytes);
        reading.reply.charge(&request.table, Consumed::read(units));
        Fit::Read(stored.map(|stored| projected(&stored.item, request.projection.as_deref())))
    }

    fn check_batch_write(&self, writes: &[BatchWrite]) -> Result<(), ServiceError> {
        if writes.is_empty() || writes.len() > MAX_WRITES {
            return Err(ServiceError::validation(
                "Member must have length less than or equal to 25, and greater than or equal to 1",
            ));
        }
        let mut seen: BTreeSet<(&str, Key)> = BTreeSet::new();
        for part in writes {
            let effect = Effect::from(part.part.clone());
            let key = self.table(&part.table)?.check(&effect)?;
            check_size(&effect)?;
            if !seen.insert((&part.table, key)) {
                return Err(ServiceError::validation("Provided list of item keys contains duplicates"));
            }
        }
        Ok(())
    }

    fn check_batch_get(&self, requests: &[BatchGet]) -> Result<(), ServiceError> {
        let keys: usize = requests.iter().map(|request| request.keys.len()).sum();
        if keys > MAX_READS || requests.is_empty() || requests.iter().any(|request| request.keys.is_empty()) {
            return Err(ServiceError::validation(
                "Too many items requested for the BatchGetItem call, or none",
            ));
        }
        let mut seen: BTreeSet<(&str, Key)> = BTreeSet::new();
        for request in requests {
            for key in &request.keys {
                let key = self.table(&request.table)?.schema.exact_key(key)?;
                if !seen.insert((&request.table, key)) {
                    return Err(ServiceError::validation("Provided list of item keys contains duplicates"));
                }
            }
        }
        Ok(())
    }
}

enum Fit {
    Read(Option<Item>),
    DoesNotFit,
}

/// How far a batch of reads has come.
struct BatchReading {
    reply: Reply,
    bytes: usize,
    bytes_by_partition: BTreeMap<(String, Text), usize>,
    /// Whether a key met the limit of all, after which every further one is unprocessed.
    full: bool,
    parts_read: usize,
    throttled: Option<ServiceError>,
}

impl Default for BatchReading {
    fn default() -> Self {
        Self {
            reply: Reply::empty(),
            bytes: 0,
            bytes_by_partition: BTreeMap::new(),
            full: false,
            parts_read: 0,
            throttled: None,
        }
    }
}
