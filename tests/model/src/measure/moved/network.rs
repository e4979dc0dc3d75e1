//! A network with a subtree that hangs below one root and moves below another.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate};
use oracle::Amount;
use oracle::rows::{AdoptionRow, OrderId, PrimaryKey, ReferralRow, Tables, Term, UserRow};
use serde_json::{Value, json};

use crate::measure::source::{ADOPTIONS, REFERRALS, Record, USERS, record};
use crate::random::Random;

/// The root below which the subtree hangs first.
const OLD_ROOT: usize = 0;
/// The root below which it hangs in the end.
const NEW_ROOT: usize = 1;
/// Direct referrals of the old root that adopt, so that it has unlocked other levels than the new one.
const DIRECTS: usize = 5;
/// The account that moves, the first of the subtree.
const TOP: usize = 2 + DIRECTS;
const PRICE: &str = "22617.0000000000";
/// How many levels below it an account decides.
const DEPTH: usize = 15;

/// A network, and what its source has of it.
pub(super) struct Network {
    referrers: Vec<Option<usize>>,
    adoptions: Vec<Adoption>,
    random: Random,
    lsn: u64,
    today: NaiveDate,
}

/// An adoption of one of its accounts.
#[derive(Clone, Copy)]
struct Adoption {
    account: usize,
    trees: u64,
    date: NaiveDate,
}

/// Which accounts a walk over the subtree comes to, in its order.
pub(super) struct WalkOrder {
    /// How many accounts the walk has been to once it is at an account.
    ranks: BTreeMap<String, usize>,
    /// The accounts of the walk.
    accounts: Vec<usize>,
}

impl Network {
    /// Invents a network whose subtree has so many accounts, each referred by any before it.
    pub(super) fn invent(accounts: usize, seed: u64, today: NaiveDate) -> Self {
        let mut random = Random::new(seed);
        let mut referrers: Vec<Option<usize>> = vec![None, None];
        referrers.extend([Some(OLD_ROOT); DIRECTS]);
        referrers.push(Some(OLD_ROOT));
        for number in 1..accounts {
            let back = usize::try_from(random.below(number as u64)).expect("below a length");
            referrers.push(Some(TOP + back));
        }
        Self { referrers, adoptions: Vec::new(), random, lsn: 0, today }
    }

    /// Returns the records of its accounts.
    pub(super) fn accounts(&mut self) -> Vec<Record> {
        let numbers = 0..self.referrers.len();
        numbers
            .flat_map(|number| {
                let user = json!({ "id": number, "account_sequence": name(number) });
                [record(USERS, "id", &user, &mut self.lsn), self.referral(number)]
            })
            .collect()
    }

    /// Moves the subtree, and returns the record that says so.
    pub(super) fn move_subtree(&mut self) -> Record {
        self.referrers[TOP] = Some(NEW_ROOT);
        self.referral(TOP)
    }

    fn referral(&mut self, number: usize) -> Record {
        let row = json!({
            "id": number,
            "account_sequence": name(number),
            "referrer_account_sequence": self.referrers[number].map(name),
        });
        record(REFERRALS, "id", &row, &mut self.lsn)
    }

    /// Adopts in one of the sixty days up to today; first the roots and the direct referrals, then any account. Returns
    /// the order and its record.
    pub(super) fn adopt(&mut self) -> (u64, Record) {
        let number = self.adoptions.len();
        let any = usize::try_from(self.random.below(self.referrers.len() as u64)).expect("below a length");
        self.adopt_by(if number < TOP { number } else { any }, 60)
    }

    /// Adopts today, by an account of the subtree. Returns the order and its record.
    pub(super) fn adopt_below(&mut self) -> (u64, Record) {
        let below = self.random.below((self.referrers.len() - TOP) as u64);
        self.adopt_by(TOP + usize::try_from(below).expect("below a length"), 1)
    }

    fn adopt_by(&mut self, account: usize, days: u64) -> (u64, Record) {
        let date = self.today - Days::new(self.random.below(days));
        let adoption = Adoption { account, trees: 1 + self.random.below(5), date };
        self.adoptions.push(adoption);
        let order = self.adoptions.len() as u64;
        let row = json!({
            "order_id": order,
            "account_sequence": name(account),
            "tree_count": adoption.trees,
            "contribution_per_tree": PRICE,
            "adoption_date": date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days(),
            "created_at": Value::Null,
            "status": "PAID",
        });
        (order, record(ADOPTIONS, "order_id", &row, &mut self.lsn))
    }

    /// Returns the account that moves.
    pub(super) fn top() -> String {
        name(TOP)
    }

    /// Returns the accounts of the subtree that the move can concern, in the order of a walk.
    pub(super) fn walk_order(&self) -> WalkOrder {
        let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, referrer) in self.referrers.iter().enumerate() {
            children.entry(referrer.unwrap_or(usize::MAX)).or_default().push(number);
        }
        let mut order = WalkOrder { ranks: BTreeMap::new(), accounts: Vec::new() };
        let mut to_do = vec![(TOP, 0)];
        while let Some((number, depth)) = to_do.pop() {
            order.accounts.push(number);
            order.ranks.insert(name(number), order.accounts.len());
            if depth < DEPTH {
                let below = children.get(&number).into_iter().flatten().rev();
                to_do.extend(below.map(|child| (*child, depth + 1)));
            }
        }
        order
    }

    /// Returns how many of the first `adoptions` are of accounts that the walk comes to.
    pub(super) fn adoptions_of(&self, order: &WalkOrder, adoptions: usize) -> usize {
        let mut is_met = vec![false; self.referrers.len()];
        order.accounts.iter().for_each(|account| is_met[*account] = true);
        self.adoptions[..adoptions].iter().filter(|adoption| is_met[adoption.account]).count()
    }

    /// Returns how many adoptions there are.
    pub(super) fn adoption_count(&self) -> usize {
        self.adoptions.len()
    }

    /// Returns the source's tables.
    pub(super) fn tables(&self) -> Tables {
        let key = |number: usize| PrimaryKey::number(i64::try_from(number).expect("a row's number"));
        let accounts = || (0..self.referrers.len()).map(|number| (key(number), name(number)));
        Tables {
            users: accounts().map(|(key, account)| UserRow { key, account }).collect(),
            referrals: accounts()
                .zip(&self.referrers)
                .map(|((key, account), referrer)| ReferralRow { key, account, referrer: referrer.map(name) })
                .collect(),
            adoptions: self
                .adoptions
                .iter()
                .enumerate()
                .map(|(number, adoption)| row(number, adoption))
                .collect(),
        }
    }
}

impl WalkOrder {
    /// Returns how many accounts the walk has been to once it is at this one.
    pub(super) fn rank(&self, account: &str) -> usize {
        self.ranks.get(account).copied().unwrap_or_default()
    }

    /// Returns how many accounts the walk comes to.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }
}

fn row(number: usize, adoption: &Adoption) -> AdoptionRow {
    let order = number as u64 + 1;
    AdoptionRow {
        key: PrimaryKey::number(order.cast_signed()),
        order_id: OrderId::new(order).expect("from 1"),
        account: Term::Given(name(adoption.account)),
        trees: Term::Given(adoption.trees.cast_signed()),
        price: Term::Given(Amount::from_decimal(PRICE).expect("a price")),
        adoption_date: Term::Given(adoption.date),
        created_on: Term::Missing,
        status: "PAID".to_owned(),
        province: None,
        city: None,
    }
}

fn name(number: usize) -> String {
    format!("D{:09}", number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_comes_to_the_subtree_alone_and_to_each_account_once() {
        let network = Network::invent(500, 1, NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date"));
        let order = network.walk_order();
        assert!((400..=500).contains(&order.len()), "{}", order.len());
        assert_eq!((order.rank(&Network::top()), order.rank(&name(OLD_ROOT))), (1, 0));
        let mut once = order.accounts.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), order.len());
    }
}
