//! Situations that a campaign must have been in, and how often it was.

use std::collections::{BTreeMap, BTreeSet};

use domain::log::{Cause, Command, CommandOutcome, Entry, HoldReason, Page, Paused, WalkScope};
use domain::{Link, OrderId};

use super::returning_order;
use crate::bench::SENDER_DIED;

/// The situations that every campaign of some length is in.
pub const NAMED: [&str; 72] = [
    "a close waited",
    "a connector read a snapshot between changes",
    "a connector read rows between watermarks",
    "a connector sent old changes again",
    "a cycle as long as the levels closed",
    "a cycle longer than the levels closed",
    "a cycle of forty accounts closed",
    "a cycle of one account closed",
    "a cycle of two accounts closed",
    "a database failed over to a lower log",
    "a date was closed",
    "a hold for a cycle ended",
    "a hold for a missing referral ended",
    "a hold for a status ended",
    "a page's number was taken",
    "a part of a snapshot was there already",
    "a place in the price book was decided",
    "a place was decided although an earlier order came later",
    "a posting came back",
    "a posting was corrected",
    "a posting was corrected because an account moved",
    "a posting was corrected because of another's unlock",
    "a posting was withdrawn",
    "a topic got another partition",
    "a walk came to its end",
    "a walk led over more than one page",
    "a withdrawal waited",
    "an account moved below another",
    "an account was read through the API",
    "an account with postings below it became a root",
    "an amount was moved by hand",
    "an amount was refused to be moved",
    "an environment ran on after its time was over",
    "an order came late",
    "an order changed its trees or its price",
    "an order was held for a cycle",
    "an order was held for a missing referral",
    "an order was held for its status",
    "an order was held for its terms",
    "another ingest had stored a row",
    "another projector had moved a head",
    "lines of an account filled a page of their own",
    "transactions overlapped at the source",
    "two dates were closed",
    "a date closed while an order of it was not known",
    "a change below a closed date was listed as restated",
    "amounts became active between two closes",
    "amounts ended between two closes",
    "an order was new after a date was closed",
    "two closes were asked for at once",
    "a version of the rules was introduced",
    "an order was compared again by hand",
    "topics were made anew",
    "a command was asked for under a key that was used",
    "a talent record was written by another run",
    "an audit met another one",
    "an index of dates was moved by another run",
    "a schedule called a function twice",
    "a table was truncated",
    "a truncate was let go",
    "two operators asked under one key",
    "a delivery was sent once more by hand",
    "a period of events was sent again",
    "a secret of a subscription was replaced",
    SENDER_DIED,
    "a subscriber did not answer",
    "a subscriber refused a delivery",
    "a subscriber took a delivery and its answer was lost",
    "a subscriber wanted nothing any more",
    "a subscription was stopped and resumed",
    "another invocation had moved a subscription",
    returning_order::SITUATION,
];

/// Those of them that only a longer campaign is in.
pub(super) const RARE: [&str; 3] =
    ["a secret of a subscription was replaced", SENDER_DIED, "another invocation had moved a subscription"];

/// How often each situation was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situations {
    counts: BTreeMap<&'static str, u64>,
    posted: BTreeSet<OrderId>,
    withdrawn: BTreeSet<OrderId>,
    placed: BTreeSet<OrderId>,
    walks: u64,
    closes: u64,
}

impl Situations {
    /// Returns how often each situation was met that was met.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Counts a situation.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts a situation so many times.
    pub fn add(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            *self.counts.entry(what).or_default() += times;
        }
    }

    /// Counts what a page of the log shows.
    pub fn see_page(&mut self, page: &Page) {
        let asks = |entry: &&Entry| matches!(entry, Entry::Commanded { command: Command::Close { .. }, .. });
        if page.entries.iter().filter(asks).count() > 1 {
            self.count("two closes were asked for at once");
        }
        for entry in &page.entries {
            self.see_posting(entry);
            self.see_hold(entry);
            self.see_other(entry);
        }
    }

    fn see_posting(&mut self, entry: &Entry) {
        match entry {
            Entry::Posted { order, .. } => {
                if self.posted.last().is_some_and(|last| order < last) && !self.posted.contains(order) {
                    self.count("an order came late");
                    if self.placed.last().is_some_and(|last| order < last) {
                        self.count("a place was decided although an earlier order came later");
                    }
                    if self.closes > 0 {
                        self.count("a date closed while an order of it was not known");
                    }
                }
                if self.withdrawn.remove(order) {
                    self.count("a posting came back");
                }
                self.posted.insert(*order);
            }
            Entry::Corrected(correction) => {
                self.count("a posting was corrected");
                match &correction.cause {
                    Cause::Unlock { .. } => {
                        self.count("a posting was corrected because of another's unlock");
                    }
                    Cause::Upline { .. } => self.count("a posting was corrected because an account moved"),
                    _ => {}
                }
                if correction.was.total != correction.is.total {
                    self.count("an order changed its trees or its price");
                }
            }
            Entry::Withdrawn { order, .. } => {
                self.count("a posting was withdrawn");
                self.withdrawn.insert(*order);
            }
            Entry::Placed { order, .. } => {
                self.count("a place in the price book was decided");
                self.placed.insert(*order);
            }
            _ => {}
        }
    }

    fn see_hold(&mut self, entry: &Entry) {
        let what = match entry {
            Entry::Held(held) => match held.reason {
                HoldReason::ReferralCycle(_) => "an order was held for a cycle",
                HoldReason::NoReferral(_) => "an order was held for a missing referral",
                HoldReason::Status => "an order was held for its status",
                HoldReason::InvalidTerms(_) => "an order was held for its terms",
                _ => return,
            },
            Entry::HoldEnded(held) => match held.reason {
                HoldReason::ReferralCycle(_) => "a hold for a cycle ended",
                HoldReason::NoReferral(_) => "a hold for a missing referral ended",
                HoldReason::Status => "a hold for a status ended",
                _ => return,
            },
            _ => return,
        };
        self.count(what);
    }

    fn see_other(&mut self, entry: &Entry) {
        match entry {
            Entry::Upline(change) => match (&change.before, &change.after) {
                (Link::Under(_) | Link::Root, Link::Under(_)) => self.count("an account moved below another"),
                (Link::Under(_), Link::Root) => self.count("an account with postings below it became a root"),
                _ => {}
            },
            Entry::OrderSeen { .. } if self.closes > 0 => {
                self.count("an order was new after a date was closed");
            }
            Entry::Commanded {
                command: Command::Repair { .. },
                outcome: CommandOutcome::Done | CommandOutcome::Changed { .. },
                ..
            } => {
                self.count("an order was compared again by hand");
            }
            Entry::OrderWaits(_) => self.count("a withdrawal waited"),
            Entry::WalkBegan(walk) => {
                self.walks += 1;
                if matches!(walk.scope, WalkScope::Everywhere) {
                    self.count("a walk led to every order");
                }
            }
            Entry::WalkStepped { .. } => self.count("a walk led over more than one page"),
            Entry::WalkEnded { .. } => self.count("a walk came to its end"),
            Entry::CloseWaits { .. } => self.count("a close waited"),
            Entry::Close(_) => {
                self.closes += 1;
                self.count("a date was closed");
                if self.closes == 2 {
                    self.count("two dates were closed");
                }
            }
            Entry::Adjusted(_) => self.count("an amount was moved by hand"),
            Entry::VersionIntroduced(_) => self.count("a version of the rules was introduced"),
            Entry::Commanded {
                command: Command::LetGo { what: Paused::Truncate { .. } },
                outcome: CommandOutcome::Done | CommandOutcome::Changed { .. },
                ..
            } => self.count("a truncate was let go"),
            Entry::Commanded { outcome: CommandOutcome::Refused { .. }, .. } => {
                self.count("an amount was refused to be moved");
            }
            _ => {}
        }
    }
}
