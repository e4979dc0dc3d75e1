//! Keeps users by account: talent levels and answers ask for them by it.
//!
//! A level that waits for its user is found by the schedule of `talent-propagation`. What no schedule looks for is that
//! a known user was seen again: where the source says that, each account that a batch names is marked.
//!
//! Touches: `Source` (reads, writes), `Ledger` (writes marks).

use cdc::{BusinessKey, Profile, RowImage, SourceTable};
use domain::AccountSequence;
use runtime::{Context, Unique};
use store::StoreError;
use store::rows::RowTable;
use store::talent::{self, Mark, MarkKind, TalentCause, TalentShards};
use store::users::{self, Saying, Sayings, User};

use crate::batch::{Batch, Content};
use crate::outcome::Outcome;
use crate::rows::FoldedRows;

/// Keeps users, and marks the accounts of those that may have been seen again.
pub(crate) struct Users<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) shards: TalentShards,
    pub(crate) unique: &'a Unique,
}

impl Users<'_> {
    /// Brings the users of every account that the batch's rows ever named up to date.
    pub(crate) async fn keep(
        &self,
        context: &Context,
        folded: &FoldedRows,
        batch: &Batch,
        outcomes: &mut [Outcome],
    ) {
        let of_accounts = sayings(folded);
        let accounts: Vec<AccountSequence> = of_accounts.keys().cloned().collect();
        let mut kept = users::keep(&*context.engine, of_accounts).await;
        if kept.is_ok() && self.profile.knows_activity() {
            kept = self.mark(context, accounts).await;
        }
        let Err(error) = kept else { return };
        for (record, outcome) in batch.records.iter().zip(outcomes) {
            if let Content::Change(change) = &record.content
                && change.table == SourceTable::Users
            {
                *outcome = Outcome::Failed(error.to_string());
            }
        }
    }

    /// Marks accounts, known ones included: a batch that is repeated may have ended before it marked them.
    async fn mark(&self, context: &Context, accounts: Vec<AccountSequence>) -> Result<(), StoreError> {
        let mark = |account: AccountSequence| Mark {
            account: account.clone(),
            kind: MarkKind::User,
            raised_by: self.unique.next(context),
            cause: TalentCause::UserChanged { account },
        };
        talent::raise(&*context.engine, self.shards, accounts.into_iter().map(mark).collect()).await
    }
}

/// Returns what the rows of users say of each account that they ever named.
fn sayings(folded: &FoldedRows) -> Sayings {
    let mut of_accounts = Sayings::new();
    for ((_, key), row) in folded.iter().filter(|((table, _), _)| *table == RowTable::Users) {
        let image = match row.state.image() {
            Some(RowImage::User(image)) => Some(image),
            _ => None,
        };
        for business_key in row.state.business_keys_ever() {
            let BusinessKey::Account(account) = business_key else { continue };
            let named = image.as_ref().filter(|image| image.account.value() == Some(&account));
            let user = named.map(|image| User {
                status: image.status.clone(),
                created_at_ms: image.created_at.map(|at| at.timestamp_millis()),
                last_activity_ms: image.last_activity.map(|at| at.timestamp_millis()),
            });
            let saying = Saying { row: key.clone(), revision: row.revision, user };
            of_accounts.entry(account).or_default().push(saying);
        }
    }
    of_accounts
}
