//! The shape of the tree: it follows from the number of leaves alone.

use std::ops::Range;

/// A node over so many leaves carries their sum.
pub(super) const SUM_LEAVES_MIN: u64 = 1_024;

/// A node over so many leaves has two nodes below it that carry their sums.
const BLOCK_LEAVES_END: u64 = 2 * SUM_LEAVES_MIN;

/// Returns whether a node over `leaves` leaves carries their sum.
pub(super) fn carries_sum(leaves: u64) -> bool {
    leaves >= SUM_LEAVES_MIN
}

/// Returns the leaves below the left and below the right of a node.
pub(super) fn halves(leaves: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = leaves.start + (leaves.end - leaves.start) / 2;
    (leaves.start..middle, middle..leaves.end)
}

/// Returns whether a node is the top of a block: what is above the blocks follows from their sums and hashes.
pub(super) fn is_block(leaves: &Range<u64>) -> bool {
    leaves.end - leaves.start < BLOCK_LEAVES_END
}

/// Returns the leaves of the block that has the leaf `index`, of `rows` leaves.
pub(super) fn block_of(rows: u64, index: u64) -> Range<u64> {
    let mut leaves = 0..rows;
    while !is_block(&leaves) {
        let (left, right) = halves(&leaves);
        leaves = if left.contains(&index) { left } else { right };
    }
    leaves
}

/// A node on the way from a leaf to the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Whether the leaf is on the right of the node.
    pub(super) is_right: bool,
    /// How many leaves are on the other side.
    pub(super) sibling_leaves: u64,
    /// How many leaves the node has.
    pub(super) leaves: u64,
}

/// Returns the nodes on the way from the leaf `index` to the top of `rows` leaves.
pub(super) fn way_up(rows: u64, index: u64) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut leaves = 0..rows;
    while leaves.end - leaves.start > 1 {
        let (left, right) = halves(&leaves);
        let is_right = right.contains(&index);
        let (own, sibling) = if is_right { (right, left) } else { (left, right) };
        let sibling_leaves = sibling.end - sibling.start;
        turns.push(Turn { is_right, sibling_leaves, leaves: leaves.end - leaves.start });
        leaves = own;
    }
    turns.reverse();
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_a_sum_each_and_cover_all_leaves_once() {
        for rows in [1, 2, 1_023, 1_024, 2_047, 2_048, 2_049, 5_000, 100_003, 1_000_000] {
            let mut start = 0;
            while start < rows {
                let block = block_of(rows, start);
                assert_eq!(block.start, start);
                assert!(rows < BLOCK_LEAVES_END || carries_sum(block.end - block.start), "{rows} {block:?}");
                assert_eq!(block_of(rows, block.end - 1), block);
                start = block.end;
            }
            assert_eq!(start, rows);
        }
    }

    #[test]
    fn a_proof_has_one_turn_for_each_halving_of_the_leaves() {
        let way = way_up(5, 4);
        let turns: Vec<_> =
            way.iter().map(|turn| (turn.is_right, turn.sibling_leaves, turn.leaves)).collect();
        assert_eq!(turns, [(true, 1, 2), (true, 1, 3), (true, 2, 5)]);
        assert_eq!(way_up(1, 0), []);
        assert!(way_up(10_000_000, 7).len() <= 24);
    }
}
