//! Every text that the command prints is in English and in Chinese.

use std::fs;
use std::path::Path;

use crate::program::{capture, contribution, success_of};

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

/// Returns the string literals of an expression, up to the bracket that ends it.
fn literals(expression: &str) -> Vec<String> {
    let (mut found, mut depth) = (Vec::new(), 0_u32);
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    literal.push(letter);
                    if letter == '\\' {
                        literal.extend(letters.next());
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
    }
    found
}

/// Collects what each `say` of the sources is given.
fn said(directory: &Path, found: &mut Vec<(String, Vec<String>)>) {
    for entry in fs::read_dir(directory).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            said(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("text");
            let file = entry.display().to_string();
            let calls = text.split("say(").skip(1).map(literals).filter(|literals| !literals.is_empty());
            found.extend(calls.map(|literals| (file.clone(), literals)));
        }
    }
}

#[test]
fn whatever_is_said_in_english_is_said_in_chinese() {
    let mut found = Vec::new();
    said(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 200, "the texts are found");
    for (file, literals) in found {
        let chinese = literals.last().expect("a text");
        // A name that both languages share, and a variable beside a literal, have no letters of either.
        let has_words = chinese.chars().any(char::is_alphabetic) && !["ms"].contains(&chinese.as_str());
        assert!(is_chinese(chinese) || !has_words, "{file}: {literals:?}");
        if let [english, _] = literals.as_slice() {
            assert!(!is_chinese(english), "{file}: {literals:?}");
        }
    }
}

#[test]
fn a_replay_is_summed_up_in_chinese_where_the_environment_asks_for_it() {
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-02-10"]);
    let summary = success_of(replay.env("LC_ALL", "zh_CN.UTF-8"));
    assert!(
        summary.contains("若按到达顺序分配，D25122700018 只会得到 0，而不是应得的 11,534.67"),
        "{summary}"
    );
    for english in ["received", "posted", "closed", "network", "order", "second", "adoptions"] {
        assert!(!summary.contains(english), "{english}: {summary}");
    }
    let help = success_of(contribution().args(["replay", "--help"]).env("LC_ALL", "zh_CN.UTF-8"));
    assert!(help.contains("用法：") && help.contains("捕获文件"), "{help}");
}
