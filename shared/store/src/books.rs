//! Books: sums of an account's lines by date, so that balances and statements need few of the lines.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | the sums of 16, 256, 4,096 … pages of an account's lines | `BOOK#<account>` / `<level>#<number>` |
//!
//! Books are the inner nodes of a tree over the pages of lines, which are its leaves. A book is written once, with the
//! last page that it covers, and follows from the lines and the closes of the log alone. Where lines have very many
//! different dates there is no book; the books and pages below say the same.

use std::collections::BTreeMap;

use domain::Owner;
use domain::heads::{Book, Closes};

use crate::codec::{decode, encode};
use crate::engine::{Answer, Engine, StoreError};
use crate::heads::{LinePage, line_page_key};
use crate::item::{Condition, Item, Key, Table, Write};

/// How many nodes of one level make one of the next.
const FAN_OUT: u32 = 16;
/// So many levels cover every number of pages.
const LEVEL_MAX: u8 = 7;
/// A book has at most so many sums, some 200 KB.
const SUMS_MAX: usize = 4_000;

/// A node of the tree over the pages of an account's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    level: u8,
    number: u32,
}

impl Node {
    /// Returns the fewest nodes that cover this many pages of lines, and nothing else.
    #[must_use]
    pub fn cover(pages: u32) -> Vec<Self> {
        let mut nodes = Vec::new();
        let mut start = 0;
        for level in (0..=LEVEL_MAX).rev() {
            let width = FAN_OUT.pow(u32::from(level));
            while pages - start >= width {
                nodes.push(Self { level, number: start / width });
                start += width;
            }
        }
        nodes
    }

    /// Returns whether this is a page of lines, and not a book.
    #[must_use]
    pub fn is_page(self) -> bool {
        self.level == 0
    }

    /// Returns the number of the first page of lines that it covers.
    #[must_use]
    pub fn first_page(self) -> u32 {
        self.number * FAN_OUT.pow(u32::from(self.level))
    }

    /// Returns the number of the last page of lines that it covers.
    #[must_use]
    pub fn last_page(self) -> u32 {
        self.first_page() + (FAN_OUT.pow(u32::from(self.level)) - 1)
    }

    /// Returns the nodes that it is made of; of a page, none.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let level = self.level.checked_sub(1);
        level.into_iter().flat_map(move |level| {
            (0..FAN_OUT).map(move |place| Self { level, number: self.number * FAN_OUT + place })
        })
    }

    /// Returns the node that is complete with this one, if it is the last of its siblings.
    fn completes(self) -> Option<Self> {
        let is_last = self.number % FAN_OUT == FAN_OUT - 1 && self.level < LEVEL_MAX;
        is_last.then_some(Self { level: self.level + 1, number: self.number / FAN_OUT })
    }

    fn key(self, owner: &Owner) -> Key {
        if self.is_page() {
            return line_page_key(owner, self.number);
        }
        Key::new(Table::Ledger, format!("BOOK#{owner}"), format!("{}#{:08}", self.level, self.number))
    }
}

/// What stands at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A page of lines.
    Page(LinePage),
    /// A book.
    Book(Book),
}

/// Returns what stands at these nodes of an account; where nothing stands, nothing.
pub fn read<'a>(
    engine: &'a dyn Engine,
    owner: &'a Owner,
    nodes: Vec<Node>,
) -> Answer<'a, BTreeMap<Node, Stored>> {
    Box::pin(async move {
        let stored = read_all(engine, nodes.into_iter().map(|node| (owner.clone(), node)).collect()).await?;
        Ok(stored.into_iter().map(|((_, node), stored)| (node, stored)).collect())
    })
}

async fn read_all(
    engine: &dyn Engine,
    nodes: Vec<(Owner, Node)>,
) -> Result<BTreeMap<(Owner, Node), Stored>, StoreError> {
    let keys: BTreeMap<Key, (Owner, Node)> =
        nodes.into_iter().map(|(owner, node)| (node.key(&owner), (owner, node))).collect();
    let mut found = BTreeMap::new();
    for item in engine.get_many(keys.keys().cloned().collect()).await? {
        let (owner, node) = keys.get(&item.key).expect("the engine answers what it was asked").clone();
        let stored = if node.is_page() { Stored::Page(decode(&item)?) } else { Stored::Book(decode(&item)?) };
        found.insert((owner, node), stored);
    }
    Ok(found)
}

/// Returns the writes of the books that are complete with these pages of lines. Repeating them changes nothing.
///
/// `closes` has every close up to the last of these lines.
pub fn completed<'a>(
    engine: &'a dyn Engine,
    filled: &BTreeMap<Owner, Vec<(u32, LinePage)>>,
    closes: &'a Closes,
) -> Answer<'a, Vec<Write>> {
    let mut known: BTreeMap<(Owner, Node), Book> = BTreeMap::new();
    for (owner, pages) in filled {
        for (number, page) in pages {
            let node = Node { level: 0, number: *number };
            known.extend(book_of(page, closes).map(|book| ((owner.clone(), node), book)));
        }
    }
    Box::pin(async move {
        let mut writes = Vec::new();
        let mut complete = completed_by(known.keys());
        while !complete.is_empty() {
            let children = complete.iter().flat_map(|(owner, node)| {
                node.children().map(|child| (owner.clone(), child)).collect::<Vec<_>>()
            });
            let unknown = children.filter(|child| !known.contains_key(child)).collect();
            for (child, stored) in read_all(engine, unknown).await? {
                let book = match stored {
                    Stored::Page(page) => book_of(&page, closes),
                    Stored::Book(book) => Some(book),
                };
                known.extend(book.map(|book| (child, book)));
            }
            complete.retain(|(owner, node)| {
                let Some(book) = joined(owner, *node, &known) else { return false };
                writes.push(Write::put(Item::new(node.key(owner), 1, encode(&book)), Condition::None));
                known.insert((owner.clone(), *node), book);
                true
            });
            complete = completed_by(complete.iter());
        }
        Ok(writes)
    })
}

fn completed_by<'a>(nodes: impl Iterator<Item = &'a (Owner, Node)>) -> Vec<(Owner, Node)> {
    nodes.filter_map(|(owner, node)| Some((owner.clone(), node.completes()?))).collect()
}

/// Returns the sums of a page, unless they are beyond what an amount can be. No book is better than no projection.
fn book_of(page: &LinePage, closes: &Closes) -> Option<Book> {
    Book::of(&page.lines, closes).ok().flatten()
}

/// Returns the book of a node from its children; `None` where one of them has none, or it would be too large.
fn joined(owner: &Owner, node: Node, known: &BTreeMap<(Owner, Node), Book>) -> Option<Book> {
    let mut children = node.children().map(|child| known.get(&(owner.clone(), child)));
    let mut book = children.next()??.clone();
    for child in children {
        book.extend(child?).ok()?;
    }
    (book.sums.len() <= SUMS_MAX).then_some(book)
}

#[cfg(test)]
mod tests {
    use domain::heads::{Line, LineKind, LineLeg, Totals};
    use domain::{Amount, BusinessDate, Slot};

    use super::*;
    use crate::heads::put_line_page;
    use crate::memory::MemoryEngine;

    #[test]
    fn a_cover_has_every_page_once_in_order() {
        for pages in [0, 1, 15, 16, 17, 255, 256, 4_095, 4_096, 10_000, 1_000_003] {
            let cover = Node::cover(pages);
            let mut next = 0;
            for node in &cover {
                assert_eq!(node.first_page(), next, "{pages}");
                next = node.last_page() + 1;
            }
            assert_eq!(next, pages);
            assert!(cover.len() <= 80, "{pages}: {}", cover.len());
        }
    }

    #[test]
    fn the_children_of_a_node_cover_what_it_covers() {
        let node = Node { level: 2, number: 3 };
        let children: Vec<Node> = node.children().collect();
        assert_eq!(children[0].first_page(), node.first_page());
        assert_eq!(children[15].last_page(), node.last_page());
        assert_eq!(children[15].completes(), Some(node));
        assert_eq!(children[14].completes(), None);
    }

    /// Returns page `number`: three lines, on dates that depend on the page.
    fn page(number: u32, dates: u32) -> LinePage {
        let effective = |line: u32| {
            let day = 20_000 + (number * 3 + line) % dates;
            BusinessDate::from_days_since_epoch(i64::from(day)).expect("a date")
        };
        let line = |line: u32| Line {
            position: u64::from(number) + 1,
            index: line,
            time_ms: i64::from(number) * 1_000,
            kind: LineKind::Posted,
            is_of_system: false,
            order: None,
            adopter: None,
            effective_date: effective(line),
            expire_date: None,
            legs: vec![LineLeg {
                slot: Slot::Personal,
                would_be: None,
                is_unallocated: false,
                amount: Amount::from_units(1).expect("small"),
            }],
        };
        LinePage { opening: Totals::default(), lines: (0..3).map(line).collect() }
    }

    /// Puts pages in runs of so many, with the books that each run completes.
    async fn put(count: u32, per_run: u32, dates: u32) -> MemoryEngine {
        let engine = MemoryEngine::default();
        let owner: Owner = "D1".parse().expect("an account");
        let mut closes = Closes::default();
        closes.insert(700, BusinessDate::from_days_since_epoch(20_000).expect("a date"));
        for first in (0..count).step_by(per_run as usize) {
            let pages: Vec<_> =
                (first..count.min(first + per_run)).map(|number| (number, page(number, dates))).collect();
            let mut writes: Vec<Write> =
                pages.iter().map(|(number, page)| put_line_page(&owner, *number, page)).collect();
            let filled = BTreeMap::from([(owner.clone(), pages)]);
            writes.extend(completed(&engine, &filled, &closes).await.expect("memory answers"));
            for written in engine.write_many(writes).await {
                let _ = written.expect("memory answers");
            }
        }
        engine
    }

    async fn books(engine: &MemoryEngine, count: u32) -> BTreeMap<Node, Stored> {
        let owner: Owner = "D1".parse().expect("an account");
        read(engine, &owner, Node::cover(count)).await.expect("memory answers")
    }

    #[tokio::test]
    async fn books_are_the_same_however_many_pages_come_at_once() {
        let count = 4_096 + 256 + 16 + 1;
        let expected = books(&put(count, count, 40).await, count).await;
        assert_eq!(expected.len(), 4, "one node of each level");
        let lines = |stored: &Stored| match stored {
            Stored::Page(page) => page.lines.len() as u64,
            Stored::Book(book) => book.sums.values().map(|sum| sum.lines).sum(),
        };
        assert_eq!(expected.values().map(lines).sum::<u64>(), u64::from(count) * 3);
        for per_run in [1, 7, 300] {
            assert_eq!(books(&put(count, per_run, 40).await, count).await, expected, "{per_run}");
        }
    }

    #[tokio::test]
    async fn lines_of_very_many_dates_have_smaller_books_only() {
        let stored = books(&put(4_096, 512, 20_000).await, 4_096).await;
        assert!(stored.is_empty(), "12,288 sums are more than a book has");
        let owner: Owner = "D1".parse().expect("an account");
        let below = Node::cover(4_096)[0].children().collect();
        let engine = put(4_096, 512, 20_000).await;
        assert_eq!(read(&engine, &owner, below).await.expect("memory answers").len(), 16);
    }
}
