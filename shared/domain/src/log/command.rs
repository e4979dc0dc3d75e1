//! What operators ask for, and what became of it.

use serde::{Deserialize, Serialize};

use super::outbound::{WebhookChange, WebhookName};
use crate::{Amount, BusinessDate, OrderId, Owner, VersionTerms};

/// What an operator can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Introduce a version of the rules.
    Introduce(Box<VersionTerms>),
    /// Move an amount.
    Adjust(Box<AdjustmentTerms>),
    /// Close dates up to this one.
    Close {
        /// The last date to close.
        until: BusinessDate,
        /// Whether the close need not wait for proof that the source has been read.
        source_is_complete: bool,
    },
    /// Compare adoptions again: one, or all.
    Repair {
        /// Which one.
        order: Option<OrderId>,
    },
    /// Let go what waits, or what a guard stops.
    LetGo {
        /// What.
        what: Paused,
    },
    /// Stop a kind of work.
    Pause {
        /// Which.
        scope: PauseScope,
    },
    /// Take a kind of work up again.
    Resume {
        /// Which.
        scope: PauseScope,
    },
    /// No longer wait for a source that was replaced.
    RetireSource {
        /// Its name.
        source: String,
    },
    /// Take over places of another stack's price book.
    TakeOverPlaces {
        /// Each order and the trees before it.
        places: Vec<(OrderId, u64)>,
    },
    /// Something done outside the log that is to be remembered in it, in words.
    Note {
        /// What was done.
        text: String,
    },
    /// Something that an operator asked for and that was refused before it came to the decider. It is always refused.
    Rejected {
        /// What was asked for, as far as it could be read.
        what: String,
        /// Why it was refused.
        why: String,
    },
    /// Change what is sent to a subscriber of events.
    Webhook {
        /// The subscriber.
        name: WebhookName,
        /// What changes.
        change: WebhookChange,
    },
}

/// What a command lets go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Paused {
    /// Everything that waits at the brake.
    Brake,
    /// The closes up to this date, as far as the guard stops them.
    SuspiciousClose {
        /// The date.
        date: BusinessDate,
    },
    /// A table that the source truncated. The rows that it removed go once this is let go.
    Truncate {
        /// Its key.
        key: String,
    },
}

/// A kind of work that can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseScope {
    /// Posting adoptions that are new.
    Posting,
    /// Closing dates.
    Closing,
    /// Correcting what is posted.
    Corrections,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandOutcome {
    /// It was carried out, or what follows from it has begun.
    Done,
    /// It was refused, for this reason.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// An amount that is moved by hand (rules, section 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustmentTerms {
    /// Who gives.
    pub giver: Owner,
    /// Who receives.
    pub receiver: Owner,
    /// How much.
    pub amount: Amount,
    /// From which date it is active.
    pub effective_date: BusinessDate,
    /// From which date it is no longer active, if it expires.
    pub expire_date: Option<BusinessDate>,
    /// Where it is documented.
    pub reference: String,
}

/// A table that the source truncated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncate {
    /// Where it stands in the source; it is let go under this key.
    pub key: String,
    /// The table.
    pub table: String,
    /// When the source committed it, in milliseconds since 1970.
    pub committed_ms: i64,
}
