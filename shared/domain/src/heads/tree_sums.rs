//! How many trees were adopted before an order, in a few steps.
//!
//! The sums stand in a tree over the bytes of the order number. The node of level L and prefix P holds, for each
//! value of byte L, the eligible trees of all orders that begin with P and that byte. So the trees before
//! an order are parts of eight nodes, however many orders there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::OrderId;
use crate::log::Entry;

/// How many levels the tree has: the bytes of an order number.
pub const TREE_SUM_LEVELS: u8 = 8;

/// Which node: its level, from 0 at the bottom, and the bytes of the order number above that level.
pub type SumKey = (u8, u64);

/// A node: what is below each of its bytes that has any orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumNode(BTreeMap<u8, Sum>);

/// What is below a byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    /// Orders that a row ever named.
    orders: u64,
    /// The trees of those that are eligible.
    trees: u64,
}

impl SumNode {
    /// Counts an order below this byte.
    pub fn add_order(&mut self, byte: u8) {
        self.0.entry(byte).or_default().orders += 1;
    }

    /// Replaces `before` trees by `after` below this byte.
    pub fn replace(&mut self, byte: u8, before: u32, after: u32) {
        let sum = self.0.entry(byte).or_default();
        sum.trees = (sum.trees + u64::from(after))
            .checked_sub(u64::from(before))
            .expect("trees are added before they go");
    }

    /// Returns the trees below all smaller bytes.
    #[must_use]
    pub fn below(&self, byte: u8) -> u64 {
        self.0.range(..byte).map(|(_, sum)| sum.trees).sum()
    }

    /// Returns the first byte from `byte` on that has orders below it.
    #[must_use]
    pub fn first_from(&self, byte: u8) -> Option<u8> {
        self.0.range(byte..).find(|(_, sum)| sum.orders > 0).map(|(byte, _)| *byte)
    }

    /// Folds an entry of the log into the node of this key.
    pub fn apply(&mut self, key: SumKey, entry: &Entry) {
        let byte = |order: OrderId| sum_path(order).find(|(other, _)| *other == key).map(|(_, byte)| byte);
        match entry {
            Entry::OrderSeen { order } => {
                if let Some(byte) = byte(*order) {
                    self.add_order(byte);
                }
            }
            Entry::Eligible { order, before, after } => {
                if let Some(byte) = byte(*order) {
                    self.replace(byte, *before, *after);
                }
            }
            _ => {}
        }
    }

    /// Returns the order whose sums an entry changes, if it changes any.
    #[must_use]
    pub fn order_of(entry: &Entry) -> Option<OrderId> {
        match entry {
            Entry::OrderSeen { order } | Entry::Eligible { order, .. } => Some(*order),
            _ => None,
        }
    }
}

/// Returns the nodes above an order, from the bottom, each with the byte of the order in it.
pub fn sum_path(order: OrderId) -> impl Iterator<Item = (SumKey, u8)> {
    let number = order.get();
    (0..TREE_SUM_LEVELS).map(move |level| {
        let shifted = number >> (8 * u32::from(level));
        let byte = u8::try_from(shifted & 0xff).expect("one byte");
        ((level, shifted >> 8), byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trees_before_an_order_are_parts_of_the_nodes_above_it() {
        let order = |number| OrderId::new(number).expect("an order number");
        let orders =
            [(1, 5_u32), (255, 1), (256, 2), (300, 7), (70_000, 4), (1 << 40, 9), (u64::MAX >> 1, 3)];
        let mut nodes: BTreeMap<SumKey, SumNode> = BTreeMap::new();
        for (number, trees) in orders {
            for (key, byte) in sum_path(order(number)) {
                nodes.entry(key).or_default().replace(byte, 0, trees);
            }
        }
        for number in [1, 2, 255, 256, 257, 301, 69_999, 70_001, 1 << 40, (1 << 40) + 1, u64::MAX >> 1] {
            let expected: u64 =
                orders.iter().filter(|(other, _)| *other < number).map(|(_, trees)| u64::from(*trees)).sum();
            let before: u64 = sum_path(order(number))
                .map(|(key, byte)| nodes.get(&key).map_or(0, |node| node.below(byte)))
                .sum();
            assert_eq!(before, expected, "before {number}");
        }
    }
}
