//! The last pages of the log, to be laid over heads that do not include them yet.

use std::collections::VecDeque;

use super::word_map::WordMap;
use crate::heads::{AdoptionHead, Line, Node, SumKey, SumNode, lines_of, sum_path};
use crate::log::{Entry, Page, Position};
use crate::{AccountSequence, OrderId, Owner, Versions};

/// Where an entry is: its page, and its place in it.
type Place = (Position, u32);

/// The last pages of the log, by what their entries concern.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pages: VecDeque<Page>,
    of_account: WordMap<AccountSequence, Vec<Place>>,
    of_order: WordMap<OrderId, Vec<Place>>,
    children: WordMap<AccountSequence, Vec<(Position, AccountSequence)>>,
    sums: WordMap<SumKey, Vec<Place>>,
}

impl Tail {
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Returns whether every page after `position` up to `last` is kept.
    pub(super) fn follows(&self, position: Position, last: Position) -> bool {
        position >= last || self.pages.front().is_some_and(|first| first.position <= position + 1)
    }

    /// Adds the next page.
    pub(super) fn push(&mut self, page: Page) {
        let follows = self.pages.back().is_none_or(|last| last.position + 1 == page.position);
        assert!(follows, "pages are kept without gaps");
        for (index, entry) in (0_u32..).zip(&page.entries) {
            let place = (page.position, index);
            for account in Node::accounts_of(entry) {
                self.of_account.entry(account.clone()).or_default().push(place);
            }
            if let Some(order) = AdoptionHead::order_of(entry) {
                self.of_order.entry(order).or_default().push(place);
            }
            if let Some((referrer, child)) = child_of(entry) {
                self.children.entry(referrer.clone()).or_default().push((page.position, child.clone()));
            }
            if let Some(order) = SumNode::order_of(entry) {
                for (key, _) in sum_path(order) {
                    self.sums.entry(key).or_default().push(place);
                }
            }
        }
        self.pages.push_back(page);
    }

    /// Forgets the pages up to `position`.
    pub(super) fn forget_through(&mut self, position: Position) {
        if self.pages.front().is_none_or(|first| first.position > position) {
            return;
        }
        self.pages.retain(|page| page.position > position);
        let kept = |places: &mut Vec<Place>| {
            places.retain(|(page, _)| *page > position);
            !places.is_empty()
        };
        self.of_account.retain(|_, places| kept(places));
        self.of_order.retain(|_, places| kept(places));
        self.sums.retain(|_, places| kept(places));
        self.children.retain(|_, children| {
            children.retain(|(page, _)| *page > position);
            !children.is_empty()
        });
    }

    /// Returns the entries after `position` that concern an account's node.
    pub(super) fn of_account<'a>(
        &'a self,
        account: &AccountSequence,
        position: Position,
    ) -> impl Iterator<Item = &'a Entry> {
        self.entries(self.of_account.get(account), position)
    }

    /// Returns the entries after `position` that concern an order.
    pub(super) fn of_order(&self, order: OrderId, position: Position) -> impl Iterator<Item = &Entry> {
        self.entries(self.of_order.get(&order), position)
    }

    /// Returns the entries after `position` that concern a sum.
    pub(super) fn of_sum(&self, key: SumKey, position: Position) -> impl Iterator<Item = &Entry> {
        self.entries(self.sums.get(&key), position)
    }

    /// Returns the accounts that got this referrer after `position`.
    pub(super) fn children(
        &self,
        referrer: &AccountSequence,
        position: Position,
    ) -> impl Iterator<Item = &AccountSequence> {
        let children = self.children.get(referrer).map(Vec::as_slice).unwrap_or_default();
        children.iter().filter(move |(page, _)| *page > position).map(|(_, child)| child)
    }

    /// Returns what the pages after `position` give to accounts.
    pub(super) fn lines<'a>(
        &'a self,
        position: Position,
        versions: &'a Versions,
    ) -> impl Iterator<Item = (Owner, Line)> + 'a {
        let pages = self.pages.iter().filter(move |page| page.position > position);
        pages.flat_map(move |page| {
            let entries = (0..).zip(&page.entries);
            entries
                .flat_map(move |(index, entry)| lines_of(entry, page.position, index, page.time_ms, versions))
        })
    }

    fn entries<'a>(
        &'a self,
        places: Option<&'a Vec<Place>>,
        position: Position,
    ) -> impl Iterator<Item = &'a Entry> {
        let first = self.pages.front().map_or(0, |page| page.position);
        let places = places.map(Vec::as_slice).unwrap_or_default();
        places.iter().filter(move |(page, _)| *page > position).map(move |(page, index)| {
            let offset = usize::try_from(page - first).expect("a page that is kept");
            &self.pages[offset].entries[*index as usize]
        })
    }
}

/// Returns the referrer and the account, where a row gives an account a referrer.
pub(super) fn child_of(entry: &Entry) -> Option<(&AccountSequence, &AccountSequence)> {
    match entry {
        Entry::ReferralRow { account, row: Some(Some(referrer)), .. } => Some((referrer, account)),
        _ => None,
    }
}
