//! Environment variables, or what stands for them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use super::SettingsError;

/// Where settings come from.
#[derive(Clone)]
pub struct Variables(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl std::fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Variables")
    }
}

impl Variables {
    /// Returns settings found by `lookup`; an empty one counts as not set.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// Returns the process's environment variables.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Returns a setting, if it is set.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }

    /// Returns a setting that is there, where `expected` says what it should hold.
    pub(super) fn required(&self, variable: &'static str, expected: &str) -> Result<String, SettingsError> {
        self.get(variable).ok_or_else(|| SettingsError::Missing { variable, expected: expected.to_owned() })
    }

    /// Returns a setting read as a value, if it is set.
    pub(super) fn parsed<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.get(variable) else { return Ok(None) };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(_) => Err(SettingsError::Invalid { variable, value, expected: expected.to_owned() }),
        }
    }

    /// Returns a setting read as a number of this range, if it is set.
    pub(super) fn in_range<N: FromStr + PartialOrd + Display>(
        &self,
        variable: &'static str,
        range: RangeInclusive<N>,
    ) -> Result<Option<N>, SettingsError> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        match self.parsed(variable, &expected)? {
            Some(number) if !range.contains(&number) => {
                Err(SettingsError::Invalid { variable, value: number.to_string(), expected })
            }
            number => Ok(number),
        }
    }

    /// Returns a setting read as a positive number, `None` where it is `off`, or its default.
    pub(super) fn number_or_off<N: FromStr + PartialOrd + Default>(
        &self,
        variable: &'static str,
        default: Option<N>,
    ) -> Result<Option<N>, SettingsError> {
        let Some(value) = self.get(variable) else { return Ok(default) };
        match value.parse::<N>() {
            _ if value == "off" => Ok(None),
            Ok(number) if number > N::default() => Ok(Some(number)),
            _ => {
                let expected = "a whole number above 0, or off".to_owned();
                Err(SettingsError::Invalid { variable, value, expected })
            }
        }
    }
}
