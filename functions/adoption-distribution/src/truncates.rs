//! Removes the rows of a truncated table, once an operator has let the truncate go.
//!
//! Touches: `Source` (reads, writes), the clock.

use cdc::{BusinessKey, RowState, Truncate};
use domain::RowKey;
use domain::heads::Network;
use runtime::Context;
use store::inbox::{self, Announcement};
use store::rows::{self, RowTable};
use store::truncates::{self, StoredTruncate, Sweep};
use store::users::{self, Saying, Sayings};
use store::{Key, Segment, StoreError, Table, Written};

/// An invocation that stores rows may have begun before the truncate was in force, and lasts no longer than this, in
/// milliseconds.
pub const STORING_TAKES_MS: i64 = 120_000;
/// How many rows one announcement names, at most: an item may have 400 KB.
const ROWS_MAX: usize = 1_000;

/// Goes through one part of the rows of a table whose truncate was let go. Returns whether there are more parts.
///
/// Everything here can be repeated: a part that was ended half way is read again.
pub(crate) async fn sweep(context: &Context, network: &Network) -> Result<bool, StoreError> {
    if network.truncates_let_go.is_empty() {
        return Ok(false);
    }
    let engine = &*context.engine;
    let now_ms = context.clock.now().timestamp_millis();
    for mut stored in truncates::read::<Truncate>(engine).await? {
        if !network.truncates_let_go.contains(&stored.key) {
            continue;
        }
        match (stored.in_force_ms, &stored.sweep) {
            (_, Sweep::Done) => {}
            (None, Sweep::At(_)) => {
                stored.in_force_ms = Some(now_ms);
                let _ = truncates::advance(engine, &stored).await?;
            }
            (Some(since_ms), Sweep::At(_)) if now_ms < since_ms + STORING_TAKES_MS => {}
            (Some(_), Sweep::At(after)) => {
                let start = after.clone();
                let next = remove_part(context, &stored, start).await?;
                stored.sweep = next.map_or(Sweep::Done, |key| Sweep::At(Some(key)));
                let _ = truncates::advance(engine, &stored).await?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Deletes the older rows among the next ones, announces them, and returns where the part after begins.
async fn remove_part(
    context: &Context,
    stored: &StoredTruncate<Truncate>,
    start: Option<(String, String)>,
) -> Result<Option<(String, String)>, StoreError> {
    let engine = &*context.engine;
    let start = start.map(|(partition, sort)| Key::new(Table::Source, partition, sort));
    let (rows, next) = rows::scan::<RowState>(engine, Segment::WHOLE, start).await?;
    let (mut writes, mut written, mut names, mut users) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((table, key), before) in rows {
        let Some(delete) = stored.truncate.delete_in(&key) else { continue };
        let after = cdc::fold(Some(before.row.clone()), &delete).state;
        if after != before.row {
            writes.push(rows::put(table, &key, &after, before.revision));
            written.push((table, key.clone(), after, before.revision + 1));
        } else if table == RowTable::Users {
            users.push((key.clone(), after, before.revision));
        }
        if table != RowTable::Users {
            names.push((table, key));
        }
    }
    for ((table, key, after, revision), outcome) in written.into_iter().zip(engine.write_many(writes).await) {
        // A row that changed meanwhile was stored by an invocation that knows of the truncate.
        if outcome? == Written::Done && table == RowTable::Users {
            users.push((key, after, revision));
        }
    }
    users::keep(engine, gone(users)).await?;
    let now_ms = context.clock.now().timestamp_millis();
    for (index, rows) in names.chunks(ROWS_MAX).enumerate() {
        let key = format!("{now_ms:013}#{}#{}#{index}", context.request_id, stored.key);
        inbox::announce(engine, key, &Announcement::Rows(rows.to_vec())).await?;
    }
    tracing::info!(truncate = stored.key, rows = names.len(), "rows of a truncated table were checked");
    Ok(next.map(|key| (key.partition, key.sort)))
}

/// Returns what those of these rows of users that do not stand say of the accounts that they ever named.
fn gone(rows: Vec<(RowKey, RowState, u64)>) -> Sayings {
    let mut sayings = Sayings::new();
    for (row, state, revision) in rows.into_iter().filter(|(_, state, _)| state.image().is_none()) {
        for named in state.business_keys_ever() {
            let BusinessKey::Account(account) = named else { continue };
            let saying = Saying { row: row.clone(), revision, user: None };
            sayings.entry(account).or_default().push(saying);
        }
    }
    sayings
}
