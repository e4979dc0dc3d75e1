//! Small sources for the examples.

use chrono::NaiveDate;
use oracle::rows::{AdoptionRow, OrderId, PrimaryKey, ReferralRow, Tables, Term, UserRow};
use oracle::{Amount, HoldReason, Inputs, Judgement, Policy, Versions};

/// Inputs under construction. The business date is 10 February 2026.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) inputs: Inputs,
    last_key: i64,
}

impl Source {
    pub(crate) fn new() -> Self {
        Self { inputs: Inputs::new(Tables::default(), date("2026-02-10")), last_key: 0 }
    }

    /// Returns a source whose first account is a root, and each of the others the referral of the one before.
    pub(crate) fn chain(accounts: &[&str]) -> Self {
        let mut source = Self::new();
        let mut referrer = None;
        for account in accounts {
            source = source.account(account, referrer);
            referrer = Some(*account);
        }
        source
    }

    /// Adds a user and a referral.
    pub(crate) fn account(mut self, account: &str, referrer: Option<&str>) -> Self {
        self.last_key += 1;
        let key = PrimaryKey::number(self.last_key);
        self.inputs.tables.users.push(UserRow { key, account: account.to_owned() });
        self.referral(account, referrer)
    }

    /// Adds a referral.
    pub(crate) fn referral(mut self, account: &str, referrer: Option<&str>) -> Self {
        self.last_key += 1;
        self.inputs.tables.referrals.push(ReferralRow {
            key: PrimaryKey::number(self.last_key),
            account: account.to_owned(),
            referrer: referrer.map(str::to_owned),
        });
        self
    }

    /// Changes the referrer of an account.
    pub(crate) fn moved(mut self, account: &str, referrer: Option<&str>) -> Self {
        let rows = self.inputs.tables.referrals.iter_mut();
        let row = rows.rev().find(|row| row.account == account).expect("it has a row");
        row.referrer = referrer.map(str::to_owned);
        self
    }

    /// Deletes the referral of an account.
    pub(crate) fn without_referral(mut self, account: &str) -> Self {
        self.inputs.tables.referrals.retain(|row| row.account != account);
        self
    }

    pub(crate) fn adoption(mut self, row: AdoptionRow) -> Self {
        self.inputs.tables.adoptions.push(row);
        self
    }

    /// Adds orders of one tree at 100 each, numbered as given.
    pub(crate) fn orders(self, orders: &[(u64, &str)]) -> Self {
        orders.iter().fold(self, |source, (number, account)| source.adoption(order(*number, account)))
    }

    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.inputs.versions = Versions::only(policy);
        self
    }

    pub(crate) fn judged(&self) -> Judgement {
        Judgement::of(&self.inputs)
    }

    /// Returns what is held, with reasons.
    pub(crate) fn held(&self) -> Vec<(u64, HoldReason)> {
        self.judged().held.into_iter().map(|(order_id, reason)| (order_id.get(), reason)).collect()
    }
}

/// Returns a paid order of one tree at 100, dated 5 January 2026.
pub(crate) fn order(number: u64, account: &str) -> AdoptionRow {
    AdoptionRow {
        key: PrimaryKey::text(&number.to_string()),
        order_id: order_id(number),
        account: Term::Given(account.to_owned()),
        trees: Term::Given(1),
        price: Term::Given(amount("100")),
        adoption_date: Term::Given(date("2026-01-05")),
        created_on: Term::Missing,
        status: "PAID".to_owned(),
        province: None,
        city: None,
    }
}

pub(crate) fn order_id(number: u64) -> OrderId {
    OrderId::new(number).expect("positive")
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::from_decimal(text).expect("a decimal")
}

/// Returns the legs of an order as text: kind, level or tier, owner, amount without zeros at its end.
pub(crate) fn legs(judgement: &Judgement, number: u64) -> Vec<String> {
    let distribution = judgement.distribution(order_id(number)).expect("it is posted");
    let shown = distribution.legs.iter().map(|leg| {
        let index = leg.kind.index().map_or_else(String::new, |index| format!(" {index}"));
        let reason = leg.unallocated.map_or_else(String::new, |reason| format!(" {}", reason.name()));
        let amount = leg.amount.to_string();
        let amount = amount.trim_end_matches('0').trim_end_matches('.');
        format!("{}{index} {} {amount}{reason}", leg.kind.name(), leg.owner)
    });
    shown.collect()
}

/// Returns which levels and tiers of an order go to ancestors: `L1 A`, `B1 A`.
pub(crate) fn allocated(judgement: &Judgement, number: u64) -> Vec<String> {
    let distribution = judgement.distribution(order_id(number)).expect("it is posted");
    let shown = distribution.legs.iter().filter_map(|leg| match leg.kind {
        oracle::LegKind::TeamLevel(level) => Some(format!("L{level} {}", leg.owner)),
        oracle::LegKind::TeamBonus(tier) => Some(format!("B{tier} {}", leg.owner)),
        _ => None,
    });
    shown.collect()
}
