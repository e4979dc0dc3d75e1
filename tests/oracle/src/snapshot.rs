//! The snapshot of a date, and what later entries would have changed in it (rules, section 8).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Days, NaiveDate};

use crate::judgement::Judgement;
use crate::parties::{HEADQUARTERS, Party, PartyKind};
use crate::{Amount, Ratio};

/// The snapshot of a date, were it closed with everything that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The date.
    pub date: NaiveDate,
    /// The sum over all rows.
    pub network_total: Amount,
    /// The part of the network total that users have.
    pub user_total: Amount,
    /// The rows: that of headquarters, and those of all with more than nothing.
    pub rows: BTreeMap<Arc<str>, SnapshotRow>,
}

/// A row of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SnapshotRow {
    /// What is active.
    pub effective: Amount,
    /// What part of the network that is.
    pub ratio: Ratio,
}

/// A date that cannot be closed, because headquarters' row would be below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegativeHeadquarters {
    /// What the row would be.
    pub effective: Amount,
}

/// A difference that later inputs make to closed dates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Restated {
    /// Whose amount differs.
    pub account: Arc<str>,
    /// The first date of the difference.
    pub first_date: NaiveDate,
    /// The last date of the difference.
    pub last_date: NaiveDate,
    /// What is active now, less what was active then.
    pub difference: Amount,
}

impl Judgement {
    /// Returns what is active on a date, by account and system account; those without anything are left out.
    #[must_use]
    pub fn effective_on(&self, date: NaiveDate) -> BTreeMap<Arc<str>, Amount> {
        let mut named = BTreeMap::new();
        for (party, amount) in self.active_on(date) {
            *named.entry(Arc::clone(self.parties.name(party))).or_default() += amount;
        }
        named.retain(|_, amount| *amount != Amount::ZERO);
        named
    }

    /// Returns what users' accounts have on a date.
    pub(crate) fn effective_accounts_on(&self, date: NaiveDate) -> BTreeMap<Arc<str>, Amount> {
        let active = self.active_on(date).into_iter();
        let users = active.filter(|(party, _)| self.parties.kind(*party) == PartyKind::Account);
        users.map(|(party, amount)| (Arc::clone(self.parties.name(party)), amount)).collect()
    }

    /// Returns the snapshot of a date.
    ///
    /// Headquarters' row takes what negative accounts owe, and the ratio that rounding leaves over.
    pub fn snapshot(&self, date: NaiveDate) -> Result<Snapshot, NegativeHeadquarters> {
        let mut active = self.active_on(date);
        let own = active.remove(&HEADQUARTERS).unwrap_or_default();
        let owed: Amount = active.values().copied().filter(|amount| *amount < Amount::ZERO).sum();
        let headquarters = own + owed;
        if headquarters < Amount::ZERO {
            return Err(NegativeHeadquarters { effective: headquarters });
        }
        active.retain(|_, amount| *amount > Amount::ZERO);

        let network_total = headquarters + active.values().copied().sum();
        let is_user = |party: &Party| self.parties.kind(*party) == PartyKind::Account;
        let users = active.iter().filter(|(party, _)| is_user(party));
        let user_total = users.map(|(_, amount)| *amount).sum();
        // A user's account may be called like a system account; then they share a row.
        let mut rows: BTreeMap<Arc<str>, SnapshotRow> = BTreeMap::new();
        let mut add = |party, effective, ratio| {
            let row = rows.entry(Arc::clone(self.parties.name(party))).or_default();
            *row = SnapshotRow { effective: row.effective + effective, ratio: row.ratio + ratio };
        };
        let mut remainder = Ratio::ONE;
        for (party, effective) in active {
            let ratio = effective.ratio_of(network_total);
            remainder = remainder - ratio;
            add(party, effective, ratio);
        }
        add(HEADQUARTERS, headquarters, remainder);
        Ok(Snapshot { date, network_total, user_total, rows })
    }

    fn active_on(&self, date: NaiveDate) -> BTreeMap<Party, Amount> {
        let mut active: BTreeMap<Party, Amount> = BTreeMap::new();
        self.each_leg(|leg| {
            if leg.is_active_on(date) {
                *active.entry(leg.owner).or_default() += leg.amount;
            }
        });
        active
    }

    /// Returns, per account and date, by how much the active amount rises (or falls) on that date.
    fn steps(&self) -> BTreeMap<(Arc<str>, NaiveDate), Amount> {
        let mut steps: BTreeMap<(Arc<str>, NaiveDate), Amount> = BTreeMap::new();
        self.each_leg(|leg| {
            let name = self.parties.name(leg.owner);
            *steps.entry((Arc::clone(name), leg.from)).or_default() += leg.amount;
            if let Some(until) = leg.until {
                *steps.entry((Arc::clone(name), until)).or_default() += -leg.amount;
            }
        });
        steps
    }
}

/// Returns what differs between two judgements on the dates from `first_date` to `last_date`.
///
/// With `earlier` made of the inputs at a close's cut and `later` of those now, these are the dates that
/// what came in between would have changed, account by account, each run of equal differences once.
#[must_use]
pub fn restated(
    earlier: &Judgement,
    later: &Judgement,
    first_date: NaiveDate,
    last_date: NaiveDate,
) -> Vec<Restated> {
    let mut steps = later.steps();
    for (place, amount) in earlier.steps() {
        *steps.entry(place).or_default() += -amount;
    }
    steps.retain(|_, amount| *amount != Amount::ZERO);

    let mut restated = Vec::new();
    let mut difference = Amount::ZERO;
    let mut steps = steps.into_iter().peekable();
    while let Some(((account, from), step)) = steps.next() {
        difference += step;
        let next = steps.peek().filter(|((next, _), _)| *next == account).map(|((_, date), _)| *date);
        let first = from.max(first_date);
        let last = next.map_or(last_date, |date| (date - Days::new(1)).min(last_date));
        if difference != Amount::ZERO && first <= last {
            restated.push(Restated { account, first_date: first, last_date: last, difference });
        }
        if next.is_none() {
            difference = Amount::ZERO;
        }
    }
    restated
}
