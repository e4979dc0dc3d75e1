//! What the engine keeps and how it is asked for.

use std::ops::Bound;

use crate::error::StoreError;
pub(crate) use crate::key::{Key, Table};

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// Which state of the item this is. What a revision counts is the business of the kind of item.
    pub revision: u64,
    /// Its content, in the encoding of its kind.
    pub body: Vec<u8>,
    /// When the service may delete it, in seconds since 1970; `None` for items that stay.
    pub expires_at_s: Option<i64>,
}

impl Item {
    /// Returns an item that stays.
    #[must_use]
    pub fn new(key: Key, revision: u64, body: Vec<u8>) -> Self {
        Self { key, revision, body, expires_at_s: None }
    }

    /// The most bytes an item may have. Every engine refuses a larger one.
    pub const BYTES_MAX: usize = 400 * 1_024;

    /// Returns how many bytes the service counts for the item: attribute names and values.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        const KEY_AND_BODY_NAMES_BYTES: usize = "pk".len() + "sk".len() + "b".len();
        let expiry_bytes = self.expires_at_s.map_or(0, |at_s| number_bytes("t", at_s.unsigned_abs()));
        KEY_AND_BODY_NAMES_BYTES
            + self.key.partition.len()
            + self.key.sort.len()
            + number_bytes("r", self.revision)
            + self.body.len()
            + expiry_bytes
    }
}

/// Returns the bytes of a number with its name: one for two digits without zeros at the end, and one more.
fn number_bytes(name: &str, number: u64) -> usize {
    let mut significant = number;
    while significant != 0 && significant.is_multiple_of(10) {
        significant /= 10;
    }
    let digits = significant.checked_ilog10().map_or(1, |log| log + 1);
    name.len() + digits.div_ceil(2) as usize + 1
}

/// What must stand at a key for a write to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Anything or nothing.
    None,
    /// No item.
    Absent,
    /// An item of exactly this revision.
    Revision(u64),
    /// No item, or one of a lower revision.
    Below(u64),
}

impl Condition {
    /// Returns whether it holds where an item of revision `present` stands, or none.
    #[must_use]
    pub fn holds(self, present: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Absent => present.is_none(),
            Self::Revision(revision) => present == Some(revision),
            Self::Below(revision) => present.is_none_or(|present| present < revision),
        }
    }
}

/// What a write does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Puts the whole item in the place of what is there.
    Put(Item),
    /// Removes what is there, if anything.
    Delete(Key),
}

/// A write of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What it does.
    pub change: Change,
    /// On what condition.
    pub condition: Condition,
}

impl Write {
    /// Returns a write that puts `item` if `condition` holds.
    #[must_use]
    pub fn put(item: Item, condition: Condition) -> Self {
        Self { change: Change::Put(item), condition }
    }

    /// Returns a write that removes what is at `key` if `condition` holds.
    #[must_use]
    pub fn delete(key: Key, condition: Condition) -> Self {
        Self { change: Change::Delete(key), condition }
    }

    /// Checks that the item is not larger than an engine takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if it is.
    pub fn check_size(&self) -> Result<(), StoreError> {
        match &self.change {
            Change::Put(item) if item.stored_bytes() > Item::BYTES_MAX => Err(StoreError::Refused {
                message: format!(
                    "the item {} has {} bytes, and at most {} are taken",
                    item.key,
                    item.stored_bytes(),
                    Item::BYTES_MAX
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Returns where it writes.
    #[must_use]
    pub fn key(&self) -> &Key {
        match &self.change {
            Change::Put(item) => &item.key,
            Change::Delete(key) => key,
        }
    }
}

/// What became of a write that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It took effect.
    Done,
    /// Its condition did not hold; this is what stands there.
    ConditionFailed(Option<Item>),
}

/// Asks for a range of a partition.
///
/// A page ends after [`Query::limit`] items, and before it would have more than a megabyte. So a page that is
/// shorter than the limit is not the last one: only [`Page::next`] says where a range ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: Table,
    /// The partition key.
    pub partition: String,
    /// Only sort keys greater than or equal to this.
    pub from: Option<String>,
    /// Only sort keys less than or equal to this.
    pub to: Option<String>,
    /// Only sort keys that come after this one in the order asked for: where an earlier page ended.
    pub after: Option<String>,
    /// Greatest sort key first.
    pub descending: bool,
    /// At most this many items.
    pub limit: usize,
}

impl Query {
    /// Returns a query for a whole partition in ascending order, a thousand items at a time.
    #[must_use]
    pub fn partition(table: Table, partition: impl Into<String>) -> Self {
        let partition = partition.into();
        Self { table, partition, from: None, to: None, after: None, descending: false, limit: 1_000 }
    }

    /// Returns between which sort keys to look, with what an earlier page gave taken off; `None` where
    /// nothing can lie between them.
    #[must_use]
    pub fn bounds(&self) -> Option<(Bound<&str>, Bound<&str>)> {
        let mut low = self.from.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let mut high = self.to.as_deref().map_or(Bound::Unbounded, Bound::Included);
        match (self.after.as_deref(), self.descending) {
            (Some(after), false) if self.from.as_deref().is_none_or(|from| from <= after) => {
                low = Bound::Excluded(after);
            }
            (Some(after), true) if self.to.as_deref().is_none_or(|to| after <= to) => {
                high = Bound::Excluded(after);
            }
            _ => {}
        }
        let may_hold_a_key = match (low, high) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
            (Bound::Included(low), Bound::Included(high)) => low <= high,
            (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
                low < high
            }
        };
        may_hold_a_key.then_some((low, high))
    }
}

/// A page of items, and where the next one starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// The key after which the next page starts; `None` at the end. There may be one although no item
    /// follows.
    pub next: Option<Key>,
}

impl Page {
    /// The most bytes a page has, unless its only item has more.
    pub const BYTES_MAX: usize = 1_024 * 1_024;

    /// Returns the page that begins with these items: at most `limit` of them, and a megabyte.
    ///
    /// It takes the items one by one. A page that has as many as it may have names its last one as the place to go on
    /// from, as the service does, also where nothing follows.
    ///
    /// # Errors
    ///
    /// The first error that `items` gives.
    pub fn fill<E>(items: impl IntoIterator<Item = Result<Item, E>>, limit: usize) -> Result<Self, E> {
        let mut page = Self::default();
        let mut bytes = 0;
        for item in items {
            let item = item?;
            bytes += item.stored_bytes();
            if bytes > Self::BYTES_MAX && !page.items.is_empty() {
                page.next = page.items.last().map(|last| last.key.clone());
                return Ok(page);
            }
            page.items.push(item);
            if page.items.len() == limit {
                page.next = page.items.last().map(|last| last.key.clone());
                return Ok(page);
            }
        }
        Ok(page)
    }
}

/// One of the equal parts of a table that are scanned side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which part, from 0.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

impl Segment {
    /// The whole table.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Returns whether `partition` belongs to this part, for engines whose service does not say.
    #[must_use]
    pub fn has(self, partition: &str) -> bool {
        let hash = partition
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        hash % self.count == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_as_large_as_the_service_says() {
        let item = |revision, expires_at_s| Item {
            key: Key::new(Table::Log, "LOG", "7"),
            revision,
            body: vec![0; 10],
            expires_at_s,
        };
        // pk 2, LOG 3, sk 2, "7" 1, b 1 and 10 bytes make 19; r 1 and a number.
        assert_eq!(item(0, None).stored_bytes(), 19 + 1 + 2);
        assert_eq!(item(12, None).stored_bytes(), 19 + 1 + 2);
        assert_eq!(item(123, None).stored_bytes(), 19 + 1 + 3);
        assert_eq!(item(1_000, None).stored_bytes(), 19 + 1 + 2);
        assert_eq!(item(1_000, Some(1_234_567)).stored_bytes(), 19 + 3 + 1 + 5);
    }

    #[test]
    fn an_earlier_page_narrows_a_range_and_never_widens_it() {
        let range = |after: &str, descending| Query {
            from: Some("c".to_owned()),
            to: Some("f".to_owned()),
            after: Some(after.to_owned()),
            descending,
            ..Query::partition(Table::Log, "p")
        };
        assert_eq!(range("d", false).bounds(), Some((Bound::Excluded("d"), Bound::Included("f"))));
        assert_eq!(range("d", true).bounds(), Some((Bound::Included("c"), Bound::Excluded("d"))));
        assert_eq!(range("a", false).bounds(), Some((Bound::Included("c"), Bound::Included("f"))));
        assert_eq!(range("z", true).bounds(), Some((Bound::Included("c"), Bound::Included("f"))));
        assert_eq!(range("f", false).bounds(), None);
        assert_eq!(range("c", true).bounds(), None);
        assert_eq!(range("z", false).bounds(), None);
    }
}
