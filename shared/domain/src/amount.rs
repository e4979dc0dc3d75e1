//! Exact numbers: amounts of contribution, rates and ratios.

use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of contribution: exact, with ten decimals (rules, section 2).
///
/// One adoption's total has at most 18 integer digits ([`TOTAL_MAX`](Self::TOTAL_MAX)); a sum has room for
/// 28, so that no number of adoptions makes a sum overflow. Beyond that an operation fails with
/// [`AmountOverflow`]; nothing is rounded and nothing wraps around.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Decimals of an amount.
    pub const SCALE: u32 = 10;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest sum: 28 integer digits.
    pub const MAX: Self = Self(10_i128.pow(38) - 1);
    /// The largest total of one adoption: 18 integer digits.
    pub const TOTAL_MAX: Self = Self(10_i128.pow(28) - 1);

    /// Returns the amount of this many units of 10⁻¹⁰.
    pub fn from_units(units: i128) -> Result<Self, AmountOverflow> {
        if units.unsigned_abs() <= Self::MAX.0.unsigned_abs() { Ok(Self(units)) } else { Err(AmountOverflow) }
    }

    /// Returns the number of units of 10⁻¹⁰.
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    /// Returns the sum of both.
    pub fn checked_add(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_add(other.0).ok_or(AmountOverflow).and_then(Self::from_units)
    }

    /// Returns the difference of both.
    pub fn checked_sub(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_sub(other.0).ok_or(AmountOverflow).and_then(Self::from_units)
    }

    /// Returns the amount `count` times.
    pub fn times(self, count: u32) -> Result<Self, AmountOverflow> {
        self.0.checked_mul(i128::from(count)).ok_or(AmountOverflow).and_then(Self::from_units)
    }

    /// Returns the share `rate` of an adoption's total, rounded down (towards zero) to scale 10.
    #[must_use]
    pub fn share(self, rate: Rate) -> Self {
        // A total has at most 28 digits and a rate 7, which i128 holds together.
        Self(self.0 * i128::from(rate.0) / i128::from(Rate::ONE.0))
    }

    /// Returns which part of `whole` this amount is, rounded down to scale 18.
    #[must_use]
    pub fn ratio_of(self, whole: Self) -> Ratio {
        assert!(self.0 >= 0 && self.0 <= whole.0, "a part lies between zero and its whole");
        if whole.0 == 0 {
            return Ratio::ZERO;
        }
        let (mut quotient, mut rest) = (self.0 / whole.0, self.0 % whole.0);
        for _ in 0..Ratio::SCALE {
            let (digit, next_rest) = next_digit(rest, whole.0);
            quotient = quotient * 10 + digit;
            rest = next_rest;
        }
        Ratio(u64::try_from(quotient).expect("a part is at most one, 10^18 units"))
    }

    /// Returns whether the amount is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the sum of all.
    pub fn sum<I: IntoIterator<Item = Self>>(amounts: I) -> Result<Self, AmountOverflow> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

/// Returns the next decimal digit of a long division, and what is left over.
fn next_digit(rest: i128, divisor: i128) -> (i128, i128) {
    if let Some(tenfold) = rest.checked_mul(10) {
        return (tenfold / divisor, tenfold % divisor);
    }
    // Ten times a rest of 38 digits does not fit, so it is added up ten times.
    let (mut digit, mut sum) = (0, 0_u128);
    for _ in 0..10 {
        sum += rest.unsigned_abs();
        if sum >= divisor.unsigned_abs() {
            sum -= divisor.unsigned_abs();
            digit += 1;
        }
    }
    (digit, i128::try_from(sum).expect("less than the divisor"))
}

/// The result needs more digits than an amount has. Nothing may be written from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "AMOUNT_OVERFLOW: the amount needs more integer digits than there are (18 for a total, 28 for a sum)"
)]
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

    /// Reads a plain decimal. Refuses more than ten decimals unless they are zeros, because dropping them
    /// would change money.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_fixed(text, Self::SCALE).and_then(|units| Self::from_units(units).ok()).ok_or_else(|| {
            InvalidNumber {
                text: text.to_owned(),
                expected: "an amount with at most 28 integer digits and 10 decimals",
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

    /// Returns the rate of this many millionths; `None` above one.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::ONE.0 { Some(Self(millionths)) } else { None }
    }

    /// Returns the rate in millionths.
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

    /// Returns the sum; `None` if it exceeds one.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| *sum <= Self::ONE)
    }

    /// Returns the difference; `None` if it is negative.
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

/// Returns the units of a plain decimal number; `None` where it is not one or has more decimals than `scale`
/// that are not zero. Exponents, separators and a plus sign are on no wire of ours.
fn parse_fixed(text: &str, scale: u32) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, decimals) =
        digits.split_once('.').map_or((digits, ""), |(whole, decimals)| (whole, decimals));
    if whole.is_empty() || (digits.contains('.') && decimals.is_empty()) {
        return None;
    }
    let (kept, dropped) = decimals.split_at(decimals.len().min(scale as usize));
    if dropped.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let padding = std::iter::repeat_n(b'0', scale as usize - kept.len());
    let units = whole.bytes().chain(kept.bytes()).chain(padding).try_fold(0_i128, |units, byte| {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        units.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { -units } else { units })
}

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
        assert_eq!(Amount::MAX.to_string(), "9999999999999999999999999999.9999999999");
    }

    #[test]
    fn text_that_would_lose_digits_is_refused() {
        for text in [
            "",
            "-",
            "1e3",
            "+1",
            "0.00000000001",
            "10000000000000000000000000000",
            "1.",
            ".5",
            "NaN",
            "1_000",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text:?}");
        }
        assert_eq!(amount("0.10000000000000"), amount("0.1"));
    }

    #[test]
    fn the_largest_amount_plus_the_smallest_is_an_overflow() {
        assert_eq!(Amount::MAX.checked_add(amount("0.0000000001")), Err(AmountOverflow));
        assert_eq!(Amount::MAX.times(2), Err(AmountOverflow));
        assert_eq!(Amount::TOTAL_MAX.share(Rate::ONE), Amount::TOTAL_MAX);
    }

    #[test]
    fn a_share_is_rounded_down_to_the_last_digit() {
        let rate = "0.005".parse().expect("a valid rate");
        assert_eq!(amount("0.0000000199").share(rate), Amount::ZERO);
        assert_eq!(amount("0.0000000200").share(rate), amount("0.0000000001"));
    }

    #[test]
    fn a_ratio_of_the_largest_sums_is_exact() {
        let half = Amount::from_units(Amount::MAX.units() / 2).expect("within the limit");
        assert_eq!(half.ratio_of(Amount::MAX).to_string(), "0.499999999999999999");
        assert_eq!(Amount::MAX.ratio_of(Amount::MAX), Ratio::ONE);
    }

    proptest! {
        #[test]
        fn amounts_read_back_as_written(units in -(10_i128.pow(38) - 1)..10_i128.pow(38)) {
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
