//! Sets of page numbers that mostly follow each other.

use serde::{Deserialize, Serialize};

use crate::log::Position;

/// Page numbers in ascending order, kept as ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRanges(Vec<PageRange>);

/// A range as stored: small numbers take few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct PageRange {
    first: Position,
    /// How many pages come after the first.
    more: u32,
}

impl PageRange {
    fn last(self) -> Position {
        self.first + u64::from(self.more)
    }
}

impl PageRanges {
    /// Adds a page after all others. A page that is the last one already is not added again.
    pub fn push(&mut self, position: Position) {
        if let Some(range) = self.0.last_mut() {
            assert!(position >= range.last(), "pages are added in their order");
            if position == range.last() {
                return;
            }
            if position == range.last() + 1 && range.more < u32::MAX {
                range.more += 1;
                return;
            }
        }
        self.0.push(PageRange { first: position, more: 0 });
    }

    /// Returns how many ranges there are.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.0.len()
    }

    /// Takes the first `count` ranges off. The last one of all stays, because it may still grow.
    #[must_use]
    pub fn take_ranges(&mut self, count: usize) -> Self {
        assert!(count < self.0.len(), "the last range stays");
        let rest = self.0.split_off(count);
        Self(std::mem::replace(&mut self.0, rest))
    }

    /// Returns the pages, in order.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        self.0.iter().flat_map(|range| range.first..=range.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_follow_each_other_are_one_range() {
        let mut ranges = PageRanges::default();
        let pages = [1, 2, 2, 3, 7, 9, 10];
        for page in pages {
            ranges.push(page);
        }
        assert_eq!(ranges.ranges(), 3);
        assert_eq!(ranges.positions().collect::<Vec<_>>(), [1, 2, 3, 7, 9, 10]);
        let taken = ranges.take_ranges(2);
        assert_eq!(taken.positions().collect::<Vec<_>>(), [1, 2, 3, 7]);
        ranges.push(11);
        assert_eq!(ranges.positions().collect::<Vec<_>>(), [9, 10, 11]);
    }
}
