//! The language that a caller reads.

use crate::phrases::{in_chinese, in_chinese_unless_by_hand};

/// A language in which texts are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// Returns the language that an `accept-language` header prefers, of those there are.
    pub(crate) fn of(header: Option<&str>) -> Self {
        let weighted = |part: &str| {
            let mut parts = part.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            let language = match name.split('-').next() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                _ => return None,
            };
            Some((language, weight.unwrap_or(0.0)))
        };
        let mut best = (Self::English, 0.0_f32);
        for (language, weight) in header.unwrap_or_default().split(',').filter_map(weighted) {
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    /// Returns the text in this language, of an English and a Chinese one.
    pub(crate) fn choose<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    /// Returns what a program wrote in English, such as a sentence of the log.
    pub(crate) fn translate(self, sentence: &str) -> String {
        match self {
            Self::English => sentence.to_owned(),
            Self::Chinese => in_chinese(sentence),
        }
    }

    /// Returns what a program or a person wrote: what a person wrote stays as it is.
    pub(crate) fn translate_unless_by_hand(self, text: &str) -> String {
        match self {
            Self::English => text.to_owned(),
            Self::Chinese => in_chinese_unless_by_hand(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_with_the_greatest_weight_is_chosen() {
        for (header, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB, zh;q=0.5", Language::English),
            ("fr, zh;q=0.3, en;q=0.1", Language::Chinese),
            ("fr", Language::English),
            (";;q=,,", Language::English),
        ] {
            assert_eq!(Language::of(Some(header)), expected, "{header}");
        }
        assert_eq!(Language::of(None), Language::English);
    }
}
