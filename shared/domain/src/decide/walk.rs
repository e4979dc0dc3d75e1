//! Compares adoptions again that may have to be corrected, in steps that stand in the log.

use std::collections::BTreeSet;

use super::Decider;
use super::state::Need;
use crate::heads::{SumKey, WalkProgress, sum_path};
use crate::log::{Cause, Entry, PauseScope, Walk, WalkPlace, WalkScope};
use crate::{AccountSequence, OrderId, OrderRange};

/// How many places ahead of a walk are loaded together.
const PLACES_AHEAD: usize = 200;
/// A page is finished once walks went through so many places, so that what they did is not done again.
pub(super) const PLACES_PER_PAGE_MAX: u32 = 4_000;

impl Decider {
    /// Begins a walk below an account over the orders in a range.
    pub(super) fn begin_walk(&mut self, root: AccountSequence, orders: OrderRange, cause: Cause) {
        if !self.state.children(&root).is_ok_and(BTreeSet::is_empty) {
            let depth = self.state.network.versions.ancestors_max();
            self.begin_scope(WalkScope::Below { root, includes_root: false, depth }, orders, cause);
        }
    }

    /// Begins a walk over every order of an account that moves, and of all below it.
    pub(super) fn begin_walk_of_moved(&mut self, root: AccountSequence, cause: Cause) {
        let depth = self.state.network.versions.ancestors_max();
        let scope = WalkScope::Below { root, includes_root: true, depth };
        self.begin_scope(scope, OrderRange::ALL, cause);
    }

    /// Begins a walk over every order in a range.
    pub(super) fn begin_walk_over(&mut self, orders: OrderRange, cause: Cause) {
        self.begin_scope(WalkScope::Everywhere, orders, cause);
    }

    /// Has an order compared once corrections go on.
    pub(super) fn compare_once_resumed(&mut self, order: OrderId, cause: &Cause) {
        let is_known = self.state.network.walks.values().any(|progress| {
            let Walk { scope, orders, .. } = &progress.walk;
            *scope == WalkScope::Everywhere && orders.contains(order) && progress.place == WalkPlace::Start
        });
        if !is_known {
            self.begin_walk_over(OrderRange::only(order), cause.clone());
        }
    }

    fn begin_scope(&mut self, scope: WalkScope, orders: OrderRange, cause: Cause) {
        let id = self.draft.next_walk();
        self.push(Entry::WalkBegan(Walk { id, scope, orders, cause }));
        self.walks_to_do.push_back(id);
    }

    /// Goes on with the next walk by one account or order.
    pub(super) fn walk_on(&mut self) -> Result<bool, Vec<Need>> {
        let is_paused = self.state.network.paused.contains_key(&PauseScope::Corrections);
        if is_paused || self.has_walked_enough() {
            return Ok(false);
        }
        let Some(id) = self.walks_to_do.front().copied() else { return Ok(false) };
        let Some(progress) = self.state.network.walks.get(&id) else {
            self.walks_to_do.pop_front();
            return Ok(true);
        };
        let progress = progress.clone();
        let stepped = self.next_place(&progress).and_then(|next| {
            if let Some(place) = &next {
                self.compare_at(&progress, place)?;
            }
            Ok(next)
        });
        match stepped {
            Err(needs) => Err(self.with_places_ahead(&progress, needs)),
            Ok(Some(place)) => {
                let progress = self.state.network.walks.get_mut(&id).expect("a walk that goes on");
                progress.place = place;
                self.stepped.insert(id);
                self.places_in_page += 1;
                Ok(true)
            }
            Ok(None) => {
                self.stepped.remove(&id);
                self.push(Entry::WalkEnded { walk: id });
                self.walks_to_do.pop_front();
                Ok(true)
            }
        }
    }

    /// Records in the log how far walks came in this page.
    pub(super) fn note_walks(&mut self) {
        if self.draft.is_closed() {
            return;
        }
        for walk in std::mem::take(&mut self.stepped) {
            if let Some(progress) = self.state.network.walks.get(&walk) {
                let place = progress.place.clone();
                self.push(Entry::WalkStepped { walk, place });
            }
        }
    }

    /// Returns whether walks went through as many places as one page is for.
    pub(super) fn has_walked_enough(&self) -> bool {
        self.places_in_page >= PLACES_PER_PAGE_MAX
    }

    /// Compares the adoptions at a place that a walk came to.
    fn compare_at(&mut self, progress: &WalkProgress, place: &WalkPlace) -> Result<(), Vec<Need>> {
        let orders = self.orders_at(progress, place)?;
        let missing = orders.iter().filter_map(|order| self.desired(*order).err()).flatten();
        let missing: Vec<Need> = missing.filter(|need| !self.state.is_unreadable(need)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        for order in orders {
            self.correct_order(order, &progress.walk.cause)?;
        }
        Ok(())
    }

    fn orders_at(&self, progress: &WalkProgress, place: &WalkPlace) -> Result<Vec<OrderId>, Vec<Need>> {
        let account = match (&progress.walk.scope, place) {
            (_, WalkPlace::Order(order)) => return Ok(vec![*order]),
            (WalkScope::Below { root, .. }, WalkPlace::Path(path)) => path.last().unwrap_or(root),
            (WalkScope::Below { .. }, WalkPlace::Start) | (WalkScope::Everywhere, _) => return Ok(Vec::new()),
        };
        if self.state.is_account_unreadable(account) {
            return Ok(Vec::new());
        }
        let orders = self.state.node(account)?.orders.iter().copied();
        Ok(orders.filter(|order| progress.walk.orders.contains(*order)).collect())
    }

    /// Returns the place that a walk comes to next; `None` at its end.
    fn next_place(&self, progress: &WalkProgress) -> Result<Option<WalkPlace>, Vec<Need>> {
        match &progress.walk.scope {
            WalkScope::Everywhere => {
                let from = match &progress.place {
                    WalkPlace::Order(order) => OrderId::new(order.get() + 1),
                    WalkPlace::Start | WalkPlace::Path(_) => Some(progress.walk.orders.from),
                };
                let from = from.filter(|from| progress.walk.orders.contains(*from));
                let next = from.map(|from| self.order_from(from)).transpose()?.flatten();
                Ok(next.filter(|next| progress.walk.orders.contains(*next)).map(WalkPlace::Order))
            }
            WalkScope::Below { root, includes_root, depth } => {
                let path = match &progress.place {
                    WalkPlace::Start if *includes_root => return Ok(Some(WalkPlace::Path(Vec::new()))),
                    WalkPlace::Path(path) => path.clone(),
                    WalkPlace::Start | WalkPlace::Order(_) => Vec::new(),
                };
                Ok(self.path_after(root, *depth, path)?.map(WalkPlace::Path))
            }
        }
    }

    /// Returns the path to the account that comes after `path`, depth first; `None` at the end.
    fn path_after(
        &self,
        root: &AccountSequence,
        depth: u8,
        mut path: Vec<AccountSequence>,
    ) -> Result<Option<Vec<AccountSequence>>, Vec<Need>> {
        if path.len() < usize::from(depth)
            && let Some(child) = self.child_after(path.last().unwrap_or(root), None)?
        {
            path.push(child);
            return Ok(Some(path));
        }
        while let Some(last) = path.pop() {
            if let Some(sibling) = self.child_after(path.last().unwrap_or(root), Some(&last))? {
                path.push(sibling);
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Returns the next account that hangs directly below `above`.
    fn child_after(
        &self,
        above: &AccountSequence,
        after: Option<&AccountSequence>,
    ) -> Result<Option<AccountSequence>, Vec<Need>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let children = self.state.children(above)?;
        let from = after.map_or(Unbounded, Excluded);
        for child in children.range::<AccountSequence, _>((from, Unbounded)) {
            if self.state.is_account_unreadable(child) {
                continue;
            }
            if self.state.node(child)?.link_in_force().referrer() == Some(above) {
                return Ok(Some(child.clone()));
            }
        }
        Ok(None)
    }

    /// Returns the first order from `from` on that a row ever named.
    fn order_from(&self, from: OrderId) -> Result<Option<OrderId>, Vec<Need>> {
        let path: Vec<(SumKey, u8)> = sum_path(from).collect();
        // Upwards to the first node that has something at or after the path, then downwards by the smallest bytes.
        for (climbed, (key, byte)) in path.iter().enumerate() {
            let first = if climbed == 0 { Some(*byte) } else { byte.checked_add(1) };
            let next = match first {
                Some(first) => self.state.sum(*key)?.first_from(first),
                None => None,
            };
            if let Some(found) = next {
                let mut number = (key.1 << 8) | u64::from(found);
                for level in (0..key.0).rev() {
                    let byte = self.state.sum((level, number))?.first_from(0).expect("an order is below");
                    number = (number << 8) | u64::from(byte);
                }
                return Ok(OrderId::new(number));
            }
        }
        Ok(None)
    }

    /// Adds to `needs` what the places that come next on a walk will need, so that it is loaded together.
    fn with_places_ahead(&self, progress: &WalkProgress, needs: Vec<Need>) -> Vec<Need> {
        let mut needs: BTreeSet<Need> = needs.into_iter().collect();
        let mut ahead = progress.clone();
        for _ in 0..PLACES_AHEAD {
            match self.next_place(&ahead) {
                Err(more) => {
                    needs.extend(more);
                    needs.extend(self.children_ahead(&ahead));
                    break;
                }
                Ok(None) => break,
                Ok(Some(place)) => {
                    for order in self.orders_at(progress, &place).unwrap_or_default() {
                        needs.extend(self.desired(order).err().into_iter().flatten());
                    }
                    ahead.place = place;
                }
            }
        }
        needs.into_iter().collect()
    }

    /// Returns what is missing of the children next to where a walk is.
    fn children_ahead(&self, progress: &WalkProgress) -> Vec<Need> {
        let (WalkScope::Below { root, .. }, WalkPlace::Path(path)) = (&progress.walk.scope, &progress.place)
        else {
            return Vec::new();
        };
        let mut needs = Vec::new();
        for above in std::iter::once(root).chain(path) {
            let Ok(children) = self.state.children(above) else { continue };
            let after = children.iter().skip_while(|child| path.contains(child));
            for child in after.take(PLACES_AHEAD) {
                match self.state.node(child) {
                    Err(missing) => needs.extend(missing),
                    Ok(_) => needs.extend(self.state.children(child).err().into_iter().flatten()),
                }
            }
        }
        needs
    }
}
