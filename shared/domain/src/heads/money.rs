//! What an account has, and the lines that it comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::log::{Entry, Position};
use crate::{
    AccountSequence, Amount, AmountOverflow, BusinessDate, OrderId, Owner, Policy, Posting, Slot, Versions,
};

/// What an account has in all, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Of its own adoptions; of a system account, everything but adjustments.
    pub personal: Amount,
    /// Of adoptions below it, by level.
    pub team_level: Amount,
    /// Of its direct referrals' adoptions, by tier.
    pub team_bonus: Amount,
    /// By hand.
    pub adjusted: Amount,
}

impl Totals {
    /// Returns the sum of all kinds.
    pub fn total(&self) -> Result<Amount, AmountOverflow> {
        Amount::sum([self.personal, self.team_level, self.team_bonus, self.adjusted])
    }

    /// Returns these and others together.
    pub fn plus(&self, other: &Self) -> Result<Self, AmountOverflow> {
        Ok(Self {
            personal: self.personal.checked_add(other.personal)?,
            team_level: self.team_level.checked_add(other.team_level)?,
            team_bonus: self.team_bonus.checked_add(other.team_bonus)?,
            adjusted: self.adjusted.checked_add(other.adjusted)?,
        })
    }

    /// Returns what there was before these lines were added.
    pub fn without(mut self, lines: &[Line]) -> Result<Self, AmountOverflow> {
        for line in lines {
            let taken = line.legs.iter().map(|leg| LineLeg { amount: -leg.amount, ..leg.clone() }).collect();
            self.add(&Line { legs: taken, ..line.clone() })?;
        }
        Ok(self)
    }

    /// Adds a line.
    pub fn add(&mut self, line: &Line) -> Result<(), AmountOverflow> {
        for leg in &line.legs {
            let sum = match (line.kind, leg.slot) {
                (LineKind::Adjusted, _) => &mut self.adjusted,
                (_, Slot::TeamLevel(_)) if !line.is_of_system => &mut self.team_level,
                (_, Slot::TeamBonus(_)) if !line.is_of_system => &mut self.team_bonus,
                _ => &mut self.personal,
            };
            *sum = sum.checked_add(leg.amount)?;
        }
        Ok(())
    }
}

/// What one entry of the log gives to one account, or takes from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The page of the entry.
    pub position: Position,
    /// The place of the entry in its page.
    pub index: u32,
    /// When it was decided, in milliseconds since 1970.
    pub time_ms: i64,
    /// What kind of entry.
    pub kind: LineKind,
    /// Whether the account is a system account.
    pub is_of_system: bool,
    /// The order; of an adjustment, none.
    pub order: Option<OrderId>,
    /// The adopter; of an adjustment, none.
    pub adopter: Option<AccountSequence>,
    /// From which date the amounts are active.
    pub effective_date: BusinessDate,
    /// From which date they no longer are; `None` if they never expire.
    pub expire_date: Option<BusinessDate>,
    /// The amounts; negative where they are taken back.
    pub legs: Vec<LineLeg>,
}

impl Line {
    /// Returns the sum of its amounts.
    #[must_use]
    pub fn amount(&self) -> Amount {
        Amount::sum(self.legs.iter().map(|leg| leg.amount)).expect("legs are parts of one total")
    }

    /// Returns whether its amounts are active on `date`.
    #[must_use]
    pub fn is_active_on(&self, date: BusinessDate) -> bool {
        self.effective_date <= date && self.expire_date.is_none_or(|expire| date < expire)
    }
}

/// An amount of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineLeg {
    /// Which leg of the adoption.
    pub slot: Slot,
    /// The account that has not unlocked it, where it went to HEADQUARTERS for that reason.
    pub would_be: Option<AccountSequence>,
    /// Whether it went to HEADQUARTERS because no ancestor is there, or because it is locked.
    pub is_unallocated: bool,
    /// The amount.
    pub amount: Amount,
}

/// What kind of entry a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LineKind {
    /// The adoption was posted.
    Posted,
    /// A correction takes back what was.
    TakenBack,
    /// A correction posts what is.
    Reposted,
    /// The adoption was taken back.
    Withdrawn,
    /// An amount was moved by hand.
    Adjusted,
}

/// An account's lines that have not been moved to a page of their own, and where the others are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The latest lines, in order.
    pub recent: Vec<Line>,
    /// How many pages of lines came before.
    pub pages: u32,
    /// How many lines there are in all.
    pub count: u64,
}

/// What an account has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// In all.
    pub totals: Totals,
    /// Line by line.
    pub lines: Lines,
}

impl Money {
    /// Adds a line.
    pub fn add(&mut self, line: Line) -> Result<(), AmountOverflow> {
        self.totals.add(&line)?;
        self.lines.count += 1;
        self.lines.recent.push(line);
        Ok(())
    }
}

/// Returns the lines that an entry gives to accounts, with the account of each.
#[must_use]
pub fn lines_of(
    entry: &Entry,
    position: Position,
    index: u32,
    time_ms: i64,
    versions: &Versions,
) -> Vec<(Owner, Line)> {
    let at = Place { position, index, time_ms };
    match entry {
        Entry::Posted { order, posting, .. } => {
            at.lines(*order, posting, LineKind::Posted, Sign::Plus, versions)
        }
        Entry::Withdrawn { order, posting, .. } => {
            at.lines(*order, posting, LineKind::Withdrawn, Sign::Minus, versions)
        }
        Entry::Corrected(correction) => {
            let order = correction.order;
            let mut lines = at.lines(order, &correction.was, LineKind::TakenBack, Sign::Minus, versions);
            lines.extend(at.lines(order, &correction.is, LineKind::Reposted, Sign::Plus, versions));
            without_what_cancels_out(&lines)
        }
        Entry::Adjusted(terms) => [(&terms.giver, -terms.amount), (&terms.receiver, terms.amount)]
            .into_iter()
            .map(|(owner, amount)| {
                let line = Line {
                    position,
                    index,
                    time_ms,
                    kind: LineKind::Adjusted,
                    is_of_system: matches!(owner, Owner::System(_)),
                    order: None,
                    adopter: None,
                    effective_date: terms.effective_date,
                    expire_date: terms.expire_date,
                    legs: vec![LineLeg {
                        slot: Slot::Personal,
                        would_be: None,
                        is_unallocated: false,
                        amount,
                    }],
                };
                (owner.clone(), line)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Leaves out the lines of owners to whom a correction gives exactly what it takes.
fn without_what_cancels_out(lines: &[(Owner, Line)]) -> Vec<(Owner, Line)> {
    let same = |one: &Line, other: &Line| {
        (one.effective_date, one.expire_date) == (other.effective_date, other.expire_date)
            && one.legs.len() == other.legs.len()
            && one.legs.iter().zip(&other.legs).all(|(one, other)| {
                one.slot == other.slot
                    && one.would_be == other.would_be
                    && one.is_unallocated == other.is_unallocated
                    && one.amount == -other.amount
            })
    };
    let cancels = |owner: &Owner, line: &Line| {
        let kind = if line.kind == LineKind::TakenBack { LineKind::Reposted } else { LineKind::TakenBack };
        lines
            .iter()
            .any(|(other, counterpart)| other == owner && counterpart.kind == kind && same(line, counterpart))
    };
    lines.iter().filter(|(owner, line)| !cancels(owner, line)).cloned().collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy)]
struct Place {
    position: Position,
    index: u32,
    time_ms: i64,
}

impl Place {
    fn lines(
        self,
        order: OrderId,
        posting: &Posting,
        kind: LineKind,
        sign: Sign,
        versions: &Versions,
    ) -> Vec<(Owner, Line)> {
        let policy = &versions.numbered(posting.version).expect("a posting names a known version").policy;
        let term = posting.term(policy);
        let mut of_owner: BTreeMap<Owner, Vec<LineLeg>> = BTreeMap::new();
        for leg in posting.legs(policy) {
            let amount = if sign == Sign::Plus { leg.amount } else { -leg.amount };
            let line_leg = LineLeg {
                slot: leg.slot,
                would_be: leg.recipient.would_be().cloned(),
                is_unallocated: matches!(leg.recipient, crate::Recipient::Unallocated(_)),
                amount,
            };
            of_owner.entry(leg.recipient.owner()).or_default().push(line_leg);
        }
        let line = |(owner, legs): (Owner, Vec<LineLeg>)| {
            let line = Line {
                position: self.position,
                index: self.index,
                time_ms: self.time_ms,
                kind,
                is_of_system: matches!(owner, Owner::System(_)),
                order: Some(order),
                adopter: Some(posting.account.clone()),
                effective_date: term.effective_date,
                expire_date: expire_date_for(&owner, term.expire_date, policy),
                legs,
            };
            (owner, line)
        };
        of_owner.into_iter().map(line).collect()
    }
}

/// Returns when a leg of this owner expires: never, for owners that the policy says so of.
fn expire_date_for(owner: &Owner, expire_date: BusinessDate, policy: &Policy) -> Option<BusinessDate> {
    match owner {
        Owner::System(account) if policy.never_expires(account.kind()) => None,
        Owner::System(_) | Owner::User(_) => Some(expire_date),
    }
}
