//! Why an adoption was shared out as it was, and why an account did or did not receive something.
//!
//! What stands in the journal is told from the journal; what decided it is told from the unlock facts,
//! which say for every order what was unlocked as of it. The answers are plain data, and read as text.

mod account;
mod adoption;
mod text;

use std::collections::{BTreeSet, HashMap};

pub use account::{AccountExplanation, Relation};
pub use adoption::{
    AdoptionExplanation, AncestorExplanation, DirectAdopter, EntryExplanation, LegExplanation, LegMove,
    LegReason, Requirement, Standing,
};

use crate::rules::{AccountSequence, OrderId, Policy, UnlockFacts};
use crate::store::{AdoptionRecord, Chain, Chains, JournalEntry, ReferralRecord, Store, StoreError};

/// Why there is no explanation.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExplainError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored facts do not decide every order.
    #[error("the unlock facts of {account} are incomplete; run the audit with repair")]
    FactsIncomplete {
        /// Whose.
        account: AccountSequence,
    },
    /// The entries contradict each other.
    #[error("the entries of adoption {order} give one share to two recipients; run the audit")]
    Inconsistent {
        /// The adoption.
        order: OrderId,
    },
}

/// Explains an adoption; `None` if no row of it ever arrived.
pub async fn adoption(
    store: &Store,
    policy: &Policy,
    order: OrderId,
) -> Result<Option<AdoptionExplanation>, ExplainError> {
    let Some(record) = store.adoptions([order]).await?.remove(&order) else { return Ok(None) };
    let known = Known::read(store, policy, record).await?;
    AdoptionExplanation::new(&known, policy).map(Some)
}

/// Explains what an account has to do with an adoption; `None` if no row of the adoption ever arrived.
pub async fn account(
    store: &Store,
    policy: &Policy,
    order: OrderId,
    account: &AccountSequence,
) -> Result<Option<AccountExplanation>, ExplainError> {
    let Some(adoption) = self::adoption(store, policy, order).await? else { return Ok(None) };
    let relation = match &adoption.account {
        Some(adopter) if adopter == account => Relation::Adopter,
        Some(adopter) => relation(store, policy, adopter, account).await?,
        None => Relation::Unknown,
    };
    Ok(Some(AccountExplanation::new(&adoption, account, relation)))
}

/// How far above the adopter an account is, however far that is.
async fn relation(
    store: &Store,
    policy: &Policy,
    adopter: &AccountSequence,
    account: &AccountSequence,
) -> Result<Relation, ExplainError> {
    let mut below = adopter.clone();
    let mut level = 0_u32;
    let mut seen = BTreeSet::new();
    loop {
        let record = store.referrals([below.clone()]).await?.into_iter().next();
        let Some(record) = record.filter(ReferralRecord::has_arrived) else {
            return Ok(Relation::ChainUnknown { missing: below });
        };
        // A resolved row names many ancestors at once, another one only the next.
        let above = match &record.lineage {
            Some(lineage) => lineage.ancestors.clone(),
            None => record.referrer.into_iter().collect(),
        };
        for ancestor in &above {
            level += 1;
            if ancestor == account {
                let levels = policy.level_count();
                return Ok(match u8::try_from(level).ok().filter(|level| *level <= levels) {
                    Some(level) => Relation::Ancestor { level },
                    None => Relation::BeyondLevels { level, levels },
                });
            }
        }
        match above.last() {
            // Rows that close a cycle are withdrawn; one that is just being is no way up.
            Some(top) if seen.insert(top.clone()) => below = top.clone(),
            _ => return Ok(Relation::NotAnAncestor),
        }
    }
}

/// What an explanation is made of.
#[derive(Debug)]
struct Known {
    record: AdoptionRecord,
    chain: Option<Chain>,
    facts: HashMap<AccountSequence, UnlockFacts>,
    /// The adopter of each order that unlocked something.
    adopters: HashMap<OrderId, AccountSequence>,
    entries: Vec<JournalEntry>,
}

impl Known {
    async fn read(store: &Store, policy: &Policy, record: AdoptionRecord) -> Result<Self, ExplainError> {
        let mut chain = None;
        if let Some(row) = &record.row {
            let mut chains = Chains::new(store, policy.level_count());
            chains.load([row.account.clone()]).await?;
            chain = Some(chains.peek(&row.account));
        }
        let ancestors = match &chain {
            Some(Chain::Known { ancestors, .. }) => ancestors.clone(),
            _ => Vec::new(),
        };
        let accounts = store.accounts(ancestors).await?;
        let facts: HashMap<AccountSequence, UnlockFacts> =
            accounts.into_iter().map(|(account, state)| (account, state.unlock)).collect();
        let unlocking = facts.values().flat_map(|facts| facts.direct_first_orders().iter().copied());
        let adoptions = store.adoptions(unlocking.collect::<BTreeSet<_>>()).await?;
        let adopters = adoptions
            .into_iter()
            .filter_map(|(order, record)| record.row.map(|row| (order, row.account)))
            .collect();
        let entries = store.entries(record.order).await?;
        Ok(Self { record, chain, facts, adopters, entries })
    }
}
