//! What documents name exists.

use std::collections::BTreeSet;

use watch::{Repository, document};

/// Documents about what was there once, or was never built.
const ABOUT_THE_PAST: [&str; 2] = ["CHANGELOG.md", "docs/refused.md"];
/// Folders at the top. A path in a document begins with one of them, unless it is from the document on.
const TOP: [&str; 7] = [".ci", "docs", "events", "functions", "infra", "shared", "tests"];
/// What commands of the documents write.
const WRITTEN_BY_COMMANDS: [&str; 6] =
    ["after.json", "bulk.jsonl", "expected.json", "ledger.json", "samconfig.toml", "trace.txt"];

fn present_documents(repository: &Repository) -> Vec<&str> {
    let all = repository.with_extension(&["md"]).filter(|file| !ABOUT_THE_PAST.contains(file));
    all.filter(|file| !repository.text(file).contains("Status: superseded")).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut broken = Vec::new();
    for file in repository.with_extension(&["md"]) {
        for target in document::links(&repository.text(file)) {
            if target.contains("://") || target.contains("NNNN") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let linked = if path.is_empty() { file.to_owned() } else { document::beside(file, path) };
            checked += 1;
            if !repository.has(&linked) {
                broken.push(format!("{file}: {target}"));
            } else if !anchor.is_empty() && !document::anchors(&repository.text(&linked)).contains(anchor) {
                broken.push(format!("{file}: {target} has no such heading"));
            }
        }
    }
    assert!(checked > 100, "only {checked} links were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_path_that_a_document_names_exists() {
    let repository = Repository::read();
    let names: BTreeSet<&str> =
        repository.files().iter().map(|file| file.rsplit('/').next().expect("a name")).collect();
    let mut checked = 0;
    let mut missing = Vec::new();
    for file in present_documents(&repository) {
        for word in document::quoted_words(&repository.text(file)) {
            let path = word.trim_end_matches('/');
            let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            let is_path =
                TOP.iter().any(|top| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')));
            let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
            let is_name =
                ["rs", "md", "py", "sh", "json", "jsonl", "yaml", "toml", "patch"].contains(&extension);
            if path.starts_with('/')
                || !is_plain
                || !(is_path || is_name)
                || WRITTEN_BY_COMMANDS.contains(&path)
            {
                continue;
            }
            checked += 1;
            let is_there = repository.has(path)
                || repository.has(&document::beside(file, path))
                || repository.files().iter().any(|found| found.ends_with(&format!("/{path}")))
                || (!path.contains('/') && names.contains(path));
            if !is_there {
                missing.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(checked > 200, "only {checked} paths were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Words in code quotes that look like names of code, and come from elsewhere.
const NAMES_FROM_ELSEWHERE: [&str; 9] = [
    // The rules' name of what the code calls `settle`, and a leg's type with a letter for its number.
    "settle_seconds",
    "BONUS_TIER_t",
    // What the first edition answered.
    "SELF_REFERRAL",
    // Of AWS, Kafka Connect and the source.
    "CAPABILITY_IAM",
    "EnvVarConfigProvider",
    "user_team_stats",
    // Examples of style.
    "QuarantineRecord",
    "assign_place",
    "elapsed_ms",
];

#[test]
fn every_name_of_code_that_a_document_names_is_in_the_code() {
    let repository = Repository::read();
    let documents: BTreeSet<&str> = repository.with_extension(&["md"]).collect();
    let mut known = BTreeSet::new();
    for file in repository.files() {
        let is_document = documents.contains(file.as_str()) || file.starts_with("tests/watch/");
        let is_large =
            ["events/captures/", "events/cases/", "Cargo.lock"].iter().any(|start| file.starts_with(start));
        if !is_document && !is_large && !is_binary(file) {
            known.extend(document::words(&repository.text(file)));
        }
    }
    let mut checked = 0;
    let mut unknown = Vec::new();
    for file in present_documents(&repository) {
        for word in document::quoted_words(&repository.text(file)) {
            let is_path = word.contains(['/', '.', '<', '$', '#', '*']);
            for name in document::words(&word) {
                let looks_like_code = name.contains('_') || has_a_hump(&name);
                if is_path || !looks_like_code || NAMES_FROM_ELSEWHERE.contains(&name.as_str()) {
                    continue;
                }
                checked += 1;
                if !known.contains(&name) {
                    unknown.push(format!("{file}: {name}"));
                }
            }
        }
    }
    assert!(checked > 300, "only {checked} names were found");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

fn is_binary(file: &str) -> bool {
    [".png", ".jpg", ".gz", ".ico", ".svg", ".webp", ".gif"].iter().any(|extension| file.ends_with(extension))
}

/// Returns whether a small letter is followed by a capital one.
fn has_a_hump(name: &str) -> bool {
    name.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

#[test]
fn every_target_of_make_that_a_document_names_exists() {
    let repository = Repository::read();
    let makefile = repository.text("Makefile");
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(t, _)| t).collect();
    let mut checked = 0;
    for file in present_documents(&repository) {
        for command in document::quoted(&repository.text(file)) {
            let Some(target) = command.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            checked += 1;
            assert!(target.starts_with('-') || targets.contains(target), "{file}: make {target}");
        }
    }
    assert!(checked > 0);
}

#[test]
fn every_decision_is_in_the_index_with_its_status_and_date() {
    let repository = Repository::read();
    let index = repository.text("docs/decisions/README.md");
    let mut checked = 0;
    for file in repository.with_extension(&["md"]) {
        let Some(name) = file.strip_prefix("docs/decisions/") else { continue };
        if name == "README.md" || name.starts_with("0000") {
            continue;
        }
        let text = repository.text(file);
        let status =
            text.lines().find_map(|line| line.strip_prefix("Status: ")).expect("a line with the status");
        let row = index
            .lines()
            .find(|line| line.starts_with(&format!("| [{}]({name})", &name[..4])))
            .unwrap_or_else(|| {
                panic!("docs/decisions/README.md does not name {name}");
            });
        let date = status.split("Date: ").nth(1).and_then(|rest| rest.get(..10)).expect("a date");
        assert!(row.contains(date), "{name} is of {date}: {row}");
        for word in ["accepted", "superseded"] {
            assert_eq!(status.starts_with(word), row.contains(&format!("| {word}")), "{name}: {row}");
        }
        checked += 1;
    }
    assert!(checked >= 12, "{checked}");
}
