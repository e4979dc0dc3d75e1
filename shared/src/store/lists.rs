//! Pages of the lists that are spread over shards, each read as one ascending list.

use super::adoption::{HeldOrder, held_order};
use super::client::{Page, Range, Store};
use super::key::{Shard, held_partition, padded, quarantine_partition, staged_partition};
use super::quarantine::{Quarantined, is_part, quarantined};
use super::{Item, StoreError, Table};
use crate::rules::OrderId;

/// A page of a list, and where the next one starts.
#[derive(Debug)]
pub struct ListPage<T, P> {
    /// The entries, in ascending order.
    pub entries: Vec<T>,
    /// The position after which the next page starts; `None` at the end.
    pub next: Option<P>,
}

/// How long a list is, counted no further than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The entries counted.
    pub counted: usize,
    /// Whether there are more.
    pub more: bool,
}

impl Store {
    /// A page of the adoptions that are held, in ascending order.
    pub async fn held_page(
        &self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<ListPage<HeldOrder, OrderId>, StoreError> {
        let page = self.merged(held_partition, after.map(padded), limit, |_| true).await?;
        let entries: Vec<HeldOrder> = page.items.iter().map(held_order).collect::<Result<_, _>>()?;
        let next = page.next.as_ref().and(entries.last()).map(|last| last.order);
        Ok(ListPage { entries, next })
    }

    /// A page of what is in quarantine, by topic, partition and offset. Of values too large for one
    /// item, the first part only.
    ///
    /// The position of a page's end means something to this list only.
    pub async fn quarantine_page(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<ListPage<Quarantined, String>, StoreError> {
        let is_whole = |item: &Item| !is_part(item);
        let page = self.merged(quarantine_partition, after, limit, is_whole).await?;
        let entries = page.items.iter().map(quarantined).collect::<Result<_, _>>()?;
        Ok(ListPage { entries, next: page.next })
    }

    /// How many adoptions are held, counted up to about `limit`.
    pub async fn held_count(&self, limit: usize) -> Result<Count, StoreError> {
        self.count(held_partition, limit).await
    }

    /// How many adoptions are to be released, counted up to about `limit`.
    pub async fn staged_count(&self, limit: usize) -> Result<Count, StoreError> {
        self.count(staged_partition, limit).await
    }

    /// A page of the ascending list that the shards make together, of the items that are wanted.
    async fn merged(
        &self,
        partition: impl Fn(Shard) -> String,
        after: Option<String>,
        limit: usize,
        wanted: impl Fn(&Item) -> bool,
    ) -> Result<Page, StoreError> {
        let range = Range::default().after(after);
        let pages = self.every_shard(partition, &range, limit).await?;
        // Beyond the first end of any shard's page, the others' items have gaps between them.
        let complete_to = pages.iter().filter_map(|page| page.next.clone()).min();
        let mut items: Vec<(String, Item)> = Vec::new();
        for item in pages.into_iter().flat_map(|page| page.items) {
            let sort = item.text("sk")?.to_owned();
            if wanted(&item) && complete_to.as_ref().is_none_or(|end| sort <= *end) {
                items.push((sort, item));
            }
        }
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        let next = match items.get(limit) {
            Some(_) => items.get(limit - 1).map(|(sort, _)| sort.clone()),
            None => complete_to,
        };
        items.truncate(limit);
        Ok(Page { items: items.into_iter().map(|(_, item)| item).collect(), next })
    }

    async fn count(&self, partition: impl Fn(Shard) -> String, limit: usize) -> Result<Count, StoreError> {
        let per_shard = limit.div_ceil(usize::from(Shard::COUNT));
        let pages = self.every_shard(partition, &Range::default(), per_shard).await?;
        Ok(Count {
            counted: pages.iter().map(|page| page.items.len()).sum(),
            more: pages.iter().any(|page| page.next.is_some()),
        })
    }

    /// A page of every shard of a list at once.
    pub(super) async fn every_shard(
        &self,
        partition: impl Fn(Shard) -> String,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<Page>, StoreError> {
        let queries = Shard::all().map(|shard| {
            let partition = partition(shard);
            async move { self.query(Table::Source, &partition, range, limit).await }
        });
        futures::future::try_join_all(queries).await
    }
}
