//! What the journal's stream carries: entries, and what is to be published.

use chrono::DateTime;

use super::client::Store;
use super::journal::JournalEntry;
use super::key::{EVENT_PREFIX, Key, ORDER_PREFIX, POSTED_PREFIX};
use super::posted::Posted;
use super::snapshot::DailySnapshotCreated;
use super::{Action, Item, StoreError, Table};
use crate::events::{self, Event};

/// The attribute that holds an event, as JSON.
const EVENT: &str = "event";

/// An item of the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum JournalItem {
    /// An entry of an adoption.
    Entry(JournalEntry),
    /// Where a posting left the accounts of a tree.
    Posted(Posted),
    /// An event to publish as it is.
    Event(Event),
}

impl JournalItem {
    /// Reads an item of the journal.
    pub fn of_item(item: Item) -> Result<Self, StoreError> {
        let partition = item.text("pk")?.to_owned();
        let is = |prefix| partition.starts_with(prefix);
        if is(ORDER_PREFIX) {
            item.decode().map(Self::Entry)
        } else if is(POSTED_PREFIX) {
            item.decode().map(Self::Posted)
        } else if is(EVENT_PREFIX) {
            serde_json::from_str(item.text(EVENT)?).map(Self::Event).map_err(|_| item.corrupt(EVENT))
        } else if let Some(totals) = DailySnapshotCreated::from_journal(item.clone())? {
            let created_at = DateTime::from_timestamp_millis(totals.closed_at_ms);
            Ok(Self::Event(Event::DailySnapshotCreated(events::DailySnapshotCreated {
                snapshot_date: totals.snapshot_date,
                network_total_contribution: totals.network_total_contribution,
                user_total_contribution: totals.user_total_contribution,
                system_total_contribution: totals.system_total_contribution,
                row_count: totals.user_count + totals.system_account_count,
                created_at: created_at.ok_or_else(|| item.corrupt("closed_at_ms"))?,
            })))
        } else {
            Err(item.corrupt("pk"))
        }
    }

    /// Reads an item as the journal's stream carries it.
    pub fn of_image(image: serde_dynamo::Item) -> Result<Self, StoreError> {
        Self::of_item(Item::new(Table::Journal, image.into()))
    }
}

impl Event {
    /// The write that publishes this event: it goes into the transaction of what it tells of, and so is
    /// published if and only if that came about. The journal's stream does the rest. Writing the same
    /// event again is safe.
    pub fn write(&self) -> Result<Action, StoreError> {
        let json = serde_json::to_string(self).expect("events are structs of plain fields");
        Action::put(Item::at(&Key::event(&self.group(), &self.id())).with_text(EVENT, json))
    }
}

impl Store {
    /// Publishes an event of what is stored already.
    pub async fn publish(&self, event: &Event) -> Result<(), StoreError> {
        self.apply(event.write()?).await.map(|_| ())
    }
}
