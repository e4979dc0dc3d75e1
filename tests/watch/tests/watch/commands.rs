//! Commands that documents name exist, and the command line has their options.

use std::collections::BTreeSet;

use watch::{Repository, document, tokens};

const ARGUMENTS: &str = "infra/local/src/arguments";
/// What clap adds by itself.
const OF_CLAP: [&str; 3] = ["help", "version", "V"];

/// Returns the commands of `contribution`, and everything that its arguments may be called.
fn command_line(repository: &Repository) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut commands: BTreeSet<String> = OF_CLAP.map(str::to_owned).into();
    let mut names = commands.clone();
    for file in repository.with_extension(&["rs"]).filter(|file| file.starts_with(ARGUMENTS)) {
        let text = repository.text(file);
        names.extend(document::words(&text).into_iter().map(|word| word.replace('_', "-")));
        let tokens = tokens(&text);
        for (at, window) in tokens.windows(4).enumerate() {
            let is_list = window[0].text == "Subcommand" && window[1].text == ")" && window[2].text == "]";
            if is_list {
                commands.extend(variants(&tokens[at..]).iter().map(|variant| kebab(variant)));
            }
        }
    }
    (commands, names)
}

/// Returns the variants of the next enumeration.
fn variants(tokens: &[watch::Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0;
    for pair in tokens.windows(2).skip_while(|pair| pair[0].text != "enum") {
        match pair[0].text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && pair[0].text == "}" {
                    break;
                }
            }
            name if depth == 1 && ["(", ",", "}"].contains(&pair[1].text.as_str()) && name != "," => {
                found.push(name.to_owned());
            }
            _ => {}
        }
    }
    found
}

fn kebab(variant: &str) -> String {
    let mut kebab = String::new();
    for (place, letter) in variant.char_indices() {
        if letter.is_uppercase() && place > 0 {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[test]
fn every_command_that_a_document_names_exists_with_its_options() {
    let repository = Repository::read();
    let (commands, names) = command_line(&repository);
    for command in ["run", "replay", "close", "status", "token"] {
        assert!(commands.contains(command), "{command} is not among {commands:?}");
    }
    let mut checked = 0;
    let mut unknown = Vec::new();
    for file in repository.with_extension(&["md", "sh", "py"]).chain(["Makefile"]) {
        if file == "CHANGELOG.md" || file.starts_with("tests/watch/") {
            continue;
        }
        let text = repository.text(file).replace("\\\n", " ");
        for line in text.lines() {
            for start in
                ["cargo run -- ", "cargo run --release -- ", "cargo run --quiet -- ", "debug/contribution "]
            {
                for (at, _) in line.match_indices(start) {
                    let call =
                        line[at + start.len()..].split(['`', '|', ';', '>']).next().expect("a first part");
                    let mut words =
                        call.split_whitespace().map(|word| word.trim_matches(|c| "().,:\"'".contains(c)));
                    let command = words.next().unwrap_or_default();
                    checked += 1;
                    if !command.starts_with("--") && !commands.contains(command) {
                        unknown.push(format!("{file}: {start}{command}"));
                    }
                    for option in words.chain([command]).filter_map(|word| word.strip_prefix("--")) {
                        let option = option.split('=').next().expect("a first part");
                        if !names.contains(option) {
                            unknown.push(format!("{file}: {start}{command} --{option}"));
                        }
                    }
                }
            }
        }
    }
    assert!(checked > 20, "only {checked} commands were found");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}
