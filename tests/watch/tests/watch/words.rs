//! Plain English: a sentence names its actor, and what a function does stands first.

use watch::Repository;

/// Words that leave open whom they mean. Name the account, the member, the operator or the function instead.
const WITHOUT_AN_ACTOR: [&str; 6] = ["anybody", "nobody", "somebody", "whoever", "whomever", "whosoever"];
const WRITTEN: [&str; 9] = ["rs", "md", "js", "html", "py", "sh", "yaml", "toml", "patch"];

#[test]
fn no_sentence_leaves_open_whom_it_means() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut found = Vec::new();
    for file in repository.with_extension(&WRITTEN).filter(|file| !file.starts_with("tests/watch/")) {
        checked += 1;
        for (number, line) in repository.text(file).lines().enumerate() {
            for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
                // In capitals it is the name of an account.
                let is_name = word.chars().all(char::is_uppercase);
                if !is_name && WITHOUT_AN_ACTOR.contains(&word.to_lowercase().as_str()) {
                    found.push(format!("{file}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert!(checked > 400, "only {checked} files were found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_documents_a_function_begins_with_what_it_does() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut found = Vec::new();
    for file in repository.with_extension(&["rs"]) {
        for (number, first_word) in documented_functions(&repository.text(file)) {
            checked += 1;
            if !is_third_person(&first_word) {
                found.push(format!("{file}:{number}: {first_word}"));
            }
        }
    }
    assert!(checked > 2_000, "only {checked} functions were found");
    assert!(found.is_empty(), "begin with \"Returns ...\", \"Writes ...\":\n{}", found.join("\n"));
}

/// Returns the number of the first line and the first word of each documentation of a function that is not a test.
fn documented_functions(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut documentation = None;
    let mut is_test = false;
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if let Some(words) = line.strip_prefix("/// ") {
            documentation.get_or_insert_with(|| (number + 1, words.to_owned()));
        } else if line.starts_with("#[") {
            is_test |= line.contains("test");
        } else if line != "///" {
            if let Some((number, words)) = documentation.take()
                && !is_test
                && is_function(line)
            {
                found.push((number, words.split([' ', ',']).next().unwrap_or_default().to_owned()));
            }
            is_test = false;
        }
    }
    found
}

fn is_function(line: &str) -> bool {
    let mut rest = line;
    loop {
        if rest.starts_with("fn ") {
            return true;
        }
        rest = match rest.split_once(' ') {
            Some(("pub" | "pub(crate)" | "pub(super)" | "const" | "async", after)) => after,
            Some(("pub(in", after)) => after.split_once(' ').map_or("", |(_, after)| after),
            _ => return false,
        };
    }
}

fn is_third_person(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
        && word.ends_with('s')
        && !["Always", "Others", "This"].contains(&word)
}

#[test]
fn functions_are_told_from_other_items() {
    for line in ["fn a() {", "pub fn a<T>() {", "pub(crate) async fn a(", "pub(in crate::b) const fn a() {"] {
        assert!(is_function(line), "{line}");
    }
    for line in ["pub a: fn(u8),", "struct A(fn());", "pub const A: fn() = b;"] {
        assert!(!is_function(line), "{line}");
    }
}
