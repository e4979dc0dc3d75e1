//! What was announced to the decider: `Source` `INBOX` / `<key>`, and commands: `Source` `COMMAND#<key>` / `COMMAND`.
//!
//! An announcement names keys, never a change. Its own key is never used twice.

use domain::RowKey;
use domain::log::{Command, CommandOutcome, Position, StatedChange};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, decode_with_last_member, encode};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write, Written};
use crate::rows::RowTable;

const PARTITION: &str = "INBOX";

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announcement {
    /// These rows are other than they were.
    Rows(Vec<(RowTable, RowKey)>),
    /// An operator asked for something, under this idempotency key.
    Command(String),
    /// A table was truncated at the source.
    Truncated {
        /// The table.
        table: RowTable,
        /// Where it stands in the source: topic, partition and offset.
        at: String,
        /// When the source committed it, in milliseconds since 1970.
        committed_ms: i64,
    },
}

/// An announcement that the decider has not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Its key.
    pub key: String,
    /// What is announced.
    pub announcement: Announcement,
}

/// A command of an operator, with the decider's answer once there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCommand {
    /// The operator who asked.
    pub by: String,
    /// The reason that the operator gave.
    pub reason: String,
    /// The command that was asked for.
    pub command: Command,
    /// What became of it, and in which page it stands; `None` while the decider has not taken it in.
    pub answer: Option<(CommandOutcome, Position)>,
    /// What it changes outside the log, as its asker saw it.
    #[serde(default)]
    pub change: Option<StatedChange>,
}

impl StoredCommand {
    /// Returns a command that the decider has not taken in.
    #[must_use]
    pub fn new(by: impl Into<String>, reason: impl Into<String>, command: Command) -> Self {
        Self { by: by.into(), reason: reason.into(), command, answer: None, change: None }
    }

    /// Returns the command with what it changes outside the log, in words.
    #[must_use]
    pub fn changing(self, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self { change: Some(StatedChange { before: before.into(), after: after.into() }), ..self }
    }
}

/// Announces something under a key that was never used and never will be again.
pub fn announce<'a>(
    engine: &'a dyn Engine,
    key: String,
    announcement: &Announcement,
) -> BoxFuture<'a, Result<(), StoreError>> {
    let item = Item::new(Key::new(Table::Source, PARTITION, key), 1, encode(announcement));
    Box::pin(async move {
        let _ = engine.write(Write::put(item, Condition::None)).await?;
        Ok(())
    })
}

/// Returns the first announcements by key, at most `limit`, and whether these are all.
pub fn read(engine: &dyn Engine, limit: usize) -> BoxFuture<'_, Result<(Vec<Announced>, bool), StoreError>> {
    Box::pin(async move {
        let page = engine.query(Query { limit, ..Query::partition(Table::Source, PARTITION) }).await?;
        let announced = page
            .items
            .iter()
            .map(|item| Ok(Announced { key: item.key.sort.clone(), announcement: decode(item)? }));
        Ok((announced.collect::<Result<_, StoreError>>()?, page.next.is_none()))
    })
}

/// Removes announcements that the log has taken in.
pub fn remove(engine: &dyn Engine, keys: Vec<String>) -> BoxFuture<'_, Result<(), StoreError>> {
    let delete = |key| Write::delete(Key::new(Table::Source, PARTITION, key), Condition::None);
    Box::pin(async move {
        let written = engine.write_many(keys.into_iter().map(delete).collect()).await;
        written.into_iter().try_for_each(|written| written.map(|_| ()))
    })
}

fn command_key(idempotency_key: &str) -> Key {
    Key::new(Table::Source, format!("COMMAND#{idempotency_key}"), "COMMAND")
}

/// Stores what an operator asks for, and announces it.
///
/// Returns what is stored under this idempotency key already, if anything is; then nothing is announced.
pub fn ask<'a>(
    engine: &'a dyn Engine,
    idempotency_key: &str,
    command: &StoredCommand,
) -> BoxFuture<'a, Result<Option<StoredCommand>, StoreError>> {
    let item = Item::new(command_key(idempotency_key), 1, encode(command));
    let idempotency_key = idempotency_key.to_owned();
    Box::pin(async move {
        if let Written::ConditionFailed(present) = engine.write(Write::put(item, Condition::Absent)).await? {
            let present: Option<StoredCommand> = present.as_ref().map(decode_with_last_member).transpose()?;
            if present.as_ref().is_some_and(|present| present.answer.is_some()) {
                return Ok(present);
            }
            // The invocation that stored it may have ended before it announced it.
            announce(engine, format!("command#{idempotency_key}"), &Announcement::Command(idempotency_key))
                .await?;
            return Ok(present);
        }
        announce(engine, format!("command#{idempotency_key}"), &Announcement::Command(idempotency_key))
            .await?;
        Ok(None)
    })
}

/// Returns what is stored under an idempotency key.
pub fn command<'a>(
    engine: &'a dyn Engine,
    idempotency_key: &str,
) -> BoxFuture<'a, Result<Option<StoredCommand>, StoreError>> {
    let key = command_key(idempotency_key);
    Box::pin(async move { engine.get(key).await?.as_ref().map(decode_with_last_member).transpose() })
}

/// Records what became of a command. Repeating it changes nothing: a command is stored once, and stands in one page.
pub fn answer<'a>(
    engine: &'a dyn Engine,
    idempotency_key: &str,
    command: &StoredCommand,
) -> BoxFuture<'a, Result<(), StoreError>> {
    let item = Item::new(command_key(idempotency_key), 2, encode(command));
    Box::pin(async move {
        let _ = engine.write(Write::put(item, Condition::None)).await?;
        Ok(())
    })
}
