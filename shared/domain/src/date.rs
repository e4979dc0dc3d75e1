//! The business calendar.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar date in the business time zone, written `2026-02-10`. Years 1970 to 9990.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDate(NaiveDate);

impl BusinessDate {
    /// The last date an adoption can have. Every date that the rules derive from it, the end of the longest
    /// term included, is a business date.
    pub const LAST_ADOPTION: Self =
        Self(NaiveDate::from_ymd_opt(9880, 12, 31).expect("a date of the calendar"));

    /// Returns the date with this year, month and day; `None` if the calendar has none.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).and_then(|date| Self::try_from(date).ok())
    }

    /// Returns the date `days` days after 1 January 1970. Debezium writes a `DATE` in this form.
    #[must_use]
    pub fn from_days_since_epoch(days: i64) -> Option<Self> {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a valid date");
        let days = u64::try_from(days).ok()?;
        epoch.checked_add_days(Days::new(days)).and_then(|date| Self::try_from(date).ok())
    }

    /// Returns the number of days since 1970-01-01.
    #[must_use]
    pub fn days_since_epoch(self) -> u32 {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a valid date");
        u32::try_from((self.0 - epoch).num_days()).expect("dates begin in 1970")
    }

    /// Returns the business date at this instant, in the business time zone.
    #[must_use]
    pub fn at(instant: DateTime<Utc>, zone: Tz) -> Option<Self> {
        Self::try_from(instant.with_timezone(&zone).date_naive()).ok()
    }

    /// Returns the instant at which this date begins in the business time zone.
    ///
    /// Where a change of the zone's offset skips midnight, the date begins with the first instant after it.
    #[must_use]
    pub fn begins_at(self, zone: Tz) -> DateTime<Utc> {
        // No zone of the IANA database skips more than a day, and offsets change at whole minutes.
        let midnight = self.0.and_time(NaiveTime::MIN);
        (0..=1_440)
            .find_map(|minutes| (midnight + TimeDelta::minutes(minutes)).and_local_timezone(zone).earliest())
            .expect("a day has an instant")
            .with_timezone(&Utc)
    }

    /// Returns the next day.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus_days(1)
    }

    /// Returns the day before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.pred_opt().expect("the supported years are inside the calendar's"))
    }

    /// Returns the date `days` days later.
    #[must_use]
    pub fn plus_days(self, days: u16) -> Self {
        Self(self.0.checked_add_days(Days::new(u64::from(days))).expect("within the calendar"))
    }

    /// Returns the date this many days before, or the first date of the calendar.
    #[must_use]
    pub fn minus_days(self, days: u16) -> Self {
        let days = self.days_since_epoch().saturating_sub(u32::from(days));
        Self::from_days_since_epoch(i64::from(days)).expect("a day of the calendar")
    }

    /// Returns the date `years` calendar years later. 29 February becomes 28 February in a common year.
    #[must_use]
    pub fn plus_years(self, years: u8) -> Self {
        Self(self.0.checked_add_months(Months::new(u32::from(years) * 12)).expect("within the calendar"))
    }
}

/// Text where people read it, the number of days since 1970 where they do not.
impl Serialize for BusinessDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.days_since_epoch().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for BusinessDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            let days = u32::deserialize(deserializer)?;
            Self::from_days_since_epoch(i64::from(days))
                .ok_or_else(|| serde::de::Error::custom("a day beyond the calendar"))
        }
    }
}

impl TryFrom<NaiveDate> for BusinessDate {
    type Error = InvalidDate;

    fn try_from(date: NaiveDate) -> Result<Self, Self::Error> {
        if (1970..=9990).contains(&date.year()) {
            Ok(Self(date))
        } else {
            Err(InvalidDate { text: date.to_string() })
        }
    }
}

impl From<BusinessDate> for NaiveDate {
    fn from(date: BusinessDate) -> Self {
        date.0
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for BusinessDate {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDate { text: text.to_owned() };
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| invalid())?.try_into()
    }
}

/// Text that is not a business date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a date from 1970-01-01 to 9990-12-31 written YYYY-MM-DD")]
pub struct InvalidDate {
    text: String,
}

/// The dates between which a contribution is active (rules, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Term {
    /// The first date on which the contribution is active.
    pub effective_date: BusinessDate,
    /// The first date on which the contribution is no longer active.
    pub expire_date: BusinessDate,
}

impl Term {
    /// Returns the term of a contribution that takes effect on `effective_date`.
    #[must_use]
    pub fn starting(effective_date: BusinessDate, years: u8) -> Self {
        Self { effective_date, expire_date: effective_date.plus_years(years) }
    }

    /// Returns whether the contribution is active on `date`.
    #[must_use]
    pub fn is_active_on(self, date: BusinessDate) -> bool {
        self.effective_date <= date && date < self.expire_date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> BusinessDate {
        text.parse().expect("a valid date")
    }

    #[test]
    fn a_term_that_starts_on_29_february_ends_on_28_february() {
        let term = Term::starting(date("2028-02-29"), 2);
        assert_eq!(term.expire_date, date("2030-02-28"));
        assert!(term.is_active_on(date("2028-02-29")));
        assert!(term.is_active_on(date("2030-02-27")));
        assert!(!term.is_active_on(date("2030-02-28")));
        assert!(!term.is_active_on(date("2028-02-28")));
    }

    #[test]
    fn the_business_date_turns_at_midnight_of_its_own_zone() {
        let zone: Tz = "Asia/Shanghai".parse().expect("a known zone");
        let at = |text: &str| BusinessDate::at(text.parse().expect("an instant"), zone);
        assert_eq!(at("2025-12-31T15:59:59Z"), BusinessDate::new(2025, 12, 31));
        assert_eq!(at("2025-12-31T16:00:00Z"), BusinessDate::new(2026, 1, 1));
    }

    #[test]
    fn a_date_begins_when_the_instant_before_is_another_date() {
        // Santiago skips midnight when summer time begins.
        for (zone, day) in [("Asia/Shanghai", "2026-01-01"), ("America/Santiago", "2024-09-08")] {
            let zone: Tz = zone.parse().expect("a known zone");
            let begin = date(day).begins_at(zone);
            assert_eq!(BusinessDate::at(begin, zone), Some(date(day)));
            assert_eq!(BusinessDate::at(begin - TimeDelta::nanoseconds(1), zone), Some(date(day).previous()));
        }
    }

    #[test]
    fn dates_outside_the_calendar_are_refused() {
        assert!("1969-12-31".parse::<BusinessDate>().is_err());
        assert!("9991-01-01".parse::<BusinessDate>().is_err());
        assert!("2026-02-30".parse::<BusinessDate>().is_err());
        assert_eq!(BusinessDate::from_days_since_epoch(20454), BusinessDate::new(2026, 1, 1));
        assert_eq!(BusinessDate::from_days_since_epoch(i64::MAX), None);
    }

    #[test]
    fn a_term_that_begins_on_the_last_adoption_date_ends_on_a_readable_date() {
        let last_end = BusinessDate::LAST_ADOPTION.next().plus_years(crate::Policy::MAX_TERM_YEARS);
        assert_eq!(last_end.to_string().parse(), Ok(last_end));
    }
}
