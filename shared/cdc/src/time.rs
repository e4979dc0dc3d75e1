//! Dates and times, in each of the encodings Debezium has for them.

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use super::profile::{Encoding, TextTimes, TimeUnit};
use super::schema::Schema;
use super::value::Scalar;
use domain::BusinessDate;

/// Reads a day: that of a date, or the business date at which a timestamp falls.
pub(super) fn business_date(
    value: &Scalar<'_>,
    schema: Option<&Schema>,
    encoding: &Encoding,
) -> Option<BusinessDate> {
    let date = match moment(value, schema, encoding)? {
        Moment::Date(date) => BusinessDate::try_from(date).ok(),
        // A local time that a change of clocks skipped is of its own date.
        Moment::WallClock(time) if encoding.wall_clock_zone == encoding.business_zone => {
            BusinessDate::try_from(time.date()).ok()
        }
        Moment::WallClock(time) => {
            BusinessDate::at(instant_of(time, encoding.wall_clock_zone)?, encoding.business_zone)
        }
        Moment::Instant(instant) => BusinessDate::at(instant, encoding.business_zone),
    };
    date.filter(|date| *date <= BusinessDate::LAST_ADOPTION)
}

/// Reads an instant; of a date, its first.
pub(super) fn instant(
    value: &Scalar<'_>,
    schema: Option<&Schema>,
    encoding: &Encoding,
) -> Option<DateTime<Utc>> {
    match moment(value, schema, encoding)? {
        Moment::Date(date) => instant_of(date.and_time(NaiveTime::MIN), encoding.business_zone),
        Moment::WallClock(time) => instant_of(time, encoding.wall_clock_zone),
        Moment::Instant(instant) => Some(instant),
    }
}

/// A point in time, as precise as the source has it.
#[derive(Debug)]
enum Moment {
    /// A `DATE`.
    Date(NaiveDate),
    /// A `timestamp without time zone`.
    WallClock(NaiveDateTime),
    /// A `timestamp with time zone`.
    Instant(DateTime<Utc>),
}

impl Moment {
    fn year(&self) -> i32 {
        match self {
            Self::Date(date) => date.year(),
            Self::WallClock(time) => time.year(),
            Self::Instant(instant) => instant.year(),
        }
    }

    /// Returns this moment with its offset taken for decoration: what a clock on the wall showed.
    fn as_wall_clock(&self, text: &str) -> Option<Self> {
        match self {
            Self::Instant(_) => with_offset(text).map(|time| Self::WallClock(time.naive_local())),
            Self::WallClock(time) => Some(Self::WallClock(*time)),
            Self::Date(date) => Some(Self::Date(*date)),
        }
    }

    /// Reads ISO 8601: a date, or a date and a time, with or without an offset. A date with a `Z` is
    /// how `time.precision.mode=isostring` writes a `DATE`, and still a date.
    fn from_text(text: &str) -> Option<Self> {
        let date = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self::Date);
        let wall_clock = |format| NaiveDateTime::parse_from_str(text, format).ok().map(Self::WallClock);
        let instant = || with_offset(text).map(|time| Self::Instant(time.to_utc()));
        date(text)
            .or_else(instant)
            .or_else(|| wall_clock("%Y-%m-%dT%H:%M:%S%.f"))
            .or_else(|| wall_clock("%Y-%m-%d %H:%M:%S%.f"))
            .or_else(|| date(text.strip_suffix('Z')?))
    }
}

/// Reads a time with an offset, also one of whole hours or without a colon, as ISO 8601 allows and PostgreSQL shows it:
/// `2026-01-05 00:30:00+08`.
fn with_offset(text: &str) -> Option<DateTime<FixedOffset>> {
    let read = |format| DateTime::parse_from_str(text, format);
    let of_iso = || read("%Y-%m-%dT%H:%M:%S%.f%#z");
    let of_postgresql = || read("%Y-%m-%d %H:%M:%S%.f%#z");
    DateTime::parse_from_rfc3339(text).or_else(|_| of_iso()).or_else(|_| of_postgresql()).ok()
}

fn moment(value: &Scalar<'_>, schema: Option<&Schema>, encoding: &Encoding) -> Option<Moment> {
    let moment = match value {
        Scalar::Number(number) => {
            let number = number.parse().ok()?;
            match schema.and_then(unit_of).or(encoding.time_unit) {
                Some(unit) => in_unit(unit, number)?,
                None => in_plausible_unit(number)?,
            }
        }
        Scalar::Text(text) => {
            let text = text.trim_end();
            let moment = Moment::from_text(text)?;
            let is_wall_clock = match schema.and_then(|schema| schema.name.as_deref()) {
                // What `isostring` makes of a column without a zone: its `Z` says nothing.
                Some("io.debezium.time.IsoTimestamp") => true,
                Some("io.debezium.time.ZonedTimestamp") => false,
                _ => encoding.text_times == TextTimes::WallClock,
            };
            if is_wall_clock { moment.as_wall_clock(text)? } else { moment }
        }
        _ => return None,
    };
    // The calendar library panics where a zone's offset leads past its last day.
    Some(moment).filter(|moment| (1..=9999).contains(&moment.year()))
}

/// Returns the instant at which the clocks of a zone show this time: the first, where they show it twice. Where a
/// change of clocks skips it, the instant at which they would have shown it without the change.
fn instant_of(wall_clock: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let shown = |time: &NaiveDateTime| zone.from_local_datetime(time).earliest().map(|time| time.to_utc());
    shown(&wall_clock).or_else(|| {
        // No zone of the IANA database skips more than a day.
        let before = wall_clock.checked_sub_signed(TimeDelta::days(1))?;
        Some(shown(&before)? + TimeDelta::days(1))
    })
}

/// Returns what the schema says a number counts, if it is one of those that say it.
fn unit_of(schema: &Schema) -> Option<TimeUnit> {
    match schema.name.as_deref()? {
        "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Some(TimeUnit::Days),
        "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => {
            Some(TimeUnit::Milliseconds)
        }
        "io.debezium.time.MicroTimestamp" => Some(TimeUnit::Microseconds),
        "io.debezium.time.NanoTimestamp" => Some(TimeUnit::Nanoseconds),
        _ => None,
    }
}

fn in_unit(unit: TimeUnit, number: i64) -> Option<Moment> {
    // Numbers come from columns without a zone: those with one are written as text.
    let time = match unit {
        TimeUnit::Days => {
            let days = TimeDelta::try_days(number)?;
            return DateTime::UNIX_EPOCH.date_naive().checked_add_signed(days).map(Moment::Date);
        }
        TimeUnit::Seconds => DateTime::from_timestamp(number, 0)?,
        TimeUnit::Milliseconds => DateTime::from_timestamp_millis(number)?,
        TimeUnit::Microseconds => DateTime::from_timestamp_micros(number)?,
        // PostgreSQL's infinity is the last nanosecond that there is, or close to it.
        TimeUnit::Nanoseconds if number >= LAST_NANOSECONDS => return None,
        TimeUnit::Nanoseconds => DateTime::from_timestamp_nanos(number),
    };
    Some(Moment::WallClock(time.naive_utc()))
}

/// The first nanosecond of the year 2262, in which 64 bits end.
const LAST_NANOSECONDS: i64 = 9_214_646_400_000_000_000;

/// Reads a number without a unit in the unit that gives a date of this century. No number does so in two
/// units, and seconds, `yyyymmdd` and infinity do so in none, so that they are not read.
fn in_plausible_unit(number: i64) -> Option<Moment> {
    let plausible = |moment: &Moment| (2000..2100).contains(&moment.year());
    [TimeUnit::Days, TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds]
        .into_iter()
        .find_map(|unit| in_unit(unit, number).filter(plausible))
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn read(json: &str, schema: Option<&str>, encoding: &Encoding) -> Option<String> {
        let raw: Box<RawValue> = serde_json::from_str(json).expect("JSON");
        let schema = schema.map(|name| {
            serde_json::from_str(&format!(r#"{{"type": "x", "name": "{name}"}}"#)).expect("a schema")
        });
        business_date(&Scalar::of(&raw), schema.as_ref(), encoding).map(|date| date.to_string())
    }

    fn date(json: &str) -> Option<String> {
        read(json, None, &Encoding::default())
    }

    #[test]
    fn days_milliseconds_microseconds_nanoseconds_and_text_give_the_same_business_date() {
        // 31 December 2025, 18:22 UTC, is 2:22 on the next day in the business zone.
        for json in [
            "20454",
            "1767205320000",
            "1767205320000000",
            "1767205320000000000",
            r#""2026-01-01""#,
            r#""2026-01-01Z""#,
            r#""2025-12-31T18:22:00.000000Z""#,
            r#""2025-12-31T18:22:00Z""#,
            r#""2026-01-01T02:22:00+08:00""#,
            r#""2026-01-01 02:22:00.5+08""#,
            r#""2026-01-01T02:22:00+08""#,
            r#""2026-01-01T02:22:00.5+0800""#,
            r#""2025-12-31 18:22:00+00""#,
            r#""2025-12-31T18:22:00""#,
            r#""2025-12-31 18:22:00.5""#,
            r#""2026-01-01   ""#,
        ] {
            assert_eq!(date(json).as_deref(), Some("2026-01-01"), "{json}");
        }
    }

    #[test]
    fn seconds_digits_of_a_date_and_infinity_are_not_read_without_a_unit() {
        for json in [
            "1767205320",
            "20260101",
            "2146033979",
            "2147483647",
            "9223372036825200000",
            "9223372036854775807",
            "-1",
            "0",
            "1",
            "-9223372036832400000",
            "-9223372036854775808",
            "253402300799000",
        ] {
            assert_eq!(date(json), None, "{json}");
        }
    }

    #[test]
    fn no_number_is_plausible_in_two_units() {
        let in_century = |unit| {
            let first = |year| -> i64 {
                let time =
                    NaiveDate::from_ymd_opt(year, 1, 1).expect("a date").and_time(NaiveTime::MIN).and_utc();
                match unit {
                    TimeUnit::Days => time.timestamp() / 86_400,
                    TimeUnit::Seconds => time.timestamp(),
                    TimeUnit::Milliseconds => time.timestamp_millis(),
                    TimeUnit::Microseconds => time.timestamp_micros(),
                    TimeUnit::Nanoseconds => time.timestamp_nanos_opt().expect("within 64 bits"),
                }
            };
            (first(2000), first(2100))
        };
        let units = [
            TimeUnit::Days,
            TimeUnit::Seconds,
            TimeUnit::Milliseconds,
            TimeUnit::Microseconds,
            TimeUnit::Nanoseconds,
        ];
        assert!(units.map(in_century).windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn the_schema_and_then_the_profile_say_what_a_number_counts() {
        let seconds = Encoding { time_unit: Some(TimeUnit::Seconds), ..Encoding::default() };
        assert_eq!(read("1767205320", None, &seconds).as_deref(), Some("2026-01-01"));
        for (name, expected) in [
            ("io.debezium.time.Timestamp", Some("1970-01-02")),
            ("io.debezium.time.MicroTimestamp", Some("1970-01-01")),
            ("io.debezium.time.Date", None),
        ] {
            assert_eq!(read("86400000", Some(name), &seconds).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn infinity_is_not_a_date_of_2262_or_of_the_year_294247() {
        for (name, number) in [
            ("io.debezium.time.MicroTimestamp", "9223372036825200000"),
            ("io.debezium.time.NanoTimestamp", "9223372036825200000"),
            ("io.debezium.time.NanoTimestamp", "9223372036854775807"),
            ("io.debezium.time.Timestamp", "9223372036825200"),
            ("io.debezium.time.Date", "2146033979"),
            ("io.debezium.time.Date", "2147483647"),
        ] {
            assert_eq!(read(number, Some(name), &Encoding::default()), None, "{name} {number}");
        }
        for json in [r#""infinity""#, r#""-infinity""#, r#""+292278994-08-16T23:00:00Z""#] {
            assert_eq!(date(json), None, "{json}");
        }
    }

    #[test]
    fn the_last_moments_of_the_calendar_library_are_refused_not_fatal() {
        for number in ["8210266876799999", "8210266876700000", "-8334601228800000", "9223372036854775807"] {
            let raw: Box<RawValue> = serde_json::from_str(number).expect("JSON");
            let schema = serde_json::from_str(r#"{"type": "int64", "name": "io.debezium.time.Timestamp"}"#)
                .expect("a schema");
            assert!(business_date(&Scalar::of(&raw), Some(&schema), &Encoding::default()).is_none());
            assert!(instant(&Scalar::of(&raw), Some(&schema), &Encoding::default()).is_none());
        }
    }

    #[test]
    fn a_wall_clock_is_read_in_the_zone_of_the_profile() {
        let shanghai = Encoding { wall_clock_zone: Tz::Asia__Shanghai, ..Encoding::default() };
        let local = r#""2025-12-31T18:22:00""#;
        assert_eq!(read(local, None, &shanghai).as_deref(), Some("2025-12-31"));
        let with_zone = r#""2025-12-31T18:22:00Z""#;
        assert_eq!(
            read(with_zone, None, &shanghai).as_deref(),
            Some("2026-01-01"),
            "an instant has its own zone"
        );
    }

    #[test]
    fn the_z_of_an_iso_timestamp_is_ignored_and_that_of_a_zoned_timestamp_means_utc() {
        let shanghai = Encoding { wall_clock_zone: Tz::Asia__Shanghai, ..Encoding::default() };
        let json = r#""2026-01-04T18:30:00.000000Z""#;
        let iso = Some("io.debezium.time.IsoTimestamp");
        assert_eq!(read(json, iso, &shanghai).as_deref(), Some("2026-01-04"));
        let zoned = Some("io.debezium.time.ZonedTimestamp");
        assert_eq!(read(json, zoned, &shanghai).as_deref(), Some("2026-01-05"));
        let by_profile = Encoding { text_times: TextTimes::WallClock, ..shanghai };
        assert_eq!(read(json, None, &by_profile).as_deref(), Some("2026-01-04"));
        assert_eq!(read(json, zoned, &by_profile).as_deref(), Some("2026-01-05"), "the schema knows better");
    }

    #[test]
    fn a_local_time_that_a_change_of_clocks_skipped_is_of_its_own_date() {
        // Santiago skipped the first hour of 8 September 2024, Apia the whole of 30 December 2011.
        for (zone, text, expected) in [
            (Tz::America__Santiago, r#""2024-09-08T00:30:00""#, "2024-09-08"),
            (Tz::Pacific__Apia, r#""2011-12-30T12:00:00""#, "2011-12-30"),
        ] {
            let encoding = Encoding { wall_clock_zone: zone, business_zone: zone, ..Encoding::default() };
            assert_eq!(read(text, None, &encoding).as_deref(), Some(expected));
        }
        let santiago = Encoding { wall_clock_zone: Tz::America__Santiago, ..Encoding::default() };
        assert_eq!(read(r#""2024-09-08T00:30:00""#, None, &santiago).as_deref(), Some("2024-09-08"));
    }

    #[test]
    fn text_that_is_no_date_is_refused() {
        for json in [
            r#""+262142-12-31T23:59:59""#,
            r#""+262142-12-31""#,
            "2026.5",
            "1e3",
            "99999999999999999999",
            r#""2026-02-30""#,
            r#""tomorrow""#,
            r#""""#,
            "true",
            "{}",
        ] {
            assert_eq!(date(json), None, "{json}");
        }
    }

    #[test]
    fn dates_outside_the_bounds_of_the_rules_are_readable() {
        assert_eq!(date(r#""1970-01-01""#).as_deref(), Some("1970-01-01"));
        assert_eq!(date(r#""9000-01-01""#).as_deref(), Some("9000-01-01"));
    }
}
