//! In which language a text is. Tests of texts that people read ask this, in any crate.

/// Returns whether the text has a Chinese character.
#[must_use]
pub fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

/// Returns whether two English words follow each other: names and numbers alone need no translation.
#[must_use]
pub fn has_english_words(text: &str) -> bool {
    let words: Vec<&str> = text.split([' ', '\n']).collect();
    let is_word = |word: &str| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_lowercase());
    words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_of_no_language() {
        for text in ["D1 HEADQUARTERS 7", "--as-of 2026-02-10", "page 5", "trees_before 5", ""] {
            assert!(!is_chinese(text) && !has_english_words(text), "{text}");
        }
        assert!(is_chinese("截至 2026-02-10") && !has_english_words("截至 2026-02-10 page 5"));
        assert!(has_english_words("D1: the\nledger") && !is_chinese("the ledger’s “page”"));
    }
}
