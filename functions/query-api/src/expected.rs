//! What a parameter must be, in English and Chinese.

use crate::language::Language;
use crate::phrases;

/// What a parameter must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    english: String,
    chinese: String,
}

impl Expected {
    /// Returns what is said in both languages.
    pub(crate) fn new(english: impl Into<String>, chinese: impl Into<String>) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }

    /// Returns that it is one of these names.
    pub(crate) fn one_of(names: &[&str]) -> Self {
        let names = names.join(", ");
        Self::new(format!("one of {names}"), format!("下列之一：{names}"))
    }

    /// Returns what an error says a value should have been, which reads `[.. is] not <what it should be>`.
    pub(crate) fn by_error(error: &impl std::fmt::Display) -> Self {
        let message = error.to_string();
        let english = match message.split_once(" is not ") {
            Some((_, expected)) => expected.to_owned(),
            None => message.strip_prefix("not ").unwrap_or(&message).to_owned(),
        };
        let chinese = phrases::in_chinese(&english);
        Self { english, chinese }
    }

    /// Returns the text in a language.
    pub(crate) fn text(&self, language: Language) -> &str {
        language.choose(&self.english, &self.chinese)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;
    use std::str::FromStr;

    use domain::log::{EventPlace, WebhookName};
    use domain::{AccountSequence, BusinessDate, LegType, OrderId, Owner, SystemAccount};
    use watch::language::is_chinese;

    use super::*;

    fn of<T: FromStr<Err: Display>>() -> Expected {
        let error = "? no such value ?".parse::<T>().err();
        Expected::by_error(&error.expect("it is none"))
    }

    #[test]
    fn what_the_types_of_parameters_must_be_is_said_in_both_languages() {
        for expected in [
            of::<AccountSequence>(),
            of::<BusinessDate>(),
            of::<EventPlace>(),
            of::<LegType>(),
            of::<OrderId>(),
            of::<Owner>(),
            of::<SystemAccount>(),
            of::<WebhookName>(),
        ] {
            let (english, chinese) = (expected.text(Language::English), expected.text(Language::Chinese));
            assert!(!is_chinese(english) && is_chinese(chinese), "{english} / {chinese}");
        }
    }
}
