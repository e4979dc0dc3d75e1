//! The stored accounts, system accounts and cursors, against what was recomputed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger::rules::{AccountSequence, OrderId, Owner, Policy, SystemAccount, UnlockFacts};
use ledger::store::{AccountsItem, StoreError, TreeId};

use crate::examine::{Ended, Examination};
use crate::part::Part;
use crate::report::{Kind, Subject};
use crate::sums::{Sums, text};

impl<C: Fn() -> DateTime<Utc>> Examination<'_, C> {
    /// The stored accounts and cursors of the part, against what was recomputed.
    pub(crate) async fn compare_accounts(&mut self, mut part: Part) -> Result<(), Ended> {
        let mut shares: BTreeMap<SystemAccount, Sums> = BTreeMap::new();
        let mut of_users = 0;
        let mut start = None;
        loop {
            self.check_time()?;
            let (items, next) = self.store.scan_accounts((0, 1), start).await?;
            for item in items {
                match item {
                    Ok(AccountsItem::Account { account, state }) if part.has(account.as_str()) => {
                        let expected = part.sums.remove(&account).unwrap_or_default();
                        self.compare_sums(&account, expected, Sums::of_account(&state, self.closed));
                        let facts = part.facts.remove(&account).unwrap_or_default();
                        self.compare_facts(&account, &facts, &state.unlock);
                    }
                    Ok(AccountsItem::Share { account, share }) if part.is_first() => {
                        let sums = shares.entry(account.clone()).or_default();
                        sums.add_share(&account, &share, self.closed, self.policy);
                        of_users += share.users.units();
                    }
                    Ok(AccountsItem::Cursor { tree, cursor }) if part.has(tree.as_str()) => {
                        if let Some(last) = part.last_orders.remove(&tree)
                            && cursor.last_order < Some(last)
                        {
                            self.stale(&tree, last, cursor.last_order);
                        }
                    }
                    Err(error) if part.is_first() => self.unreadable(Kind::ItemUnreadable, error)?,
                    Ok(_) | Err(StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        // What is left has no item at all.
        for (account, expected) in part.sums {
            self.compare_sums(&account, expected, Sums::default());
        }
        for (account, facts) in part.facts {
            self.compare_facts(&account, &facts, &UnlockFacts::default());
        }
        for (tree, last) in part.last_orders {
            self.stale(&tree, last, None);
        }
        for (account, expected) in part.systems {
            let found = shares.remove(&account).unwrap_or_default();
            self.compare_system(account, expected, found);
        }
        for (account, found) in shares {
            self.compare_system(account, Sums::default(), found);
        }
        if part.of_users != of_users {
            let subject = Subject::item("the shares of all system accounts");
            self.findings.differs(Kind::UsersTotalWrong, subject, text(part.of_users), text(of_users));
        }
        Ok(())
    }

    fn stale(&mut self, tree: &TreeId, last: OrderId, found: Option<OrderId>) {
        let found = found.map_or_else(|| "none".to_owned(), |order| order.to_string());
        let subject = Subject { order: Some(last), ..Subject::tree(tree) };
        self.findings.differs(Kind::CursorStale, subject, "the last order posted, or a later one", found);
    }

    fn compare_sums(&mut self, account: &AccountSequence, expected: Sums, found: Sums) {
        let totals = [
            ("personal", expected.personal, found.personal),
            ("team_level", expected.team_level, found.team_level),
            ("team_bonus", expected.team_bonus, found.team_bonus),
        ];
        for (name, expected, found) in totals {
            if expected != found {
                let subject = Subject { share: Some(name.to_owned()), ..Subject::account(account) };
                self.findings.differs(Kind::TotalWrong, subject, text(expected), text(found));
            }
        }
        if expected.pending != found.pending {
            let (expected, found) = (pending_text(expected), pending_text(found));
            self.findings.differs(Kind::PendingWrong, Subject::account(account), expected, found);
        }
        if expected.effective != found.effective && self.closed.is_done {
            let (expected, found) = (text(expected.effective), text(found.effective));
            self.findings.differs(Kind::EffectiveWrong, Subject::account(account), expected, found);
        }
    }

    fn compare_system(&mut self, account: SystemAccount, expected: Sums, found: Sums) {
        let subject = Subject { account: Some(Owner::System(account)), ..Subject::default() };
        if expected.system != found.system {
            let (expected, found) = (text(expected.system), text(found.system));
            self.findings.differs(Kind::SystemTotalWrong, subject.clone(), expected, found);
        }
        if expected.pending != found.pending {
            let (expected, found) = (pending_text(expected), pending_text(found));
            self.findings.differs(Kind::SystemPendingWrong, subject.clone(), expected, found);
        }
        if expected.effective != found.effective && self.closed.is_done {
            let (expected, found) = (text(expected.effective), text(found.effective));
            self.findings.differs(Kind::SystemEffectiveWrong, subject, expected, found);
        }
    }

    fn compare_facts(&mut self, account: &AccountSequence, expected: &UnlockFacts, found: &UnlockFacts) {
        if !agrees(expected, found, self.policy) {
            let subject = Subject::account(account);
            self.findings.differs(Kind::UnlockFactsWrong, subject, facts_text(expected), facts_text(found));
        }
    }
}

fn pending_text(sums: Sums) -> String {
    format!("{} by effective date", text(sums.pending.sum))
}

/// Whether stored facts decide everything as the full ones do. They may know fewer orders, because some
/// went away, but never others.
fn agrees(full: &UnlockFacts, stored: &UnlockFacts, policy: &Policy) -> bool {
    full.first_order() == stored.first_order()
        && full.direct_adopter_count() == stored.direct_adopter_count()
        && full.direct_first_orders().starts_with(stored.direct_first_orders())
        && !stored.needs_refill(policy)
}

fn facts_text(facts: &UnlockFacts) -> String {
    let first = facts.first_order().map_or_else(|| "none".to_owned(), |order| order.to_string());
    let direct: Vec<String> = facts.direct_first_orders().iter().map(ToString::to_string).collect();
    format!("first order {first}, {} direct adopters [{}]", facts.direct_adopter_count(), direct.join(" "))
}
