//! Sums of an account's lines by their dates, from which balances and statements follow without the lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::money::{Line, Totals};
use crate::log::Position;
use crate::{AmountOverflow, BusinessDate};

/// The closes of the log: which date each cut closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closes(BTreeMap<Position, BusinessDate>);

impl Closes {
    /// Adds the close of a date at this page.
    pub fn insert(&mut self, cut: Position, date: BusinessDate) {
        self.0.insert(cut, date);
    }

    /// Adds these closes.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Returns the first date whose close includes this page: the one after the last date that was closed before it.
    /// `None` where no date was closed before it.
    #[must_use]
    pub fn first_including(&self, position: Position) -> Option<BusinessDate> {
        self.0.range(..position).next_back().map(|(_, date)| date.next())
    }
}

/// What decides on which business dates a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineDates {
    /// The first date whose close includes it; `None` if that is the first close of all.
    pub first_including: Option<BusinessDate>,
    /// From which date it is active.
    pub effective: BusinessDate,
    /// From which date it no longer is; `None` if it never expires.
    pub expire: Option<BusinessDate>,
}

/// What lines with the same dates add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSum {
    /// How many there are.
    pub lines: u64,
    /// Their amounts.
    pub totals: Totals,
}

/// When a line was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The page of its entry.
    pub position: Position,
    /// The time of that page, in milliseconds since 1970.
    pub time_ms: i64,
}

impl Moment {
    fn of(line: &Line) -> Self {
        Self { position: line.position, time_ms: line.time_ms }
    }
}

/// The sums of some lines that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// When the first of them was decided.
    pub first: Moment,
    /// When the last of them was decided.
    pub last: Moment,
    /// Their sums by their dates.
    pub sums: BTreeMap<LineDates, BookSum>,
}

impl Book {
    /// Returns the sums of these lines; `None` where there is no line.
    pub fn of(lines: &[Line], closes: &Closes) -> Result<Option<Self>, AmountOverflow> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(None) };
        let mut sums: BTreeMap<LineDates, BookSum> = BTreeMap::new();
        for line in lines {
            let first_including = closes.first_including(line.position);
            let (effective, expire) = (line.effective_date, line.expire_date);
            let sum = sums.entry(LineDates { first_including, effective, expire }).or_default();
            sum.lines += 1;
            sum.totals.add(line)?;
        }
        Ok(Some(Self { first: Moment::of(first), last: Moment::of(last), sums }))
    }

    /// Adds the sums of the lines that follow.
    pub fn extend(&mut self, later: &Self) -> Result<(), AmountOverflow> {
        self.last = later.last;
        for (dates, more) in &later.sums {
            let sum = self.sums.entry(*dates).or_default();
            sum.lines += more.lines;
            sum.totals = sum.totals.plus(&more.totals)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{LineKind, LineLeg};
    use crate::{Amount, Slot};

    fn date(day: u32) -> BusinessDate {
        BusinessDate::new(2026, 1, day).expect("a date")
    }

    fn line(position: Position, effective: u32, units: i128) -> Line {
        Line {
            position,
            index: 0,
            time_ms: i64::try_from(position).expect("small") * 1_000,
            kind: LineKind::Posted,
            is_of_system: false,
            order: None,
            adopter: None,
            effective_date: date(effective),
            expire_date: Some(date(effective).plus_years(2)),
            legs: vec![LineLeg {
                slot: Slot::Personal,
                would_be: None,
                is_unallocated: false,
                amount: Amount::from_units(units).expect("small"),
            }],
        }
    }

    #[test]
    fn a_page_belongs_to_the_first_close_that_is_not_before_it() {
        let mut closes = Closes::default();
        assert_eq!(closes.first_including(7), None);
        closes.insert(10, date(3));
        closes.insert(20, date(4));
        let expected = [(1, None), (10, None), (11, Some(date(4))), (20, Some(date(4))), (21, Some(date(5)))];
        for (position, first) in expected {
            assert_eq!(closes.first_including(position), first, "{position}");
        }
    }

    #[test]
    fn a_book_of_books_is_the_book_of_all_their_lines() {
        let mut closes = Closes::default();
        closes.insert(2, date(2));
        let lines: Vec<Line> =
            (1..=9).map(|number| line(number, 1 + u32::try_from(number % 3).expect("small"), 5)).collect();
        let whole = Book::of(&lines, &closes).expect("small").expect("lines");
        let mut parts = lines.chunks(4).map(|lines| Book::of(lines, &closes).expect("small").expect("lines"));
        let mut joined = parts.next().expect("a part");
        for part in parts {
            joined.extend(&part).expect("small");
        }
        assert_eq!(joined, whole);
        assert_eq!((whole.first.position, whole.last.position), (1, 9));
        assert_eq!(whole.sums.values().map(|sum| sum.lines).sum::<u64>(), 9);
        assert!(whole.sums.len() > 3, "the same effective date before and after a close is apart");
    }

    #[test]
    fn an_account_without_lines_has_no_book() {
        assert_eq!(Book::of(&[], &Closes::default()), Ok(None));
    }
}
