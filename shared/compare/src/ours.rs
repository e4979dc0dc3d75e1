//! What the ledger says of accounts and adoptions, as it is handed in.

use std::collections::BTreeMap;

use domain::{
    AccountSequence, Amount, BusinessDate, Leg, OrderId, Owner, Policy, SystemAccount, UnlockFacts,
};

/// The ledger, as far as it is compared.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// Every account that has anything, or decides anything.
    pub accounts: BTreeMap<Owner, OurAccount>,
    /// Every adoption that the ledger knows.
    pub adoptions: BTreeMap<OrderId, OurAdoption>,
    /// The closed dates.
    pub dates: BTreeMap<BusinessDate, OurDate>,
}

/// An account of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OurAccount {
    /// What it has in total.
    pub total: Amount,
    /// What of it was moved by hand.
    pub adjusted: Amount,
    /// What decides its unlocks.
    pub facts: UnlockFacts,
}

/// An adoption of the ledger.
#[derive(Debug, Clone)]
pub enum OurAdoption {
    /// It is posted.
    Posted {
        /// Its legs.
        legs: Vec<Leg>,
        /// How many trees.
        trees: u32,
        /// Trees times contribution of a tree.
        total: Amount,
        /// The numbers that judge it.
        policy: Box<Policy>,
    },
    /// It is held, for this reason.
    Held(&'static str),
    /// No row names it any more.
    Absent,
}

/// A closed date of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OurDate {
    /// What the whole network has.
    pub network: Amount,
    /// Each row: what is effective, and its share in 10⁻¹⁸.
    pub rows: BTreeMap<Owner, (Amount, i128)>,
}

/// Returns the account by which an owner is compared: regions count together.
#[must_use]
pub fn compared_owner(owner: &Owner) -> Owner {
    match owner {
        Owner::System(SystemAccount::Province(_)) => Owner::System(SystemAccount::Province(None)),
        Owner::System(SystemAccount::City(_)) => Owner::System(SystemAccount::City(None)),
        other => other.clone(),
    }
}

impl Ours {
    /// Returns what decides the unlocks of an account.
    pub(crate) fn facts(&self, account: &AccountSequence) -> Option<&UnlockFacts> {
        self.accounts.get(&Owner::User(account.clone())).map(|account| &account.facts)
    }
}
