//! What the world around the functions does.

use super::clients::{Command, Rivals};
use super::feed::Written;

/// What the world around the functions does.
pub(super) enum Act {
    Write(Written),
    Read,
    Ask(Command),
    /// Two operators ask for something under one key.
    AskBoth(Rivals),
    /// An operator says something of a subscription.
    Say(Word),
    Audit,
    /// The source truncates a table.
    Truncate(Written),
    /// A schedule calls a function once more than it should, or an operator does beside it.
    CallAgain(&'static str),
    Recreate,
}

/// What an operator says of a subscription, when what came so far is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// To send everything after a place again.
    Replay,
    /// To send a delivery once more.
    Redeliver,
    /// To sign with another secret.
    RotateSecret,
}
