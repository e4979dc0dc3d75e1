//! The kinds of changes in a random history.

use chrono::Days;

use super::source::Source;
use super::{Change, Row};
use crate::Amount;
use crate::rows::{AdoptionRow, OrderId, ReferralRow, Term, UserRow};

/// Every kind, and how often it happens. The second list is of those that are odd.
const ORDINARY: [(Kind, usize); 9] = [
    (Kind::Adopt, 30),
    (Kind::AdoptLate, 8),
    (Kind::ChangeStatus, 16),
    (Kind::ChangeTerms, 10),
    (Kind::DeleteAdoption, 4),
    (Kind::AdoptAgain, 3),
    (Kind::Register, 4),
    (Kind::Refer, 10),
    (Kind::ChangeReferrer, 7),
];
const ODD: [(Kind, usize); 12] = [
    (Kind::MakeOdd, 5),
    (Kind::DuplicateAdoption, 4),
    (Kind::ChangeOrderKey, 3),
    (Kind::ChangeOrderNumber, 2),
    (Kind::SwapReferrers, 2),
    (Kind::CloseCycle, 2),
    (Kind::BreakCycle, 10),
    (Kind::DeleteReferral, 2),
    (Kind::DuplicateReferral, 3),
    (Kind::ChangeReferralKey, 2),
    (Kind::DeleteUser, 2),
    (Kind::RegisterUser, 4),
];

/// A kind of change.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A new order.
    Adopt,
    /// An order takes a number now and is committed later, or one is committed that did so before.
    AdoptLate,
    ChangeStatus,
    /// Other trees, price, date, account or region.
    ChangeTerms,
    DeleteAdoption,
    /// A deleted order is inserted again under its number.
    AdoptAgain,
    Register,
    /// A referral that is late or was deleted is inserted.
    Refer,
    /// An account gets another referrer or becomes a root, and a root may get a referrer.
    ChangeReferrer,
    /// A column of an order gets a value that no order should have.
    MakeOdd,
    /// A second live row with the same order number.
    DuplicateAdoption,
    /// The primary key of an order changes: a delete and an insert.
    ChangeOrderKey,
    /// The number of an order changes, under the same primary key.
    ChangeOrderNumber,
    /// Two accounts exchange their referrers in one transaction.
    SwapReferrers,
    /// An ancestor gets an account below it as referrer.
    CloseCycle,
    /// An account on a cycle gets another referrer or becomes a root.
    BreakCycle,
    DeleteReferral,
    /// A second live row with the same account.
    DuplicateReferral,
    /// The primary key of a referral changes: a delete and an insert.
    ChangeReferralKey,
    DeleteUser,
    /// A user that is late or was deleted is inserted.
    RegisterUser,
}

impl Source {
    /// Commits a random change. What finds nothing to change is a new order instead.
    pub(super) fn change(&mut self) {
        let kind = self.kind();
        let changes = self.make_changes(kind).unwrap_or_else(|| self.adopt());
        self.commit(changes);
    }

    fn kind(&mut self) -> Kind {
        let odd: &[(Kind, usize)] = if self.oddities { &ODD } else { &[] };
        let all: usize = ORDINARY.iter().chain(odd).map(|(_, weight)| weight).sum();
        let mut left = self.invention.random.below(all);
        for (kind, weight) in ORDINARY.iter().chain(odd) {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *kind,
            }
        }
        Kind::Adopt
    }

    fn make_changes(&mut self, kind: Kind) -> Option<Vec<Change>> {
        match kind {
            Kind::Adopt => None,
            Kind::AdoptLate => self.adopt_late(),
            Kind::ChangeStatus => {
                let status = self.invention.draw_status().to_owned();
                self.change_adoption(|_, row| row.status = status)
            }
            Kind::ChangeTerms => self.change_adoption(change_terms),
            Kind::DeleteAdoption => {
                let row = self.draw_adoption()?;
                self.deleted_adoptions.push(row.clone());
                Some(vec![Change::Delete(Row::Adoption(row))])
            }
            Kind::AdoptAgain => self.adopt_again(),
            Kind::Register => {
                self.register();
                Some(Vec::new())
            }
            Kind::Refer => self.refer(),
            Kind::ChangeReferrer => self.change_referrer(),
            Kind::MakeOdd => self.change_adoption(make_odd),
            Kind::DuplicateAdoption => self.duplicate_adoption(),
            Kind::ChangeOrderKey => self.change_order_key(),
            Kind::ChangeOrderNumber => self.change_order_number(),
            Kind::SwapReferrers => self.swap_referrers(),
            Kind::CloseCycle => self.close_cycle(),
            Kind::BreakCycle => self.break_cycle(),
            Kind::DeleteReferral => {
                let row = self.draw_referral()?;
                self.deleted_referrals.push(row.clone());
                Some(vec![Change::Delete(Row::Referral(row))])
            }
            Kind::DuplicateReferral => {
                let row = self.draw_referral()?;
                let referrer = Some(self.invention.draw_account());
                let row = ReferralRow { key: self.invention.next_key(), referrer, ..row };
                Some(vec![Change::Insert(Row::Referral(row))])
            }
            Kind::ChangeReferralKey => {
                let row = self.draw_referral()?;
                let moved = ReferralRow { key: self.invention.next_key(), ..row.clone() };
                Some(vec![Change::Delete(Row::Referral(row)), Change::Insert(Row::Referral(moved))])
            }
            Kind::DeleteUser => {
                let index = self.some_index(self.tables.users.len())?;
                let row = self.tables.users[index].clone();
                self.missing_users.push(row.clone());
                Some(vec![Change::Delete(Row::User(row))])
            }
            Kind::RegisterUser => {
                let index = self.some_index(self.missing_users.len())?;
                let row = self.missing_users.swap_remove(index);
                // As for a referral, the row gets another key.
                let row = UserRow { key: self.invention.next_key(), ..row };
                Some(vec![Change::Insert(Row::User(row))])
            }
        }
    }

    fn adopt(&mut self) -> Vec<Change> {
        vec![Change::Insert(Row::Adoption(self.invention.adoption()))]
    }

    fn adopt_late(&mut self) -> Option<Vec<Change>> {
        let index = self.some_index(self.late_adoptions.len());
        if let Some(index) = index.filter(|_| self.invention.random.percent(60)) {
            let row = self.late_adoptions.swap_remove(index);
            return Some(vec![Change::Insert(Row::Adoption(row))]);
        }
        let row = self.invention.adoption();
        self.late_adoptions.push(row);
        None
    }

    fn adopt_again(&mut self) -> Option<Vec<Change>> {
        let index = self.some_index(self.deleted_adoptions.len())?;
        let row = self.deleted_adoptions.swap_remove(index);
        let trees = Term::Given(self.invention.draw_trees());
        let is_taken = self.tables.adoptions.iter().any(|held| held.key == row.key);
        (!is_taken).then(|| vec![Change::Insert(Row::Adoption(AdoptionRow { trees, ..row }))])
    }

    fn refer(&mut self) -> Option<Vec<Change>> {
        if let Some(index) = self.some_index(self.late_referrals.len()) {
            let row = self.late_referrals.swap_remove(index);
            return Some(vec![Change::Insert(Row::Referral(row))]);
        }
        let index = self.some_index(self.deleted_referrals.len())?;
        let row = self.deleted_referrals.swap_remove(index);
        // An application that registers an account again gives the row another key.
        let row = ReferralRow { key: self.invention.next_key(), ..row };
        Some(vec![Change::Insert(Row::Referral(row))])
    }

    fn change_referrer(&mut self) -> Option<Vec<Change>> {
        let before = self.draw_referral()?;
        let referrer = self.draw_referrer_of(&before.account);
        Some(vec![referral_update(before, referrer)])
    }

    fn break_cycle(&mut self) -> Option<Vec<Change>> {
        let mut row = self.draw_referral()?;
        for _ in 0..self.tables.referrals.len() {
            row = self.referral_of(row.referrer.as_deref()?)?.clone();
        }
        // After so many steps the walk is on the cycle, if there is one.
        let referrer = self.draw_referrer_of(&row.account);
        Some(vec![referral_update(row, referrer)])
    }

    /// Returns an account that may refer this one without closing a cycle, or seldom nothing.
    fn draw_referrer_of(&mut self, account: &str) -> Option<String> {
        let referrer = self.invention.draw_account();
        let is_root = self.invention.random.percent(10) || self.is_above(account, &referrer);
        (!is_root).then_some(referrer)
    }

    fn duplicate_adoption(&mut self) -> Option<Vec<Change>> {
        let row = self.draw_adoption().filter(|_| self.invention.has_surrogate_keys())?;
        let trees = Term::Given(self.invention.draw_trees());
        let status = self.invention.draw_status().to_owned();
        let row = AdoptionRow { key: self.invention.next_key(), trees, status, ..row };
        Some(vec![Change::Insert(Row::Adoption(row))])
    }

    fn change_order_key(&mut self) -> Option<Vec<Change>> {
        let row = self.draw_adoption()?;
        let moved = if self.invention.has_surrogate_keys() {
            AdoptionRow { key: self.invention.next_key(), ..row.clone() }
        } else {
            let order_id = self.invention.order_id();
            AdoptionRow { key: self.invention.next_order_key(order_id), order_id, ..row.clone() }
        };
        Some(vec![Change::Delete(Row::Adoption(row)), Change::Insert(Row::Adoption(moved))])
    }

    fn change_order_number(&mut self) -> Option<Vec<Change>> {
        if !self.invention.has_surrogate_keys() {
            return None;
        }
        let order_id = self.invention.order_id();
        // It may take the number of another row, which is then shadowed or shadows.
        let number = self.invention.random.below(usize::try_from(order_id.0).expect("few orders")) + 1;
        let order_id = OrderId(u64::try_from(number).expect("few orders"));
        self.change_adoption(|_, row| row.order_id = order_id)
    }

    fn swap_referrers(&mut self) -> Option<Vec<Change>> {
        let (one, other) = (self.draw_referral()?, self.draw_referral()?);
        if one.key == other.key {
            return None;
        }
        let (first, second) = (one.referrer.clone(), other.referrer.clone());
        Some(vec![referral_update(one, second), referral_update(other, first)])
    }

    fn close_cycle(&mut self) -> Option<Vec<Change>> {
        let below = self.draw_referral()?;
        let mut top = below.clone();
        for _ in 0..self.invention.random.below(18) {
            match top.referrer.as_deref().and_then(|referrer| self.referral_of(referrer)) {
                Some(above) => top = above.clone(),
                None => break,
            }
        }
        Some(vec![referral_update(top, Some(below.account))])
    }

    /// Returns whether an account is the referrer or one of its ancestors, so that a cycle would be closed.
    fn is_above(&self, account: &str, referrer: &str) -> bool {
        let mut above = referrer;
        for _ in 0..=self.tables.referrals.len() {
            if above == account {
                return true;
            }
            match self.referral_of(above).and_then(|row| row.referrer.as_deref()) {
                Some(next) => above = next,
                None => return false,
            }
        }
        true
    }

    fn referral_of(&self, account: &str) -> Option<&ReferralRow> {
        self.tables.referrals.iter().find(|row| row.account == account)
    }

    fn change_adoption(&mut self, change: impl FnOnce(&mut Self, &mut AdoptionRow)) -> Option<Vec<Change>> {
        let before = self.draw_adoption()?;
        let mut after = before.clone();
        change(self, &mut after);
        Some(vec![Change::Update { before: Row::Adoption(before), after: Row::Adoption(after) }])
    }

    fn draw_adoption(&mut self) -> Option<AdoptionRow> {
        let index = self.some_index(self.tables.adoptions.len())?;
        Some(self.tables.adoptions[index].clone())
    }

    fn draw_referral(&mut self) -> Option<ReferralRow> {
        let index = self.some_index(self.tables.referrals.len())?;
        Some(self.tables.referrals[index].clone())
    }

    fn some_index(&mut self, length: usize) -> Option<usize> {
        (length > 0).then(|| self.invention.random.below(length))
    }
}

fn referral_update(before: ReferralRow, referrer: Option<String>) -> Change {
    let after = ReferralRow { referrer, ..before.clone() };
    Change::Update { before: Row::Referral(before), after: Row::Referral(after) }
}

fn change_terms(source: &mut Source, row: &mut AdoptionRow) {
    let invention = &mut source.invention;
    match invention.random.below(6) {
        0 => row.trees = Term::Given(invention.draw_trees()),
        1 => row.trees = Term::Given(*invention.random.choose(&[400, 999, 1_000])),
        2 => row.price = invention.draw_price(),
        3 => row.price = if row.price == Term::Missing { invention.draw_price() } else { Term::Missing },
        4 => row.adoption_date = Term::Given(invention.draw_date()),
        _ => row.account = Term::Given(invention.draw_account()),
    }
}

fn make_odd(source: &mut Source, row: &mut AdoptionRow) {
    let invention = &mut source.invention;
    let today = invention.today();
    let days_on = |days| Term::Given(today + Days::new(days));
    match invention.random.below(18) {
        0 => row.trees = Term::Given(0),
        1 => row.trees = Term::Given(-1),
        2 => row.trees = Term::Given(1_000_001),
        3 => row.trees = Term::Missing,
        4 => row.trees = Term::Unreadable,
        5 => row.price = Term::Given(Amount::ZERO),
        6 => row.price = Term::Given(Amount::from_units(10_i128.pow(19) + 1)),
        7 => row.price = Term::Unreadable,
        8 => row.adoption_date = days_on(1),
        9 => row.adoption_date = days_on(2),
        10 => row.adoption_date = Term::Unreadable,
        11 => row.adoption_date = Term::Given("2019-12-31".parse().expect("a date")),
        12 => row.adoption_date = Term::Missing,
        13 => row.account = Term::Missing,
        14 => row.province = Some("x".repeat(65)),
        15 => row.city = Some("   ".to_owned()),
        16 => row.city = Some("  长沙市 ".to_owned()),
        _ => row.status.push_str("   "),
    }
}
