//! The source's tables, and what was announced of them.

use std::collections::{BTreeMap, BTreeSet};

use domain::decide::{AdoptionInput, ReferralInput};
use domain::{
    AccountSequence, AdoptionRow, Amount, BusinessDate, Column, OrderId, ReferralRow, RegionCode, RowKey,
};
use oracle::generate::{Change, Row};
use oracle::rows::{self, KeyPart, PrimaryKey, Term};

/// The tables as they are now, and every name that a row ever had.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    referrals: BTreeMap<RowKey, ReferralRow>,
    referral_names: BTreeMap<RowKey, BTreeSet<AccountSequence>>,
    adoptions: BTreeMap<RowKey, (OrderId, AdoptionRow, i64)>,
    order_names: BTreeMap<RowKey, (BTreeSet<OrderId>, i64)>,
}

/// The key of a row that was announced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Announced {
    Referral(RowKey),
    Adoption(RowKey),
}

impl Source {
    /// Applies a change of a generated history, committed at this time, and returns what is announced.
    pub(crate) fn apply(&mut self, change: &Change, committed_ms: i64) -> Option<Announced> {
        let (key, row) = match change {
            Change::Insert(row) | Change::Update { after: row, .. } => (row.key(), Some(row)),
            Change::Delete(row) => (row.key(), None),
        };
        let key = row_key(key);
        let table = match change {
            Change::Insert(row) | Change::Delete(row) | Change::Update { after: row, .. } => row,
        };
        match table {
            Row::User(_) => None,
            Row::Referral(_) => {
                let row = row.map(|row| match row {
                    Row::Referral(row) => referral_row(row),
                    Row::User(_) | Row::Adoption(_) => unreachable!("a change is of one table"),
                });
                Some(self.put_referral(key, row))
            }
            Row::Adoption(_) => {
                let row = row.map(|row| match row {
                    Row::Adoption(row) => adoption_row(row),
                    Row::User(_) | Row::Referral(_) => unreachable!("a change is of one table"),
                });
                Some(self.put_adoption(key, row, committed_ms))
            }
        }
    }

    pub(crate) fn put_referral(&mut self, key: RowKey, row: Option<ReferralRow>) -> Announced {
        match row {
            Some(row) => {
                self.referral_names.entry(key.clone()).or_default().insert(row.account.clone());
                self.referrals.insert(key.clone(), row);
            }
            None => drop(self.referrals.remove(&key)),
        }
        Announced::Referral(key)
    }

    pub(crate) fn put_adoption(
        &mut self,
        key: RowKey,
        row: Option<(OrderId, AdoptionRow)>,
        committed_ms: i64,
    ) -> Announced {
        let names = self.order_names.entry(key.clone()).or_default();
        names.1 = committed_ms;
        match row {
            Some((order, row)) => {
                names.0.insert(order);
                self.adoptions.insert(key.clone(), (order, row, committed_ms));
            }
            None => drop(self.adoptions.remove(&key)),
        }
        Announced::Adoption(key)
    }

    pub(crate) fn referral_input(&self, key: &RowKey) -> ReferralInput {
        ReferralInput {
            row: self.referrals.get(key).cloned(),
            accounts: self.referral_names.get(key).into_iter().flatten().cloned().collect(),
        }
    }

    pub(crate) fn adoption_input(&self, key: &RowKey) -> AdoptionInput {
        let (orders, committed_ms) = self.order_names.get(key).cloned().unwrap_or_default();
        AdoptionInput {
            row: self.adoptions.get(key).map(|(order, row, _)| (*order, row.clone())),
            orders: orders.into_iter().collect(),
            committed_ms,
        }
    }

    /// Returns who refers each account that has a row: of several rows, that of the greatest key.
    pub(crate) fn referrers_in_force(&self) -> BTreeMap<AccountSequence, Option<AccountSequence>> {
        self.referrals.values().map(|row| (row.account.clone(), row.referrer.clone())).collect()
    }

    /// Returns the tables in the oracle's form.
    pub(crate) fn tables(&self) -> rows::Tables {
        let referrals = self.referrals.iter().map(|(key, row)| rows::ReferralRow {
            key: PrimaryKey::text(key.primary_key()),
            account: row.account.to_string(),
            referrer: row.referrer.as_ref().map(ToString::to_string),
        });
        let adoptions = self.adoptions.iter().map(|(key, (order, row, _))| rows::AdoptionRow {
            key: PrimaryKey::text(key.primary_key()),
            order_id: rows::OrderId::new(order.get()).expect("a positive number"),
            account: term(&row.account, ToString::to_string),
            trees: term(&row.trees, |trees| *trees),
            price: match &row.price {
                Column::Value(Some(price)) => Term::Given(oracle::Amount::from_units(price.units())),
                Column::Value(None) | Column::Missing => Term::Missing,
                Column::Unreadable => Term::Unreadable,
            },
            adoption_date: term(&row.date, |date| (*date).into()),
            created_on: Term::Missing,
            status: row.status.clone(),
            province: row.province.as_ref().map(ToString::to_string),
            city: row.city.as_ref().map(ToString::to_string),
        });
        rows::Tables { users: Vec::new(), referrals: referrals.collect(), adoptions: adoptions.collect() }
    }
}

fn term<T, U>(column: &Column<T>, value: impl Fn(&T) -> U) -> Term<U> {
    match column {
        Column::Value(own) => Term::Given(value(own)),
        Column::Missing => Term::Missing,
        Column::Unreadable => Term::Unreadable,
    }
}

fn column<T, U>(term: &Term<T>, value: impl Fn(&T) -> Option<U>) -> Column<U> {
    match term {
        Term::Given(own) => value(own).map_or(Column::Unreadable, Column::Value),
        Term::Missing => Column::Missing,
        Term::Unreadable => Column::Unreadable,
    }
}

fn row_key(key: &PrimaryKey) -> RowKey {
    match key.0.as_slice() {
        [KeyPart::Number(number)] => RowKey::new(number.to_string()),
        [KeyPart::Text(text)] => RowKey::new(text.clone()),
        parts => panic!("the generated keys have one column: {parts:?}"),
    }
}

fn referral_row(row: &rows::ReferralRow) -> ReferralRow {
    let account = |text: &String| text.parse().expect("a generated account");
    ReferralRow { account: account(&row.account), referrer: row.referrer.as_ref().map(account) }
}

fn adoption_row(row: &rows::AdoptionRow) -> (OrderId, AdoptionRow) {
    let date = match &row.adoption_date {
        Term::Missing => &row.created_on,
        term => term,
    };
    let region =
        |text: &Option<String>| text.as_ref().and_then(|text| text.trim().parse::<RegionCode>().ok());
    let price = |price: &oracle::Amount| Amount::from_units(price.units()).ok().map(Some);
    let own = AdoptionRow {
        account: column(&row.account, |account| account.parse().ok()),
        trees: column(&row.trees, |trees| Some(*trees)),
        price: match &row.price {
            Term::Missing => Column::Value(None),
            term => column(term, price),
        },
        date: column(date, |date| BusinessDate::try_from(*date).ok()),
        status: row.status.trim_end_matches(' ').to_owned(),
        province: region(&row.province),
        city: region(&row.city),
    };
    (OrderId::new(row.order_id.get()).expect("a positive number"), own)
}
