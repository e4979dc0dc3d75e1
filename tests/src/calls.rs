//! Which calls of the service each function makes, seen at the seam to storage and queues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use runtime::{Message, Queue, QueueError, Queues};
use store::{
    BoxFuture, Change, Condition, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written,
};

/// What a function needs leave for: the function, the action, and the table's or queue's name in the template.
pub type Permission = (&'static str, &'static str, &'static str);

/// Notes the calls of functions.
#[derive(Debug, Default)]
pub struct Calls {
    /// With the partition keys that were named, where a call names any.
    made: Mutex<BTreeMap<Permission, BTreeSet<String>>>,
}

impl Calls {
    /// Returns what was needed, with the partition keys that calls named.
    #[must_use]
    pub fn permissions(&self) -> BTreeMap<Permission, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the engine as this function has it, which notes its calls.
    #[must_use]
    pub fn engine(self: &Arc<Self>, function: &'static str, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        Arc::new(NotedEngine { calls: Arc::clone(self), function, engine })
    }

    /// Returns the queues as this function has them, which note its calls.
    #[must_use]
    pub fn queues(self: &Arc<Self>, function: &'static str, queues: Arc<dyn Queues>) -> Arc<dyn Queues> {
        Arc::new(NotedQueues { calls: Arc::clone(self), function, queues })
    }

    fn note(&self, permission: Permission, partition: &str) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(permission).or_default().insert(partition.to_owned());
    }
}

struct NotedEngine {
    calls: Arc<Calls>,
    function: &'static str,
    engine: Arc<dyn Engine>,
}

impl NotedEngine {
    fn note(&self, action: &'static str, table: Table, partition: &str) {
        self.calls.note((self.function, action, table.logical_name()), partition);
    }

    /// Notes a write alone, as the engine over DynamoDB makes it.
    fn note_write(&self, write: &Write) {
        let action = match write.change {
            Change::Put(_) => "dynamodb:PutItem",
            Change::Delete(_) => "dynamodb:DeleteItem",
        };
        self.note(action, write.key().table, &write.key().partition);
    }

    /// Notes a write among others. It may be a statement of a batch, and alone where the batch leaves it open.
    fn note_write_among_others(&self, write: &Write) {
        self.note_write(write);
        let statement = match (&write.change, write.condition) {
            (Change::Put(_), Condition::Absent) => "dynamodb:PartiQLInsert",
            (Change::Put(_), Condition::Revision(_)) => "dynamodb:PartiQLUpdate",
            (Change::Delete(_), Condition::Revision(_)) => "dynamodb:PartiQLDelete",
            _ => return,
        };
        self.note(statement, write.key().table, &write.key().partition);
    }
}

impl Engine for NotedEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        self.note("dynamodb:GetItem", key.table, &key.partition);
        self.engine.get(key)
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        for key in &keys {
            self.note("dynamodb:BatchGetItem", key.table, &key.partition);
        }
        self.engine.get_many(keys)
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.note("dynamodb:Query", query.table, &query.partition);
        self.engine.query(query)
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.note("dynamodb:Scan", table, "");
        self.engine.scan(table, segment, start)
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        self.note_write(&write);
        self.engine.write(write)
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        for write in &writes {
            self.note_write_among_others(write);
        }
        self.engine.write_many(writes)
    }
}

struct NotedQueues {
    calls: Arc<Calls>,
    function: &'static str,
    queues: Arc<dyn Queues>,
}

impl Queues for NotedQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        self.calls.note((self.function, "sqs:SendMessage", queue.logical_name()), "");
        self.queues.send(queue, messages)
    }

    fn change_visibility(
        &self,
        queue: Queue,
        receipt_handle: String,
        seconds: u32,
    ) -> BoxFuture<'_, Result<(), QueueError>> {
        self.calls.note((self.function, "sqs:ChangeMessageVisibility", queue.logical_name()), "");
        self.queues.change_visibility(queue, receipt_handle, seconds)
    }
}
