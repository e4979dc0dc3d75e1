//! A part of the referral forest in memory, and what changes in it when it is settled.
//!
//! Nothing here reads or writes. What is missing is named, and the caller loads it and asks again.

mod rings;
mod settle;
mod tidy;

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountSequence, TalentTable};
use store::talent::{StoredTalent, Talent, TalentCause};

pub(crate) use settle::{Settled, Unsettled};

/// How many accounts a walk up looks at in search of a ring. What is further up is taken to be on none.
pub(crate) const RING_LENGTH_MAX: usize = 2_000;

/// By what levels are assessed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standards<'a> {
    /// The table of levels in force.
    pub(crate) table: &'a TalentTable,
    /// Whether the source says when users were seen last.
    pub(crate) knows_activity: bool,
    /// The time, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

impl Standards<'_> {
    /// Returns whether levels depend on when users were seen last, and that is known.
    pub(crate) fn ask_for_activity(&self) -> bool {
        self.knows_activity && self.table.asks_for_activity()
    }
}

/// How far changes are propagated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To the referrers of the accounts that the work begins from.
    #[default]
    Referrers,
    /// To every ancestor that they change.
    Ancestors,
}

/// What is to be compared and propagated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    /// Accounts whose level and report are compared with what stands.
    pub(crate) starts: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts above which rings are looked for first.
    pub(crate) ring_starts: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts whose user decides whether they are active.
    pub(crate) users: BTreeSet<AccountSequence>,
    /// Referrers that an account had, from which its report is taken back.
    pub(crate) left: BTreeMap<AccountSequence, BTreeSet<AccountSequence>>,
    /// Accounts whose reports taken in are to be made fewer.
    pub(crate) untidy: BTreeSet<AccountSequence>,
    /// Accounts that are written although nothing may have changed, so that a write which is still under way fails.
    pub(crate) fenced: BTreeSet<AccountSequence>,
    /// How far changes are propagated.
    pub(crate) reach: Reach,
}

/// What must be loaded before the work can be finished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Teams and levels.
    pub(crate) accounts: BTreeSet<AccountSequence>,
    /// Users.
    pub(crate) users: BTreeSet<AccountSequence>,
    /// Accounts above which rings must be looked for.
    pub(crate) rings: BTreeSet<AccountSequence>,
}

impl Needs {
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.users.is_empty() && self.rings.is_empty()
    }
}

/// What is known of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserState {
    /// No row names the account.
    Absent,
    /// A row does.
    Arrived {
        /// Until when the account counts as active, in milliseconds since 1970, where that is known.
        active_until_ms: Option<i64>,
    },
}

/// A part of the forest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forest {
    accounts: BTreeMap<AccountSequence, Standing>,
    users: BTreeMap<AccountSequence, UserState>,
    written: BTreeSet<AccountSequence>,
}

/// An account's record as it was read, and as it should be.
#[derive(Debug, Clone)]
struct Standing {
    read: StoredTalent,
    /// Where it should be another one than was read.
    changed: Option<Talent>,
}

impl Standing {
    fn now(&self) -> &Talent {
        self.changed.as_ref().unwrap_or(&self.read.talent)
    }

    fn now_mut(&mut self) -> &mut Talent {
        self.changed.get_or_insert_with(|| self.read.talent.clone())
    }
}

impl Forest {
    pub(crate) fn add(&mut self, account: AccountSequence, read: StoredTalent) {
        self.accounts.insert(account, Standing { read, changed: None });
    }

    pub(crate) fn add_user(&mut self, account: AccountSequence, user: UserState) {
        self.users.insert(account, user);
    }

    /// Forgets the users, so that they are read again where they matter.
    pub(crate) fn forget_users(&mut self) {
        self.users.clear();
    }

    /// Records that the account's record was written as it should be.
    pub(crate) fn keep_written(&mut self, account: &AccountSequence) {
        self.written.insert(account.clone());
        if let Some(standing) = self.accounts.get_mut(account) {
            standing.read.revision += 1;
            if let Some(changed) = standing.changed.take() {
                standing.read.talent = changed;
            }
        }
    }

    /// Adds accounts whose records were written before.
    pub(crate) fn keep_all_written(&mut self, accounts: BTreeSet<AccountSequence>) {
        self.written.extend(accounts);
    }

    /// Returns the accounts whose records were written.
    pub(crate) fn written(&self) -> &BTreeSet<AccountSequence> {
        &self.written
    }

    pub(crate) fn names(&self) -> Vec<AccountSequence> {
        self.accounts.keys().cloned().collect()
    }

    pub(crate) fn record(&self, account: &AccountSequence) -> Option<&StoredTalent> {
        self.accounts.get(account).map(|standing| &standing.read)
    }

    /// Returns the account's record as it should be.
    pub(crate) fn now(&self, account: &AccountSequence) -> Option<&Talent> {
        self.accounts.get(account).map(Standing::now)
    }

    fn now_mut(&mut self, account: &AccountSequence) -> Option<&mut Talent> {
        self.accounts.get_mut(account).map(Standing::now_mut)
    }
}
