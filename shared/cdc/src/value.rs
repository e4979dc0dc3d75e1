//! The values in a field, in each of the encodings Debezium has for them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::Schema;
use super::profile::Encoding;
use super::refusal::Refusal;
use domain::{AccountSequence, Amount, BusinessDate, OrderId, RegionCode, TreeCount};

/// A JSON value, with numbers as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An object or an array, or text that is not Unicode; as its JSON text.
    Other(&'a str),
}

impl<'a> Scalar<'a> {
    pub(super) fn of(raw: &'a RawValue) -> Self {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

        let json = raw.get();
        match json.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'-' | b'0'..=b'9') => Self::Number(json),
            Some(b'"') => {
                serde_json::from_str(json).map_or(Self::Other(json), |Borrowed(text)| Self::Text(text))
            }
            _ => Self::Other(json),
        }
    }
}

/// A value together with what the message says about it.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Scalar<'a>,
    pub(super) schema: Option<&'a Schema>,
}

impl Field<'_> {
    pub(super) fn is_null(&self) -> bool {
        self.value == Scalar::Null
    }

    /// Whether there is nothing in it but what a replica identity leaves of a column outside the key.
    pub(super) fn is_placeholder(&self) -> bool {
        match &self.value {
            Scalar::Null => true,
            Scalar::Number(number) => *number == "0",
            Scalar::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The same field, with the name of the object it is in.
    pub(super) fn inside(mut self, object: &str) -> Self {
        self.name = Cow::Owned(format!("{object}.{}", self.name));
        self
    }

    /// This field, unless it is null or empty.
    pub(super) fn not_blank(self) -> Result<Self, Refusal> {
        if self.is_null() || self.text() == Some("") {
            Err(Refusal::MissingField { fields: format!("`{}`", self.name) })
        } else {
            Ok(self)
        }
    }

    pub(super) fn invalid(&self, expected: &'static str) -> Refusal {
        Refusal::InvalidField { field: self.name.clone().into_owned(), expected }
    }

    pub(super) fn order(&self) -> Result<OrderId, Refusal> {
        self.whole_number()
            .and_then(|number| OrderId::new(u64::try_from(number).ok()?))
            .ok_or_else(|| self.invalid("an order number: a whole number from 1 to 9223372036854775807"))
    }

    pub(super) fn tree_count(&self) -> Result<TreeCount, Refusal> {
        self.whole_number()
            .and_then(|number| TreeCount::new(u32::try_from(number).ok()?))
            .ok_or_else(|| self.invalid("a number of trees: a whole number from 1 to 4294967295"))
    }

    pub(super) fn log_position(&self) -> Result<u64, Refusal> {
        self.whole_number()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| self.invalid("a position in the source's log: a whole number, not negative"))
    }

    pub(super) fn timestamp_ms(&self) -> Result<i64, Refusal> {
        self.whole_number().ok_or_else(|| self.invalid("a time in milliseconds since 1970"))
    }

    /// A boolean, also as text, which is how `__deleted` is written.
    pub(super) fn flag(&self) -> Result<bool, Refusal> {
        match &self.value {
            Scalar::Boolean(flag) => Ok(*flag),
            Scalar::Text(text) if text == "true" => Ok(true),
            Scalar::Text(text) if text == "false" => Ok(false),
            _ => Err(self.invalid("true or false")),
        }
    }

    pub(super) fn account(&self) -> Result<AccountSequence, Refusal> {
        self.text()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.invalid("an account: one to 40 letters, digits, '-' or '_'"))
    }

    /// A region's code as text or number. Nothing, where the source has no region: null or empty,
    /// also once the blanks are gone with which a `char(n)` column is filled up.
    pub(super) fn region(&self) -> Result<Option<RegionCode>, Refusal> {
        let code = match &self.value {
            Scalar::Null => return Ok(None),
            Scalar::Number(number) => Some(*number),
            _ => self.text(),
        };
        match code.map(|code| code.trim_end_matches(' ')) {
            Some("") => Ok(None),
            code => code
                .and_then(|code| code.parse().ok())
                .map(Some)
                .ok_or_else(|| self.invalid("a region code: one to 20 letters or digits")),
        }
    }

    /// The text in this field, unless it is not text, or says that the connector does not know it.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Scalar::Text(text) if text != UNAVAILABLE => Some(text),
            _ => None,
        }
    }

    /// A contribution per tree: exact, and not negative.
    ///
    /// A decimal comes as a number, as text, as bytes in base64 or as a structure of scale and bytes
    /// (`decimal.handling.mode`; `VariableScaleDecimal`). Where no schema tells text and base64
    /// apart, what begins with a digit or a sign is text. That is safe: bytes whose base64 begins
    /// like that have their first bit set, so they would be a negative number, and no price is.
    pub(super) fn price(&self, configured_scale: u32) -> Result<Amount, Refusal> {
        let amount = match &self.value {
            Scalar::Number(number) => decimal_from_text(number),
            Scalar::Text(text) => match DecimalText::of(self.schema, text) {
                DecimalText::Plain => decimal_from_text(text),
                DecimalText::Base64 { scale: None } => decimal_from_base64(text, configured_scale.into()),
                DecimalText::Base64 { scale: Some(scale) } => {
                    scale.parse::<i32>().ok().and_then(|scale| decimal_from_base64(text, scale.into()))
                }
            },
            Scalar::Other(json) => serde_json::from_str::<VariableScaleDecimal>(json)
                .ok()
                .and_then(|decimal| decimal_from_base64(&decimal.value, decimal.scale.into())),
            Scalar::Null | Scalar::Boolean(_) => None,
        };
        amount.filter(|amount| *amount >= Amount::ZERO).ok_or_else(|| {
            self.invalid("an amount, not negative, with at most 18 integer digits and 10 decimals")
        })
    }

    /// A day: that of a date, or the business date at which a timestamp falls.
    pub(super) fn business_date(&self, encoding: &Encoding) -> Result<BusinessDate, Refusal> {
        let date = self.moment().and_then(|moment| match moment {
            Moment::Date(date) => BusinessDate::try_from(date).ok(),
            Moment::WallClock(time) => {
                BusinessDate::at(instant(time, encoding.wall_clock_zone)?, encoding.business_zone)
            }
            Moment::Instant(instant) => BusinessDate::at(instant, encoding.business_zone),
        });
        date.filter(|date| *date <= BusinessDate::LAST_ADOPTION).ok_or_else(|| self.invalid(ADOPTION_DATE))
    }

    /// An instant; of a date, its first.
    pub(super) fn instant(&self, encoding: &Encoding) -> Result<DateTime<Utc>, Refusal> {
        let instant = self.moment().and_then(|moment| match moment {
            Moment::Date(date) => instant(date.and_time(NaiveTime::MIN), encoding.business_zone),
            Moment::WallClock(time) => instant(time, encoding.wall_clock_zone),
            Moment::Instant(instant) => Some(instant),
        });
        instant.ok_or_else(|| self.invalid(DATE_OR_TIME))
    }

    fn moment(&self) -> Option<Moment> {
        let moment = match &self.value {
            Scalar::Number(number) => {
                let number = number.parse().ok()?;
                self.schema.and_then(Unit::of).unwrap_or_else(|| Unit::inferred(number)).moment(number)
            }
            Scalar::Text(text) => Moment::from_text(text),
            _ => None,
        };
        // The calendar library panics where a zone's offset leads past its last day.
        moment.filter(|moment| (1..=9999).contains(&moment.year()))
    }

    /// A whole number, also as text, which is how some converters protect long ones.
    fn whole_number(&self) -> Option<i64> {
        match &self.value {
            Scalar::Number(number) => number.parse().ok(),
            Scalar::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// What Debezium writes for a value that PostgreSQL did not log because it is long and unchanged.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

const ADOPTION_DATE: &str = "a date or time of the years 1970 to 9880, as ISO 8601 text or as a number of \
     days, milliseconds, microseconds or nanoseconds since 1970";
const DATE_OR_TIME: &str = "a date or time of the years 1970 to 9990, as ISO 8601 text or as a number of \
     days, milliseconds, microseconds or nanoseconds since 1970";

/// A decimal that brings its own scale, as `numeric` columns without one are written.
#[derive(Deserialize)]
struct VariableScaleDecimal {
    scale: i32,
    value: String,
}

/// How a decimal is written as text.
enum DecimalText<'a> {
    /// Digits.
    Plain,
    /// The bytes of the unscaled value, with the scale as the schema writes it, if there is one.
    Base64 { scale: Option<&'a str> },
}

impl<'a> DecimalText<'a> {
    fn of(schema: Option<&'a Schema>, text: &str) -> Self {
        let scale = schema.and_then(|schema| schema.parameters.get("scale")).map(String::as_str);
        match schema.and_then(|schema| schema.primitive.as_deref()) {
            Some("bytes") => Self::Base64 { scale },
            Some("string") => Self::Plain,
            _ if text.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+') => {
                Self::Plain
            }
            _ => Self::Base64 { scale },
        }
    }
}

/// Reads digits with an optional sign, fraction and exponent, as JSON and Java write numbers.
fn decimal_from_text(text: &str) -> Option<Amount> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = [integer, fraction].concat();
    if integer.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = i64::try_from(fraction.len()).ok()?;
    decimal(is_negative, &all, decimals - i64::from(exponent))
}

/// Reads the big-endian two's complement of an unscaled value, of up to 38 digits.
fn decimal_from_base64(text: &str, scale: i64) -> Option<Amount> {
    let bytes = STANDARD.decode(text).ok()?;
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
    let unscaled = bytes
        .iter()
        .try_fold(sign, |high: i128, &low| high.checked_mul(256)?.checked_add(i128::from(low)))?;
    decimal(unscaled < 0, &unscaled.unsigned_abs().to_string(), scale)
}

/// The amount of `digits` with a decimal point `scale` digits from their end, unless it has more
/// than 18 integer digits or more than ten decimals.
fn decimal(is_negative: bool, digits: &str, scale: i64) -> Option<Amount> {
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(Amount::ZERO);
    }
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let missing_decimals = u32::try_from(i64::from(Amount::SCALE) - (scale - zeros)).ok()?;
    let units = significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(missing_decimals)?)?;
    Amount::from_units(if is_negative { -units } else { units }).ok()
}

/// A point in time, as precise as the source has it.
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

    /// Reads ISO 8601: a date, or a date and a time, with or without an offset. A date with a `Z` is
    /// how `time.precision.mode=isostring` writes a `DATE`, and still a date.
    fn from_text(text: &str) -> Option<Self> {
        let date = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self::Date);
        let wall_clock = |format| NaiveDateTime::parse_from_str(text, format).ok().map(Self::WallClock);
        let instant = || DateTime::parse_from_rfc3339(text).ok().map(|time| Self::Instant(time.to_utc()));
        date(text)
            .or_else(instant)
            .or_else(|| wall_clock("%Y-%m-%dT%H:%M:%S%.f"))
            .or_else(|| wall_clock("%Y-%m-%d %H:%M:%S%.f"))
            .or_else(|| date(text.strip_suffix('Z')?))
    }
}

/// The instant at which the clocks of a zone show this time: the first, where they show it twice.
fn instant(wall_clock: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    zone.from_local_datetime(&wall_clock).earliest().map(|time| time.to_utc())
}

/// What a number in a date or timestamp column counts, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Days,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

// Without a schema the unit follows from the size of the number. Whatever lies between March 1973
// and the year 4707 is read right in every unit.

/// From here on a number is not days, which would be after the year 4707, but milliseconds.
const FIRST_MILLISECONDS: i64 = 1_000_000;
/// From here on a number is not milliseconds, which would be after the year 5138, but microseconds.
const FIRST_MICROSECONDS: i64 = 100_000_000_000_000;
/// From here on a number is not microseconds, which would be after the year 5138, but nanoseconds.
const FIRST_NANOSECONDS: i64 = 100_000_000_000_000_000;

impl Unit {
    /// What the schema says, if it is one of those that say it.
    fn of(schema: &Schema) -> Option<Self> {
        match schema.name.as_deref()? {
            "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Some(Self::Days),
            "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => {
                Some(Self::Milliseconds)
            }
            "io.debezium.time.MicroTimestamp" => Some(Self::Microseconds),
            "io.debezium.time.NanoTimestamp" => Some(Self::Nanoseconds),
            _ => None,
        }
    }

    fn inferred(number: i64) -> Self {
        match number {
            ..FIRST_MILLISECONDS => Self::Days,
            FIRST_MILLISECONDS..FIRST_MICROSECONDS => Self::Milliseconds,
            FIRST_MICROSECONDS..FIRST_NANOSECONDS => Self::Microseconds,
            FIRST_NANOSECONDS.. => Self::Nanoseconds,
        }
    }

    fn moment(self, number: i64) -> Option<Moment> {
        // Numbers come from columns without a zone: those with one are written as text.
        let time = match self {
            Self::Days => {
                let epoch = DateTime::UNIX_EPOCH.date_naive();
                let days = chrono::TimeDelta::try_days(number)?;
                return epoch.checked_add_signed(days).map(Moment::Date);
            }
            Self::Milliseconds => DateTime::from_timestamp_millis(number)?,
            Self::Microseconds => DateTime::from_timestamp_micros(number)?,
            Self::Nanoseconds => DateTime::from_timestamp_nanos(number),
        };
        Some(Moment::WallClock(time.naive_utc()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schema(json: &str) -> Schema {
        serde_json::from_str(json).expect("a schema")
    }

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).expect("JSON")
    }

    fn field<'a>(raw: &'a RawValue, schema: Option<&'a Schema>) -> Field<'a> {
        Field { name: Cow::Borrowed("column"), value: Scalar::of(raw), schema }
    }

    fn price(json: &str) -> Option<String> {
        field(&raw(json), None).price(10).ok().map(|amount| amount.to_string())
    }

    fn date(json: &str) -> Option<String> {
        field(&raw(json), None).business_date(&Encoding::default()).ok().map(|date| date.to_string())
    }

    #[test]
    fn decimals_are_exact_in_every_encoding() {
        let same = Some("22617.0000000001".to_owned());
        for json in [
            r#""AM2zToJEAQ==""#,
            r#""22617.0000000001""#,
            "22617.0000000001",
            "2.26170000000001E+4",
            "226170000000001e-10",
            r#""2.26170000000001E4""#,
            r#"{"scale": 10, "value": "AM2zToJEAQ=="}"#,
        ] {
            assert_eq!(price(json), same, "{json}");
        }
        // No double holds these digits.
        assert_eq!(price("999999999999999999.9999999999"), Some("999999999999999999.9999999999".to_owned()));
    }

    #[test]
    fn zeros_beyond_the_tenth_decimal_are_dropped_and_other_digits_are_not() {
        assert_eq!(price("0.10000000000000000000000000000000000000000000"), Some("0.1000000000".to_owned()));
        assert_eq!(price(r#""0E-10""#), Some("0.0000000000".to_owned()));
        assert_eq!(price("0.00000000001"), None);
        assert_eq!(price("0e999999999"), Some("0.0000000000".to_owned()));
    }

    #[test]
    fn prices_that_are_negative_too_large_or_no_number_are_refused() {
        for json in [
            "-1",
            r#""-0.0000000001""#,
            "1000000000000000000",
            "1e18",
            "1e2147483647",
            "1e-2147483648",
            "1e99999999999999999999",
            r#""NaN""#,
            r#""""#,
            r#"" 1""#,
            r#""1_000""#,
            r#""+1""#,
            r#"".5""#,
            r#""/w==""#,
            r#""AM2zToJEAQ""#,
            r#"{"scale": 10}"#,
            r#"{"scale": 10, "value": ""}"#,
            "true",
            "[]",
        ] {
            assert_eq!(price(json), None, "{json}");
        }
    }

    #[test]
    fn bytes_take_their_scale_from_the_schema_and_else_from_the_profile() {
        let decimal = schema(
            r#"{"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal",
                "parameters": {"scale": "2"}}"#,
        );
        let json = raw(r#""IoLE""#);
        let amount = |schema, scale| field(&json, schema).price(scale).map(|amount| amount.to_string());
        assert_eq!(amount(Some(&decimal), 10), Ok("22617.0000000000".to_owned()));
        assert_eq!(amount(None, 4), Ok("226.1700000000".to_owned()));
    }

    #[test]
    fn a_schema_settles_what_text_means() {
        let bytes = schema(r#"{"type": "bytes", "parameters": {"scale": "0"}}"#);
        let text = schema(r#"{"type": "string"}"#);
        let json = raw(r#""1234""#);
        assert!(field(&json, Some(&bytes)).price(10).is_err(), "the bytes d7 6d f8 are negative");
        assert_eq!(field(&json, Some(&text)).price(10), Ok("1234".parse().expect("an amount")));
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
            r#""2025-12-31T18:22:00""#,
            r#""2025-12-31 18:22:00.5""#,
        ] {
            assert_eq!(date(json).as_deref(), Some("2026-01-01"), "{json}");
        }
    }

    #[test]
    fn units_change_exactly_at_their_bounds() {
        for (number, unit) in [
            (FIRST_MILLISECONDS - 1, Unit::Days),
            (FIRST_MILLISECONDS, Unit::Milliseconds),
            (FIRST_MICROSECONDS - 1, Unit::Milliseconds),
            (FIRST_MICROSECONDS, Unit::Microseconds),
            (FIRST_NANOSECONDS - 1, Unit::Microseconds),
            (FIRST_NANOSECONDS, Unit::Nanoseconds),
        ] {
            assert_eq!(Unit::inferred(number), unit, "{number}");
        }
    }

    #[test]
    fn a_schema_overrides_the_size_of_a_number() {
        let json = raw("86400000");
        let date = |name: &str| {
            let schema = schema(&format!(r#"{{"type": "int64", "name": "{name}"}}"#));
            field(&json, Some(&schema)).business_date(&Encoding::default()).map(|date| date.to_string())
        };
        assert_eq!(date("io.debezium.time.Timestamp"), Ok("1970-01-02".to_owned()));
        assert_eq!(date("io.debezium.time.MicroTimestamp"), Ok("1970-01-01".to_owned()));
        assert!(date("io.debezium.time.Date").is_err(), "a date beyond the calendar");
    }

    #[test]
    fn the_last_moments_of_the_calendar_library_are_refused_not_fatal() {
        let timestamp = schema(r#"{"type": "int64", "name": "io.debezium.time.Timestamp"}"#);
        for json in ["8210266876799999", "8210266876700000", "-8334601228800000", "9223372036854775807"] {
            let json = raw(json);
            let field = field(&json, Some(&timestamp));
            assert!(field.business_date(&Encoding::default()).is_err());
            assert!(field.instant(&Encoding::default()).is_err());
        }
    }

    #[test]
    fn a_wall_clock_is_read_in_the_zone_of_the_profile() {
        let zone = Tz::Asia__Shanghai;
        let encoding = Encoding { wall_clock_zone: zone, ..Encoding::default() };
        let json = raw(r#""2025-12-31T18:22:00""#);
        let date = field(&json, None).business_date(&encoding).expect("a date");
        assert_eq!(date.to_string(), "2025-12-31");
        let json = raw(r#""2025-12-31T18:22:00Z""#);
        let date = field(&json, None).business_date(&encoding).expect("a date");
        assert_eq!(date.to_string(), "2026-01-01", "an instant has its own zone");
    }

    #[test]
    fn dates_that_are_none_are_refused() {
        for json in [
            "-1",
            "-9223372036854775808",
            r#""+262142-12-31T23:59:59""#,
            r#""+262142-12-31""#,
            "2026.5",
            "1e3",
            "99999999999999999999",
            r#""2026-02-30""#,
            r#""tomorrow""#,
            r#""""#,
            r#""infinity""#,
            "true",
            "{}",
        ] {
            assert_eq!(date(json), None, "{json}");
        }
    }

    #[test]
    fn region_codes_may_be_padded_numeric_or_absent() {
        let region =
            |json: &str| field(&raw(json), None).region().map(|code| code.map(|code| code.to_string()));
        assert_eq!(region(r#""110000""#), Ok(Some("110000".to_owned())));
        assert_eq!(region(r#""110000    ""#), Ok(Some("110000".to_owned())));
        assert_eq!(region("110000"), Ok(Some("110000".to_owned())));
        for json in ["null", r#""""#, r#""      ""#] {
            assert_eq!(region(json), Ok(None), "{json}");
        }
        assert!(region(r#""广东""#).is_err());
        assert!(region("1.5").is_err());
    }

    #[test]
    fn a_value_the_connector_does_not_know_is_no_value() {
        let json = raw(r#""__debezium_unavailable_value""#);
        assert!(field(&json, None).account().is_err());
        assert!(field(&json, None).price(10).is_err());
    }

    proptest! {
        #[test]
        fn every_amount_reads_back_from_every_encoding(units in 0..10_i128.pow(28)) {
            let amount = Amount::from_units(units).expect("within the limit");
            let base64 = STANDARD.encode(units.to_be_bytes());
            // The shortest form, which is Java's, as well as the padded one.
            let bytes = units.to_be_bytes();
            let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
            let start = if bytes[start] & 0x80 == 0 { start } else { start - 1 };
            let shortest = STANDARD.encode(&bytes[start..]);
            for json in [
                format!("\"{amount}\""),
                amount.to_string(),
                format!("{units}E-10"),
                format!("\"{base64}\""),
                format!("\"{shortest}\""),
                format!(r#"{{"scale": 10, "value": "{shortest}"}}"#),
            ] {
                prop_assert_eq!(price(&json), Some(amount.to_string()), "{}", json);
            }
        }

        #[test]
        fn bytes_that_could_be_taken_for_digits_are_negative(
            bytes in proptest::collection::vec(any::<u8>(), 1..16),
        ) {
            let text = STANDARD.encode(&bytes);
            if matches!(DecimalText::of(None, &text), DecimalText::Plain) {
                prop_assert!(bytes[0] & 0x80 != 0);
            }
        }
    }
}
