//! Reading everything, page by page: for the audit, which compares all of it in bounded memory.

use std::collections::HashSet;

use super::adoption::{AdoptionRecord, HeldOrder, held_order, order_of};
use super::client::{Range, Store};
use super::key::{
    CHILD_PREFIX, Key, ORDER_PREFIX, WAITING_ORDER_PREFIX, adoption_partition, held_partition, padded,
    staged_partition,
};
use super::outstanding::WorkItem;
use super::referral::{ReferralRecord, TreeId};
use super::task::ReassessTask;
use super::{Account, Item, StoreError, SystemShare, Table, TreeCursor};
use crate::rules::{AccountSequence, OrderId, SystemAccount};

/// Adoptions in ascending order, without gaps.
#[derive(Debug, Default)]
pub struct AdoptionPage {
    /// The adoptions.
    pub records: Vec<AdoptionRecord>,
    /// The order up to which every adoption is among them; `None` at the end.
    pub complete_to: Option<OrderId>,
}

/// An item of the table `Source`, as far as one needs to look at it by itself.
#[derive(Debug)]
pub enum SourceItem {
    /// An account's place in the forest.
    Referral(ReferralRecord),
    /// An adoption's row.
    Adoption(Box<AdoptionRecord>),
    /// An account in the list of its referrer.
    Child {
        /// Whose list.
        referrer: AccountSequence,
        /// Who is on it.
        child: AccountSequence,
    },
    /// An adoption in the list of its adopter.
    AdopterOrder {
        /// Whose list.
        account: AccountSequence,
        /// What is on it.
        order: OrderId,
    },
    /// An adoption in the list of what waits for an account's referral row.
    WaitingOrder {
        /// Whose row is missing.
        missing: AccountSequence,
        /// What waits.
        order: OrderId,
    },
    /// Released work of a tree.
    Work(WorkItem),
    /// A refused record, by its reason.
    Quarantined {
        /// The reason's stable code.
        reason: String,
    },
    /// Anything else.
    Other,
}

/// An item of the table `Accounts`.
#[derive(Debug)]
pub enum AccountsItem {
    /// A user's account.
    Account {
        /// Whose.
        account: AccountSequence,
        /// How it stands.
        state: Account,
    },
    /// A system account's share of some trees.
    Share {
        /// Whose.
        account: SystemAccount,
        /// How it stands.
        share: SystemShare,
    },
    /// A tree's cursor.
    Cursor {
        /// The tree.
        tree: TreeId,
        /// Where it stands.
        cursor: TreeCursor,
    },
    /// A reassessment to do.
    Task(ReassessTask),
    /// Anything else.
    Other,
}

impl AccountsItem {
    /// Reads an item of the table `Accounts`.
    pub fn from_item(item: Item) -> Result<Self, StoreError> {
        let key = item.key()?;
        let (kind, name) = key.partition().split_once('#').unwrap_or((key.partition(), ""));
        let corrupt = |part: &str| item.corrupt(part);
        Ok(match kind {
            "ACCOUNT" if key.sort() == "ACCOUNT" => Self::Account {
                account: name.parse().map_err(|_| corrupt("pk"))?,
                state: Account::from_item(&item)?,
            },
            "SYSTEM" => Self::Share { account: item.parse("sk")?, share: SystemShare::from_item(&item)? },
            "TREE" if key.sort() == "CURSOR" => Self::Cursor {
                tree: TreeId::below(name.parse().map_err(|_| corrupt("pk"))?),
                cursor: TreeCursor {
                    version: item.number("version")?,
                    last_order: item.number_if_present("last_order")?,
                },
            },
            "TASK" => Self::Task(item.decode()?),
            _ => Self::Other,
        })
    }
}

impl Store {
    /// About `limit` adoptions after this one, in ascending order.
    pub async fn adoptions_after(
        &self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<AdoptionPage, StoreError> {
        let range = Range::default().after(after.map(padded));
        let per_shard = limit.div_ceil(usize::from(super::Shard::COUNT));
        let pages = self.every_shard(adoption_partition, &range, per_shard).await?;
        // A shard that has more ends the page where it ends.
        let bound = pages.iter().filter_map(|page| page.next.clone()).min();
        let complete_to = match &bound {
            None => None,
            Some(bound) => {
                let item = Item::at(&Key::new(Table::Source, "ADOPTION#", bound.as_str()));
                Some(item.parse("sk")?)
            }
        };
        let mut records = Vec::new();
        for item in pages.into_iter().flat_map(|page| page.items) {
            if bound.as_deref().is_none_or(|bound| item.text("sk").is_ok_and(|order| order <= bound)) {
                records.push(item.decode::<AdoptionRecord>()?);
            }
        }
        records.sort_by_key(|record| record.order);
        Ok(AdoptionPage { records, complete_to })
    }

    /// What is on the lists of those held and of those to release, after one order and up to another.
    pub async fn listed_between(
        &self,
        after: Option<OrderId>,
        to: Option<OrderId>,
    ) -> Result<(Vec<HeldOrder>, HashSet<OrderId>), StoreError> {
        // The largest order is never reached: it is that of the largest `bigint`.
        let from = after.and_then(|after| OrderId::new(after.get() + 1)).map(padded);
        let range = Range { from, to: to.map(padded), ..Range::default() };
        let held = self.every_shard(held_partition, &range, usize::MAX).await?;
        let held = held.iter().flat_map(|page| &page.items).map(held_order).collect::<Result<_, _>>()?;
        let staged = self.every_shard(staged_partition, &range, usize::MAX).await?;
        let staged = staged.iter().flat_map(|page| &page.items).map(order_of).collect::<Result<_, _>>()?;
        Ok((held, staged))
    }

    /// Whether work of this adoption is left on its tree's list.
    pub async fn has_work(&self, tree: &TreeId, order: OrderId) -> Result<bool, StoreError> {
        let range = Range::prefix(&padded(order));
        let page = self.query(Table::Source, &super::key::work_partition(tree), &range, 1).await?;
        Ok(!page.items.is_empty())
    }

    /// A page of the table `Source`; items that cannot be read are errors of their own.
    pub async fn scan_source(
        &self,
        segment: (u32, u32),
        start: Option<Key>,
    ) -> Result<(Vec<Result<SourceItem, StoreError>>, Option<Key>), StoreError> {
        let (items, next) = self.scan(Table::Source, segment, start).await?;
        Ok((items.into_iter().map(source_item).collect(), next))
    }

    /// A page of the table `Accounts`; items that cannot be read are errors of their own.
    pub async fn scan_accounts(
        &self,
        segment: (u32, u32),
        start: Option<Key>,
    ) -> Result<(Vec<Result<AccountsItem, StoreError>>, Option<Key>), StoreError> {
        let (items, next) = self.scan(Table::Accounts, segment, start).await?;
        Ok((items.into_iter().map(AccountsItem::from_item).collect(), next))
    }

    /// A page of the table `Journal`: the adoptions that entries are of.
    pub async fn scan_journal_orders(
        &self,
        segment: (u32, u32),
        start: Option<Key>,
    ) -> Result<(HashSet<OrderId>, Option<Key>), StoreError> {
        let (items, next) = self.scan(Table::Journal, segment, start).await?;
        let mut orders = HashSet::new();
        for item in &items {
            // The journal also holds what was published of it; that is not posted to anybody.
            if let Some(order) = item.text("pk")?.strip_prefix(ORDER_PREFIX) {
                orders.insert(order.parse().map_err(|_| item.corrupt("pk"))?);
            }
        }
        Ok((orders, next))
    }

    /// Which of these keys have an item.
    pub async fn existing(&self, keys: impl IntoIterator<Item = Key>) -> Result<HashSet<Key>, StoreError> {
        self.batch_get(keys).await?.iter().map(Item::key).collect()
    }
}

fn source_item(item: Item) -> Result<SourceItem, StoreError> {
    let key = item.key()?;
    let (kind, name) = key.partition().split_once('#').unwrap_or((key.partition(), ""));
    let corrupt = |part: &str| item.corrupt(part);
    Ok(match kind {
        "REFERRAL" => match key.sort().strip_prefix(CHILD_PREFIX) {
            None => SourceItem::Referral(item.decode()?),
            Some(child) => SourceItem::Child {
                referrer: name.parse().map_err(|_| corrupt("pk"))?,
                child: child.parse().map_err(|_| corrupt("sk"))?,
            },
        },
        "ADOPTION" => SourceItem::Adoption(Box::new(item.decode()?)),
        "ADOPTER" => SourceItem::AdopterOrder {
            account: name.parse().map_err(|_| corrupt("pk"))?,
            order: order_of(&item)?,
        },
        "WAITING" => match key.sort().strip_prefix(WAITING_ORDER_PREFIX) {
            None => SourceItem::Other,
            Some(order) => SourceItem::WaitingOrder {
                missing: name.parse().map_err(|_| corrupt("pk"))?,
                order: order.parse().map_err(|_| corrupt("sk"))?,
            },
        },
        "WORK" => SourceItem::Work(item.decode()?),
        // A record too large for one item goes on in parts, which have no reason of their own.
        "QUARANTINE" if item.has("reason") => {
            SourceItem::Quarantined { reason: item.text("reason")?.to_owned() }
        }
        _ => SourceItem::Other,
    })
}
