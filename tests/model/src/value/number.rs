//! Decimal numbers of up to 38 significant digits, as the table computes with them.

use std::cmp::Ordering;
use std::fmt;

const MAX_DIGITS: u32 = 38;
const MAX_MAGNITUDE: i32 = 125;
const MIN_MAGNITUDE: i32 = -130;

/// An exact decimal number: `coefficient * 10^exponent`, the coefficient without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    exponent: i32,
    /// In two halves, because a value that holds 128 bits in one takes longer to allocate.
    coefficient: [u64; 2],
}

/// Why a text or a result is not a number that a table can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNumber {
    /// The text is not a decimal number.
    #[error("The parameter cannot be converted to a numeric value")]
    Syntax,
    /// The number needs more than 38 significant digits.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    Precision,
    /// The number is 10^126 or more.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    /// The number is nearer to zero than 10^-130.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, exponent: 0, coefficient: [0; 2] };

    /// Reads a decimal number with an optional sign, fraction and exponent.
    pub fn parse(text: &str) -> Result<Self, InvalidNumber> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => {
                let exponent = unsigned[at + 1..].parse::<i32>().map_err(|_| InvalidNumber::Syntax)?;
                (&unsigned[..at], exponent)
            }
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidNumber::Syntax);
        }
        let fraction_digits = i32::try_from(fraction.len()).map_err(|_| InvalidNumber::Precision)?;
        let mut coefficient = 0_u128;
        let mut trailing_zeros = 0_i32;
        for digit in digits() {
            if digit == b'0' {
                trailing_zeros += i32::from(coefficient != 0);
                continue;
            }
            for _ in 0..=trailing_zeros {
                coefficient = coefficient.checked_mul(10).ok_or(InvalidNumber::Precision)?;
            }
            trailing_zeros = 0;
            coefficient =
                coefficient.checked_add(u128::from(digit - b'0')).ok_or(InvalidNumber::Precision)?;
        }
        // A zero is refused by the exponent with which it was written.
        match coefficient {
            0 if exponent > MAX_MAGNITUDE => return Err(InvalidNumber::Overflow),
            0 if exponent < MIN_MAGNITUDE => return Err(InvalidNumber::Underflow),
            _ => {}
        }
        let exponent = exponent.saturating_sub(fraction_digits).saturating_add(trailing_zeros);
        Self::normalized(negative, coefficient, exponent)
    }

    /// Returns the sum of two numbers.
    pub fn plus(self, other: Self) -> Result<Self, InvalidNumber> {
        let (Some(left), Some(right), exponent) = aligned(self, other) else {
            return Err(InvalidNumber::Precision);
        };
        let (negative, coefficient) = if self.negative == other.negative {
            (self.negative, left.checked_add(right).ok_or(InvalidNumber::Precision)?)
        } else if left >= right {
            (self.negative, left - right)
        } else {
            (other.negative, right - left)
        };
        Self::normalized(negative, coefficient, exponent)
    }

    /// Returns the difference of two numbers.
    pub fn minus(self, other: Self) -> Result<Self, InvalidNumber> {
        self.plus(Self { negative: !other.negative, ..other })
    }

    /// Returns the number of significant digits.
    #[must_use]
    pub fn significant_digits(self) -> u32 {
        self.coefficient().checked_ilog10().map_or(1, |log| log + 1)
    }

    /// Returns the number, if it is a whole one that fits.
    #[must_use]
    pub fn as_whole(self) -> Option<i128> {
        let factor = 10_u128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let whole = i128::try_from(self.coefficient().checked_mul(factor)?).ok()?;
        Some(if self.negative { -whole } else { whole })
    }

    /// Returns whether the number is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.negative
    }

    fn normalized(negative: bool, mut coefficient: u128, mut exponent: i32) -> Result<Self, InvalidNumber> {
        if coefficient == 0 {
            return Ok(Self::ZERO);
        }
        // Nearly every number has 64 bits, in which a division is much quicker.
        if let Ok(mut small) = u64::try_from(coefficient) {
            while small.is_multiple_of(10) {
                small /= 10;
                exponent += 1;
            }
            coefficient = u128::from(small);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        let number = Self { negative, exponent, coefficient: halves(coefficient) };
        if number.significant_digits() > MAX_DIGITS {
            return Err(InvalidNumber::Precision);
        }
        match number.magnitude() {
            magnitude if magnitude > MAX_MAGNITUDE => Err(InvalidNumber::Overflow),
            magnitude if magnitude < MIN_MAGNITUDE => Err(InvalidNumber::Underflow),
            _ => Ok(number),
        }
    }

    fn coefficient(self) -> u128 {
        (u128::from(self.coefficient[0]) << 64) | u128::from(self.coefficient[1])
    }

    /// Returns the power of ten of the first digit.
    fn magnitude(self) -> i32 {
        self.exponent.saturating_add(self.significant_digits().cast_signed() - 1)
    }

    fn compare_magnitude(self, other: Self) -> Ordering {
        match (self.coefficient() == 0, other.coefficient() == 0) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let (left, right, _) = aligned(self, other);
            left.cmp(&right)
        })
    }
}

fn halves(coefficient: u128) -> [u64; 2] {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
    [half(coefficient >> 64), half(coefficient)]
}

/// Returns both coefficients for the smaller exponent of the two; `None` where one does not fit.
fn aligned(left: Number, right: Number) -> (Option<u128>, Option<u128>, i32) {
    let exponent = match (left.coefficient() == 0, right.coefficient() == 0) {
        (true, _) => right.exponent,
        (_, true) => left.exponent,
        _ => left.exponent.min(right.exponent),
    };
    let scale = |number: Number| {
        if number.coefficient() == 0 {
            return Some(0);
        }
        let power = u32::try_from(number.exponent - exponent).ok()?;
        10_u128.checked_pow(power)?.checked_mul(number.coefficient())
    };
    (scale(left), scale(right), exponent)
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.compare_magnitude(*other),
            (true, true) => other.compare_magnitude(*self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::normalized(value < 0, u128::from(value.unsigned_abs()), 0)
            .expect("a whole number of 64 bits has at most 19 digits")
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::normalized(false, u128::from(value), 0)
            .expect("a whole number of 64 bits has at most 20 digits")
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let digits = self.coefficient().to_string();
        let Ok(zeros) = usize::try_from(self.exponent) else {
            let places = self.exponent.unsigned_abs() as usize;
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            return write!(formatter, "{sign}{whole}.{fraction}");
        };
        write!(formatter, "{sign}{digits}{:0<zeros$}", "")
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidNumber, Number};

    fn number(text: &str) -> Number {
        Number::parse(text).expect(text)
    }

    #[test]
    fn a_number_is_written_in_its_shortest_plain_form() {
        for (given, written) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("007", "7"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("12.5E-3", "0.0125"),
            ("-100", "-100"),
            ("+3", "3"),
            (".5", "0.5"),
        ] {
            assert_eq!(number(given).to_string(), written);
        }
    }

    #[test]
    fn thirty_eight_digits_are_kept_and_one_more_is_refused() {
        let longest = "12345678901234567890123456789012345678";
        assert_eq!(number(longest).to_string(), longest);
        assert_eq!(Number::parse(&format!("{longest}9")), Err(InvalidNumber::Precision));
        assert_eq!(number(&format!("{longest}000")).significant_digits(), 38);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(Number::parse("1e126"), Err(InvalidNumber::Overflow));
        assert_eq!(Number::parse("1e-131"), Err(InvalidNumber::Underflow));
        assert!(Number::parse("9.9e125").is_ok());
        assert_eq!(Number::parse("0e126"), Err(InvalidNumber::Overflow));
        assert_eq!(Number::parse("1.2.3"), Err(InvalidNumber::Syntax));
        assert_eq!(Number::parse(""), Err(InvalidNumber::Syntax));
    }

    #[test]
    fn sums_are_exact_or_refused() {
        assert_eq!(number("0.1").plus(number("0.2")), Ok(number("0.3")));
        assert_eq!(number("5").minus(number("7")), Ok(number("-2")));
        assert_eq!(number("1e38").minus(number("1")), Ok(number(&"9".repeat(38))));
        assert_eq!(number("1e100").plus(number("1")), Err(InvalidNumber::Precision));
        assert_eq!(number("0").plus(number("1e-100")), Ok(number("1e-100")));
    }

    #[test]
    fn numbers_compare_by_value() {
        let ascending = ["-10", "-9.5", "-1e-9", "0", "1e-9", "0.5", "2", "10", "1e20"].map(number);
        assert!(ascending.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(number("1.0"), number("1"));
    }
}
