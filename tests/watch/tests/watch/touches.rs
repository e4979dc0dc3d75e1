//! From a file's path and its first lines follows what it may touch. ARCHITECTURE.md has the paths; inside a function's
//! crate, a file that is handed the tables or queues says which.

use std::collections::BTreeSet;

use watch::{Repository, tokens};

/// The one route that writes.
const WRITES: &str = "functions/query-api/src/routes/commands.rs";

#[test]
fn a_file_of_a_function_says_which_tables_and_queues_it_touches() {
    let repository = Repository::read();
    let (mut with, mut without) = (0, 0);
    let mut wrong = Vec::new();
    for (file, text) in sources_of_functions(&repository) {
        let function = file.split('/').nth(1).expect("functions/<name>/...");
        let library = repository.text(&format!("functions/{function}/src/lib.rs"));
        let of_function: BTreeSet<String> = quoted(&head(&library)).collect();
        let said = said(&text);
        match (is_handed_storage(&text), said.is_empty()) {
            (true, true) => {
                wrong.push(format!("{file}: say \"Touches: `<table>` (reads, writes).\" in the first lines"));
            }
            (false, false) => wrong.push(format!("{file} says that it touches {said:?}, and it does not")),
            (true, false) => with += 1,
            (false, true) => without += 1,
        }
        if !said.is_subset(&of_function) {
            wrong.push(format!("{file} touches {said:?}, and its function {of_function:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(with > 30 && without > 20, "{with} and {without} files");
}

#[test]
fn no_route_but_that_of_commands_writes() {
    let repository = Repository::read();
    let mut checked = 0;
    let writes = |text: &str| {
        let calls_that_write = ["inbox", "write", "write_many", "queues"];
        tokens(text)
            .windows(2)
            .any(|pair| pair[0].text == "." && calls_that_write.contains(&pair[1].text.as_str()))
    };
    for file in
        repository.with_extension(&["rs"]).filter(|file| file.starts_with("functions/query-api/src/routes/"))
    {
        assert!(file == WRITES || !writes(&repository.text(file)), "{file} writes");
        checked += 1;
    }
    assert!(writes(&repository.text(WRITES)));
    assert!(checked > 25, "{checked}");
}

/// Returns the files of the functions' libraries, each with its text, without routes, tests and what `lib.rs` says.
fn sources_of_functions(repository: &Repository) -> Vec<(&str, String)> {
    let files = repository.with_extension(&["rs"]).filter(|file| {
        file.starts_with("functions/")
            && file.contains("/src/")
            && !["/lib.rs", "/main.rs", "/tests.rs", "/routes.rs"].iter().any(|end| file.ends_with(end))
            && !["/routes/", "/tests/"].iter().any(|part| file.contains(part))
    });
    files.map(|file| (file, repository.text(file))).collect()
}

fn is_handed_storage(text: &str) -> bool {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let tokens = tokens(code);
    let is_of_base64 = |at: usize| at >= 2 && tokens[at - 2].text == "base64";
    (0..tokens.len()).any(|at| match tokens[at].text.as_str() {
        "engine" => !is_of_base64(at),
        "queues" => at > 0 && tokens[at - 1].text == ".",
        _ => false,
    })
}

/// Returns the tables and queues of the sentence that begins with "Touches:".
fn said(text: &str) -> BTreeSet<String> {
    let head = head(text);
    head.split_once("Touches: ").map(|(_, sentence)| quoted(sentence).collect()).unwrap_or_default()
}

fn head(text: &str) -> String {
    text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
}

fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}
