//! Every item of the source by itself, against those it stands for or that stand for it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger::rules::{AccountSequence, OrderId};
use ledger::store::{HoldReason, Key, ReferralRecord, SourceItem, Stage};

use crate::examine::{Ended, Examination};
use crate::report::{Kind, Subject};

impl<C: Fn() -> DateTime<Utc>> Examination<'_, C> {
    /// Every item of the source by itself, against those it stands for or that stand for it.
    pub(crate) async fn look_at_source(&mut self) -> Result<(), Ended> {
        let mut start = None;
        loop {
            self.check_time()?;
            let (items, next) = self.store.scan_source((0, 1), start).await?;
            let mut readable = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Ok(item) => readable.push(item),
                    Err(error) => self.unreadable(Kind::ItemUnreadable, error)?,
                }
            }
            self.look_at_source_page(readable).await?;
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn look_at_source_page(&mut self, items: Vec<SourceItem>) -> Result<(), Ended> {
        let mut named: Vec<AccountSequence> = Vec::new();
        let mut orders: Vec<OrderId> = Vec::new();
        let mut due: Vec<(Key, Subject)> = Vec::new();
        for item in &items {
            match item {
                SourceItem::Referral(record) => {
                    if let Some(referrer) = &record.referrer {
                        named.push(referrer.clone());
                        let subject = Subject::account(&record.account);
                        due.push((Key::child(referrer, &record.account), subject));
                    }
                }
                SourceItem::Child { child, .. } => named.push(child.clone()),
                SourceItem::AdopterOrder { order, .. } => orders.push(*order),
                SourceItem::Adoption(record) => {
                    let subject = Subject::order(record.order);
                    if let Some(row) = &record.row {
                        due.push((Key::adopter_order(&row.account, record.order), subject.clone()));
                    }
                    if let Stage::Held(HoldReason::NoReferral(missing)) = &record.stage {
                        due.push((Key::waiting_order(missing, record.order), subject));
                    }
                }
                _ => {}
            }
        }
        let referrals: HashMap<AccountSequence, ReferralRecord> = self
            .store
            .referrals(named)
            .await?
            .into_iter()
            .map(|record| (record.account.clone(), record))
            .collect();
        let adoptions = self.store.adoptions(orders).await?;
        let there = self.store.existing(due.iter().map(|(key, _)| key.clone())).await?;
        for (key, subject) in due.into_iter().filter(|(key, _)| !there.contains(key)) {
            self.findings.item_differs(Kind::ListItemMissing, &key, subject, "an item", "none");
        }
        for item in items {
            match item {
                SourceItem::Referral(record) => {
                    if record.has_arrived() {
                        self.findings.examined.referrals += 1;
                        self.accounts += 1;
                    }
                    let above = record.referrer.as_ref().map(|referrer| &referrals[referrer]);
                    self.look_at_lineage(&record, above);
                }
                SourceItem::Child { referrer, child } => {
                    if referrals[&child].referrer.as_ref() != Some(&referrer) {
                        self.orphan(&Key::child(&referrer, &child), "another referrer");
                    }
                }
                SourceItem::AdopterOrder { account, order } => {
                    let row = adoptions.get(&order).and_then(|record| record.row.as_ref());
                    if row.is_none_or(|row| row.account != account) {
                        self.orphan(&Key::adopter_order(&account, order), "another adopter");
                    }
                }
                SourceItem::Work(work) => {
                    self.findings.in_progress.released += 1;
                    if !self.outstanding.contains(work.tree()) && !self.is_outstanding(work.tree()).await? {
                        let subject = Subject::tree(work.tree());
                        let found = format!("work of order {}", work.order);
                        self.findings.differs(Kind::WorkNotOutstanding, subject, "the tree's mark", found);
                    }
                }
                SourceItem::Quarantined { reason } => {
                    *self.findings.quarantined.entry(reason).or_default() += 1;
                }
                SourceItem::Adoption(_) | SourceItem::WaitingOrder { .. } | SourceItem::Other => {}
            }
        }
        Ok(())
    }

    /// A lineage is its referrer's and one more. As that holds for every account, it holds for all of
    /// every chain.
    fn look_at_lineage(&mut self, record: &ReferralRecord, above: Option<&ReferralRecord>) {
        let expected = match (&record.referrer, above) {
            (None, _) if record.has_arrived() => Some(Vec::new()),
            (Some(referrer), Some(above)) => above.lineage.as_ref().map(|lineage| {
                let lineage = lineage.of_child(referrer, None);
                lineage.ancestors
            }),
            _ => None,
        };
        let found = record.lineage.as_ref().map(|lineage| &lineage.ancestors);
        if expected.as_ref() != found {
            let text = |ancestors: Option<&Vec<AccountSequence>>| match ancestors {
                None => "not known".to_owned(),
                Some(ancestors) => {
                    let names: Vec<&str> = ancestors.iter().map(AccountSequence::as_str).collect();
                    format!("[{}]", names.join(" "))
                }
            };
            self.findings.differs(
                Kind::LineageWrong,
                Subject::account(&record.account),
                text(expected.as_ref()),
                text(found),
            );
        }
    }
}
