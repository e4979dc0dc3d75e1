//! Users as stored: that they exist, and when they were last seen. Never a phone number.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::client::Store;
use super::key::Key;
use super::version::RowVersion;
use super::{Action, Item, StoreError, Table};
use crate::cdc::UserRow;
use crate::rules::AccountSequence;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The user's account.
    pub account: AccountSequence,
    /// Counts the changes of this record, from 1.
    pub revision: u64,
    /// The version of the row.
    pub version: RowVersion,
    /// The row; `None` if the source deleted it.
    pub row: Option<UserRow>,
}

impl UserRecord {
    /// The write that replaces `before` by this record, as its next revision. It holds only if
    /// `before` is still what is stored.
    pub fn replace(&self, before: Option<&Self>) -> Result<Action, StoreError> {
        let revision = before.map(|before| before.revision);
        let next = Self { revision: revision.unwrap_or(0) + 1, ..self.clone() };
        Ok(Action::put(Item::encode(&Key::user(&self.account), &next))?.if_number_is("revision", revision))
    }
}

impl Store {
    /// These users, as far as they are known.
    pub async fn users(
        &self,
        accounts: impl IntoIterator<Item = AccountSequence>,
    ) -> Result<HashMap<AccountSequence, UserRecord>, StoreError> {
        let keys: Vec<Key> = accounts.into_iter().map(|account| Key::user(&account)).collect();
        let records = self.batch_get(keys).await?.into_iter().map(Item::decode::<UserRecord>);
        records.map(|record| record.map(|record| (record.account.clone(), record))).collect()
    }

    /// Every account that has a user or a referral row. Reads the whole table; for tools.
    pub async fn known_accounts(&self) -> Result<BTreeSet<AccountSequence>, StoreError> {
        let mut known = BTreeSet::new();
        let mut start = None;
        loop {
            let (items, next) = self.scan(Table::Source, (0, 1), start).await?;
            for item in items {
                let partition = item.text("pk")?;
                let is_row = partition.starts_with("USER#") || partition.starts_with("REFERRAL#");
                // A referral's item may be there before its row.
                if is_row && item.has("version") {
                    known.insert(item.parse("account")?);
                }
            }
            start = next;
            if start.is_none() {
                return Ok(known);
            }
        }
    }
}
