//! Decides whether an adoption is eligible, and what it is worth (rules, sections 3 and 6).

use chrono::{Days, NaiveDate};

use crate::Amount;
use crate::held::HoldReason;
use crate::policy::{Version, Versions};
use crate::rows::{AdoptionRow, Term};

/// What an eligible adoption consists of.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) account: &'a str,
    pub(crate) trees: u64,
    pub(crate) total: Amount,
    pub(crate) adoption_date: NaiveDate,
    /// The version in force on the adoption date, which judges it for ever.
    pub(crate) version: &'a Version,
    /// Whether its price came from its place and not from the source.
    pub(crate) has_place: bool,
}

impl<'a> Terms<'a> {
    /// Returns an adoption's terms, or the first of the reasons that keep it from being eligible.
    ///
    /// `place` is the number of trees before it, which decides if the source has no price. A row without a
    /// readable date has no version of its own; its status is judged by today's.
    pub(crate) fn of(
        row: &'a AdoptionRow,
        place: u64,
        versions: &'a Versions,
        today: NaiveDate,
    ) -> Result<Self, HoldReason> {
        let adoption_date = match row.adoption_date {
            Term::Given(date) => Some(date),
            Term::Missing => row.created_on.given(),
            Term::Unreadable => None,
        };
        let version = versions.on(adoption_date.unwrap_or(today));
        if !version.policy.distributable_statuses.contains(row.status.trim_end_matches(' ')) {
            return Err(HoldReason::Status);
        }
        let terms = adoption_date
            .and_then(|date| Self::valid(row, date, place, version))
            .ok_or(HoldReason::InvalidTerms)?;
        let tomorrow = today + Days::new(1);
        if terms.adoption_date > tomorrow { Err(HoldReason::NotYet) } else { Ok(terms) }
    }

    fn valid(
        row: &'a AdoptionRow,
        adoption_date: NaiveDate,
        place: u64,
        version: &'a Version,
    ) -> Option<Self> {
        let bounds = &version.policy.bounds;
        let Term::Given(account) = &row.account else { return None };
        let account = account.trim_end_matches(' ');
        let trees = row.trees.given().and_then(|trees| u64::try_from(trees).ok())?;
        let price = match row.price {
            Term::Given(price) if Amount::ZERO < price && price <= bounds.price_max => Some(price),
            Term::Given(_) | Term::Unreadable => return None,
            Term::Missing => None,
        };
        let per_tree = price.or_else(|| version.policy.price_ladder.per_tree(place))?;
        let is_valid = !account.is_empty()
            && (1..=bounds.trees_max).contains(&trees)
            && bounds.first_date <= adoption_date;
        let total = per_tree.total_of(trees).filter(|_| is_valid)?;
        Some(Self { account, trees, total, adoption_date, version, has_place: price.is_none() })
    }
}
