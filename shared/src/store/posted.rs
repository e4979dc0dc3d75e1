//! Where postings left accounts: the outbox of the distribution.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::journal::EntryId;
use super::key::Key;
use super::referral::TreeId;
use super::{Action, Item, StoreError};
use crate::rules::{AccountSequence, Amount, AmountOverflow};

/// What one transaction posted to the accounts of one tree, and where that left them.
///
/// It is written with the entries themselves, so that a total is published if and only if it came
/// about. An account is in one tree for ever and postings to a tree take turns, so the versions of its
/// tree put everything that ever happened to it in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The tree.
    pub tree: TreeId,
    /// The version of the tree's cursor that the posting led to.
    pub version: u64,
    /// The entries posted, in order; each concerns some of the accounts.
    pub entries: Vec<EntryId>,
    /// The accounts of the tree that were posted to.
    pub accounts: Vec<PostedAccount>,
    /// When. Milliseconds since 1970.
    pub posted_at_ms: i64,
}

/// Where a posting left an account.
///
/// Stored as one text, for example `D25122700018 0.0000000000 226.1700000000 1130.8500000000 0.0000000000`,
/// because a posting has many and the store charges for every attribute name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PostedAccount {
    /// The account.
    pub account: AccountSequence,
    /// From its own adoptions, all time.
    pub personal: Amount,
    /// From descendants' adoptions, by level, all time.
    pub team_level: Amount,
    /// From direct referrals' adoptions, by bonus tier, all time.
    pub team_bonus: Amount,
    /// Active as of the last close.
    pub effective: Amount,
}

impl Posted {
    /// The write that goes into the posting's transaction.
    pub fn write(&self) -> Result<Action, StoreError> {
        Action::put(Item::encode(&Key::posted(&self.tree, self.version), self))
    }
}

impl PostedAccount {
    /// An account as a posting left it.
    #[must_use]
    pub fn of(account: &AccountSequence, state: &Account) -> Self {
        Self {
            account: account.clone(),
            personal: state.personal,
            team_level: state.team_level,
            team_bonus: state.team_bonus,
            effective: state.effective,
        }
    }

    /// Everything posted, all time.
    pub fn total(&self) -> Result<Amount, AmountOverflow> {
        Amount::sum([self.personal, self.team_level, self.team_bonus])
    }
}

impl fmt::Display for PostedAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, personal, team_level, team_bonus, effective } = self;
        write!(formatter, "{account} {personal} {team_level} {team_bonus} {effective}")
    }
}

impl FromStr for PostedAccount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(' ');
        let mut read = || {
            let account = parts.next()?.parse().ok()?;
            let mut amount = || parts.next()?.parse().ok();
            let posted = Self {
                account,
                personal: amount()?,
                team_level: amount()?,
                team_bonus: amount()?,
                effective: amount()?,
            };
            parts.next().is_none().then_some(posted)
        };
        read().ok_or_else(|| format!("{text:?} does not say where a posting left an account"))
    }
}

impl From<PostedAccount> for String {
    fn from(posted: PostedAccount) -> Self {
        posted.to_string()
    }
}

impl TryFrom<String> for PostedAccount {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
