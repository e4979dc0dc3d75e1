//! Sentences that are written in English, in Chinese: those that stand in the log, and those of errors.
//!
//! The log keeps what operators were told, in English: a page is never written again, and a check of an export compares
//! its bytes. So what is shown of it is translated when it is shown. `phrases.txt` has each sentence and its Chinese;
//! the tests look through the sources for sentences that it does not have.

use std::sync::LazyLock;

/// What stands for a part of a sentence that differs from case to case.
const PLACE: &str = "{}";
/// What stands for one that has to be known as well.
const KNOWN_PLACE: &str = "{!}";
/// How deep parts of a sentence may be sentences themselves.
const DEPTH_MAX: u8 = 4;
/// A phrase with fewer letters around its places is found in other sentences as well: what stands in a place before its
/// letters is then one word.
const LETTERS_OF_SENTENCES: usize = 8;
/// A phrase with so many letters is one that people do not write by chance.
const LETTERS_BY_NO_CHANCE: usize = 15;

static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let lines: Vec<&str> = include_str!("phrases.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .collect();
    lines.chunks_exact(2).map(|pair| Phrase::new(pair[0], pair[1])).collect()
});

struct Phrase {
    /// What stands around the places.
    english: Vec<String>,
    chinese: Vec<String>,
    /// Which places have to be known as well.
    known: Vec<bool>,
}

/// Returns a sentence that a program wrote in Chinese; as it is where there is no Chinese for it.
#[must_use]
pub fn in_chinese(sentence: &str) -> String {
    translated(sentence, 0, DEPTH_MAX).unwrap_or_else(|| sentence.to_owned())
}

/// Returns a text in Chinese if a program wrote it, and as it is if a person may have.
#[must_use]
pub fn in_chinese_unless_by_hand(text: &str) -> String {
    translated(text, LETTERS_BY_NO_CHANCE, DEPTH_MAX).unwrap_or_else(|| text.to_owned())
}

fn translated(text: &str, letters_min: usize, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let translate = |part: &str| translated(part, 0, depth);
    let several = (letters_min == 0).then(|| each_translated(text, translate)).flatten();
    several.or_else(|| best_translated(text, letters_min, translate))
}

/// Returns a text in Chinese if it is several sentences joined by "; ", each of which is a phrase.
fn each_translated(text: &str, mut translate: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let (mut done, mut rest) = (Vec::new(), text);
    while let Some((sentence, others)) = rest.split_once("; ")
        && let Some(chinese) = best_translated(sentence, 0, &mut translate)
    {
        done.push(chinese);
        rest = others;
    }
    if done.is_empty() {
        return None;
    }
    // A sentence may have "; " in it.
    done.push(best_translated(rest, 0, translate)?);
    Some(done.join("；"))
}

/// Returns a sentence in Chinese by the phrase that fits it best, of those whose known parts are known.
fn best_translated(
    sentence: &str,
    letters_min: usize,
    mut translate: impl FnMut(&str) -> Option<String>,
) -> Option<String> {
    let long_enough = PHRASES.iter().filter(|phrase| phrase.letters() >= letters_min);
    let fitting = long_enough.filter_map(|phrase| Some((phrase, phrase.parts_of(sentence)?)));
    let mut fitting: Vec<(&Phrase, Vec<&str>)> = fitting.collect();
    fitting.sort_by_key(|(phrase, _)| phrase.fit());
    fitting.iter().rev().find_map(|(phrase, parts)| phrase.with(parts, &mut translate))
}

impl Phrase {
    fn new(english: &str, chinese: &str) -> Self {
        let around = |text: &str| text.replace("\\n", "\n").split(PLACE).map(str::to_owned).collect();
        let places = chinese.split('{').skip(1);
        Self {
            english: around(english),
            chinese: around(&chinese.replace(KNOWN_PLACE, PLACE)),
            known: places.map(|place| place.starts_with("!}")).collect(),
        }
    }

    /// Returns how much of a sentence is this phrase's own: the more, the better it fits.
    fn letters(&self) -> usize {
        self.english.iter().map(String::len).sum()
    }

    /// Returns how well it fits: what begins a sentence tells more of it than what stands in it.
    fn fit(&self) -> (bool, usize) {
        (!self.english[0].is_empty(), self.letters())
    }

    /// Returns what stands in the places, if the sentence is this phrase.
    fn parts_of<'a>(&self, sentence: &'a str) -> Option<Vec<&'a str>> {
        let (first, others) = self.english.split_first()?;
        let mut rest = sentence.strip_prefix(first.as_str())?;
        let Some((last, between)) = others.split_last() else { return rest.is_empty().then(Vec::new) };
        let mut parts = Vec::new();
        for literal in between {
            let (part, after) = rest.split_once(literal.as_str())?;
            parts.push(part);
            rest = after;
        }
        parts.push(rest.strip_suffix(last.as_str())?);
        let is_word = |part: &&str| !part.contains(char::is_whitespace);
        let is_sentence = !first.is_empty() || self.letters() >= LETTERS_OF_SENTENCES;
        (is_sentence || parts.iter().all(is_word)).then_some(parts)
    }

    /// Returns the phrase in Chinese with these parts, translated where they can be; `None` if one has to be known, and
    /// is not.
    fn with(&self, parts: &[&str], mut translate: impl FnMut(&str) -> Option<String>) -> Option<String> {
        let (first, others) = self.chinese.split_first().expect("a text has a first part");
        let mut text = first.clone();
        for ((part, has_to_be_known), literal) in parts.iter().zip(&self.known).zip(others) {
            match translate(part) {
                Some(chinese) => text += &chinese,
                None if *has_to_be_known => return None,
                None => text += part,
            }
            text += literal;
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests;
