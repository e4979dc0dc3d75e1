//! New accounts and orders.

use chrono::{Days, NaiveDate};

use super::random::Random;
use super::{Plan, Prices, Shape};
use crate::Amount;
use crate::rows::{AdoptionRow, OrderId, PrimaryKey, ReferralRow, Term, UserRow};

/// Invents rows, each with a primary key of its own.
#[derive(Debug)]
pub(super) struct Invention {
    pub(super) random: Random,
    shape: Shape,
    prices: Prices,
    /// Whether orders have a key beside their number.
    has_surrogate_keys: bool,
    today: NaiveDate,
    accounts: usize,
    last_key: i64,
    last_order: u64,
}

impl Invention {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let has_surrogate_keys = plan.oddities && random.percent(50);
        Self {
            random,
            shape: plan.shape,
            prices: plan.prices,
            has_surrogate_keys,
            today: plan.today,
            accounts: 0,
            last_key: 0,
            last_order: 0,
        }
    }

    /// Returns the user and the referral of the next account.
    pub(super) fn account(&mut self) -> (UserRow, ReferralRow) {
        let referrer = match (self.accounts, self.shape) {
            (0, _) | (_, Shape::Flat) => None,
            (_, Shape::OneRoot) => Some(0),
            (before, Shape::Forest { of_each }) if before.is_multiple_of(of_each.max(1)) => None,
            (before, Shape::Forest { of_each }) => {
                let root = before - before % of_each;
                Some(root + self.random.below(before - root))
            }
            (before, Shape::Uniform) => Some(self.random.below(before)),
            (before, Shape::Recent { of_last }) => {
                let of_last = of_last.clamp(1, before);
                Some(before - 1 - self.random.below(of_last))
            }
        };
        let name = account_name(self.accounts);
        self.accounts += 1;
        let user = UserRow { key: self.next_key(), account: name.clone() };
        let referral =
            ReferralRow { key: self.next_key(), account: name, referrer: referrer.map(account_name) };
        (user, referral)
    }

    /// Returns the next order. Some numbers between are left out.
    pub(super) fn adoption(&mut self) -> AdoptionRow {
        let order_id = self.order_id();
        AdoptionRow {
            key: self.next_order_key(order_id),
            order_id,
            account: Term::Given(self.draw_account()),
            trees: Term::Given(self.draw_trees()),
            price: self.draw_price(),
            adoption_date: Term::Given(self.draw_date()),
            created_on: Term::Missing,
            status: self.draw_status().to_owned(),
            province: self.region("44"),
            city: self.region("4401"),
        }
    }

    pub(super) fn order_id(&mut self) -> OrderId {
        self.last_order += if self.random.percent(15) { 2 } else { 1 };
        OrderId(self.last_order)
    }

    /// Returns the primary key of a row for this order: its number, unless the table has keys of its own.
    pub(super) fn next_order_key(&mut self, order_id: OrderId) -> PrimaryKey {
        if self.has_surrogate_keys {
            self.next_key()
        } else {
            PrimaryKey::number(i64::try_from(order_id.0).expect("orders are counted from 1"))
        }
    }

    pub(super) fn has_surrogate_keys(&self) -> bool {
        self.has_surrogate_keys
    }

    pub(super) fn next_key(&mut self) -> PrimaryKey {
        self.last_key += 1;
        PrimaryKey::number(self.last_key)
    }

    pub(super) fn draw_account(&mut self) -> String {
        let number = self.random.below(self.accounts.max(1));
        account_name(number)
    }

    pub(super) fn draw_trees(&mut self) -> i64 {
        *self.random.choose(&[1, 1, 1, 1, 2, 2, 3, 5, 10, 40])
    }

    pub(super) fn draw_price(&mut self) -> Term<Amount> {
        let has_price = match self.prices {
            Prices::All => true,
            Prices::Some => self.random.percent(50),
            Prices::None => false,
        };
        if !has_price {
            return Term::Missing;
        }
        // Some prices do not divide into the rates, so that rounding leaves something over.
        let units = [226_170_000_000_000, 230_000_000_000_000, 226_170_000_000_001, 1_000_000_000_003, 7];
        Term::Given(Amount::from_units(*self.random.choose(&units)))
    }

    /// Returns a date of the last two months, seldom one of the years before.
    pub(super) fn draw_date(&mut self) -> NaiveDate {
        let days_ago = match self.random.below(10) {
            0 => 600 + self.random.below(400),
            _ => self.random.below(60),
        };
        self.today - Days::new(u64::try_from(days_ago).expect("few days"))
    }

    pub(super) fn today(&self) -> NaiveDate {
        self.today
    }

    pub(super) fn draw_status(&mut self) -> &'static str {
        let statuses = [
            "PAID",
            "PAID",
            "MINING_ENABLED",
            "MINING_ENABLED",
            "CONFIRMED",
            "ACTIVE",
            "CREATED",
            "CANCELLED",
        ];
        let index = self.random.below(statuses.len());
        statuses[index]
    }

    fn region(&mut self, prefix: &str) -> Option<String> {
        let code = self.random.below(8);
        (code < 3).then(|| format!("{prefix}0{code}"))
    }
}

pub(super) fn account_name(number: usize) -> String {
    format!("D{:09}", number + 1)
}
