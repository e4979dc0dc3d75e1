//! Announces to the decider which rows a batch named, changed or not: a batch that comes again may be one that was
//! stored and never announced.
//!
//! Touches: `Source` (writes), `DecisionsQueue` (sends), the clock.

use std::collections::BTreeSet;

use domain::RowKey;
use runtime::{Context, Message, Queue};
use serde_json::json;
use store::inbox::{self, Announcement};
use store::rows::RowTable;
use store::truncates;

use crate::batch::{Batch, Content};
use crate::outcome::Outcome;
use crate::rows::{rows_of, table_of};

/// How many rows one announcement names, at most: an item may have 400 KB.
const ROWS_MAX: usize = 1_000;

/// Announces the batch's rows of referrals and adoptions, and wakes the decider.
/// A truncate that was not known before counts as applied.
pub(crate) async fn announce(
    context: &Context,
    batch: &Batch,
    outcomes: &mut [Outcome],
) -> Result<(), String> {
    let mut rows: BTreeSet<(RowTable, RowKey)> = BTreeSet::new();
    let mut announcements = Vec::new();
    for (record, outcome) in batch.records.iter().zip(outcomes) {
        match &record.content {
            Content::Change(change) if !matches!(outcome, Outcome::Failed(_)) => {
                rows.extend(rows_of(change));
            }
            Content::Truncate(truncate) => {
                let (name, hash) = (&record.name, record.as_read().hash());
                let at = truncates::key(&name.topic, name.partition, record.offset, &hash);
                let is_new = truncates::put(&*context.engine, &at, &**truncate).await;
                if is_new.map_err(|error| error.to_string())? {
                    *outcome = Outcome::Applied;
                }
                announcements.push(Announcement::Truncated {
                    table: table_of(truncate.table),
                    at,
                    committed_ms: truncate.version.ts_ms.unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    rows.retain(|(table, _)| *table != RowTable::Users);
    let rows: Vec<(RowTable, RowKey)> = rows.into_iter().collect();
    announcements.extend(rows.chunks(ROWS_MAX).map(|rows| Announcement::Rows(rows.to_vec())));
    if announcements.is_empty() {
        return Ok(());
    }
    let now_ms = context.clock.now().timestamp_millis();
    let key = |index: usize| format!("{now_ms:013}#{}#{index:04}", context.request_id);
    for (index, announcement) in announcements.iter().enumerate() {
        let announced = inbox::announce(&*context.engine, key(index), announcement).await;
        announced.map_err(|error| error.to_string())?;
    }
    wake_decider(context, &key(0)).await
}

/// Wakes the decider. A wake-up's id is used for it alone, so that the last of a burst is never dropped.
async fn wake_decider(context: &Context, id: &str) -> Result<(), String> {
    let wake_up = Message {
        body: json!({ "cause": "cdc-ingest", "announcement": id }).to_string(),
        group: Some(("decider".to_owned(), id.to_owned())),
        delay_s: None,
    };
    context.queues.send(Queue::Decisions, vec![wake_up]).await.map_err(|error| error.to_string())
}
