//! What expires on a date.

use super::client::Store;
use super::holder::Holder;
use super::key::{Key, Shard, expiry_partition};
use super::{Action, StoreError, Table};
use crate::rules::{Amount, BusinessDate};
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
    /// The writes that let it expire. They hold only if nobody did before.
    #[must_use]
    pub fn actions(&self, date: BusinessDate) -> [Action; 2] {
        [
            Action::delete(Key::expiry(date, &self.holder)).if_number_is("amount", Some(self.amount)),
            Action::update(self.holder.key()).add("effective", -self.amount),
        ]
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
