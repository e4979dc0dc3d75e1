//! Exact amounts, rates and ratios: integers of the smallest unit.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An amount of contribution, as a whole number of units of 10⁻¹⁰.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Decimals of an amount.
    const SCALE: usize = 10;
    /// The first number of units that needs nineteen integer digits.
    const TOTAL_LIMIT: i128 = 10_i128.pow(28);

    /// Returns the amount of so many units of 10⁻¹⁰.
    #[must_use]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// Returns the number of units of 10⁻¹⁰.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Returns the amount that a plain or scientific decimal states, rounded down to ten decimals.
    #[must_use]
    pub fn from_decimal(text: &str) -> Option<Self> {
        fixed_point(text, Self::SCALE).map(Self)
    }

    /// Returns so many times this amount, if that has at most eighteen integer digits.
    #[must_use]
    pub fn total_of(self, trees: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(trees)).filter(|units| units.abs() < Self::TOTAL_LIMIT).map(Self)
    }

    /// Returns the share of a total, rounded down to a whole unit.
    #[must_use]
    pub fn share(self, rate: Rate) -> Self {
        Self(self.0 * rate.0 / Rate::ONE.0)
    }

    /// Returns this amount times `1 + units * increment`, rounded down, if it fits.
    #[must_use]
    pub fn raised(self, units: u64, increment: Rate) -> Option<Self> {
        let factor = increment.0.checked_mul(i128::from(units))?.checked_add(Rate::ONE.0)?;
        self.0.checked_mul(factor).map(|product| Self(product / Rate::ONE.0))
    }

    /// Returns what part of `whole` this is, rounded down. The whole must be more than nothing.
    ///
    /// A long division, a digit at a time, because the product of a sum and 10¹⁸ fits no integer.
    #[must_use]
    pub fn ratio_of(self, whole: Self) -> Ratio {
        let mut quotient = self.0 / whole.0;
        let mut remainder = self.0 % whole.0;
        for _ in 0..Ratio::SCALE {
            remainder *= 10;
            quotient = quotient * 10 + remainder / whole.0;
            remainder %= whole.0;
        }
        Ratio(quotient)
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("a sum has at most 28 integer digits"))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Amount {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed_point(self.0, Self::SCALE, formatter)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decimal(deserializer, Self::SCALE).map(Self)
    }
}

/// A share of an adoption, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(i128);

impl Rate {
    /// All of it.
    pub const ONE: Self = Self(1_000_000);

    /// Returns the rate of so many millionths.
    #[must_use]
    pub const fn from_millionths(millionths: i128) -> Self {
        Self(millionths)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decimal(deserializer, 6).map(Self)
    }
}

/// An account's part of the network, in units of 10⁻¹⁸.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(i128);

impl Ratio {
    /// The whole network.
    pub const ONE: Self = Self(10_i128.pow(18));
    const SCALE: usize = 18;

    /// Returns the number of units of 10⁻¹⁸.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }
}

impl Add for Ratio {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Ratio {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Ratio {
    fn sum<I: Iterator<Item = Self>>(ratios: I) -> Self {
        ratios.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed_point(self.0, Self::SCALE, formatter)
    }
}

/// Reads a decimal as a whole number of units of 10⁻ˢᶜᵃˡᵉ; further decimals are cut off.
fn fixed_point(text: &str, scale: usize) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let shift = i64::try_from(scale).ok()? + i64::from(exponent) - i64::try_from(decimals.len()).ok()?;
    let units = if shift < 0 {
        let cut = usize::try_from(-shift).ok()?;
        let kept = digits.len().saturating_sub(cut);
        if kept == 0 { 0 } else { digits[..kept].parse::<i128>().ok()? }
    } else {
        let factor = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
        digits.parse::<i128>().ok()?.checked_mul(factor)?
    };
    Some(sign * units)
}

fn write_fixed_point(units: i128, scale: usize, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    write!(formatter, "{sign}{whole}.{decimals}")
}

/// Reads a number of a file, written as text or as a JSON number.
fn decimal<'de, D: Deserializer<'de>>(deserializer: D, scale: usize) -> Result<i128, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        other => return Err(serde::de::Error::custom(format!("{other} is not a decimal"))),
    };
    fixed_point(&text, scale).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a decimal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::from_decimal(text).unwrap_or_else(|| panic!("{text:?} is a decimal"))
    }

    #[test]
    fn amounts_are_written_with_ten_decimals() {
        for (written, shown) in [
            ("22617", "22617.0000000000"),
            ("22617.5", "22617.5000000000"),
            ("0.0000000001", "0.0000000001"),
            ("-3.25", "-3.2500000000"),
            ("-0.0000000001", "-0.0000000001"),
            ("1E+3", "1000.0000000000"),
            ("25e-1", "2.5000000000"),
        ] {
            assert_eq!(amount(written).to_string(), shown);
        }
    }

    #[test]
    fn decimals_beyond_the_tenth_are_cut_off() {
        assert_eq!(amount("1.00000000019"), amount("1.0000000001"));
        assert_eq!(amount("0.00000000009"), Amount::ZERO);
        assert_eq!(amount(&format!("7.{}", "9".repeat(60))), amount("7.9999999999"));
    }

    #[test]
    fn text_that_is_not_a_number_is_refused_as_an_amount() {
        for text in ["", " ", "free", "Infinity", "NaN", "1,5", "1.2.3", ".", "-", "1e", "0x10", "1e99"] {
            assert_eq!(Amount::from_decimal(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_total_has_at_most_eighteen_integer_digits() {
        let largest = amount("999999999999999999.9999999999");
        assert_eq!(largest.total_of(1), Some(largest));
        assert_eq!(amount("1000000000000000000").total_of(1), None);
        assert_eq!(amount("500000000000000000").total_of(2), None);
    }

    #[test]
    fn ratios_are_rounded_down_and_need_no_more_room_than_sums() {
        let of = |part: i128, whole: i128| Amount(part).ratio_of(Amount(whole)).units();
        assert_eq!(of(1, 3), 333_333_333_333_333_333);
        assert_eq!(of(2, 3), 666_666_666_666_666_666);
        let largest = 10_i128.pow(37);
        assert_eq!(of(largest - 1, largest), 999_999_999_999_999_999);
        assert_eq!(of(largest, largest), Ratio::ONE.units());
    }
}
