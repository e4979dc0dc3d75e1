//! Compares stored heads with what the log says.

use std::collections::BTreeMap;

use domain::Owner;
use domain::heads::Totals;
use domain::log::Position;
use domain::recalculate::{Compared, Difference, Recalculation, TotalsDifference};
use store::audit::AuditFindings;
use store::heads::{self, AccountHead, LinePage};
use store::{Engine, Item, StoreError};

use crate::later::Later;

/// How many heads are read at once when some are missing.
const HEADS_READ: usize = 500;

/// What heads are compared with.
pub(crate) struct Comparison<'a> {
    pub(crate) told: &'a mut Recalculation,
    pub(crate) compared: &'a Compared,
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
        for item in items {
            if let Some((owner, head)) = heads::account_of(item)? {
                accounts.push((owner, head, item.revision));
            } else if let Some((order, head)) = heads::adoption_of(item)? {
                found.known_heads += u64::from(self.told.knows_order(order));
                if item.revision > self.position {
                    found.changed_meanwhile += 1;
                } else {
                    found.compared += 1;
                    if !self.told.agrees_with_head(order, &head) {
                        found.add(Difference::AdoptionHead { order });
                    }
                }
            } else if let Some((owner, number, page)) = heads::line_page_of(item)? {
                let follows =
                    line_page.as_ref().filter(|(before, at, _)| *before == owner && at + 1 == number);
                let agrees = follows.is_none_or(|(_, _, before)| closing(before) == Some(page.opening));
                if !agrees || (number == 0 && page.opening != Totals::default()) {
                    found.add(Difference::Lines { owner: owner.clone() });
                }
                line_page = Some((owner, number, page));
            }
        }
        let last_pages = last_line_pages(engine, &accounts).await?;
        for (owner, head, position) in accounts {
            found.compared += 1;
            let before_recent = match head.money.lines.pages {
                0 => Some(Totals::default()),
                _ => last_pages.get(&owner).and_then(closing),
            };
            let recent = head.money.totals.without(&head.money.lines.recent).ok();
            if recent.is_none() || recent != before_recent {
                found.add(Difference::Lines { owner: owner.clone() });
            }
            self.compare_account(engine, owner, &head, position, found).await?;
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
        let mut should = self.told.expected_totals(self.compared, &owner);
        found.known_heads += u64::from(should != Totals::default());
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
        if !self.told.agrees_with_link(&account, &head.node.link()) {
            found.add(Difference::Upline { account: account.clone() });
        }
        if !self.told.agrees_with_facts(self.compared, &account, &head.node.facts) {
            found.add(Difference::UnlockFacts { account });
        }
        Ok(())
    }

    /// Finds heads that the log knows and the table does not have.
    pub(crate) async fn look_for_missing(
        &mut self,
        engine: &dyn Engine,
        found: &mut AuditFindings,
    ) -> Result<(), StoreError> {
        let (owners, orders) = self.told.touched(self.compared);
        // Where as many were read as the log knows, none is missing.
        if found.known_heads == (owners.len() + orders.len()) as u64 {
            return Ok(());
        }
        for part in orders.chunks(HEADS_READ) {
            let known = heads::adoptions(engine, part.to_vec()).await?;
            for (order, _) in known.into_iter().filter(|(_, at)| at.position == 0) {
                found.add(Difference::AdoptionHead { order });
            }
        }
        for part in owners.chunks(HEADS_READ) {
            let known = heads::accounts(engine, part.to_vec()).await?;
            for (owner, _) in known.into_iter().filter(|(_, at)| at.position == 0) {
                let should = self.told.expected_totals(self.compared, &owner);
                let difference = TotalsDifference { owner, stands: Totals::default(), should };
                found.add(Difference::Totals(Box::new(difference)));
            }
        }
        Ok(())
    }
}

async fn last_line_pages(
    engine: &dyn Engine,
    accounts: &[(Owner, AccountHead, Position)],
) -> Result<BTreeMap<Owner, LinePage>, StoreError> {
    let last = |(owner, head, _): &(Owner, AccountHead, Position)| {
        Some((owner.clone(), head.money.lines.pages.checked_sub(1)?))
    };
    heads::line_pages_of(engine, accounts.iter().filter_map(last).collect()).await
}

/// Returns what an account has after the lines of a page; `None` if that is no amount.
fn closing(page: &LinePage) -> Option<Totals> {
    let mut totals = page.opening;
    page.lines.iter().try_for_each(|line| totals.add(line)).ok()?;
    Some(totals)
}
