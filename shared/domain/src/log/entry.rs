//! What a page of the log can hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::command::{AdjustmentTerms, Command, CommandOutcome, Truncate};
use crate::{
    AccountSequence, AdoptionRow, BusinessDate, Link, OrderId, OrderRange, Posting, RowKey, TermsFault,
    VersionNumber, VersionTerms,
};

/// One thing that was taken in or decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Input: the referral row with this key names `account` with this referrer, or no longer names it.
    ReferralRow {
        /// The account.
        account: AccountSequence,
        /// The row's key.
        key: RowKey,
        /// The referrer it names; `None` where the row no longer names the account.
        row: Option<Option<AccountSequence>>,
    },
    /// Input: the adoption row with this key names `order` with these columns, or no longer names it.
    AdoptionRow {
        /// The order.
        order: OrderId,
        /// The row's key.
        key: RowKey,
        /// Its columns; `None` where the row no longer names the order.
        row: Option<Box<AdoptionRow>>,
    },
    /// Decision: the account hangs elsewhere in the forest from here on.
    Upline(UplineChange),
    /// Decision: a change of the account's upline waits, and the upline before stays in force.
    UplineWaits(UplineWait),
    /// Decision: the account's upline no longer waits.
    UplineWaitEnded {
        /// The account.
        account: AccountSequence,
        /// Until when it was to wait, in milliseconds since 1970.
        until_ms: i64,
        /// How many posted adoptions were counted when it began to wait.
        adoptions: u32,
    },
    /// Decision: a change of the order's row waits, and the row before stays in force.
    OrderWaits(Box<OrderWait>),
    /// Decision: the order's row no longer waits.
    OrderWaitEnded {
        /// The order.
        order: OrderId,
        /// Until when it was to wait, in milliseconds since 1970.
        until_ms: i64,
    },
    /// Decision: a row names this order for the first time.
    OrderSeen {
        /// The order.
        order: OrderId,
    },
    /// Decision: how many trees of the order count for the prices of later ones.
    Eligible {
        /// The order.
        order: OrderId,
        /// How many counted before.
        before: u32,
        /// How many count now.
        after: u32,
    },
    /// Decision: the order's place in the price book, for ever.
    Placed {
        /// The order.
        order: OrderId,
        /// The trees of all eligible adoptions with a smaller order number.
        trees_before: u64,
        /// Through which commit the source was read when it was decided, in milliseconds since 1970; `None` where
        /// the place was taken over.
        read_through_ms: Option<i64>,
    },
    /// Decision: the order is eligible and has no price yet; its turn in the price book comes.
    Unpriced {
        /// The order.
        order: OrderId,
        /// The commit of its row at the source, in milliseconds since 1970; `None` where the row was in the log before.
        committed_ms: Option<i64>,
    },
    /// Decision: the adoption is posted with these legs.
    Posted {
        /// The order.
        order: OrderId,
        /// Its legs.
        posting: Box<Posting>,
        /// What this changes in its account's first order.
        first_order: Option<FirstOrderChange>,
        /// Why, where it is not the order's own arrival.
        cause: Cause,
    },
    /// Decision: a posted adoption is corrected: the posting that stands is taken back, and the one that should stand
    /// is posted.
    Corrected(Box<Correction>),
    /// Decision: a posted adoption is taken back.
    Withdrawn {
        /// The order.
        order: OrderId,
        /// What is taken back.
        posting: Box<Posting>,
        /// What this changes in its account's first order.
        first_order: Option<FirstOrderChange>,
        /// The cause.
        cause: Cause,
    },
    /// Decision: the adoption is held, for this reason.
    Held(Held),
    /// Decision: the adoption is no longer held for this reason.
    HoldEnded(Held),
    /// Decision: no row of the order is left, so that it is neither posted nor held.
    Gone {
        /// The order.
        order: OrderId,
    },
    /// Decision: adoptions below an account are to be compared again.
    WalkBegan(Walk),
    /// Decision: a walk came so far.
    WalkStepped {
        /// Which walk.
        walk: WalkId,
        /// How far.
        place: WalkPlace,
    },
    /// Decision: a walk is over.
    WalkEnded {
        /// Which walk.
        walk: WalkId,
    },
    /// Input: a version of the rules is introduced.
    VersionIntroduced(Box<VersionTerms>),
    /// Input: an amount is moved by hand.
    Adjusted(Box<AdjustmentTerms>),
    /// Input: a command of an operator, and its outcome.
    Commanded {
        /// Under which key it was asked for; a repeated command has the same.
        idempotency_key: String,
        /// The operator who asked.
        by: String,
        /// The reason that the operator gave.
        reason: String,
        /// The command that was asked for.
        command: Command,
        /// What became of it.
        outcome: CommandOutcome,
    },
    /// Decision: the close of a date waits, and for what.
    CloseWaits {
        /// The date.
        date: BusinessDate,
        /// What it waits for; the first few, in words.
        reasons: Vec<String>,
    },
    /// Decision: the date is closed, and this page is its cut. It is the last entry of its page.
    Close(CloseTerms),
    /// Input: the source truncated a table. Its rows stay in force until an operator lets it go.
    TruncateWaits(Truncate),
}

/// Why an entry was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The order's own row arrived or changed.
    Row,
    /// The order's place in the price book was decided.
    Price,
    /// The date of the adoption came.
    Date,
    /// Another adoption was posted, corrected or withdrawn, which changed what its upline had unlocked.
    Unlock {
        /// The other adoption.
        order: OrderId,
    },
    /// An account of its upline, or the adopter, hangs elsewhere now.
    Upline {
        /// The account that was moved.
        account: AccountSequence,
    },
    /// A version of the rules was introduced.
    Version {
        /// Its number.
        number: VersionNumber,
    },
    /// An operator asked for a repair.
    Repair,
}

/// Why a change waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangedBecause {
    /// The row went away.
    RowGone,
    /// The row says something else.
    RowChanged,
}

/// A change of where an account hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplineChange {
    /// The account.
    pub account: AccountSequence,
    /// Where it hung.
    pub before: Link,
    /// Where it hangs now.
    pub after: Link,
    /// Its own first posted order, which counts for its referrer.
    pub first_order: Option<OrderId>,
}

/// A change of where an account hangs that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplineWait {
    /// The account.
    pub account: AccountSequence,
    /// What stays in force.
    pub in_force: Link,
    /// When it began to wait, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it stops waiting, in milliseconds since 1970.
    pub until_ms: i64,
    /// How many posted adoptions are concerned, as far as they were counted.
    pub adoptions: u32,
    /// Why it changed.
    pub because: ChangedBecause,
}

/// A change of an order's row that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderWait {
    /// The order.
    pub order: OrderId,
    /// What stays in force.
    pub in_force: AdoptionRow,
    /// When it began to wait, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it stops waiting, in milliseconds since 1970.
    pub until_ms: i64,
    /// Why it changed.
    pub because: ChangedBecause,
}

/// What a posting or its withdrawal changes in its account's first posted order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstOrderChange {
    /// The first order before.
    pub before: Option<OrderId>,
    /// The first order now.
    pub after: Option<OrderId>,
    /// The account's referrer in force, for whom it counts.
    pub referrer: Option<AccountSequence>,
}

/// A balancing entry: it takes the posting back that stood, and posts the one that should stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The order.
    pub order: OrderId,
    /// What is taken back.
    pub was: Posting,
    /// What is posted in its place, to the same account.
    pub is: Posting,
    /// The cause.
    pub cause: Cause,
}

/// An adoption that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The order.
    pub order: OrderId,
    /// Why it is held.
    pub reason: HoldReason,
    /// When it is looked at again although nothing changed, in milliseconds since 1970.
    pub look_again_ms: Option<i64>,
}

/// Why an adoption is held (rules, section 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReason {
    /// The status is not distributable.
    Status,
    /// The terms are missing, cannot be read, or break the bounds.
    InvalidTerms(TermsFault),
    /// It is dated later than tomorrow.
    NotYet,
    /// This account, the adopter or one of its ancestors, has no referral row.
    NoReferral(AccountSequence),
    /// The walk over the adopter and its ancestors meets this account twice.
    ReferralCycle(AccountSequence),
    /// This account decides legs and cannot be read from storage.
    AccountUnreadable(AccountSequence),
    /// An operator stopped posting. It is posted once posting goes on.
    PostingPaused,
}

impl HoldReason {
    /// Returns the reason's name on every wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "STATUS",
            Self::InvalidTerms(_) => "INVALID_TERMS",
            Self::NotYet => "NOT_YET",
            Self::NoReferral(_) => "NO_REFERRAL",
            Self::ReferralCycle(_) => "REFERRAL_CYCLE",
            Self::AccountUnreadable(_) => "ACCOUNT_UNREADABLE",
            Self::PostingPaused => "POSTING_PAUSED",
        }
    }

    /// Returns the account that the reason is about, if it is about one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountSequence> {
        match self {
            Self::NoReferral(account) | Self::ReferralCycle(account) | Self::AccountUnreadable(account) => {
                Some(account)
            }
            Self::Status | Self::InvalidTerms(_) | Self::NotYet | Self::PostingPaused => None,
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match self {
            Self::InvalidTerms(fault) => write!(formatter, ": {fault}"),
            Self::NoReferral(account) | Self::ReferralCycle(account) | Self::AccountUnreadable(account) => {
                write!(formatter, ": {account}")
            }
            Self::Status | Self::NotYet | Self::PostingPaused => Ok(()),
        }
    }
}

/// The number of a walk: the position of the page it began in, and its place among that page's walks.
pub type WalkId = (u64, u32);

/// Adoptions that are to be compared again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// Its number.
    pub id: WalkId,
    /// Where it leads.
    pub scope: WalkScope,
    /// Which orders are compared.
    pub orders: OrderRange,
    /// The cause.
    pub cause: Cause,
}

/// Where a walk leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WalkScope {
    /// To the accounts below an account, depth first.
    Below {
        /// The account at the top.
        root: AccountSequence,
        /// Whether the adoptions of the account at the top are compared, too.
        includes_root: bool,
        /// How many levels below are compared.
        depth: u8,
    },
    /// To every order in the range, in ascending order.
    Everywhere,
}

/// How far a walk came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WalkPlace {
    /// Before the first account or order.
    Start,
    /// The path from the account at the top to the last account that was compared; empty at the top itself.
    Path(Vec<AccountSequence>),
    /// The last order that was compared.
    Order(OrderId),
}

/// How far a partition of the source was read, as a decision relied on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionProgress {
    /// Topic and partition.
    pub partition: String,
    /// The next offset.
    pub offset: i64,
    /// Everything the source committed up to here was read, in milliseconds since 1970.
    pub read_through_ms: i64,
}

/// The close of a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseTerms {
    /// The date.
    pub date: BusinessDate,
    /// The date that was closed before, if there is one.
    pub previous: Option<BusinessDate>,
    /// The position of the close before; 0 if there is none.
    pub previous_cut: u64,
    /// The progress that the close relied on.
    pub progress: Vec<PartitionProgress>,
}
