//! The tree of hashes over a date's rows.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::secret::Salt;
use super::shape::{block_of, carries_sum, halves, is_block};
use super::step::Step;
use crate::log::PageHash;
use crate::snapshot::Row;
use crate::{Amount, AmountOverflow, BusinessDate};

/// A leaf: a row's hash, and what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The hash.
    pub hash: PageHash,
    /// What the row has.
    pub effective: Amount,
}

impl Leaf {
    /// Returns the leaf of a row.
    #[must_use]
    pub fn of(row: &Row, date: BusinessDate, salt: &Salt) -> Self {
        let text = format!("{date}|{}|{}|{}", row.effective, row.ratio, row.owner);
        let hash = sha256([&[0], &salt.0, text.as_bytes()]);
        Self { hash, effective: row.effective }
    }
}

/// The top node of 1,024 to 2,047 leaves that follow each other, or of all leaves where there are fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its hash without the sum.
    inner: PageHash,
    /// The sum of its leaves.
    sum: Amount,
}

/// The tree of a date, as far down as its blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    rows: u64,
    blocks: Vec<Block>,
}

impl Tree {
    /// Returns the tree of so many leaves with these blocks.
    #[must_use]
    pub fn of(rows: u64, blocks: Vec<Block>) -> Self {
        Self { rows, blocks }
    }

    /// Returns its blocks.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns how many leaves the tree has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the leaves that a proof of the leaf `index` needs.
    #[must_use]
    pub fn block_of(&self, index: u64) -> Range<u64> {
        block_of(self.rows, index)
    }

    /// Returns the root: what is published.
    pub fn root(&self, date: BusinessDate) -> Result<PageHash, AmountOverflow> {
        let top = self.top()?;
        Ok(sealed(date, self.rows, top.sum, top.hash))
    }

    /// Returns the sum of all leaves.
    pub fn sum(&self) -> Result<Amount, AmountOverflow> {
        Ok(self.top()?.sum)
    }

    fn top(&self) -> Result<Node, AmountOverflow> {
        above_blocks(&(0..self.rows), &mut self.blocks.iter())
    }

    /// Returns the steps from the leaf `index` to the top, given the leaves of its block.
    pub fn steps(&self, index: u64, leaves: &[Leaf]) -> Result<Vec<Step>, AmountOverflow> {
        let block = self.block_of(index);
        assert_eq!(leaves.len() as u64, block.end - block.start, "the leaves of the block, all of them");
        let mut steps = Vec::new();
        let place = usize::try_from(index - block.start).expect("a block is small");
        steps_in_block(leaves, place, &mut steps)?;
        steps_above(&(0..self.rows), index, &mut self.blocks.iter(), &mut steps)?;
        Ok(steps)
    }
}

/// Builds the tree of a date from its leaves, one by one.
#[derive(Debug)]
pub struct TreeBuilder {
    tree: Tree,
    added: u64,
    block: Vec<Leaf>,
}

impl TreeBuilder {
    /// Begins a tree of so many leaves; there is at least one.
    #[must_use]
    pub fn new(rows: u64) -> Self {
        assert!(rows > 0, "HEADQUARTERS always has a row");
        Self { tree: Tree { rows, blocks: Vec::new() }, added: 0, block: Vec::new() }
    }

    /// Adds the next leaf.
    pub fn add(&mut self, leaf: Leaf) -> Result<(), AmountOverflow> {
        assert!(self.added < self.tree.rows, "no more leaves than announced");
        self.block.push(leaf);
        self.added += 1;
        if self.added == self.tree.block_of(self.added - 1).end {
            let top = node_of(&self.block)?;
            self.tree.blocks.push(Block { inner: top.inner, sum: top.sum });
            self.block.clear();
        }
        Ok(())
    }

    /// Returns the tree.
    #[must_use]
    pub fn finish(self) -> Tree {
        assert_eq!(self.added, self.tree.rows, "as many leaves as announced");
        self.tree
    }
}

/// A node of the tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// Its hash.
    pub(super) hash: PageHash,
    /// Its hash without its sum.
    pub(super) inner: PageHash,
    /// The sum of its leaves.
    pub(super) sum: Amount,
    /// Whether its hash includes the sum.
    pub(super) carries_sum: bool,
    leaves: u64,
}

impl Node {
    fn new(inner: PageHash, sum: Amount, leaves: u64) -> Self {
        let carries_sum = carries_sum(leaves);
        let hash = if carries_sum { with_sum(sum, inner) } else { inner };
        Self { hash, inner, sum, carries_sum, leaves }
    }

    fn over(left: Self, right: Self) -> Result<Self, AmountOverflow> {
        let sum = left.sum.checked_add(right.sum)?;
        Ok(Self::new(joined(left.hash, right.hash), sum, left.leaves + right.leaves))
    }
}

fn node_of(leaves: &[Leaf]) -> Result<Node, AmountOverflow> {
    if let [leaf] = leaves {
        return Ok(Node::new(leaf.hash, leaf.effective, 1));
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    Node::over(node_of(left)?, node_of(right)?)
}

/// Adds the steps below the top of a block, from the lowest, and returns the node of these leaves.
fn steps_in_block(leaves: &[Leaf], place: usize, steps: &mut Vec<Step>) -> Result<Node, AmountOverflow> {
    if leaves.len() == 1 {
        return node_of(leaves);
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    let (left, right, sibling) = if place < left.len() {
        let sibling = node_of(right)?;
        (steps_in_block(left, place, steps)?, sibling, sibling)
    } else {
        let sibling = node_of(left)?;
        (sibling, steps_in_block(right, place - left.len(), steps)?, sibling)
    };
    let node = Node::over(left, right)?;
    steps.push(step(sibling, node, left.carries_sum && right.carries_sum));
    Ok(node)
}

/// Returns the step from a node to the one above, which names the node on the other side.
fn step(sibling: Node, above: Node, both_carry_sums: bool) -> Step {
    Step {
        sibling: sibling.inner,
        sibling_sum: sibling.carries_sum.then_some(sibling.sum),
        sum: (above.carries_sum && !both_carry_sums).then_some(above.sum),
    }
}

/// Adds the steps above the block of a leaf, from the lowest, and returns the node of these leaves.
fn steps_above<'a>(
    leaves: &Range<u64>,
    index: u64,
    blocks: &mut impl Iterator<Item = &'a Block>,
    steps: &mut Vec<Step>,
) -> Result<Node, AmountOverflow> {
    if is_block(leaves) {
        return Ok(next_block(leaves, blocks));
    }
    let (left, right) = halves(leaves);
    let (left, right, sibling) = if left.contains(&index) {
        let own = steps_above(&left, index, blocks, steps)?;
        let sibling = above_blocks(&right, blocks)?;
        (own, sibling, sibling)
    } else {
        let sibling = above_blocks(&left, blocks)?;
        (sibling, steps_above(&right, index, blocks, steps)?, sibling)
    };
    let node = Node::over(left, right)?;
    steps.push(step(sibling, node, left.carries_sum && right.carries_sum));
    Ok(node)
}

fn above_blocks<'a>(
    leaves: &Range<u64>,
    blocks: &mut impl Iterator<Item = &'a Block>,
) -> Result<Node, AmountOverflow> {
    if is_block(leaves) {
        return Ok(next_block(leaves, blocks));
    }
    let (left, right) = halves(leaves);
    let left = above_blocks(&left, blocks)?;
    Node::over(left, above_blocks(&right, blocks)?)
}

fn next_block<'a>(leaves: &Range<u64>, blocks: &mut impl Iterator<Item = &'a Block>) -> Node {
    let block = blocks.next().expect("a tree has a block for each of its ranges");
    Node::new(block.inner, block.sum, leaves.end - leaves.start)
}

/// Returns the hash of a node without a sum.
pub(super) fn joined(left: PageHash, right: PageHash) -> PageHash {
    sha256([&[1], left.bytes(), right.bytes()])
}

/// Returns the hash of a node that carries its sum.
pub(super) fn with_sum(sum: Amount, inner: PageHash) -> PageHash {
    sha256([&[2], sum.to_string().as_bytes(), inner.bytes()])
}

/// Returns the root over the top node.
pub(super) fn sealed(date: BusinessDate, rows: u64, network_total: Amount, top: PageHash) -> PageHash {
    sha256([&[3], format!("{date}|{rows}|{network_total}").as_bytes(), top.bytes()])
}

fn sha256(parts: [&[u8]; 3]) -> PageHash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    PageHash::from_bytes(hash.finalize().into())
}
