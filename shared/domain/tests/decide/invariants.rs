//! What holds after every page.

use std::collections::BTreeMap;

use domain::heads::{AdoptionHead, AdoptionState, Network, lines_of};
use domain::log::{Entry, Page, PageHash};
use domain::{Amount, OrderId, Posting, Versions};

/// What the log adds up to, kept apart from the decider.
#[derive(Debug)]
pub(crate) struct Invariants {
    network: Network,
    heads: BTreeMap<OrderId, AdoptionHead>,
    hash: PageHash,
    lines: Amount,
}

impl Invariants {
    pub(crate) fn new(versions: Versions) -> Self {
        Self {
            hash: PageHash::before_first(versions.first_policy()),
            network: Network::new(versions),
            heads: BTreeMap::new(),
            lines: Amount::ZERO,
        }
    }

    /// Panics if the next page breaks what every page keeps.
    pub(crate) fn check(&mut self, page: &Page, of_decider: &Network) {
        assert_eq!(page.previous, self.hash, "each page has the hash of the page before");
        assert!(page.time_ms >= self.network.time_ms, "time does not go back");
        self.hash = page.hash();
        for entry in &page.entries {
            self.check_entry(entry);
        }
        self.network.apply_page(page, self.hash);
        page.entries.iter().for_each(|entry| self.check_legs(entry));
        assert_eq!(self.network, *of_decider, "the network is a fold of the log, and of nothing else");
        for (index, entry) in (0..).zip(&page.entries) {
            for (_, line) in lines_of(entry, page.position, index, page.time_ms, &self.network.versions) {
                self.lines = self.lines.checked_add(line.amount()).expect("within the limits");
            }
        }
        // Every page would be better, and takes longer than everything else together.
        if page.position < 20 || page.position.is_multiple_of(16) {
            self.check_sums();
        }
        let closes = page.entries.iter().position(|entry| matches!(entry, Entry::Close(_)));
        assert!(closes.is_none_or(|index| index + 1 == page.entries.len()), "a close ends its page");
    }

    /// Checks that an entry says of an order what was so before.
    fn check_entry(&mut self, entry: &Entry) {
        let Some(order) = AdoptionHead::order_of(entry) else { return };
        let head = self.heads.entry(order).or_default();
        let is_posted_as = |posting: &Posting| head.posting() == Some(posting);
        match entry {
            Entry::Posted { .. } => assert!(head.posting().is_none(), "{order} is posted once: {entry:?}"),
            Entry::Withdrawn { posting, .. } => assert!(is_posted_as(posting), "{order}: {entry:?}"),
            Entry::Corrected(correction) => {
                assert!(is_posted_as(&correction.was), "{order}: {entry:?} of {head:?}");
                assert_ne!(correction.was, correction.is);
            }
            Entry::Held(_) => assert!(
                matches!(head.state, AdoptionState::Absent | AdoptionState::Unpriced),
                "{order}: {entry:?} of {head:?}"
            ),
            Entry::HoldEnded(ended) => {
                assert_eq!(head.state, AdoptionState::Held(ended.reason.clone()), "{order}");
                assert_eq!(head.look_again_ms, ended.look_again_ms, "{order}");
            }
            Entry::Eligible { before, .. } => assert_eq!(head.eligible_trees, *before, "{order}"),
            Entry::Placed { .. } => assert_eq!(head.trees_before, None, "{order} has one place for ever"),
            Entry::OrderSeen { .. } => assert!(!head.is_seen, "{order} is seen first once"),
            _ => {}
        }
        head.apply(order, entry);
    }

    fn check_legs(&self, entry: &Entry) {
        let posting = match entry {
            Entry::Posted { posting, .. } => &**posting,
            Entry::Corrected(correction) => &correction.is,
            _ => return,
        };
        let policy = &self.network.versions.numbered(posting.version).expect("a version").policy;
        let legs = Amount::sum(posting.legs(policy).iter().map(|leg| leg.amount));
        assert_eq!(legs.expect("within the limits"), posting.total, "{posting:?}");
    }

    /// Panics unless the counts are those of the heads, and all lines sum to what is posted.
    pub(crate) fn check_sums(&self) {
        let counts = &self.network.counts;
        let postings: Vec<&Posting> = self.heads.values().filter_map(AdoptionHead::posting).collect();
        assert_eq!(counts.posted, postings.len() as u64);
        let total = Amount::sum(postings.iter().map(|posting| posting.total)).expect("within the limits");
        assert_eq!(counts.posted_total, total);
        assert_eq!(self.lines, total, "all lines sum to the totals of what is posted");
        let mut held: BTreeMap<String, u64> = BTreeMap::new();
        let mut waiting = 0;
        for head in self.heads.values() {
            if let AdoptionState::Held(reason) = &head.state {
                *held.entry(reason.name().to_owned()).or_default() += 1;
            }
            waiting += u64::from(head.waiting.is_some());
        }
        let counted = counts.held.iter().filter(|(_, count)| **count > 0);
        assert_eq!(counted.map(|(name, count)| (name.clone(), *count)).collect::<BTreeMap<_, _>>(), held);
        assert_eq!(counts.orders_waiting, waiting);
        assert_eq!(counts.orders_seen, self.heads.values().filter(|head| head.is_seen).count() as u64);
        let unpriced = self
            .heads
            .iter()
            .filter(|(_, head)| head.state == AdoptionState::Unpriced && head.trees_before.is_none());
        let unpriced: Vec<OrderId> = unpriced.map(|(order, _)| *order).collect();
        assert_eq!(self.network.unpriced.keys().copied().collect::<Vec<_>>(), unpriced);
    }
}
