//! The lists adoptions are on, and the network's running number of trees.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger::rules::OrderId;
use ledger::store::{AdoptionRecord, Chain, Chains, HeldOrder, HoldReason, Key, Stage};

use crate::examine::{Ended, Examination};
use crate::report::{Kind, Subject};

/// Ranges of absent orders listed.
const ABSENT_RANGES_MAX: usize = 20;

impl<C: Fn() -> DateTime<Utc>> Examination<'_, C> {
    /// Whether each adoption is on the list its record says, and only there, and for a reason that holds.
    pub(crate) async fn look_at_lists(
        &mut self,
        records: &[AdoptionRecord],
        after: Option<OrderId>,
        to: Option<OrderId>,
    ) -> Result<(), Ended> {
        self.findings.examined.adoptions += records.len() as u64;
        let (held, mut staged) = self.store.listed_between(after, to).await?;
        let mut held: HashMap<OrderId, HoldReason> =
            held.into_iter().map(|HeldOrder { order, reason }| (order, reason)).collect();
        let mut chains = Chains::new(self.store, self.policy.level_count());
        let held_accounts = records.iter().filter(|record| matches!(record.stage, Stage::Held(_)));
        let held_accounts = held_accounts.filter_map(|record| record.row.as_ref());
        chains.load(held_accounts.map(|row| row.account.clone())).await?;
        for record in records {
            let order = record.order;
            let on_held = held.remove(&order);
            let on_staged = staged.remove(&order);
            self.look_at_count(record);
            let (held_for, is_staged) = match &record.stage {
                Stage::Held(reason) => (Some(reason), false),
                Stage::Staged => (None, true),
                Stage::Released | Stage::Removed => (None, false),
            };
            if is_staged {
                self.findings.in_progress.staged += 1;
            }
            if let Some(reason) = held_for {
                *self.findings.held.entry(reason.name().to_owned()).or_default() += 1;
                self.look_at_reason(record, reason, &chains);
            }
            match (held_for, &on_held) {
                (Some(expected), Some(found)) if expected == found => {}
                (None, None) => {}
                (Some(expected), found) => {
                    let found = found.as_ref().map_or("none", HoldReason::name);
                    let (key, subject) = (Key::held(order), Subject::order(order));
                    self.findings.item_differs(Kind::ListItemMissing, &key, subject, expected.name(), found);
                }
                (None, Some(_)) => self.orphan(&Key::held(order), "an adoption that is not held"),
            }
            match (is_staged, on_staged) {
                (true, false) => {
                    let (key, subject) = (Key::staged(order), Subject::order(order));
                    self.findings.item_differs(Kind::ListItemMissing, &key, subject, "an item", "none");
                }
                (false, true) => self.orphan(&Key::staged(order), "an adoption that is not staged"),
                _ => {}
            }
        }
        for order in held.into_keys() {
            self.orphan(&Key::held(order), "no adoption");
        }
        for order in staged {
            self.orphan(&Key::staged(order), "no adoption");
        }
        Ok(())
    }

    fn look_at_reason(&mut self, record: &AdoptionRecord, reason: &HoldReason, chains: &Chains<'_>) {
        let takes_part = record.is_distributable(self.policy);
        let holds = match reason {
            HoldReason::Status => !takes_part,
            HoldReason::NoReferral(missing) => {
                let chain = record.row.as_ref().map(|row| chains.peek(&row.account));
                takes_part && chain == Some(Chain::Missing(missing.clone()))
            }
            HoldReason::AmountOverflow => takes_part,
        };
        if !holds {
            let status = record.row.as_ref().map_or("no row", |row| row.status.as_str());
            let found = match (record.deleted, takes_part) {
                (true, _) => "a deleted adoption".to_owned(),
                (false, true) if *reason == HoldReason::Status => {
                    format!("the distributable status {status}")
                }
                (false, true) => "a chain of ancestors in which that row is not missing".to_owned(),
                (false, false) => format!("the status {status}"),
            };
            let subject = Subject::order(record.order);
            self.findings.differs(Kind::HoldReasonGone, subject, reason.name(), found);
        }
    }

    fn look_at_count(&mut self, record: &AdoptionRecord) {
        let takes_part = record.is_distributable(self.policy);
        let trees = record.row.as_ref().map_or(0, |row| row.tree_count.get());
        let expected = if takes_part { trees } else { 0 };
        if record.stage != Stage::Staged && record.counted_trees != expected {
            let subject = Subject::order(record.order);
            self.findings.differs(Kind::CountedTreesWrong, subject, expected, record.counted_trees);
        }
    }

    pub(crate) async fn look_at_ladder(&mut self, counted: u64, last: Option<OrderId>) -> Result<(), Ended> {
        let ladder = self.store.ladder().await?;
        let subject = || Subject::item(Key::ladder());
        if ladder.trees != counted {
            self.findings.differs(Kind::LadderWrong, subject(), counted, ladder.trees);
        }
        if ladder.last_order < last {
            let text = |order: Option<OrderId>| order.map_or_else(|| "none".to_owned(), |o| o.to_string());
            let expected = format!("at least order {}", text(last));
            self.findings.differs(Kind::LadderWrong, subject(), expected, text(ladder.last_order));
        }
        Ok(())
    }

    pub(crate) fn look_at_gap(&mut self, last: Option<OrderId>, order: OrderId) {
        let first = last.map_or(1, |last| last.get() + 1);
        if first < order.get() {
            let absent = &mut self.findings.absent_orders;
            absent.count += order.get() - first;
            let range = OrderId::new(first).zip(OrderId::new(order.get() - 1));
            if absent.first_ranges.len() < ABSENT_RANGES_MAX {
                absent.first_ranges.extend(range);
            }
        }
    }
}
