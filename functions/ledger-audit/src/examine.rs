//! One look at the whole ledger.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ledger::rules::{OrderId, Owner, Policy};
use ledger::store::{AccountsItem, CloseState, Key, ReassessTask, Store, StoreError, TreeId};

use crate::AuditError;
use crate::findings::Findings;
use crate::part::Part;
use crate::report::{Difference, Kind, Subject};
use crate::sums::Closed;

/// What one account takes while it is summed: its sequence twice, its facts, its sums, and the room a
/// hash map leaves free.
const ACCOUNT_BYTES: u64 = 512;
/// Reassessments kept in mind, to tell what they will put right from what is wrong.
const TASKS_KEPT_MAX: usize = 100_000;

/// One look at the whole ledger.
pub(crate) struct Examination<'a, C> {
    pub(crate) store: &'a Store,
    pub(crate) policy: &'a Policy,
    pub(crate) clock: &'a C,
    pub(crate) deadline: DateTime<Utc>,
    pub(crate) memory_budget_bytes: u64,
    pub(crate) findings: Findings,
    pub(crate) outstanding: HashSet<TreeId>,
    tasks: Vec<ReassessTask>,
    pub(crate) accounts: u64,
    pub(crate) closed: Closed,
}

/// Why a look ended early.
pub(crate) enum Ended {
    OutOfTime,
    Failed(AuditError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl<'a, C: Fn() -> DateTime<Utc>> Examination<'a, C> {
    pub(crate) fn new(
        store: &'a Store,
        policy: &'a Policy,
        clock: &'a C,
        deadline: DateTime<Utc>,
        memory_budget_bytes: u64,
    ) -> Self {
        Self {
            store,
            policy,
            clock,
            deadline,
            memory_budget_bytes,
            findings: Findings::default(),
            outstanding: HashSet::new(),
            tasks: Vec::new(),
            accounts: 0,
            closed: Closed::default(),
        }
    }

    pub(crate) async fn run(mut self) -> Result<Findings, AuditError> {
        match self.look().await {
            Ok(()) => self.findings.complete = true,
            Err(Ended::OutOfTime) => {}
            Err(Ended::Failed(error)) => return Err(error),
        }
        self.findings.differences.sort();
        Ok(self.findings)
    }

    async fn look(&mut self) -> Result<(), Ended> {
        let close = self.store.latest_close().await?;
        let is_done = close.as_ref().is_some_and(CloseState::is_closed);
        self.closed = Closed::up_to(close.map(|close| close.date), is_done, self.policy);
        self.look_at_trees().await?;
        self.look_at_source().await?;
        self.look_at_tasks().await?;
        self.look_at_journal().await?;
        let parts = (self.accounts * ACCOUNT_BYTES).div_ceil(self.memory_budget_bytes).max(1);
        self.findings.examined.parts = u32::try_from(parts).unwrap_or(u32::MAX);
        for index in 0..parts {
            let mut part = Part::new(index, parts);
            self.recompute_facts(&mut part).await?;
            self.recompute_postings(&mut part).await?;
            self.compare_accounts(part).await?;
        }
        Ok(())
    }

    pub(crate) fn check_time(&self) -> Result<(), Ended> {
        if (self.clock)() >= self.deadline { Err(Ended::OutOfTime) } else { Ok(()) }
    }

    pub(crate) fn unreadable(&mut self, kind: Kind, error: StoreError) -> Result<(), Ended> {
        match error {
            StoreError::Corrupt { key, message } => {
                self.findings.differs(kind, Subject::item(key), "an item this version writes", message);
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    /// Which trees have work, and which stopped.
    async fn look_at_trees(&mut self) -> Result<(), Ended> {
        for tree in self.store.outstanding_trees().await? {
            self.findings.in_progress.trees += 1;
            if let Some(reason) = tree.stopped {
                self.findings.differs(Kind::TreeStopped, Subject::tree(&tree.tree), "its work done", reason);
            }
            self.outstanding.insert(tree.tree);
        }
        Ok(())
    }

    /// Whether a tree has been marked since the look began.
    pub(crate) async fn is_outstanding(&mut self, tree: &TreeId) -> Result<bool, StoreError> {
        let marked = self.store.outstanding_tree(tree).await?.is_some();
        if marked {
            self.outstanding.insert(tree.clone());
        }
        Ok(marked)
    }

    /// Which reassessments are to do; and how many accounts there are.
    async fn look_at_tasks(&mut self) -> Result<(), Ended> {
        let mut start = None;
        loop {
            self.check_time()?;
            let (items, next) = self.store.scan_accounts((0, 1), start).await?;
            for item in items {
                match item {
                    Ok(AccountsItem::Account { .. }) => self.findings.examined.accounts += 1,
                    Ok(AccountsItem::Task(task)) => {
                        self.findings.in_progress.reassessments += 1;
                        if !self.outstanding.contains(&task.tree) && !self.is_outstanding(&task.tree).await? {
                            let found =
                                format!("a reassessment of {} for order {}", task.account, task.cause);
                            let subject = Subject::tree(&task.tree);
                            self.findings.differs(
                                Kind::TaskNotOutstanding,
                                subject,
                                "the tree's mark",
                                found,
                            );
                        }
                        if self.tasks.len() < TASKS_KEPT_MAX {
                            self.tasks.push(task);
                        }
                    }
                    // Reported when the accounts are compared.
                    Ok(_) | Err(StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            start = next;
            if start.is_none() {
                self.accounts = self.accounts.max(self.findings.examined.accounts);
                return Ok(());
            }
        }
    }

    /// Whether every entry is of an adoption that was handed to the ledger.
    async fn look_at_journal(&mut self) -> Result<(), Ended> {
        let mut start = None;
        loop {
            self.check_time()?;
            let (orders, next) = self.store.scan_journal_orders((0, 1), start).await?;
            let records = self.store.adoptions(orders.iter().copied()).await?;
            for order in orders {
                if !records.get(&order).is_some_and(|record| record.released) {
                    self.findings.differs(
                        Kind::EntryOfUnknownAdoption,
                        Subject::order(order),
                        "no entries",
                        "entries",
                    );
                }
            }
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Whether a reassessment that is to do will look at the leg.
    pub(crate) fn is_being_reassessed(&self, difference: &Difference, order: OrderId) -> bool {
        self.tasks.iter().any(|task| {
            let account = Some(Owner::User(task.account.clone()));
            difference.subject.account == account && task.range.contains(order)
        })
    }

    pub(crate) fn orphan(&mut self, key: &Key, found: &str) {
        self.findings.item_differs(Kind::ListItemOrphan, key, Subject::default(), "no item", found);
    }
}
