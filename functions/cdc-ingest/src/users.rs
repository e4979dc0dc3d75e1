//! Users: the newest version of each row is kept.

use std::collections::HashMap;

use ledger::cdc::UserChange;
use ledger::rules::AccountSequence;
use ledger::store::{Action, RowVersion, Store, StoreError, UserRecord};

use crate::outcome::Outcome;
use crate::rows::Table;

/// The users' table.
pub(crate) struct Users;

impl Table for Users {
    type Key = AccountSequence;
    type Change = UserChange;
    type Record = UserRecord;

    fn key(change: &UserChange) -> &AccountSequence {
        match change {
            UserChange::Upsert(row) => &row.account,
            UserChange::Delete { account } => account,
        }
    }

    async fn load(
        &self,
        store: &Store,
        keys: Vec<AccountSequence>,
    ) -> Result<HashMap<AccountSequence, UserRecord>, StoreError> {
        store.users(keys).await
    }

    fn fold(
        &self,
        before: Option<&UserRecord>,
        version: &RowVersion,
        change: &UserChange,
    ) -> Result<UserRecord, Outcome> {
        if before.is_some_and(|before| !version.is_newer_than(&before.version)) {
            return Err(Outcome::Duplicated);
        }
        Ok(UserRecord {
            account: Self::key(change).clone(),
            revision: before.map_or(0, |before| before.revision),
            version: version.clone(),
            row: match change {
                UserChange::Upsert(row) => Some(row.clone()),
                UserChange::Delete { .. } => None,
            },
        })
    }

    fn write(&self, before: Option<&UserRecord>, after: &UserRecord) -> Result<Vec<Action>, StoreError> {
        Ok(vec![after.replace(before)?])
    }
}
