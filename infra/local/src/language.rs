//! The language in which this process speaks: Chinese or English, as its environment asks for it.

use std::fmt::Display;
use std::io::Write as _;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

impl Language {
    /// Returns the language that the environment asks for.
    #[must_use]
    pub fn of_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default();
        if locale.starts_with("zh") { Self::Chinese } else { Self::English }
    }

    /// Returns the text in this language.
    #[must_use]
    pub fn say<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

/// Returns the text in the language that the environment asks for.
#[must_use]
pub fn say<T>(english: T, chinese: T) -> T {
    Language::of_environment().say(english, chinese)
}

/// Writes a line to standard error. A reader that has gone, such as `head`, is no reason to fail.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Returns what a program wrote in English, such as a sentence of the log, in the language that the environment asks
/// for.
#[must_use]
pub fn translated(sentence: &str) -> String {
    match Language::of_environment() {
        Language::English => sentence.to_owned(),
        Language::Chinese => query_api::phrases::in_chinese(sentence),
    }
}

/// Returns an error with its causes, in the language that the environment asks for.
#[must_use]
pub fn error_in_words(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| translated(&cause.to_string())).collect();
    causes.join(say(": ", "："))
}

/// Returns the language that answers of the API are to be in, by the environment: an `Accept-Language`.
#[must_use]
pub fn accept_language() -> &'static str {
    match Language::of_environment() {
        Language::English => "en",
        Language::Chinese => "zh-CN",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_says_its_cause_once() {
        let full = || io::Error::other("the disk is full");
        let of_profile = cdc::Profile::from_json("{").expect_err("it is no profile");
        let cause = of_profile.to_string();
        let errors: [(anyhow::Error, &str); 6] = [
            (verify::Refusal::Io(full()).into(), "the disk is full"),
            (domain::digest::InvalidDump::Io(full()).into(), "the disk is full"),
            (ledger_audit::ExportError::Io(full()).into(), "the disk is full"),
            (ledger_audit::InvalidPriceBook::Io(full()).into(), "the disk is full"),
            (
                local_tables::OpenError::Inaccessible { directory: "ledger".into(), cause: full() }.into(),
                "the disk is full",
            ),
            (runtime::SettingsError::Profile(of_profile).into(), &cause),
        ];
        for (error, cause) in errors {
            let error = error.context("nothing was done");
            let text = error_in_words(&error);
            assert_eq!(text.matches(cause).count(), 1, "{text}");
        }
    }
}
