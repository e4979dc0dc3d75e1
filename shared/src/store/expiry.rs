//! What expires on a date.

use chrono::{DateTime, Utc};

use super::client::Store;
use super::holder::Holder;
use super::key::{Key, Shard, expiry_partition};
use super::{Action, StoreError, Table};
use crate::events::{ContributionExpired, Event};
use crate::rules::{Amount, BusinessDate, Owner};
use crate::store::Range;

/// What leaves a holder's `effective` on a date: the sum of every posting that expires on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Whose.
    pub holder: Holder,
    /// How much.
    pub amount: Amount,
}

impl Expiring {
    /// The most writes one of them needs.
    pub const ACTIONS_MAX: usize = 3;

    /// The writes that let it expire, and for a user publish that. They hold only if nobody did before.
    ///
    /// `effective` is what the holder has before; while a date's amounts expire nothing else changes it.
    pub fn actions(
        &self,
        date: BusinessDate,
        effective: Amount,
        now: DateTime<Utc>,
    ) -> Result<Vec<Action>, StoreError> {
        let mut actions = vec![
            Action::delete(Key::expiry(date, &self.holder)).if_number_is("amount", Some(self.amount)),
            Action::update(self.holder.key()).add("effective", -self.amount),
        ];
        if let Holder::User(account) = &self.holder {
            let expired = ContributionExpired {
                account_sequence: Owner::User(account.clone()),
                expire_date: date,
                expired_contribution: self.amount,
                effective_contribution: effective.checked_sub(self.amount).unwrap_or(effective),
                expired_at: now,
            };
            actions.push(Event::ContributionExpired(expired).write()?);
        }
        Ok(actions)
    }
}

impl Store {
    /// The first `limit` of what still has to expire on a date, in one shard of its list.
    pub async fn expiring(
        &self,
        date: BusinessDate,
        shard: Shard,
        limit: usize,
    ) -> Result<Vec<Expiring>, StoreError> {
        let page =
            self.query(Table::Snapshots, &expiry_partition(date, shard), &Range::default(), limit).await?;
        let expiring = page
            .items
            .iter()
            .map(|item| Ok(Expiring { holder: item.parse("sk")?, amount: item.amount("amount")? }));
        expiring.collect()
    }
}
