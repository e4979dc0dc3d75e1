//! From a file's path and its first lines follows what it may touch. ARCHITECTURE.md has the paths; inside a function's
//! crate, a file that is handed the tables or queues says which, and one that asks the clock or the network says so.

use std::collections::BTreeSet;

use watch::{Repository, Token, tokens};

/// The one route that writes.
const WRITES: &str = "functions/query-api/src/routes/commands.rs";
/// What only code that touches the network names.
const OF_THE_NETWORK: [&str; 8] = [
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "local_postgres",
    "lookup_host",
];

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
fn a_file_of_a_function_says_whether_it_touches_the_clock_or_the_network() {
    let repository = Repository::read();
    let architecture = repository.text("ARCHITECTURE.md");
    let (mut clock, mut network, mut without) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (file, text) in sources_of_functions(&repository) {
        let tokens = tokens(code(&text));
        let sentence = sentence(&text);
        let (asks_clock, asks_network) = (asks_the_clock(&tokens), asks_the_network(&tokens));
        for (touches, what) in [(asks_clock, "the clock"), (asks_network, "the network")] {
            match (touches, sentence.contains(what)) {
                (true, false) => wrong.push(format!("{file}: add {what} to \"Touches: ...\"")),
                (false, true) => wrong.push(format!("{file} says that it touches {what}, and it does not")),
                _ => {}
            }
        }
        let is_known = architecture.contains(&format!("`{}`", file.trim_start_matches("functions/")));
        assert!(!asks_network || is_known, "{file} touches the network: ARCHITECTURE.md has to say so");
        clock += usize::from(asks_clock);
        network += usize::from(asks_network);
        without += usize::from(!asks_clock && !asks_network);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(clock > 15 && network > 1 && without > 30, "{clock}, {network} and {without} files");
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

/// Returns a source without its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

fn asks_the_clock(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| pair[0].text == "." && pair[1].text == "clock")
}

fn asks_the_network(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| OF_THE_NETWORK.contains(&token.text.as_str()))
}

fn is_handed_storage(text: &str) -> bool {
    let tokens = tokens(code(text));
    let is_of_base64 = |at: usize| at >= 2 && tokens[at - 2].text == "base64";
    (0..tokens.len()).any(|at| match tokens[at].text.as_str() {
        "engine" => !is_of_base64(at),
        "queues" => at > 0 && tokens[at - 1].text == ".",
        _ => false,
    })
}

/// Returns the sentence that begins with "Touches:", or nothing.
fn sentence(text: &str) -> String {
    head(text).split_once("Touches: ").map(|(_, sentence)| sentence.to_owned()).unwrap_or_default()
}

/// Returns the tables and queues of that sentence.
fn said(text: &str) -> BTreeSet<String> {
    quoted(&sentence(text)).collect()
}

fn head(text: &str) -> String {
    text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
}

fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}
