//! Invented sources: large ones, and random histories.
//!
//! What a seed makes is the same on every machine.

mod changes;
mod invention;
mod random;
mod records;
mod source;

use chrono::NaiveDate;

use self::invention::Invention;
use self::source::Source;
use crate::rows::{AdoptionRow, PrimaryKey, ReferralRow, Table, Tables, UserRow};

/// What to invent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything that the rest leaves open.
    pub seed: u64,
    /// How many accounts there are before anything changes.
    pub accounts: usize,
    /// How many orders there are before anything changes.
    pub adoptions: usize,
    /// How many transactions follow.
    pub changes: usize,
    /// Who refers whom.
    pub shape: Shape,
    /// Which orders have a price of their own.
    pub prices: Prices,
    /// Whether there are odd values, cycles, missing referrals and rows with the same business key.
    pub oddities: bool,
    /// The business date: orders are dated around it.
    pub today: NaiveDate,
}

impl Plan {
    /// Returns a history of twelve accounts and sixty transactions; the seed also decides its shape.
    #[must_use]
    pub fn small(seed: u64) -> Self {
        let shapes =
            [Shape::Uniform, Shape::Recent { of_last: 2 }, Shape::Recent { of_last: 1 }, Shape::OneRoot];
        Self {
            seed,
            accounts: 12,
            adoptions: 0,
            changes: 60,
            shape: shapes[usize::try_from(seed % 4).expect("at most 3")],
            prices: [Prices::Some, Prices::None, Prices::All]
                [usize::try_from(seed / 4 % 3).expect("at most 2")],
            oddities: true,
            today: golden_date(),
        }
    }

    /// Returns a history of forty accounts in long chains, so that the limits of the levels are reached.
    #[must_use]
    pub fn deep(seed: u64) -> Self {
        Self { accounts: 40, adoptions: 60, shape: Shape::Recent { of_last: 1 }, ..Self::small(seed) }
    }

    /// Returns a large source that does not change and in which nothing is odd.
    #[must_use]
    pub fn large(seed: u64, accounts: usize, adoptions: usize, shape: Shape) -> Self {
        Self {
            seed,
            accounts,
            adoptions,
            changes: 0,
            shape,
            prices: Prices::All,
            oddities: false,
            today: golden_date(),
        }
    }
}

/// Who refers whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every account is referred by one of so many before it; the first is the root.
    Recent {
        /// How many accounts may refer the next one.
        of_last: usize,
    },
    /// Every account is referred by any of those before it; the first is the root.
    Uniform,
    /// Every account is a root.
    Flat,
    /// The first account refers all others.
    OneRoot,
    /// There are many trees. In each, an account is referred by any of those before it.
    Forest {
        /// How many accounts a tree has.
        of_each: usize,
    },
}

/// Which orders have a price of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// All.
    All,
    /// About half.
    Some,
    /// None.
    None,
}

/// A source's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The transactions, in the order of their commits.
    pub transactions: Vec<Transaction>,
    /// The tables after the last one.
    pub tables: Tables,
    /// The primary key's column of the orders: `order_id`, or one beside it.
    pub order_key_column: &'static str,
}

/// What a source commits at once, in the order of the statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The changes, at least one.
    pub changes: Vec<Change>,
}

/// A change of a row. A primary key that changes is a delete and an insert, as a connector shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new row.
    Insert(Row),
    /// A row's new values, under the same primary key.
    Update {
        /// The row before.
        before: Row,
        /// The row after.
        after: Row,
    },
    /// A row that goes.
    Delete(Row),
}

/// A row of one of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A user.
    User(UserRow),
    /// A referral.
    Referral(ReferralRow),
    /// An order.
    Adoption(AdoptionRow),
}

impl Row {
    /// Returns the table that it is a row of.
    #[must_use]
    pub fn table(&self) -> Table {
        match self {
            Self::User(_) => Table::Users,
            Self::Referral(_) => Table::Referrals,
            Self::Adoption(_) => Table::Adoptions,
        }
    }

    /// Returns its primary key.
    #[must_use]
    pub fn key(&self) -> &PrimaryKey {
        match self {
            Self::User(row) => &row.key,
            Self::Referral(row) => &row.key,
            Self::Adoption(row) => &row.key,
        }
    }
}

/// Returns the history that a plan leads to: the accounts and orders that are there first, a transaction for each,
/// then the changes.
#[must_use]
pub fn history(plan: &Plan) -> History {
    let mut source = Source::new(plan);
    source.begin();
    for _ in 0..plan.changes {
        source.change();
    }
    source.finish()
}

/// Returns the tables of a plan before anything changes, without the transactions that made them.
#[must_use]
pub fn tables(plan: &Plan) -> Tables {
    let mut invention = Invention::new(plan);
    let mut tables = Tables::default();
    for _ in 0..plan.accounts {
        let (user, referral) = invention.account();
        tables.users.push(user);
        tables.referrals.push(referral);
    }
    for _ in 0..plan.adoptions {
        tables.adoptions.push(invention.adoption());
    }
    tables
}

fn golden_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, 10).expect("a day of the calendar")
}
