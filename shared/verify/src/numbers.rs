//! The numbers of a policy that legs and levels need, with the rules' defaults for what it leaves out.

use serde::{Deserialize, Deserializer};

/// A rate in millionths.
pub(crate) type Millionths = i128;

/// What a policy says about legs and talent.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Numbers {
    pub(crate) rates: Rates,
    pub(crate) level_count: u8,
    pub(crate) bonus_count: u8,
    pub(crate) term_years: u8,
    pub(crate) never_expires: Vec<String>,
    pub(crate) talent: Talent,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            rates: Rates::default(),
            level_count: 15,
            bonus_count: 3,
            term_years: 2,
            never_expires: vec!["HEADQUARTERS".to_owned()],
            talent: Talent::default(),
        }
    }
}

/// What part of a total each leg is.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Rates {
    #[serde(deserialize_with = "millionths")]
    pub(crate) personal: Millionths,
    #[serde(deserialize_with = "millionths")]
    pub(crate) operation: Millionths,
    #[serde(deserialize_with = "millionths")]
    pub(crate) province: Millionths,
    #[serde(deserialize_with = "millionths")]
    pub(crate) city: Millionths,
    #[serde(deserialize_with = "millionths")]
    pub(crate) team_level: Millionths,
    #[serde(deserialize_with = "millionths")]
    pub(crate) team_bonus: Millionths,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            personal: 700_000,
            operation: 120_000,
            province: 10_000,
            city: 20_000,
            team_level: 5_000,
            team_bonus: 25_000,
        }
    }
}

/// What each talent level asks for, level 1 first.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Talent {
    pub(crate) rows: Vec<TalentRow>,
}

/// What a talent level asks for. Activity is left out: the log does not know it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TalentRow {
    pub(crate) direct_count: u64,
    pub(crate) promotion_count: u64,
    pub(crate) direct_at_level: Option<AtLevel>,
}

/// So many direct referrals at a level or a higher one.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct AtLevel {
    pub(crate) level: u8,
    pub(crate) count: u64,
}

impl Default for Talent {
    fn default() -> Self {
        let row = |direct_count, promotion_count| TalentRow {
            direct_count,
            promotion_count,
            direct_at_level: None,
        };
        Self { rows: vec![row(3, 10), row(8, 30), row(15, 80), row(30, 200), row(50, 500)] }
    }
}

/// Reads a decimal with at most six digits after the point.
fn millionths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millionths, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom("a rate is a decimal from 0 to 1");
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let (kept, dropped) = decimals.split_at(decimals.len().min(6));
    if dropped.bytes().any(|digit| digit != b'0') {
        return Err(wrong());
    }
    format!("{whole}{kept:0<6}").parse().map_err(|_| wrong())
}
