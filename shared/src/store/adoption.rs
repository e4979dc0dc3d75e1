//! Adoptions as stored, and the list each one is on.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::client::{BatchWrite, Page, Range, Store};
use super::key::{
    Key, Shard, adopter_partition, adoption_partition, held_partition, padded, staged_partition,
};
use super::rows::{RowWrite, Written};
use super::version::RowVersion;
use super::{Action, Item, StoreError, Table};
use crate::cdc::AdoptionRow;
use crate::rules::{AccountSequence, OrderId, Policy};

/// Adoptions read from a shard at a time where only little is kept of each.
const ADOPTIONS_PER_PAGE: usize = 500;

/// An adoption: the row the source holds, and how far it was worked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionRecord {
    /// The order number.
    pub order: OrderId,
    /// Counts the changes of this record, from 1.
    pub revision: u64,
    /// The version of the row.
    pub version: RowVersion,
    /// The row, if it was ever seen: a deletion may arrive first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<AdoptionRow>,
    /// Whether the source deleted the row.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Which list it is on.
    pub stage: Stage,
    /// Whether it was ever handed to the ledger. From then on its account, trees and price are final.
    #[serde(default, skip_serializing_if = "is_false")]
    pub released: bool,
    /// How many trees of it are in the network's running number, which prices follow from.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counted_trees: u32,
}

/// The list an adoption is on. There is exactly one, and the adoption's record says which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// It does not take part for now.
    Held(HoldReason),
    /// It waits for its turn in the sequence.
    Staged,
    /// It was handed to its tree's distribution, in its current revision.
    Released,
    /// It was deleted before it ever took part.
    Removed,
}

/// Why an adoption does not take part for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HoldReason {
    /// Its status is not a distributable one.
    Status,
    /// This account, the adopter or one of its ancestors, has no referral row yet.
    NoReferral(AccountSequence),
    /// The price that the rules derive for it makes its total too large.
    AmountOverflow,
}

impl HoldReason {
    /// The reason's name on every wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "STATUS",
            Self::NoReferral(_) => "NO_REFERRAL",
            Self::AmountOverflow => "AMOUNT_OVERFLOW",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl AdoptionRecord {
    /// Whether the source's row takes part in the ledger (rules, section 6).
    #[must_use]
    pub fn is_distributable(&self, policy: &Policy) -> bool {
        !self.deleted && self.row.as_ref().is_some_and(|row| policy.is_distributable(row.status.as_str()))
    }

    /// The same adoption on another list.
    #[must_use]
    pub fn on(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// The writes that replace `before` by this record, as its next revision, and move it from list
    /// to list. They hold only if `before` is still what is stored.
    pub fn replace(&self, before: Option<&Self>, now: DateTime<Utc>) -> Result<Vec<Action>, StoreError> {
        let next = Self { revision: before.map_or(0, |before| before.revision) + 1, ..self.clone() };
        let item = Item::encode(&Key::adoption(self.order), &next);
        let mut actions =
            vec![Action::put(item)?.if_number_is("revision", before.map(|before| before.revision))];
        let marker = self.marker(now);
        let old_marker = before.and_then(|before| before.marker(now));
        match (&old_marker, marker) {
            (Some(old), Some(new)) if old.key()? == new.key()? => actions.push(Action::put(new)?),
            (old, new) => {
                if let Some(old) = old {
                    actions.push(Action::delete(old.key()?));
                }
                if let Some(new) = new {
                    actions.push(Action::put(new)?);
                }
            }
        }
        let adopter = |record: &Self| record.row.as_ref().map(|row| row.account.clone());
        let old_adopter = before.and_then(adopter);
        if let Some(account) = adopter(self)
            && old_adopter.as_ref() != Some(&account)
        {
            if let Some(old) = old_adopter {
                actions.push(Action::delete(Key::adopter_order(&old, self.order)));
            }
            actions.push(Action::put(Item::at(&Key::adopter_order(&account, self.order)))?);
        }
        Ok(actions)
    }

    /// Its item on the list it is on; released work is per tree and kept by the sequencer.
    fn marker(&self, now: DateTime<Utc>) -> Option<Item> {
        match &self.stage {
            Stage::Staged => {
                Some(Item::at(&Key::staged(self.order)).with_number("staged_at_ms", now.timestamp_millis()))
            }
            Stage::Held(reason) => {
                let item = Item::at(&Key::held(self.order)).with_text("reason", reason.name());
                Some(match reason {
                    HoldReason::Status | HoldReason::AmountOverflow => item,
                    HoldReason::NoReferral(missing) => item.with_text("waiting_for", missing),
                })
            }
            Stage::Released | Stage::Removed => None,
        }
    }
}

/// An adoption on the list of those to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StagedOrder {
    /// The order number.
    pub order: OrderId,
    /// When it was put on the list. Milliseconds since 1970.
    pub staged_at_ms: i64,
}

/// An adoption on the list of those held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOrder {
    /// The order number.
    pub order: OrderId,
    /// Why it is held.
    pub reason: HoldReason,
}

impl Store {
    /// The adoptions with these orders, by order.
    pub async fn adoptions(
        &self,
        orders: impl IntoIterator<Item = OrderId>,
    ) -> Result<HashMap<OrderId, AdoptionRecord>, StoreError> {
        let items = self.batch_get(orders.into_iter().map(Key::adoption)).await?;
        let records = items.into_iter().map(Item::decode::<AdoptionRecord>);
        records.map(|record| record.map(|record| (record.order, record))).collect()
    }

    /// Every adoption from this order on, in ascending order. For late orders and for tools; its
    /// answer may be long.
    pub async fn adoptions_from(&self, order: OrderId) -> Result<Vec<AdoptionRecord>, StoreError> {
        let range = Range { from: Some(padded(order)), ..Range::default() };
        let pages = self.every_shard(adoption_partition, &range, usize::MAX).await?;
        let items = pages.into_iter().flat_map(|page| page.items);
        let mut records: Vec<AdoptionRecord> = items.map(Item::decode).collect::<Result<_, _>>()?;
        records.sort_by_key(|record| record.order);
        Ok(records)
    }

    /// How many trees each adoption from this order on counts. Only numbers are kept, so that however late an
    /// order is, what came after it fits into memory.
    pub async fn counted_trees_from(&self, order: OrderId) -> Result<BTreeMap<OrderId, u32>, StoreError> {
        let of_shards = Shard::all().map(|shard| async move {
            let mut range = Range { from: Some(padded(order)), ..Range::default() };
            let mut counted = Vec::new();
            loop {
                let page =
                    self.query(Table::Source, &adoption_partition(shard), &range, ADOPTIONS_PER_PAGE).await?;
                for item in page.items {
                    let record: AdoptionRecord = item.decode()?;
                    counted.push((record.order, record.counted_trees));
                }
                match page.next {
                    Some(next) => range = range.after(Some(next)),
                    None => return Ok::<_, StoreError>(counted),
                }
            }
        });
        Ok(futures::future::try_join_all(of_shards).await?.into_iter().flatten().collect())
    }

    /// Puts the adoptions that waited for this account's referral row back on the list to release.
    pub async fn restage_waiting(
        &self,
        account: &AccountSequence,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let waiting = self.waiting_orders(account).await?;
        let held = Stage::Held(HoldReason::NoReferral(account.clone()));
        let mut pending = waiting.clone();
        while !pending.is_empty() {
            let mut writes = Vec::new();
            for (order, before) in self.adoptions(pending.drain(..)).await? {
                if before.stage == held {
                    let after = before.clone().on(Stage::Staged);
                    writes.push(RowWrite { row: order, actions: after.replace(Some(&before), now)? });
                }
            }
            for (order, written) in self.write_rows(writes).await {
                match written {
                    Written::Committed => {}
                    // Somebody else moved it, or another adoption of its transaction: look again.
                    Written::Outdated => pending.push(order),
                    Written::Failed(error) => return Err(error),
                }
            }
        }
        let done = waiting.iter().map(|order| BatchWrite::Delete(Key::waiting_order(account, *order)));
        self.batch_write(done.collect()).await
    }

    /// A page of the own adoptions of an account, by order.
    pub async fn orders_of_adopter(
        &self,
        account: &AccountSequence,
        range: &Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.query(Table::Source, &adopter_partition(account), range, limit).await
    }

    /// The first adoptions of the list to release, in ascending order, at most about `limit`.
    ///
    /// What is answered has no gaps: every adoption on the list up to the last one answered is in it.
    pub async fn staged(&self, limit: usize) -> Result<Vec<StagedOrder>, StoreError> {
        let per_shard = limit.div_ceil(usize::from(Shard::COUNT));
        let pages = self.every_shard(staged_partition, &Range::default(), per_shard).await?;
        let mut complete_to = None;
        let mut staged = Vec::new();
        for page in pages {
            if let Some(next) = page.next {
                complete_to = Some(complete_to.map_or(next.clone(), |bound: String| bound.min(next)));
            }
            staged.extend(page.items);
        }
        let mut orders = Vec::with_capacity(staged.len());
        for item in staged {
            if complete_to.as_deref().is_none_or(|bound| item.text("sk").is_ok_and(|order| order <= bound)) {
                orders.push(StagedOrder {
                    order: order_of(&item)?,
                    staged_at_ms: item.number("staged_at_ms")?,
                });
            }
        }
        orders.sort();
        Ok(orders)
    }

    /// Every adoption that is held, in ascending order. For tools; its answer may be long.
    pub async fn held(&self) -> Result<Vec<HeldOrder>, StoreError> {
        let pages = self.every_shard(held_partition, &Range::default(), usize::MAX).await?;
        let mut held = Vec::new();
        for item in pages.into_iter().flat_map(|page| page.items) {
            held.push(held_order(&item)?);
        }
        held.sort_by_key(|held| held.order);
        Ok(held)
    }
}

pub(super) fn order_of(item: &Item) -> Result<OrderId, StoreError> {
    item.parse("sk")
}

pub(super) fn held_order(item: &Item) -> Result<HeldOrder, StoreError> {
    let reason = match item.text("reason")? {
        "STATUS" => HoldReason::Status,
        "NO_REFERRAL" => HoldReason::NoReferral(item.parse("waiting_for")?),
        "AMOUNT_OVERFLOW" => HoldReason::AmountOverflow,
        _ => return Err(item.corrupt("reason")),
    };
    Ok(HeldOrder { order: order_of(item)?, reason })
}

/// The sort key of an order in the lists kept by order.
#[must_use]
pub fn order_sort_key(order: OrderId) -> String {
    padded(order)
}

/// Lets conditions name an order.
impl From<OrderId> for AttributeValue {
    fn from(order: OrderId) -> Self {
        Self::N(order.to_string())
    }
}
