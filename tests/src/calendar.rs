//! Days, counted without a calendar library, because the ledger under test has one.

use std::fmt;
use std::str::FromStr;

/// A calendar date of the years 1 to 9999, written `2026-02-10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// This date, unless there is no such day.
    #[must_use]
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The date so many days after 1 January 1970, which is how Debezium writes a `DATE`.
    #[must_use]
    pub fn of_epoch_day(epoch_day: i64) -> Self {
        // Years are counted from 1 March, so that the day that comes and goes is a year's last.
        let days = epoch_day + DAYS_BEFORE_EPOCH;
        let era = days.div_euclid(DAYS_OF_ERA);
        let day_of_era = days.rem_euclid(DAYS_OF_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (DAYS_OF_ERA - 1)) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// The day after.
    #[must_use]
    pub fn next_day(self) -> Self {
        if self.day < days_of_month(self.year, self.month) {
            Self { day: self.day + 1, ..self }
        } else if self.month < 12 {
            Self { month: self.month + 1, day: 1, ..self }
        } else {
            Self { year: self.year + 1, month: 1, day: 1 }
        }
    }

    /// The same day so many years later; 28 February where a year has no 29th.
    #[must_use]
    pub fn years_later(self, years: i64) -> Self {
        let year = self.year + years;
        Self { year, day: self.day.min(days_of_month(year, self.month)), ..self }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Option<Vec<i64>> = text.split('-').map(|part| part.parse().ok()).collect();
        let date = match parts.as_deref() {
            Some(&[year, month, day]) => Self::new(year, month, day),
            _ => None,
        };
        date.filter(|date| date.to_string() == text).ok_or_else(|| InvalidDate { text: text.to_owned() })
    }
}

/// Text that is not a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDate {
    text: String,
}

impl fmt::Display for InvalidDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is not a date such as 2026-02-10", self.text)
    }
}

impl std::error::Error for InvalidDate {}

/// Milliseconds since 1970 as Debezium writes a `timestamptz`: `2026-01-22T14:36:00.000000Z`.
pub(crate) fn timestamp(milliseconds: i64) -> String {
    let date = Date::of_epoch_day(milliseconds.div_euclid(MILLISECONDS_OF_DAY));
    let time = milliseconds.rem_euclid(MILLISECONDS_OF_DAY);
    let (seconds, micros) = (time / 1000, time % 1000 * 1000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    format!("{date}T{:02}:{:02}:{second:02}.{micros:06}Z", minutes / 60, minutes % 60)
}

pub(crate) const MILLISECONDS_OF_DAY: i64 = 86_400_000;

/// Days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;
/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn counting_days_and_stepping_from_day_to_day_agree_for_six_centuries() {
        let mut stepped = date("1970-01-01");
        for epoch_day in 0..220_000 {
            assert_eq!(Date::of_epoch_day(epoch_day), stepped);
            stepped = stepped.next_day();
        }
        assert_eq!(Date::of_epoch_day(-1), date("1969-12-31"));
        assert_eq!(Date::of_epoch_day(20_454), date("2026-01-01"));
    }

    #[test]
    fn a_leap_day_becomes_28_february() {
        assert_eq!(date("2028-02-29").years_later(2), date("2030-02-28"));
        assert_eq!(date("2028-02-29").years_later(4), date("2032-02-29"));
        assert_eq!(date("2026-02-28").years_later(2), date("2028-02-28"));
    }

    #[test]
    fn text_that_is_no_date_is_refused() {
        for text in ["", "2026-02-29", "2026-2-10", "2026-13-01", "2026-00-01", "+2026-02-10", "0000-01-01"] {
            assert!(text.parse::<Date>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn timestamps_are_written_as_debezium_writes_them() {
        assert_eq!(timestamp(1_767_205_320_000), "2025-12-31T18:22:00.000000Z");
        assert_eq!(timestamp(1_795_167_685_063), "2026-11-20T09:41:25.063000Z");
    }
}
