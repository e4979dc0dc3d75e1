//! Which version a row's columns are taken from.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::str::FromStr;

use super::column::{Alias, Cell, Column, Problem, Reading, Unreadable};
use super::history::History;
use super::image::{AdoptionImage, ReferralImage, Referrer, Region, UserImage};
use super::version::SourceVersion;

/// The versions of a row that stand, one kind of them or both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) streamed: Option<&'a History>,
    pub(crate) incremental: Option<&'a History>,
    pub(crate) together: &'a BTreeSet<(Alias, u8)>,
}

/// What a version says about a column.
#[derive(Clone, Copy)]
struct Said<'a> {
    version: &'a SourceVersion,
    is_incremental: bool,
    cell: &'a Cell,
}

impl Said<'_> {
    fn is_newer_than(&self, other: &Self) -> bool {
        let order = match (self.is_incremental, other.is_incremental) {
            (false, false) => Some(self.version.cmp_streamed(other.version)),
            (true, true) => Some(self.version.cmp_incremental(other.version)),
            (false, true) => self.version.cmp_with_incremental(other.version),
            (true, false) => other.version.cmp_with_incremental(self.version).map(Ordering::reverse),
        };
        order == Some(Ordering::Greater)
    }
}

impl Standing<'_> {
    pub(crate) fn user(&self) -> UserImage {
        UserImage {
            account: self.read(Column::Account),
            status: self.read(Column::Status).value().cloned(),
            created_at: self.read(Column::CreatedAt).value().copied(),
            last_activity: self.read(Column::LastActivity).value().copied(),
        }
    }

    pub(crate) fn referral(&self) -> ReferralImage {
        let referrer = match self.read(Column::Referrer) {
            Reading::Value(account) => Referrer::Account(account),
            Reading::Null(_) => Referrer::None,
            unknown => Referrer::Unknown(unknown),
        };
        ReferralImage { account: self.read(Column::Account), referrer }
    }

    pub(crate) fn adoption(&self) -> AdoptionImage {
        AdoptionImage {
            order: self.read(Column::Order),
            account: self.read(Column::Account),
            tree_count: self.read(Column::TreeCount),
            contribution_per_tree: self.read(Column::ContributionPerTree),
            adoption_date: self.read(Column::AdoptionDate),
            status: self.read(Column::Status),
            province: self.region(Column::Province),
            city: self.region(Column::City),
        }
    }

    fn region(&self, column: Column) -> Region {
        match self.read(column) {
            Reading::Value(code) => Region::Code(code),
            Reading::Missing(_) | Reading::Null(_) => Region::None,
            Reading::Unreadable(unreadable) => Region::Dropped(unreadable),
        }
    }

    fn read<T: FromStr>(&self, column: Column) -> Reading<T> {
        match self.cell(column) {
            None => Reading::Missing(column),
            Some(Cell::Null) => Reading::Null(column),
            Some(Cell::Unreadable(unreadable)) => Reading::Unreadable(unreadable.clone()),
            // The decoder wrote it in its normal form; a stored row that was tampered with is not trusted.
            Some(Cell::Value(text)) => text.parse().map_or_else(
                |_| {
                    let column = column.name().to_owned();
                    Reading::Unreadable(Unreadable { column, problem: Problem::Text })
                },
                Reading::Value,
            ),
        }
    }

    /// Returns what stands in a column: under the first of its names that a version has, unless that column was
    /// renamed since.
    fn cell(&self, column: Column) -> Option<&Cell> {
        let said = self.all_said(column);
        let was_renamed = |(number, this): &(u8, Said<'_>)| {
            said.iter().any(|(other, newer)| {
                let are_two = self.together.contains(&(Alias { column, number: *number }, *other));
                other > number && !are_two && newer.is_newer_than(this)
            })
        };
        let in_force = said.iter().filter(|entry| !was_renamed(entry)).map(|(_, said)| said.cell);
        if column == Column::AdoptionDate {
            // A date that is null may come from another column, such as `created_at`.
            let mut dates = in_force.clone().filter(|cell| **cell != Cell::Null);
            return dates.next().or_else(|| in_force.clone().next());
        }
        in_force.clone().next()
    }

    /// Returns what the newest version with it says under each name of a column.
    fn all_said(&self, column: Column) -> Vec<(u8, Said<'_>)> {
        let numbers: BTreeSet<u8> = [self.streamed, self.incremental]
            .into_iter()
            .flatten()
            .flat_map(|history| history.aliases(column))
            .collect();
        numbers
            .into_iter()
            .filter_map(|number| Some((number, self.said(Alias { column, number })?)))
            .collect()
    }

    fn said(&self, alias: Alias) -> Option<Said<'_>> {
        let streamed = self.streamed.and_then(|history| history.cell(alias));
        let streamed = streamed.map(|(version, cell)| Said { version, is_incremental: false, cell });
        let floor = self.streamed.and_then(History::floor);
        let is_before_insert = |read: &SourceVersion| {
            floor.is_some_and(|floor| floor.cmp_with_incremental(read) == Some(Ordering::Greater))
        };
        let incremental = self.incremental.and_then(|history| history.cell(alias));
        let incremental = incremental
            .filter(|(version, _)| !is_before_insert(version))
            .map(|(version, cell)| Said { version, is_incremental: true, cell });
        match (streamed, incremental) {
            (Some(streamed), Some(read)) if read.is_newer_than(&streamed) => Some(read),
            (streamed, incremental) => streamed.or(incremental),
        }
    }
}
