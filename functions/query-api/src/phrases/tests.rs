//! Every sentence that the log may keep or an error may say has its Chinese.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use watch::language::{has_english_words, is_chinese};

use super::*;

#[test]
fn parts_of_a_sentence_stay_and_sentences_in_it_are_translated() {
    for (english, chinese) in [
        ("D1 has 7.0000000000; HEADQUARTERS has 5", "D1 有 7.0000000000；HEADQUARTERS 有 5"),
        ("SUSPICIOUS: 7 was taken back since the last close", "SUSPICIOUS（可疑）：上次关账以来撤回了 7"),
        (
            "SOURCE: orders-0 is not read past the midnight; PAUSED: closing was stopped by an operator",
            "SOURCE（来源）：orders-0 尚未读过零点；PAUSED（暂停）：关账已被运维人员暂停",
        ),
        (
            "\"x\" is not a date from 1970-01-01 to 9990-12-31 written YYYY-MM-DD",
            "\"x\" 不是1970-01-01 至 9990-12-31 的日期，写作 YYYY-MM-DD",
        ),
        ("ticket 4711", "ticket 4711"),
        ("the weather is not good", "the weather is not good"),
    ] {
        assert_eq!(in_chinese(english), chinese);
    }
}

#[test]
fn a_text_of_many_sentences_is_translated_to_its_end() {
    let english: Vec<String> = (1..=7).map(|number| format!("D{number} has {number}")).collect();
    let chinese: Vec<String> = (1..=7).map(|number| format!("D{number} 有 {number}")).collect();
    for count in 1..=7 {
        assert_eq!(in_chinese(&english[..count].join("; ")), chinese[..count].join("；"));
    }
    let (english, chinese) = (english.join("; "), chinese.join("；"));
    // The last sentence has "; " in it.
    assert_eq!(
        in_chinese(&format!("{english}; talent is being propagated; audit again when less is going on")),
        format!("{chinese}；{}", in_chinese("talent is being propagated; audit again when less is going on"))
    );
    // What a place of a phrase has is a text as well.
    assert_eq!(in_chinese(&format!("SUSPICIOUS: {english}")), format!("SUSPICIOUS（可疑）：{chinese}"));
    let unknown = format!("{english}; the weather is not good");
    assert_eq!(in_chinese(&unknown), unknown);
}

#[test]
fn only_the_parts_of_the_phrase_that_fits_best_are_translated() {
    let asked_for = |sentence: &str| {
        let mut asked = Vec::new();
        best_translated(sentence, 0, |part| {
            asked.push(part.to_owned());
            Some("中文".to_owned())
        })
        .expect("it is a phrase");
        asked
    };
    let fitting =
        |sentence: &str| PHRASES.iter().filter(|phrase| phrase.parts_of(sentence).is_some()).count();
    let sentence = "SUSPICIOUS: 7 was taken back since the last close";
    assert!(fitting(sentence) > 1, "other phrases fit it as well");
    assert_eq!(asked_for(sentence), ["7 was taken back since the last close"]);
    let sentence = "versions 1 from 2 until 3";
    assert!(fitting(sentence) > 1, "other phrases fit it as well");
    assert_eq!(asked_for(sentence), ["1", "2", "3"]);
}

#[test]
fn what_a_person_wrote_stays_as_it_is() {
    assert_eq!(in_chinese_unless_by_hand("asked for on the command line"), "由命令行提出");
    assert_eq!(
        in_chinese_unless_by_hand("replay --as-of: replayed ordering-incident (190 records)"),
        "replay --as-of（重放并关账）：已重放 ordering-incident（190 条记录）"
    );
    for reason in ["ticket 4711 is solved", "Li has tickets", "one of the rows was wrong", "posting", "a; b"]
    {
        assert_eq!(in_chinese_unless_by_hand(reason), reason);
    }
}

#[test]
fn every_phrase_is_chinese_and_has_as_many_places_in_both_languages() {
    assert!(PHRASES.len() > 150, "the phrases are found");
    for Phrase { english, chinese, .. } in PHRASES.iter() {
        assert_eq!(english.len(), chinese.len(), "{english:?}");
        assert!(english.iter().any(|text| text.chars().any(char::is_alphabetic)), "{english:?}");
        assert!(!english.iter().any(|text| is_chinese(text)), "{english:?}");
        assert!(chinese.iter().any(|text| is_chinese(text)), "{chinese:?}");
    }
}

/// Files all of whose sentences the log keeps, or a problem says.
const WRITE_TO_THE_LOG: [&str; 12] = [
    "shared/domain/src/decide/close.rs",
    "shared/domain/src/decide/commands.rs",
    "shared/domain/src/decide/effect.rs",
    "functions/contribution-expiry/src/lib.rs",
    "functions/ledger-audit/src/repair.rs",
    "functions/query-api/src/command.rs",
    "functions/query-api/src/routes/commands.rs",
    "functions/query-api/src/routes/simulate.rs",
    "functions/query-api/src/routes/webhooks.rs",
    "functions/query-api/src/request.rs",
    "infra/local/src/operators_log.rs",
    "infra/local/src/truncated.rs",
];
/// Folders whose errors people read, where the command prints them.
const HAVE_ERRORS: [&str; 11] = [
    "shared/cdc/src",
    "shared/domain/src",
    "shared/reconcile/src",
    "shared/runtime/src",
    "shared/store/src",
    "shared/verify/src",
    "functions/daily-snapshot/src",
    "functions/ledger-audit/src",
    "functions/talent-propagation/src",
    "infra/local/postgres/src",
    "infra/local/tables/src",
];
/// What stands before a text that says why the program cannot fail, is for the log lines alone, or has its Chinese
/// beside it.
const NOT_TRANSLATED: [&str; 8] =
    ["expect(", "reason=", "inconsistent(", "error!(", "warn!(", "Expected::new(", "say(", "say(format!("];
/// Parts of sentences that are put together from parts, and texts that other tests find in both languages.
const PARTS: [&str; 9] = [
    "contribution, run by {}",
    "{} goes on",
    "{} is not {}",
    " from {}",
    " until {}",
    ", without proof that the source was read",
    ", and more",
    "{} of {}",
    "a header of 8 to 100 letters, digits, '-', '_', '.' or ':', new for every command",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns each text of the source, with what stands before it.
fn texts(source: &str) -> Vec<(&str, String)> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(start) = source[from..].find('"').map(|at| from + at) {
        let mut end = start + 1;
        if source[end..].starts_with('\'') && source[..start].ends_with(['\'', '\\']) {
            from = end;
            continue;
        }
        while !source[end..].starts_with('"') {
            end += if source[end..].starts_with('\\') { 2 } else { 1 };
            while !source.is_char_boundary(end) {
                end += 1;
            }
        }
        found.push((source[..start].trim_end(), with_places(&source[start + 1..end])));
        from = end + 1;
    }
    found
}

/// Returns the text of a literal, with a place for each value that it is given.
fn with_places(literal: &str) -> String {
    let mut text = String::new();
    let mut letters = literal.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('\n') => while letters.next_if(|letter| letter.is_whitespace()).is_some() {},
                other => text.extend(other),
            },
            '{' => {
                while letters.next_if(|letter| *letter != '}').is_some() {}
                letters.next();
                text.push_str(PLACE);
            }
            letter => text.push(letter),
        }
    }
    text
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            rust_files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") && !entry.ends_with("tests.rs")
        {
            found.push(entry);
        }
    }
}

/// Returns every sentence that the log may keep or an error may say.
fn sentences() -> BTreeSet<String> {
    let mut sentences = BTreeSet::new();
    for file in WRITE_TO_THE_LOG {
        let source = source(&repository().join(file));
        let written = texts(&source).into_iter().filter(|(before, text)| {
            let before: String = before.split_whitespace().collect();
            has_english_words(text) && !NOT_TRANSLATED.iter().any(|other| before.ends_with(other))
        });
        let before = sentences.len();
        sentences.extend(written.map(|(_, text)| text));
        assert!(sentences.len() > before, "{file} has sentences");
    }
    let mut files = Vec::new();
    for folder in HAVE_ERRORS {
        rust_files(&repository().join(folder), &mut files);
    }
    for file in files {
        let source = source(&file);
        let of_errors = texts(&source).into_iter().filter(|(before, _)| before.ends_with("#[error("));
        sentences.extend(of_errors.map(|(_, text)| text).filter(|text| has_english_words(text)));
    }
    sentences
}

#[test]
fn every_sentence_of_the_log_and_of_errors_has_its_chinese() {
    let sentences = sentences();
    assert!(sentences.len() > 150, "{} sentences are found", sentences.len());
    let english: Vec<&String> = sentences
        .iter()
        .filter(|sentence| !PARTS.contains(&sentence.as_str()) && has_english_words(&in_chinese(sentence)))
        .collect();
    assert_eq!(english, Vec::<&String>::new(), "add these to phrases.txt");
}

#[test]
fn a_sentence_without_its_chinese_is_found() {
    let source = "const A: &str = \"a new sentence about {order}\"; f().expect(\"it never fails\")";
    let found = texts(source);
    assert_eq!(found[0].1, "a new sentence about {}");
    assert!(has_english_words(&in_chinese(&found[0].1)));
    assert!(found[1].0.ends_with("expect("));
}
