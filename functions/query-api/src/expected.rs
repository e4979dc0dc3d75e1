//! What a parameter must be, in English and Chinese.

use crate::language::Language;

/// What a parameter must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    english: String,
    chinese: String,
}

/// What values of the ledger's own types must be, as their errors say it, and the same in Chinese.
const OF_TYPES: [(&str, &str); 7] = [
    (
        "an account: one to 40 letters, digits, '-' or '_', and not a system account's name",
        "账户：1 至 40 个字母、数字、“-”或“_”，且不是系统账户的名称",
    ),
    (
        "a date from 1970-01-01 to 9990-12-31 written YYYY-MM-DD",
        "1970-01-01 至 9990-12-31 的日期，写作 YYYY-MM-DD",
    ),
    (
        "an order number: a whole number from 1 to 9223372036854775807",
        "订单号：1 至 9223372036854775807 的整数",
    ),
    ("1 to 40 lower-case letters, digits and hyphens", "1 至 40 个小写字母、数字和连字符"),
    (
        "a position of the log, such as 57, or the id of an event, such as 57-3",
        "日志位置（如 57）或事件编号（如 57-3）",
    ),
    ("a region code: one to 64 characters", "地区代码：1 至 64 个字符"),
    ("a leg's type", "分录类型"),
];

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
        let known = OF_TYPES.iter().find(|(known, _)| *known == english);
        let chinese = known.map_or_else(|| english.clone(), |(_, chinese)| (*chinese).to_owned());
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

    use super::*;

    fn of<T: FromStr<Err: Display>>() -> Expected {
        let error = "? no such value ?".parse::<T>().err();
        Expected::by_error(&error.expect("it is none"))
    }

    #[test]
    fn what_the_types_of_parameters_must_be_is_said_in_both_languages() {
        let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
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
