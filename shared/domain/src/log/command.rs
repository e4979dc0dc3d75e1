//! The commands of operators, and their outcomes.

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
        /// The order; `None` for all adoptions.
        order: Option<OrderId>,
    },
    /// Let changes go that wait at a brake, or a close that the guard stops.
    LetGo {
        /// What is let go.
        what: Paused,
    },
    /// Stop a kind of work.
    Pause {
        /// The kind of work.
        scope: PauseScope,
    },
    /// Take a kind of work up again.
    Resume {
        /// The kind of work.
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

impl PauseScope {
    /// Returns its name, as commands write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Posting => "posting",
            Self::Closing => "closing",
            Self::Corrections => "corrections",
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandOutcome {
    /// It was carried out, and the log does not say what it changed: a note, or a log from before that was kept.
    Done,
    /// It was refused, for this reason.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// It was carried out, or what follows from it has begun.
    Changed {
        /// What it is about as that stood before, in words.
        before: String,
        /// The same as it stands with this entry.
        after: String,
    },
}

impl CommandOutcome {
    /// Returns whether the command was carried out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// Returns why the command was refused, if it was.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused { reason } => Some(reason),
            Self::Done | Self::Changed { .. } => None,
        }
    }

    /// Returns the state before the command and after it, where the log says so.
    #[must_use]
    pub fn change(&self) -> Option<(&str, &str)> {
        match self {
            Self::Changed { before, after } => Some((before, after)),
            Self::Done | Self::Refused { .. } => None,
        }
    }
}

/// What a command changes outside the log, in words. The log cannot know it: the asker states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedChange {
    /// What the command is about as that stood when it was asked for.
    pub before: String,
    /// The same as it stands once the command is carried out.
    pub after: String,
}

/// An amount that is moved by hand (rules, section 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustmentTerms {
    /// Who gives.
    pub giver: Owner,
    /// Who receives.
    pub receiver: Owner,
    /// The amount.
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
