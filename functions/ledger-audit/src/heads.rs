//! Compares stored heads with what the log says.
//!
//! Touches: `Ledger` (reads).

use std::collections::BTreeSet;

use domain::heads::{SumKey, Totals};
use domain::log::Position;
use domain::recalculate::{Compared, Difference, Recalculation, TotalsDifference};
use domain::{AccountSequence, Owner};
use store::audit::AuditFindings;
use store::heads::{self, AccountHead, LINE_PAGES_TOGETHER, LinePage};
use store::lists;
use store::{Engine, Item, Key, StoreError};

use crate::expected::ExpectedLists;
use crate::later::Later;

/// How many heads are read at once when some are missing.
const HEADS_READ: usize = 500;

/// What heads are compared with.
pub(crate) struct Comparison<'a> {
    pub(crate) recalculation: &'a mut Recalculation,
    pub(crate) compared: &'a Compared,
    pub(crate) lists: &'a ExpectedLists,
    pub(crate) later: Later,
    pub(crate) position: Position,
}

impl Comparison<'_> {
    /// Compares the heads among these items, which follow each other in the table.
    pub(crate) async fn compare(
        &mut self,
        engine: &dyn Engine,
        items: &[Item],
        found: &mut AuditFindings,
    ) -> Result<(), StoreError> {
        let mut accounts: Vec<(Owner, AccountHead, Position)> = Vec::new();
        let mut line_page: Option<(Owner, u32, LinePage)> = None;
        // What the page before must end with, where it is in another partition.
        let mut openings: Vec<((Owner, u32), Totals)> = Vec::new();
        for (place, item) in items.iter().enumerate() {
            if let Some(owner) = heads::owner_of(item) {
                if let Ok(Some((_, head))) = heads::account_of(item) {
                    accounts.push((owner, head, item.revision));
                } else {
                    found.known_heads += u64::from(self.recalculation.has_anything(self.compared, &owner));
                    found.add(Difference::AccountHead { owner });
                }
            } else if let Some((owner, number, page)) = heads::line_page_of(item)? {
                let agrees = match &line_page {
                    Some((before, at, last)) if *before == owner => {
                        at + 1 == number && closing(last) == Some(page.opening)
                    }
                    _ if number == 0 => page.opening == Totals::default(),
                    _ if number.is_multiple_of(LINE_PAGES_TOGETHER) => {
                        openings.push(((owner.clone(), number - 1), page.opening));
                        true
                    }
                    // The page before it may have been the last item that was read before these.
                    _ => place == 0,
                };
                if !agrees {
                    found.add(Difference::Lines { owner: owner.clone() });
                }
                line_page = Some((owner, number, page));
            } else {
                line_page = None;
                self.compare_other(item, found)?;
            }
        }
        let last = |(owner, head, _): &(Owner, AccountHead, Position)| {
            Some((owner.clone(), head.money.lines.pages.checked_sub(1)?))
        };
        let before = openings.iter().map(|(before, _)| before.clone());
        let wanted = accounts.iter().filter_map(last).chain(before).collect();
        let ends = heads::line_pages_of(engine, wanted).await?;
        for (before, opening) in openings {
            if ends.get(&before).and_then(closing) != Some(opening) {
                found.add(Difference::Lines { owner: before.0 });
            }
        }
        for (owner, head, position) in accounts {
            found.compared += 1;
            let before_recent = match head.money.lines.pages.checked_sub(1) {
                None => Some(Totals::default()),
                Some(last) => ends.get(&(owner.clone(), last)).and_then(closing),
            };
            let recent = head.money.totals.without(&head.money.lines.recent).ok();
            if recent.is_none() || recent != before_recent {
                found.add(Difference::Lines { owner: owner.clone() });
            }
            self.compare_account(engine, owner, &head, position, found).await?;
        }
        Ok(())
    }

    /// Compares the head of an adoption, a sum of trees, or an entry of a list.
    fn compare_other(&mut self, item: &Item, found: &mut AuditFindings) -> Result<(), StoreError> {
        let is_later = item.revision > self.position;
        if let Some(order) = heads::order_of(item) {
            found.known_heads += u64::from(self.recalculation.knows_order(order));
            if is_later {
                found.changed_meanwhile += 1;
                return Ok(());
            }
            found.compared += 1;
            let head = heads::adoption_of(item).ok().flatten();
            if !head.is_some_and(|(_, head)| self.recalculation.agrees_with_head(order, &head)) {
                found.add(Difference::AdoptionHead { order });
            }
        } else if let Some((key, node)) = heads::sum_of(item)? {
            let should = self.lists.sums.get(&key);
            found.known_sums += u64::from(should.is_some());
            if !is_later && should != Some(&node) {
                found.add(Difference::TreeSum { key });
            }
        } else if let Some((order, held)) = lists::held_of(item)? {
            let is_held = self.recalculation.is_held(order);
            found.known_held += u64::from(is_held);
            if !is_later && held.is_some() != is_held {
                found.add(Difference::HeldList { order });
            }
        } else if let Some(listed) = heads::child_of(item) {
            found.known_children += u64::from(self.lists.children.contains(&listed));
        }
        Ok(())
    }

    async fn compare_account(
        &mut self,
        engine: &dyn Engine,
        owner: Owner,
        head: &AccountHead,
        position: Position,
        found: &mut AuditFindings,
    ) -> Result<(), StoreError> {
        let stands = head.money.totals;
        let mut should = self.recalculation.expected_totals(self.compared, &owner);
        found.known_heads += u64::from(self.recalculation.has_anything(self.compared, &owner));
        let added = self.later.add(engine, &owner, position, &mut should).await?;
        if added.is_err() || stands != should {
            let difference = TotalsDifference { owner: owner.clone(), stands, should };
            found.add(Difference::Totals(Box::new(difference)));
        }
        let Owner::User(account) = owner else { return Ok(()) };
        if position > self.position {
            found.changed_meanwhile += 1;
            return Ok(());
        }
        if !self.recalculation.agrees_with_link(&account, &head.node.link()) {
            found.add(Difference::Upline { account: account.clone() });
        }
        if !self.recalculation.agrees_with_facts(self.compared, &account, &head.node.facts) {
            found.add(Difference::UnlockFacts { account });
        }
        Ok(())
    }

    /// Finds heads and entries of lists that the log knows and the table does not have.
    ///
    /// Where as many were read as the log knows, none is missing, and nothing is read.
    pub(crate) async fn look_for_missing(
        &mut self,
        engine: &dyn Engine,
        shards: u32,
        found: &mut AuditFindings,
    ) -> Result<(), StoreError> {
        let (owners, orders) = self.recalculation.touched(self.compared);
        if found.known_heads != (owners.len() + orders.len()) as u64 {
            for order in missing(engine, &orders, |order| heads::adoption_key(*order)).await? {
                found.add(Difference::AdoptionHead { order });
            }
            for owner in missing(engine, &owners, heads::account_key).await? {
                found.add(Difference::AccountHead { owner });
            }
        }
        if found.known_sums != self.lists.sums.len() as u64 {
            let sums: Vec<SumKey> = self.lists.sums.keys().copied().collect();
            for key in missing(engine, &sums, |key| heads::sum_key(*key)).await? {
                found.add(Difference::TreeSum { key });
            }
        }
        let held = self.recalculation.held();
        if found.known_held != held.len() as u64 {
            for order in missing(engine, &held, |order| lists::held_entry_key(*order, shards)).await? {
                found.add(Difference::HeldList { order });
            }
        }
        if found.known_children != self.lists.children.len() as u64 {
            for referrer in incomplete_lists(engine, &self.lists.children).await? {
                found.add(Difference::ChildrenList { referrer });
            }
        }
        let listed = lists::system_accounts(engine).await?;
        for owner in owners {
            if matches!(&owner, Owner::System(account) if !listed.contains(account)) {
                found.add(Difference::SystemAccountList { owner });
            }
        }
        Ok(())
    }
}

/// Returns those of these names at whose key nothing is.
async fn missing<N: Clone>(
    engine: &dyn Engine,
    names: &[N],
    key: impl Fn(&N) -> Key,
) -> Result<Vec<N>, StoreError> {
    let mut missing = Vec::new();
    for part in names.chunks(HEADS_READ) {
        let present = heads::revisions(engine, part.iter().map(&key).collect()).await?;
        missing.extend(part.iter().filter(|name| !present.contains_key(&key(name))).cloned());
    }
    Ok(missing)
}

/// Returns the accounts below which the log has others that the lists lack.
async fn incomplete_lists(
    engine: &dyn Engine,
    children: &BTreeSet<(AccountSequence, AccountSequence)>,
) -> Result<Vec<AccountSequence>, StoreError> {
    let mut incomplete = Vec::new();
    let mut rest = children.iter().peekable();
    while let Some((referrer, _)) = rest.peek() {
        let referrer = referrer.clone();
        let listed = heads::children(engine, &referrer).await?;
        let mut is_complete = true;
        while let Some((_, child)) = rest.next_if(|(other, _)| *other == referrer) {
            is_complete &= listed.contains(child);
        }
        if !is_complete {
            incomplete.push(referrer);
        }
    }
    Ok(incomplete)
}

/// Returns what an account has after the lines of a page; `None` if the sum is too large for an amount.
fn closing(page: &LinePage) -> Option<Totals> {
    let mut totals = page.opening;
    page.lines.iter().try_for_each(|line| totals.add(line)).ok()?;
    Some(totals)
}
