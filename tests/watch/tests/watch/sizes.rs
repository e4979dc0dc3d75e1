//! Files and functions that can be seen whole.

use watch::{Repository, functions};

/// A file that needs more says why in its first lines.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// How a file says why: in one of its first lines, after the mark of a comment.
const REASON: &str = "Longer than 500 lines:";
const REASON_WITHIN_LINES: usize = 5;
/// What people write. JSON and captures are data, and `Cargo.lock` is made by Cargo.
const WRITTEN: [&str; 11] = ["rs", "md", "js", "mjs", "css", "html", "py", "sh", "sql", "yaml", "toml"];

#[test]
fn a_file_has_at_most_500_lines_or_says_why() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut too_long = Vec::new();
    for file in repository.with_extension(&WRITTEN) {
        let text = repository.text(file);
        let lines = text.lines().count();
        let reason = text.lines().take(REASON_WITHIN_LINES).any(|line| line.contains(REASON));
        if lines > FILE_LINES_MAX && !reason {
            too_long.push(format!("{file} has {lines} lines"));
        }
        if lines <= FILE_LINES_MAX && reason {
            too_long.push(format!("{file} gives a reason for its length and has only {lines} lines"));
        }
        checked += 1;
    }
    assert!(checked > 300, "only {checked} files were found");
    assert!(
        too_long.is_empty(),
        "split, or say \"{REASON} ...\" in the first lines:\n{}",
        too_long.join("\n")
    );
}

#[test]
fn a_function_has_at_most_70_lines() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut too_long = Vec::new();
    for file in repository.with_extension(&["rs"]) {
        for function in functions(&repository.text(file)) {
            if function.lines > FUNCTION_LINES_MAX {
                too_long
                    .push(format!("{file}:{} {} has {} lines", function.line, function.name, function.lines));
            }
            checked += 1;
        }
    }
    assert!(checked > 2_000, "only {checked} functions were found");
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn every_source_file_begins_by_saying_what_it_is() {
    let repository = Repository::read();
    let mut silent = Vec::new();
    for file in repository.with_extension(&["rs"]) {
        if !repository.text(file).starts_with("//! ") {
            silent.push(file);
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
