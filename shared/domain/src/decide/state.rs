//! What the decider has in memory: a function of the log, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::tail::{Tail, child_of};
use super::word_map::WordMap;
use crate::heads::{AdoptionHead, Network, Node, SumKey, SumNode, sum_path};
use crate::log::{Entry, Page, PageHash, Position};
use crate::{AccountSequence, Amount, LinkRef, OrderId, Owner};

/// Something that a decision has to know and that is not in memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// An account's node.
    Node(AccountSequence),
    /// Every account that ever had this referrer.
    Children(AccountSequence),
    /// An adoption's head.
    Adoption(OrderId),
    /// A sum of trees.
    Sum(SumKey),
    /// What an account has in all.
    Total(Owner),
    /// More first orders of this account's direct referrals than its node keeps. It never leaves the decider.
    FirstOrders(AccountSequence),
}

/// Something that was asked for, as storage has it.
///
/// `position` is the page up to which storage includes what concerns it: the greater of the item's own position and
/// of its shard's mark, which was read before the item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// An account's node; default where there is none.
    Node {
        /// The account.
        account: AccountSequence,
        /// Its node.
        node: Box<Node>,
        /// Up to which page.
        position: Position,
    },
    /// Every account that ever had this referrer.
    Children {
        /// The referrer.
        account: AccountSequence,
        /// The accounts.
        children: BTreeSet<AccountSequence>,
        /// Up to which page.
        position: Position,
    },
    /// An adoption's head; default where there is none.
    Adoption {
        /// The order.
        order: OrderId,
        /// Its head.
        head: Box<AdoptionHead>,
        /// Up to which page.
        position: Position,
    },
    /// What an account has in all; zero where it has nothing.
    Total {
        /// The account.
        owner: Owner,
        /// What it has; `None` where its head cannot be read.
        total: Option<Amount>,
        /// Up to which page.
        position: Position,
    },
    /// An account whose node is in storage and cannot be read.
    Unreadable {
        /// The account.
        account: AccountSequence,
    },
    /// A sum of trees; default where there is none.
    Sum {
        /// The key of the sum.
        key: SumKey,
        /// Its node.
        node: SumNode,
        /// Up to which page.
        position: Position,
    },
}

impl Loaded {
    /// Returns up to which page storage includes what concerns it.
    pub(super) fn position(&self) -> Option<Position> {
        match self {
            Self::Node { position, .. }
            | Self::Children { position, .. }
            | Self::Adoption { position, .. }
            | Self::Total { position, .. }
            | Self::Sum { position, .. } => Some(*position),
            Self::Unreadable { .. } => None,
        }
    }
}

/// The heads in memory, each including every page so far and the draft.
#[derive(Debug)]
pub(super) struct State {
    pub(super) network: Network,
    nodes: WordMap<AccountSequence, Kept>,

    children: WordMap<AccountSequence, BTreeSet<AccountSequence>>,
    adoptions: WordMap<OrderId, AdoptionHead>,
    sums: WordMap<SumKey, SumNode>,
    totals: BTreeMap<Owner, Option<Amount>>,
    /// Accounts that could not be read since the decider began.
    unreadable: BTreeSet<AccountSequence>,
}

/// A node in memory.
#[derive(Debug)]
struct Kept {
    node: Node,
    /// Whether its upline was in memory when it was last asked for. It need not be after a change of the forest.
    has_upline: bool,
}

impl State {
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            nodes: WordMap::default(),
            children: WordMap::default(),
            adoptions: WordMap::default(),
            sums: WordMap::default(),
            totals: BTreeMap::new(),
            unreadable: BTreeSet::new(),
        }
    }

    pub(super) fn heads(&self) -> usize {
        self.nodes.len() + self.children.len() + self.adoptions.len() + self.sums.len()
    }

    pub(super) fn forget_heads(&mut self) {
        self.nodes.clear();
        self.children.clear();
        self.adoptions.clear();
        self.sums.clear();
    }

    pub(super) fn node(&self, account: &AccountSequence) -> Result<&Node, Vec<Need>> {
        match self.nodes.get(account) {
            Some(kept) => Ok(&kept.node),
            None => Err(vec![Need::Node(account.clone())]),
        }
    }

    pub(super) fn children(
        &self,
        account: &AccountSequence,
    ) -> Result<&BTreeSet<AccountSequence>, Vec<Need>> {
        self.children.get(account).ok_or_else(|| vec![Need::Children(account.clone())])
    }

    pub(super) fn adoption(&self, order: OrderId) -> Result<&AdoptionHead, Vec<Need>> {
        self.adoptions.get(&order).ok_or_else(|| vec![Need::Adoption(order)])
    }

    /// Returns the trees of all eligible adoptions with a smaller order number.
    pub(super) fn trees_before(&self, order: OrderId) -> Result<u64, Vec<Need>> {
        let mut missing = Vec::new();
        let mut trees = 0;
        for (key, byte) in sum_path(order) {
            match self.sums.get(&key) {
                Some(node) => trees += node.below(byte),
                None => missing.push(Need::Sum(key)),
            }
        }
        if missing.is_empty() { Ok(trees) } else { Err(missing) }
    }

    /// Returns what an account has in all; `None` where its head cannot be read.
    pub(super) fn total(&self, owner: &Owner) -> Result<Option<Amount>, Vec<Need>> {
        self.totals.get(owner).copied().ok_or_else(|| vec![Need::Total(owner.clone())])
    }

    pub(super) fn sum(&self, key: SumKey) -> Result<&SumNode, Vec<Need>> {
        self.sums.get(&key).ok_or_else(|| vec![Need::Sum(key)])
    }

    /// Forgets which accounts could not be read, so that they are asked for again.
    pub(super) fn forget_unreadable(&mut self) {
        self.unreadable.clear();
    }

    pub(super) fn set_unreadable(&mut self, account: AccountSequence) {
        self.unreadable.insert(account);
    }

    /// Returns whether an account's node cannot be read, or not be completed.
    pub(super) fn is_account_unreadable(&self, account: &AccountSequence) -> bool {
        self.unreadable.contains(account)
    }

    /// Returns whether it is of no use to ask for this.
    pub(super) fn is_unreadable(&self, need: &Need) -> bool {
        match need {
            Need::Node(account) | Need::FirstOrders(account) => self.is_account_unreadable(account),
            Need::Children(_) | Need::Adoption(_) | Need::Sum(_) | Need::Total(_) => false,
        }
    }

    /// Returns an account that stands in the way of a decision, if one does.
    pub(super) fn unreadable_among(&self, needs: &[Need]) -> Option<AccountSequence> {
        needs.iter().find(|need| self.is_unreadable(need)).and_then(|need| match need {
            Need::Node(account) | Need::FirstOrders(account) => Some(account.clone()),
            Need::Children(_) | Need::Adoption(_) | Need::Sum(_) | Need::Total(_) => None,
        })
    }

    /// Returns the first node above an account, or its own, that is not in memory.
    pub(super) fn missing_upline(&mut self, account: &AccountSequence, levels: u8) -> Option<Need> {
        let mut current = account;
        for _ in 0..=levels {
            let Some(kept) = self.nodes.get(current) else { return Some(Need::Node(current.clone())) };
            match kept.node.link_in_force() {
                LinkRef::Under(referrer) if !kept.has_upline => current = referrer,
                LinkRef::Under(_) | LinkRef::Missing | LinkRef::Root => break,
            }
        }
        self.nodes.get_mut(account)?.has_upline = true;
        None
    }

    /// Returns a node that is in memory, to complete it from other heads.
    pub(super) fn node_mut(&mut self, account: &AccountSequence) -> Option<&mut Node> {
        self.nodes.get_mut(account).map(|kept| &mut kept.node)
    }

    /// Folds a page that was read into everything in memory.
    pub(super) fn apply_page(&mut self, page: &Page, hash: PageHash) {
        for entry in &page.entries {
            self.apply_to_heads(entry);
        }
        self.network.apply_page(page, hash);
    }

    /// Folds an entry of the draft into everything in memory.
    pub(super) fn apply(&mut self, entry: &Entry, position: Position, time_ms: i64) {
        self.apply_to_heads(entry);
        self.network.apply(entry, position, time_ms);
    }

    fn apply_to_heads(&mut self, entry: &Entry) {
        for account in Node::accounts_of(entry) {
            if let Some(kept) = self.nodes.get_mut(account) {
                kept.node.apply(account, entry);
            }
        }
        if let Some(order) = AdoptionHead::order_of(entry)
            && let Some(head) = self.adoptions.get_mut(&order)
        {
            head.apply(order, entry);
        }
        if let Some((referrer, child)) = child_of(entry)
            && let Some(children) = self.children.get_mut(referrer)
        {
            children.insert(child.clone());
        }
        if let Some(order) = SumNode::order_of(entry) {
            for (key, _) in sum_path(order) {
                if let Some(sum) = self.sums.get_mut(&key) {
                    sum.apply(key, entry);
                }
            }
        }
        // Totals are read for one decision and not kept up to date.
        self.totals.clear();
    }

    /// Takes a head from storage, and lays over it what the log and the draft have since.
    pub(super) fn provide(&mut self, loaded: Loaded, tail: &Tail, draft: &Draft) {
        assert!(
            loaded.position().is_none_or(|position| tail.follows(position, self.network.position)),
            "a head has to be laid over by every page after its position"
        );
        match loaded {
            Loaded::Unreadable { account } => self.set_unreadable(account),
            Loaded::Node { account, mut node, position } => {
                let concerns = |entry: &&Entry| Node::accounts_of(entry).any(|other| *other == account);
                let drafted = draft.entries().iter().filter(concerns);
                for entry in tail.of_account(&account, position).chain(drafted) {
                    node.apply(&account, entry);
                }
                self.nodes.entry(account).or_insert(Kept { node: *node, has_upline: false });
            }
            Loaded::Children { account, mut children, position } => {
                children.extend(tail.children(&account, position).cloned());
                let drafted = draft.entries().iter().filter_map(child_of);
                let drafted = drafted.filter(|(referrer, _)| **referrer == account);
                children.extend(drafted.map(|(_, child)| child.clone()));
                self.children.entry(account).or_insert(children);
            }
            Loaded::Adoption { order, mut head, position } => {
                for entry in tail.of_order(order, position).chain(draft.entries()) {
                    head.apply(order, entry);
                }
                self.adoptions.entry(order).or_insert(*head);
            }
            Loaded::Sum { key, mut node, position } => {
                for entry in tail.of_sum(key, position).chain(draft.entries()) {
                    node.apply(key, entry);
                }
                self.sums.entry(key).or_insert(node);
            }
            Loaded::Total { owner, total, position } => {
                let versions = &self.network.versions;
                let lines = tail.lines(position, versions).chain(draft.lines(versions));
                let since = lines.filter(|(other, _)| *other == owner).map(|(_, line)| line.amount());
                let sum =
                    |total| Amount::sum(std::iter::once(total).chain(since)).expect("a sum has room for all");
                let total = total.map(sum);
                self.totals.insert(owner, total);
            }
        }
    }
}
