//! Exact numbers: amounts of contribution, rates and ratios.

use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of contribution: a signed decimal of scale 10 with up to 18 integer digits.
///
/// Kept as an integer number of 10⁻¹⁰ units, so that sums are exact and associative. Beyond 18
/// integer digits every operation fails with [`AmountOverflow`]; no sum is ever rounded or
/// wrapped. Written as plain text, always with ten decimals: `31663.8000000000`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Decimals of an amount.
    pub const SCALE: u32 = 10;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 18 integer digits and 10 decimals, all nines.
    pub const MAX: Self = Self(10_i128.pow(28) - 1);

    /// An amount of so many 10⁻¹⁰ units.
    pub fn from_units(units: i128) -> Result<Self, AmountOverflow> {
        if units.unsigned_abs() <= Self::MAX.0.unsigned_abs() { Ok(Self(units)) } else { Err(AmountOverflow) }
    }

    /// This amount as a number of 10⁻¹⁰ units.
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    /// The exact sum.
    pub fn checked_add(self, other: Self) -> Result<Self, AmountOverflow> {
        Self::from_units(self.0 + other.0)
    }

    /// The exact difference.
    pub fn checked_sub(self, other: Self) -> Result<Self, AmountOverflow> {
        Self::from_units(self.0 - other.0)
    }

    /// This amount, so many times.
    pub fn times(self, count: u32) -> Result<Self, AmountOverflow> {
        Self::from_units(self.0 * i128::from(count))
    }

    /// The share `rate` of this amount, rounded down (towards zero) to scale 10.
    #[must_use]
    pub fn share(self, rate: Rate) -> Self {
        // At most 28 + 7 digits, which i128 holds.
        Self(self.0 * i128::from(rate.0) / i128::from(Rate::ONE.0))
    }

    /// What part of `whole` this amount is, rounded down to scale 18; zero of nothing.
    ///
    /// Both must not be negative, and this amount at most `whole`.
    #[must_use]
    pub fn ratio_of(self, whole: Self) -> Ratio {
        assert!(self.0 >= 0 && self.0 <= whole.0, "a part lies between zero and its whole");
        if whole.0 == 0 {
            return Ratio::ZERO;
        }
        // A product with 10¹⁸ needs up to 46 digits, so the division goes nine digits at a time.
        let step = 10_i128.pow(9);
        let high = self.0 * step;
        let low = high % whole.0 * step;
        let quotient = high / whole.0 * step + low / whole.0;
        Ratio(u64::try_from(quotient).expect("a part is at most one, 10^18 units"))
    }

    /// Whether this is exactly nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The exact sum of many amounts.
    pub fn sum<I: IntoIterator<Item = Self>>(amounts: I) -> Result<Self, AmountOverflow> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

/// A result beyond 18 integer digits; nothing may be written from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("AMOUNT_OVERFLOW: the amount needs more than 18 integer digits")]
pub struct AmountOverflow;

impl Neg for Amount {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write_fixed(formatter, sign, self.0.unsigned_abs(), Self::SCALE)
    }
}

impl FromStr for Amount {
    type Err = InvalidNumber;

    /// Reads a plain decimal, at most 18 integer digits; more than ten decimals are refused
    /// unless they are zeros, because dropping them would change money.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_fixed(text, Self::SCALE).and_then(|units| Self::from_units(units).ok()).ok_or_else(|| {
            InvalidNumber {
                text: text.to_owned(),
                expected: "an amount with at most 18 integer digits and 10 decimals",
            }
        })
    }
}

/// A share of an adoption: between zero and one, scale 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u32);

impl Rate {
    /// Decimals of a rate.
    pub const SCALE: u32 = 6;
    /// The whole.
    pub const ONE: Self = Self(1_000_000);

    /// A rate of so many millionths.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::ONE.0 { Some(Self(millionths)) } else { None }
    }

    /// This rate in millionths.
    #[must_use]
    pub fn millionths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(formatter, "", u128::from(self.0), Self::SCALE)
    }
}

impl FromStr for Rate {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_fixed(text, Self::SCALE)
            .and_then(|units| u32::try_from(units).ok())
            .and_then(Self::from_millionths)
            .ok_or_else(|| InvalidNumber {
                text: text.to_owned(),
                expected: "a rate between 0 and 1 with at most 6 decimals",
            })
    }
}

/// An account's share of the network: between zero and one, scale 18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u64);

impl Ratio {
    /// Decimals of a ratio.
    pub const SCALE: u32 = 18;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole network.
    pub const ONE: Self = Self(10_u64.pow(18));

    /// The sum, or nothing when it would exceed one.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| *sum <= Self::ONE)
    }

    /// The difference, or nothing when it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(formatter, "", u128::from(self.0), Self::SCALE)
    }
}

impl FromStr for Ratio {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_fixed(text, Self::SCALE)
            .and_then(|units| u64::try_from(units).ok())
            .map(Self)
            .filter(|ratio| *ratio <= Self::ONE)
            .ok_or_else(|| InvalidNumber {
                text: text.to_owned(),
                expected: "a ratio between 0 and 1 with at most 18 decimals",
            })
    }
}

/// Text that is not the number expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidNumber {
    text: String,
    expected: &'static str,
}

fn write_fixed(formatter: &mut fmt::Formatter<'_>, sign: &str, units: u128, scale: u32) -> fmt::Result {
    let one = 10_u128.pow(scale);
    write!(formatter, "{sign}{}.{:0width$}", units / one, units % one, width = scale as usize)
}

/// The units of a plain decimal text: digits, optionally a minus sign and a fraction.
fn parse_fixed(text: &str, scale: u32) -> Option<i128> {
    // The library also reads exponents, separators and a plus sign, which no wire of ours carries.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    let number = Decimal::from_str_exact(text).ok().filter(|_| plain)?.normalize();
    let missing_decimals = scale.checked_sub(number.scale())?;
    number.mantissa().checked_mul(10_i128.pow(missing_decimals))
}

/// Serialises numbers as their text form, never as a float.
/// Text where people read it, the number of smallest units where they do not.
macro_rules! text_number {
    ($($type:ident($units:ty)),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <$units>::deserialize(deserializer).map(Self)
                }
            }
        }
    )+};
}

text_number!(Amount(i128), Rate(u32), Ratio(u64));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().expect("a valid amount")
    }

    #[test]
    fn amounts_are_written_with_ten_decimals_and_without_exponent() {
        assert_eq!(amount("31663.8").to_string(), "31663.8000000000");
        assert_eq!(amount("-0.0000000001").to_string(), "-0.0000000001");
        assert_eq!(Amount::MAX.to_string(), "999999999999999999.9999999999");
    }

    #[test]
    fn text_that_would_lose_digits_is_refused() {
        for text in ["", "-", "1e3", "+1", "0.00000000001", "1000000000000000000", "NaN", "1_000"] {
            assert!(text.parse::<Amount>().is_err(), "{text:?}");
        }
        assert_eq!(amount("0.10000000000000"), amount("0.1"));
    }

    #[test]
    fn the_largest_amount_plus_the_smallest_is_an_overflow() {
        assert_eq!(Amount::MAX.checked_add(amount("0.0000000001")), Err(AmountOverflow));
        assert_eq!(Amount::MAX.times(2), Err(AmountOverflow));
        assert_eq!(Amount::MAX.share(Rate::ONE), Amount::MAX);
    }

    #[test]
    fn a_share_is_rounded_down_to_the_last_digit() {
        let rate = "0.005".parse().expect("a valid rate");
        assert_eq!(amount("0.0000000199").share(rate), Amount::ZERO);
        assert_eq!(amount("0.0000000200").share(rate), amount("0.0000000001"));
    }

    proptest! {
        #[test]
        fn amounts_read_back_as_written(units in -(10_i128.pow(28) - 1)..10_i128.pow(28)) {
            let amount = Amount::from_units(units).expect("within the limit");
            prop_assert_eq!(amount.to_string().parse::<Amount>(), Ok(amount));
        }

        #[test]
        fn a_ratio_is_the_largest_that_does_not_exceed_the_exact_quotient(part in 0..10_i128.pow(17), rest in 1..10_i128.pow(17)) {
            let whole = part + rest;
            let ratio = Amount(part).ratio_of(Amount(whole));
            // Both products stay below 10^36, within i128.
            let units = i128::from(ratio.0);
            prop_assert!(units * whole <= part * 10_i128.pow(18));
            prop_assert!((units + 1) * whole > part * 10_i128.pow(18));
        }
    }
}
