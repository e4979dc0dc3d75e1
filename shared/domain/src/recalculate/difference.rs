//! The differences that a recalculation finds between what stands and what should.

use serde::{Deserialize, Serialize};

use crate::heads::{SumKey, Totals};
use crate::log::HoldReason;
use crate::{AccountSequence, OrderId, Owner, Posting};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Difference {
    /// An adoption.
    Adoption {
        /// The order.
        order: OrderId,
        /// What stands.
        stands: Standing,
        /// What should stand.
        should: Standing,
    },
    /// How many trees of an order count for the prices of later ones.
    EligibleTrees {
        /// The order.
        order: OrderId,
        /// What stands.
        stands: u32,
        /// What should stand.
        should: u32,
    },
    /// What an owner has in all, against the legs of the posted adoptions and the adjustments.
    Totals(Box<TotalsDifference>),
    /// What decides an account's unlocks.
    UnlockFacts {
        /// The account.
        account: AccountSequence,
    },
    /// An account's record lines do not add up to what it has in all.
    Lines {
        /// The account.
        owner: Owner,
    },
    /// The stored head of an adoption is not what the log says.
    AdoptionHead {
        /// The order.
        order: OrderId,
    },
    /// The stored head of an account has it hang elsewhere than the log.
    Upline {
        /// The account.
        account: AccountSequence,
    },
    /// The stored head of an account is missing, or cannot be read.
    AccountHead {
        /// The account.
        owner: Owner,
    },
    /// The stored sum of trees is not what the log says, or is missing.
    TreeSum {
        /// Its level and prefix.
        key: SumKey,
    },
    /// The list of held adoptions does not say of an order what the log says.
    HeldList {
        /// The order.
        order: OrderId,
    },
    /// The list of the accounts that ever had this referrer lacks one.
    ChildrenList {
        /// The referrer.
        referrer: AccountSequence,
    },
    /// The list of system accounts lacks one.
    SystemAccountList {
        /// The account.
        owner: Owner,
    },
    /// An account's talent is not what the referrers give.
    Talent {
        /// The account.
        account: AccountSequence,
        /// What is wrong with it.
        fault: TalentFault,
    },
}

/// What is wrong with an account's talent: the first of these that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TalentFault {
    /// The record names another referrer, or another page that changed it.
    Referrer,
    /// The record has the account on another ring.
    Ring,
    /// The team is another one.
    Team,
    /// The level is another one.
    Level,
    /// Another level was published, although the account's user is known.
    Published,
    /// The record does not say which reports of direct referrals the team includes.
    Reports,
}

/// What an owner has in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsDifference {
    /// The account.
    pub owner: Owner,
    /// What stands.
    pub stands: Totals,
    /// What should stand.
    pub should: Totals,
}

/// What becomes of an adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing.
    Absent,
    /// It waits for its place in the price book.
    Unpriced,
    /// It is held.
    Held(HoldReason),
    /// It is posted.
    Posted(Box<Posting>),
}

impl Difference {
    /// Returns the order that comparing again would correct, if the difference is about one.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::Adoption { order, .. } | Self::EligibleTrees { order, .. } => Some(*order),
            Self::Totals(_)
            | Self::UnlockFacts { .. }
            | Self::Lines { .. }
            | Self::AdoptionHead { .. }
            | Self::Upline { .. }
            | Self::AccountHead { .. }
            | Self::TreeSum { .. }
            | Self::HeldList { .. }
            | Self::ChildrenList { .. }
            | Self::SystemAccountList { .. }
            | Self::Talent { .. } => None,
        }
    }

    /// Returns what the difference is about: an order, an account or a sum.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Adoption { order, .. }
            | Self::EligibleTrees { order, .. }
            | Self::AdoptionHead { order }
            | Self::HeldList { order } => format!("order {order}"),
            Self::Totals(difference) => difference.owner.to_string(),
            Self::Lines { owner } | Self::AccountHead { owner } | Self::SystemAccountList { owner } => {
                owner.to_string()
            }
            Self::UnlockFacts { account } | Self::Upline { account } | Self::Talent { account, .. } => {
                account.to_string()
            }
            Self::ChildrenList { referrer } => referrer.to_string(),
            Self::TreeSum { key: (level, prefix) } => format!("trees at level {level}, prefix {prefix:x}"),
        }
    }

    /// Returns the difference's name on every wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adoption { .. } => "ADOPTION",
            Self::EligibleTrees { .. } => "ELIGIBLE_TREES",
            Self::Totals(_) => "TOTALS",
            Self::UnlockFacts { .. } => "UNLOCK_FACTS",
            Self::Lines { .. } => "LINES",
            Self::AdoptionHead { .. } => "ADOPTION_HEAD",
            Self::Upline { .. } => "UPLINE",
            Self::AccountHead { .. } => "ACCOUNT_HEAD",
            Self::TreeSum { .. } => "TREE_SUM",
            Self::HeldList { .. } => "HELD_LIST",
            Self::ChildrenList { .. } => "CHILDREN_LIST",
            Self::SystemAccountList { .. } => "SYSTEM_ACCOUNT_LIST",
            Self::Talent { .. } => "TALENT",
        }
    }
}
