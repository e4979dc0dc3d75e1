//! Decimal numbers, in each of the encodings Debezium has for them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::column::Problem;
use super::profile::Decimals;
use super::schema::Schema;
use super::value::Scalar;

/// The contribution of a tree as the source has it, rounded down to ten decimals: any number, because
/// which prices count is for the rules to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i128);

impl Price {
    /// Decimals of a price.
    pub const SCALE: u32 = domain::Amount::SCALE;

    /// Returns a price of so many 10⁻¹⁰ units.
    #[must_use]
    pub fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// Returns the price as a number of 10⁻¹⁰ units.
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }
}

impl fmt::Display for Price {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u128.pow(Self::SCALE);
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(formatter, "{sign}{}.{:0width$}", units / one, units % one, width = Self::SCALE as usize)
    }
}

impl FromStr for Price {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        price_from_text(text).ok_or(Problem::Decimal)
    }
}

/// Reads a price: a JSON number, text, bytes in base64, or a structure of scale and bytes
/// (`decimal.handling.mode`; `VariableScaleDecimal`).
pub(super) fn price(
    value: &Scalar<'_>,
    schema: Option<&Schema>,
    decimals: Decimals,
) -> Result<Price, Problem> {
    match value {
        Scalar::Number(number) => number.parse(),
        Scalar::Text(text) => match DecimalText::of(schema, text, decimals)? {
            DecimalText::Plain => text.trim_end().parse(),
            DecimalText::Base64 { scale } => price_from_base64(text, scale).ok_or(Problem::Decimal),
            DecimalText::Supposed { scale } => supposed_price(text, scale).ok_or(Problem::BytesWithoutScale),
        },
        Scalar::Other(json) => serde_json::from_str::<VariableScaleDecimal>(json)
            .ok()
            .and_then(|decimal| price_from_base64(&decimal.value, decimal.scale.into()))
            .ok_or(Problem::Decimal),
        Scalar::Null | Scalar::Boolean(_) => Err(Problem::Decimal),
    }
}

/// Reads a whole number, also as text, and also with decimals if they are zeros: a column of type
/// `numeric` that holds whole numbers. Bytes are read where the message itself says that they are a decimal's.
pub(super) fn whole_number(value: &Scalar<'_>, schema: Option<&Schema>) -> Option<i64> {
    let in_bytes = number_in_bytes(value, schema);
    let text = match (&in_bytes, value) {
        (Some(number), _) => number,
        (None, Scalar::Number(number)) => *number,
        (None, Scalar::Text(text)) => text.trim_end(),
        (None, _) => return None,
    };
    text.parse().ok().or_else(|| {
        let digits = Digits::read(text)?;
        let (units, rest) = digits.at_scale(0)?;
        if rest { None } else { i64::try_from(units).ok() }
    })
}

/// Reads the digits of a decimal that the message itself says is written as bytes: by a schema with a scale, or by
/// a structure with one. Nothing is supposed.
pub(super) fn number_in_bytes(value: &Scalar<'_>, schema: Option<&Schema>) -> Option<String> {
    let (unscaled, scale) = match value {
        Scalar::Text(text) => {
            let schema = schema.filter(|schema| schema.primitive.as_deref() == Some("bytes"))?;
            (self::unscaled(text)?, schema.parameters.get("scale")?.parse::<i32>().ok()?)
        }
        Scalar::Other(json) => {
            let decimal = serde_json::from_str::<VariableScaleDecimal>(json).ok()?;
            (self::unscaled(&decimal.value)?, decimal.scale)
        }
        Scalar::Null | Scalar::Boolean(_) | Scalar::Number(_) => return None,
    };
    digits_of(unscaled, scale)
}

/// Returns the digits of a number as JSON has it, without the point and the exponent that a double gets
/// (`decimal.handling.mode=double`), where it is whole. Beyond 2^53 a double may stand for another number, so that one
/// is left as it is.
pub(super) fn without_point(number: &str) -> Cow<'_, str> {
    const LAST_EXACT: u128 = 1 << 53;

    if !number.contains(['.', 'e', 'E']) {
        return Cow::Borrowed(number);
    }
    match Digits::read(number).and_then(|digits| digits.at_scale(0)) {
        Some((units, false)) if units.unsigned_abs() <= LAST_EXACT => Cow::Owned(units.to_string()),
        _ => Cow::Borrowed(number),
    }
}

/// Returns `unscaled` times 10^-scale in digits, without zeros at the end of its decimals.
fn digits_of(unscaled: i128, scale: i32) -> Option<String> {
    let Ok(decimals @ 1..) = usize::try_from(scale) else {
        let zeros = 10_i128.checked_pow(scale.unsigned_abs())?;
        return Some(unscaled.checked_mul(zeros)?.to_string());
    };
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = decimals.checked_add(1)?.min(1_000));
    let (integer, fraction) = digits.split_at(digits.len().checked_sub(decimals)?);
    let number = format!("{sign}{integer}.{fraction}");
    Some(number.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// How a decimal is written as text.
enum DecimalText {
    /// Digits.
    Plain,
    /// The bytes of the unscaled value, as the schema or the profile says.
    Base64 { scale: i64 },
    /// The same, as a built-in profile supposes. Text that could also be a word is not believed.
    Supposed { scale: i64 },
}

impl DecimalText {
    fn of(schema: Option<&Schema>, text: &str, decimals: Decimals) -> Result<Self, Problem> {
        match schema.and_then(|schema| schema.primitive.as_deref()) {
            Some("string") => return Ok(Self::Plain),
            Some("bytes") => {
                let scale = schema.and_then(|schema| schema.parameters.get("scale"));
                let from_schema = scale.map(|scale| scale.parse::<i32>().map_err(|_| Problem::Decimal));
                let scale = match (from_schema, decimals) {
                    (Some(scale), _) => i64::from(scale?),
                    (None, Decimals::Precise { scale } | Decimals::SupposedPrecise { scale }) => scale.into(),
                    (None, Decimals::Plain) => return Err(Problem::BytesWithoutScale),
                };
                return Ok(Self::Base64 { scale });
            }
            _ => {}
        }
        // Bytes whose base64 begins like a number have their first bit set: a negative number, and no
        // price is one.
        let is_number =
            text.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+');
        Ok(match decimals {
            _ if is_number => Self::Plain,
            Decimals::Plain => Self::Plain,
            Decimals::Precise { scale } => Self::Base64 { scale: scale.into() },
            Decimals::SupposedPrecise { scale } => Self::Supposed { scale: scale.into() },
        })
    }
}

/// A decimal that brings its own scale, as `numeric` columns without one are written.
#[derive(Deserialize)]
struct VariableScaleDecimal {
    scale: i32,
    value: String,
}

fn price_from_text(text: &str) -> Option<Price> {
    Digits::read(text)?.at_scale(Price::SCALE.into()).map(|(units, _)| Price(units))
}

/// Reads the big-endian two's complement of an unscaled value.
fn price_from_base64(text: &str, scale: i64) -> Option<Price> {
    let unscaled = unscaled(text)?;
    let digits =
        Digits { is_negative: unscaled < 0, significand: unscaled.unsigned_abs().to_string(), scale };
    digits.at_scale(Price::SCALE.into()).map(|(units, _)| Price(units))
}

fn unscaled(text: &str) -> Option<i128> {
    let bytes = STANDARD.decode(text).ok()?;
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
    bytes.iter().try_fold(sign, |high: i128, &low| high.checked_mul(256)?.checked_add(i128::from(low)))
}

/// Reads base64 that is hardly a word: with padding at its end, which no word has, or of eight signs and more that are
/// not written like a word, or with at most six decimals, which one word in ten thousand would have by chance.
/// `"Infinity"`, `"NULL"`, `"None"`, `"TRUE"` and `"CNY22617"` are base64 as well. Four signs without padding are no
/// price at this scale, but may well be one at another.
fn supposed_price(text: &str, scale: i64) -> Option<Price> {
    const DECIMALS: i64 = 6;
    const SHORTEST: usize = 8;
    if text.ends_with('=') {
        return price_from_base64(text, scale);
    }
    let is_round = || {
        let cents = 10_i128.checked_pow(u32::try_from(scale - DECIMALS).ok()?)?;
        Some(unscaled(text)? % cents == 0)
    };
    let is_believed = text.len() >= SHORTEST && (!is_like_a_word(text) || is_round() == Some(true));
    is_believed.then(|| price_from_base64(text, scale))?
}

/// Returns whether a text is letters, all of them small or large but for the first, and digits after them, if any.
fn is_like_a_word(text: &str) -> bool {
    let letters = text.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let all = |is: fn(&u8) -> bool| letters.bytes().skip(1).all(|letter| is(&letter));
    letters.bytes().all(|letter| letter.is_ascii_alphabetic())
        && (all(u8::is_ascii_lowercase) || all(u8::is_ascii_uppercase))
}

/// A decimal number: its digits, of which the last `scale` are decimals.
struct Digits {
    is_negative: bool,
    significand: String,
    scale: i64,
}

impl Digits {
    /// Reads digits with an optional sign, fraction and exponent, as JSON and Java write numbers.
    fn read(text: &str) -> Option<Self> {
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
        Some(Self { is_negative, significand: all, scale: decimals - i64::from(exponent) })
    }

    /// Returns the number in units of 10^-scale, rounded towards zero, and whether rounding dropped anything;
    /// nothing where it has too many digits.
    fn at_scale(&self, scale: i64) -> Option<(i128, bool)> {
        let digits = self.significand.trim_start_matches('0');
        let missing = scale - self.scale;
        let (kept, dropped, zeros) = if missing >= 0 {
            (digits, "", u32::try_from(missing).ok())
        } else {
            let surplus = usize::try_from(-missing).ok()?;
            let (kept, dropped) = digits.split_at(digits.len().saturating_sub(surplus));
            (kept, dropped, Some(0))
        };
        let has_rest = dropped.bytes().any(|digit| digit != b'0');
        if kept.is_empty() {
            return Some((0, has_rest));
        }
        let units = kept.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(zeros?)?)?;
        Some((if self.is_negative { -units } else { units }, has_rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn read(json: &str, schema: Option<&str>, decimals: Decimals) -> Result<String, Problem> {
        let raw: Box<RawValue> = serde_json::from_str(json).expect("JSON");
        let schema = schema.map(|schema| serde_json::from_str(schema).expect("a schema"));
        price(&Scalar::of(&raw), schema.as_ref(), decimals).map(|price| price.to_string())
    }

    fn plain(json: &str) -> Option<String> {
        read(json, None, Decimals::Plain).ok()
    }

    const PRECISE: Decimals = Decimals::Precise { scale: 10 };
    const SUPPOSED: Decimals = Decimals::SupposedPrecise { scale: 10 };

    #[test]
    fn decimals_are_exact_in_every_encoding() {
        for json in [
            r#""AM2zToJEAQ==""#,
            r#""22617.0000000001""#,
            r#""22617.0000000001   ""#,
            "22617.0000000001",
            "2.26170000000001E+4",
            "226170000000001e-10",
            r#""2.26170000000001E4""#,
            r#"{"scale": 10, "value": "AM2zToJEAQ=="}"#,
        ] {
            for decimals in [PRECISE, SUPPOSED] {
                assert_eq!(read(json, None, decimals), Ok("22617.0000000001".to_owned()), "{json}");
            }
        }
        // No double holds these digits.
        let long = "999999999999999999.9999999999";
        assert_eq!(plain(long).as_deref(), Some(long));
    }

    #[test]
    fn decimals_beyond_the_tenth_are_rounded_down() {
        for (json, expected) in [
            ("0.10000000000000000000000000000000000000000000", "0.1000000000"),
            (r#""0E-10""#, "0.0000000000"),
            ("0.00000000001", "0.0000000000"),
            (r#""22617.00000000019""#, "22617.0000000001"),
            ("-0.00000000019", "-0.0000000001"),
            ("0e999999999", "0.0000000000"),
            ("1e-999999999", "0.0000000000"),
        ] {
            assert_eq!(plain(json).as_deref(), Some(expected), "{json}");
        }
        let schema = r#"{"type": "bytes", "parameters": {"scale": "12"}}"#;
        // 22617.000000000012 at scale 12, the first two of its digits after the tenth dropped.
        let bytes = STANDARD.encode(22_617_000_000_000_012_i128.to_be_bytes());
        assert_eq!(
            read(&format!("\"{bytes}\""), Some(schema), Decimals::Plain),
            Ok("22617.0000000000".to_owned())
        );
    }

    #[test]
    fn prices_outside_every_bound_are_readable_numbers() {
        for (json, expected) in [
            ("-1", "-1.0000000000"),
            ("0", "0.0000000000"),
            ("1e18", "1000000000000000000.0000000000"),
            (r#""-1000""#, "-1000.0000000000"),
        ] {
            assert_eq!(plain(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn text_that_is_not_a_number_is_unreadable() {
        for json in [
            "1e2147483647",
            "1e99999999999999999999",
            r#""NaN""#,
            r#""""#,
            r#"" 1""#,
            r#""1_000""#,
            r#""+1""#,
            r#"".5""#,
            r#""¥22617""#,
            r#""22617 CNY""#,
            r#""1,000""#,
            r#"{"scale": 10}"#,
            r#"{"scale": 10, "value": ""}"#,
            "true",
            "[]",
        ] {
            assert_eq!(plain(json), None, "{json}");
        }
    }

    #[test]
    fn words_are_not_the_bytes_of_a_price() {
        for word in
            ["Infinity", "NULL", "None", "TRUE", "CNY22617", "free", "null", "gift", "VOID", "USD22617"]
        {
            let json = format!("\"{word}\"");
            assert_eq!(read(&json, None, Decimals::Plain), Err(Problem::Decimal), "{word}");
            assert_eq!(read(&json, None, SUPPOSED), Err(Problem::BytesWithoutScale), "{word}");
        }
    }

    #[test]
    fn bytes_are_read_under_a_bytes_schema_or_where_the_profile_gives_their_scale() {
        // 10000.00, whose six bytes need no padding in base64.
        let json = r#""WvMQekAA""#;
        assert_eq!(read(json, None, Decimals::Plain), Err(Problem::Decimal));
        for decimals in [PRECISE, SUPPOSED] {
            assert_eq!(read(json, None, decimals), Ok("10000.0000000000".to_owned()));
        }
        // 9999.1234567 is not written like a word; 500.00 at scale 2 is not taken for a millionth at scale 10.
        assert_eq!(read(r#""WvEGBFtY""#, None, SUPPOSED), Ok("9999.1234567000".to_owned()));
        assert_eq!(read(r#""AMNQ""#, None, SUPPOSED), Err(Problem::BytesWithoutScale));
        let with_scale = r#"{"type": "bytes", "parameters": {"scale": "2"}}"#;
        assert_eq!(read(r#""IoLE""#, Some(with_scale), Decimals::Plain), Ok("22617.0000000000".to_owned()));
        let without = r#"{"type": "bytes"}"#;
        assert_eq!(read(r#""IoLE""#, Some(without), Decimals::Plain), Err(Problem::BytesWithoutScale));
        assert_eq!(read(r#""IoLE""#, None, Decimals::Precise { scale: 4 }), Ok("226.1700000000".to_owned()));
        let text = r#"{"type": "string"}"#;
        assert_eq!(read(r#""IoLE""#, Some(text), PRECISE), Err(Problem::Decimal));
    }

    #[test]
    fn whole_numbers_may_be_text_and_may_have_zeros_after_the_point() {
        for (json, expected) in [
            ("3", Some(3)),
            ("\"3\"", Some(3)),
            ("3.0", Some(3)),
            ("\"3.000   \"", Some(3)),
            ("3e2", Some(300)),
            ("-2", Some(-2)),
            ("0", Some(0)),
            ("4294967295", Some(4_294_967_295)),
            ("2.5", None),
            ("\"\"", None),
            ("true", None),
            ("99999999999999999999", None),
            ("9223372036854775807", Some(i64::MAX)),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(json).expect("JSON");
            assert_eq!(whole_number(&Scalar::of(&raw), None), expected, "{json}");
        }
    }

    #[test]
    fn whole_numbers_in_bytes_are_read_where_the_message_gives_their_scale() {
        let read = |json: &str, schema: Option<&str>| {
            let raw: Box<RawValue> = serde_json::from_str(json).expect("JSON");
            let schema: Option<Schema> = schema.map(|schema| serde_json::from_str(schema).expect("a schema"));
            whole_number(&Scalar::of(&raw), schema.as_ref())
        };
        let scale = |scale: i32| format!(r#"{{"type": "bytes", "parameters": {{"scale": "{scale}"}}}}"#);
        assert_eq!(read(r#""Cw==""#, Some(&scale(0))), Some(11));
        // 1100 at scale 2.
        assert_eq!(read(r#""BEw=""#, Some(&scale(2))), Some(11));
        assert_eq!(read(r#""Cw==""#, Some(&scale(-1))), Some(110));
        assert_eq!(read(r#""Cw==""#, Some(&scale(1))), None, "1.1 is no whole number");
        assert_eq!(read(r#"{"scale": 0, "value": "Cw=="}"#, None), Some(11));
        assert_eq!(read(r#""Cw==""#, None), None, "nothing says that these are bytes");
        assert_eq!(read(r#""Cw==""#, Some(r#"{"type": "bytes"}"#)), None, "nothing gives a scale");
        assert_eq!(read(r#""Cw==""#, Some(&scale(i32::MAX))), None);
        assert_eq!(read(r#""Cw==""#, Some(&scale(i32::MIN))), None);
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for (unscaled, scale, expected) in [
            (11, 0, Some("11")),
            (-11, 1, Some("-1.1")),
            (5, 3, Some("0.005")),
            (1_100, 2, Some("11")),
            (0, 2, Some("0")),
            (7, -2, Some("700")),
            (i128::MAX, -1, None),
        ] {
            assert_eq!(digits_of(unscaled, scale).as_deref(), expected, "{unscaled} {scale}");
        }
    }

    proptest! {
        #[test]
        fn every_price_reads_back_from_every_encoding(units in 0..10_i128.pow(28)) {
            let price = Price(units).to_string();
            // The shortest form, which is Java's, as well as the padded one.
            let bytes = units.to_be_bytes();
            let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
            let start = if bytes[start] & 0x80 == 0 { start } else { start - 1 };
            let shortest = STANDARD.encode(&bytes[start..]);
            for json in [
                format!("\"{price}\""),
                price.clone(),
                format!("{units}E-10"),
                format!("\"{}\"", STANDARD.encode(bytes)),
                format!("\"{shortest}\""),
                format!(r#"{{"scale": 10, "value": "{shortest}"}}"#),
            ] {
                prop_assert_eq!(read(&json, None, PRECISE), Ok(price.clone()), "{}", json);
            }
        }
    }
}
