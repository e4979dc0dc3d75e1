//! A long cycle of referrers in the source of some histories.
//!
//! An invented history has a dozen accounts, so that its cycles are short. In one history of twelve a chain of further
//! accounts is registered; then its first account is referred by one below it, which closes a cycle of a certain
//! length, and in half of them it is none again later. The last account of the chain hangs below the cycle.

use chrono::NaiveDate;
use oracle::Amount;
use oracle::generate::{Change, History, Row, Transaction};
use oracle::rows::{AdoptionRow, OrderId, PrimaryKey, ReferralRow, Term, UserRow};

use super::source::reduced;

/// In one history of so many there is such a cycle.
const ONE_OF: u64 = 12;
/// The lengths of the cycles, and the situations they are. The rules look at fifteen levels.
const LENGTHS: [(u32, &str); 5] = [
    (1, "a cycle of one account closed"),
    (2, "a cycle of two accounts closed"),
    (15, "a cycle as long as the levels closed"),
    (16, "a cycle longer than the levels closed"),
    (40, "a cycle of forty accounts closed"),
];
/// How many accounts are registered in one transaction.
const REGISTERED_AT_ONCE: usize = 8;
/// Keys and order numbers from here on are not invented otherwise.
const FIRST_KEY: u32 = 1_000_000;

/// The cycle of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cycle {
    length: u32,
    /// The situation it is.
    pub(super) situation: &'static str,
    is_broken: bool,
}

impl Cycle {
    /// Returns the cycle of this seed's history, if it has one.
    pub(super) fn of(seed: u64) -> Option<Self> {
        let number = seed / ONE_OF;
        let lengths = u64::try_from(LENGTHS.len()).expect("a few");
        let (length, situation) = LENGTHS[usize::try_from(number % lengths).expect("a few")];
        let is_broken = (number / lengths).is_multiple_of(2);
        (seed % ONE_OF == 7).then_some(Self { length, situation, is_broken })
    }

    /// Returns the history with the cycle's transactions among its own.
    pub(super) fn added_to(self, history: History, today: NaiveDate) -> History {
        let mut transactions = history.transactions;
        let last = self.length + 1;
        let accounts: Vec<u32> = (1..=last).collect();
        let mut added: Vec<Transaction> = accounts
            .chunks(REGISTERED_AT_ONCE)
            .map(|numbers| Transaction {
                changes: numbers.iter().flat_map(|number| registered(*number)).collect(),
            })
            .collect();
        let adopters = [1, self.length, last];
        added.extend((1..).zip(adopters).map(|(order, adopter)| adopted(order, adopter, today)));
        let half = transactions.len() / 2;
        let closes = referral_changes(None, Some(self.length));
        let breaks = self.is_broken.then(|| referral_changes(Some(self.length), None));
        let quarter = transactions.len() / 4;
        // From the end on, so that the places before stay what they are.
        transactions.splice(half + quarter..half + quarter, breaks);
        transactions.splice(half..half, [closes]);
        transactions.splice(quarter..quarter, added);
        let all: Vec<usize> = (0..transactions.len()).collect();
        reduced(&History { transactions, ..history }, &all)
    }
}

fn account(number: u32) -> String {
    format!("C{number:09}")
}

fn key(number: u32) -> PrimaryKey {
    PrimaryKey::number(i64::from(FIRST_KEY + number))
}

fn referral(number: u32, referrer: Option<u32>) -> Row {
    Row::Referral(ReferralRow { key: key(number), account: account(number), referrer: referrer.map(account) })
}

fn registered(number: u32) -> [Change; 2] {
    let referrer = (number > 1).then(|| number - 1);
    let user = UserRow { key: key(number), account: account(number) };
    [Change::Insert(Row::User(user)), Change::Insert(referral(number, referrer))]
}

fn adopted(order: u32, adopter: u32, today: NaiveDate) -> Transaction {
    let row = AdoptionRow {
        key: key(order),
        order_id: OrderId::new(u64::from(FIRST_KEY + order)).expect("above zero"),
        account: Term::Given(account(adopter)),
        trees: Term::Given(2),
        price: Term::Given(Amount::from_units(226_170_000_000_000)),
        adoption_date: Term::Given(today),
        created_on: Term::Missing,
        status: "PAID".to_owned(),
        province: None,
        city: None,
    };
    Transaction { changes: vec![Change::Insert(Row::Adoption(row))] }
}

/// Returns the transaction that gives the chain's first account another referrer.
fn referral_changes(before: Option<u32>, after: Option<u32>) -> Transaction {
    Transaction { changes: vec![Change::Update { before: referral(1, before), after: referral(1, after) }] }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use oracle::generate::{Plan, history};

    use super::*;

    /// Returns how many accounts come before the first one again, going up.
    fn cycle_in(history: &History) -> Option<usize> {
        let referrals = history.tables.referrals.iter();
        let referrers: BTreeMap<&str, Option<&str>> =
            referrals.map(|row| (row.account.as_str(), row.referrer.as_deref())).collect();
        let first = account(1);
        let mut above = referrers[first.as_str()]?;
        let mut length = 1;
        while above != first {
            above = referrers[above]?;
            length += 1;
        }
        Some(length)
    }

    #[test]
    fn of_sixty_histories_five_have_a_cycle_and_of_a_hundred_and_twenty_each_length_stays_or_is_broken() {
        let mut seen = BTreeMap::new();
        for seed in 0..120 {
            let Some(cycle) = Cycle::of(seed) else { continue };
            let plan = Plan::small(seed);
            let history = cycle.added_to(history(&plan), plan.today);
            let stays = cycle_in(&history);
            assert_eq!(stays, (!cycle.is_broken).then_some(cycle.length as usize), "{seed}");
            assert!(seen.insert((cycle.situation, cycle.is_broken), seed).is_none());
        }
        assert_eq!(seen.len(), 10, "{seen:?}");
    }
}
