//! Folds pages of the log into an account's head, and moves lines that no longer fit it to pages of their own.
//!
//! Where a page of lines ends follows from the lines alone, so that folding the same pages again, at once or a few at a
//! time, gives the same head and the same pages of lines.

use domain::heads::Line;
use domain::log::{Entry, Position};
use domain::{AmountOverflow, Owner};

use crate::heads::{AccountHead, At, LinePage};

/// An account's lines stay in its head up to about this size, so that a head is one write unit.
const RECENT_BYTES_MAX: usize = 640;
/// Every run writes the system accounts' heads, with half of this on average; their pages of lines are larger.
const SYSTEM_RECENT_BYTES_MAX: usize = 3_000;

/// An account's head while pages are folded into it.
#[derive(Debug, Clone)]
pub struct AccountFold<'a> {
    owner: &'a Owner,
    head: AccountHead,
    before: Position,
    position: Position,
    filled: Vec<(u32, LinePage)>,
}

impl<'a> AccountFold<'a> {
    /// Returns the fold that begins with a head as it is stored.
    #[must_use]
    pub fn from(owner: &'a Owner, at: &At<AccountHead>) -> Self {
        Self { owner, head: at.head.clone(), before: at.position, position: at.position, filled: Vec::new() }
    }

    /// Folds an entry into the account's place in the forest, unless the head includes its page already.
    pub fn add_entry(&mut self, position: Position, entry: &Entry) {
        if position <= self.before {
            return;
        }
        self.position = position;
        if let Owner::User(account) = self.owner {
            self.head.node.apply(account, entry);
        }
    }

    /// Adds a line, unless the head includes its page already.
    ///
    /// # Errors
    ///
    /// [`AmountOverflow`] where the account would have more than an amount can be.
    pub fn add_line(&mut self, line: Line) -> Result<(), AmountOverflow> {
        if line.position <= self.before {
            return Ok(());
        }
        self.position = line.position;
        let bytes_max = match self.owner {
            Owner::User(_) => RECENT_BYTES_MAX,
            Owner::System(_) => SYSTEM_RECENT_BYTES_MAX,
        };
        if self.head.lines_are_full(bytes_max) {
            self.flush()?;
        }
        self.head.money.add(line)
    }

    /// Moves the recent lines to a page of their own.
    fn flush(&mut self) -> Result<(), AmountOverflow> {
        let lines = std::mem::take(&mut self.head.money.lines.recent);
        let opening = self.head.money.totals.without(&lines)?;
        self.filled.push((self.head.money.lines.pages, LinePage { opening, lines }));
        self.head.money.lines.pages += 1;
        Ok(())
    }

    /// Returns the pages of lines that were filled since this was asked last, with their numbers.
    ///
    /// They are written before the head: a head may only say that its lines were moved once the page of them is there.
    pub fn take_filled(&mut self) -> Vec<(u32, LinePage)> {
        std::mem::take(&mut self.filled)
    }

    /// Returns the head, and the position of the last page that changed it.
    #[must_use]
    pub fn head(&self) -> (&AccountHead, Position) {
        (&self.head, self.position)
    }
}
