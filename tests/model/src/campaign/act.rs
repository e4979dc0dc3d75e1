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
    Audit,
    /// The source truncates a table.
    Truncate(Written),
    /// A schedule calls a function once more than it should, or an operator does beside it.
    CallAgain(&'static str),
    Recreate,
}
