//! Users by account: `Source` `USER#<account>` / `USER`. The log knows nothing of them.

use std::collections::BTreeMap;

use domain::{AccountSequence, RowKey};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::engine::{Answer, Engine, StoreError};
use crate::item::{Condition, Item, Key, Table, Write, Written};

const SORT: &str = "USER";
const PREFIX: &str = "USER#";

/// A user, as far as anything here reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The status.
    pub status: Option<String>,
    /// When the user registered, in milliseconds since 1970.
    pub created_at_ms: Option<i64>,
    /// When the user was seen last, in milliseconds since 1970.
    pub last_activity_ms: Option<i64>,
}

/// The rows that ever named an account. Of those that still do, the greatest key counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRows {
    rows: BTreeMap<RowKey, SeenRow>,
    /// How often this changed.
    #[serde(skip)]
    pub revision: u64,
}

/// A row as of one of its revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SeenRow {
    revision: u64,
    /// `None` where the row no longer names the account.
    user: Option<User>,
}

impl UserRows {
    /// Returns the user, if a row names the account.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.rows.values().rev().find_map(|row| row.user.as_ref())
    }

    /// Takes in what a row says of the account as of a revision, unless a later one is known. Returns whether
    /// anything changed.
    pub fn see(&mut self, row: &RowKey, revision: u64, user: Option<User>) -> bool {
        let is_known = self.rows.get(row).is_some_and(|seen| seen.revision >= revision);
        let is_news = !is_known && (user.is_some() || self.rows.contains_key(row));
        if is_news {
            self.rows.insert(row.clone(), SeenRow { revision, user });
        }
        is_news
    }
}

fn key(account: &AccountSequence) -> Key {
    Key::new(Table::Source, format!("{PREFIX}{account}"), SORT)
}

/// Returns the users of these accounts; accounts that no row ever named are left out.
pub fn read(
    engine: &dyn Engine,
    accounts: Vec<AccountSequence>,
) -> Answer<'_, BTreeMap<AccountSequence, UserRows>> {
    Box::pin(async move {
        let items = engine.get_many(accounts.iter().map(key).collect()).await?;
        items.iter().map(decode_user).collect()
    })
}

fn decode_user(item: &Item) -> Result<(AccountSequence, UserRows), StoreError> {
    let account = item.key.partition.strip_prefix(PREFIX).and_then(|account| account.parse().ok());
    let account = account
        .ok_or_else(|| crate::codec::unreadable(item, "its key does not name an account".to_owned()))?;
    let rows: UserRows = decode(item)?;
    Ok((account, UserRows { revision: item.revision, ..rows }))
}

/// What a row says of an account as of one of its revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// The row.
    pub row: RowKey,
    /// Its revision.
    pub revision: u64,
    /// The user; `None` where the row does not name the account any more.
    pub user: Option<User>,
}

/// What rows say, by account.
pub type Sayings = BTreeMap<AccountSequence, Vec<Saying>>;

/// How often an account is read again that is changed by another invocation at the same time.
const ATTEMPTS_MAX: usize = 8;

/// Brings accounts up to date with what rows say of them.
pub fn keep(engine: &dyn Engine, sayings: Sayings) -> Answer<'_, ()> {
    Box::pin(async move {
        let mut pending = sayings;
        for _ in 0..ATTEMPTS_MAX {
            if pending.is_empty() {
                return Ok(());
            }
            let mut stored = read(engine, pending.keys().cloned().collect()).await?;
            let (mut names, mut writes) = (Vec::new(), Vec::new());
            for (account, sayings) in std::mem::take(&mut pending) {
                let mut rows = stored.remove(&account).unwrap_or_default();
                let before = rows.revision;
                let mut is_changed = false;
                for Saying { row, revision, user } in &sayings {
                    is_changed |= rows.see(row, *revision, user.clone());
                }
                if is_changed {
                    writes.push(put(&account, &rows, before));
                    names.push((account, sayings));
                }
            }
            for ((account, sayings), written) in names.into_iter().zip(engine.write_many(writes).await) {
                if let Written::ConditionFailed(_) = written? {
                    pending.insert(account, sayings);
                }
            }
        }
        Err(StoreError::Unavailable { message: "users kept changing under another invocation".to_owned() })
    })
}

/// Returns the write that puts the rows of an account in the place of those of `before`.
#[must_use]
pub fn put(account: &AccountSequence, rows: &UserRows, before: u64) -> Write {
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    Write::put(Item::new(key(account), before + 1, encode(rows)), condition)
}

/// Returns the rows that an item holds, with their account: for tools that look at the table.
pub fn rows_of(item: &Item) -> Result<Option<(AccountSequence, UserRows)>, StoreError> {
    item.key.partition.starts_with(PREFIX).then(|| decode_user(item)).transpose()
}
