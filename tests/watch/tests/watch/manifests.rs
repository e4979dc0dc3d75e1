//! What manifests say about dependencies and targets is true, so that a newcomer compiles and runs nothing in vain.

use std::collections::BTreeSet;

use watch::{Manifest, Repository, tokens};

/// Packages whose code has another name.
const OTHER_NAMES: [(&str, &str); 2] = [("dynoxide-rs", "dynoxide"), ("md-5", "md5")];
/// Words after the mark of a block in documentation that `cargo test` does not compile.
const NOT_COMPILED: [&str; 5] = ["ignore", "json", "sh", "text", "toml"];

#[test]
fn every_dependency_is_named_by_the_code() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut unused = Vec::new();
    let manifests = Manifest::all(&repository);
    for manifest in &manifests {
        let mut library = BTreeSet::new();
        let mut all = BTreeSet::new();
        for file in sources(&repository, &manifest.folder, &manifests) {
            let words: Vec<String> =
                tokens(&repository.text(file)).into_iter().map(|token| token.text).collect();
            if file.starts_with(&format!("{}/src/", manifest.folder)) || manifest.folder == "tests" {
                library.extend(words.iter().cloned());
            }
            all.extend(words);
        }
        let named = |name: &String, words: &BTreeSet<String>| {
            let other = OTHER_NAMES.iter().find(|(package, _)| package == name);
            let in_code = other.map_or_else(|| name.replace('-', "_"), |(_, code)| (*code).to_owned());
            words.contains(&in_code)
        };
        for name in &manifest.dependencies {
            checked += 1;
            if !named(name, &library) {
                unused.push(format!("{}: {name}", manifest.folder));
            }
        }
        for name in &manifest.dev_dependencies {
            checked += 1;
            if !named(name, &all) {
                unused.push(format!("{}: {name}, for tests", manifest.folder));
            }
        }
    }
    assert!(checked > 150, "only {checked} dependencies were found");
    assert!(unused.is_empty(), "remove from Cargo.toml:\n{}", unused.join("\n"));
}

#[test]
fn every_dependency_of_the_workspace_has_a_crate_that_uses_it() {
    let repository = Repository::read();
    let text = repository.text("Cargo.toml");
    let section = text.split("[workspace.dependencies]").nth(1).expect("the section");
    let section = section.split("\n[").next().expect("a first part");
    let manifests: Vec<String> = Manifest::all(&repository)
        .iter()
        .map(|manifest| repository.text(&format!("{}/Cargo.toml", manifest.folder)))
        .collect();
    let mut checked = 0;
    for line in section.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, _)) = line.split_once(" = ") else { continue };
        let uses = [format!("\n{name}.workspace = true"), format!("\n{name} = {{ workspace = true")];
        let is_used = manifests.iter().any(|manifest| uses.iter().any(|used| manifest.contains(used)));
        assert!(is_used, "no crate uses {name}: remove it from Cargo.toml");
        checked += 1;
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn what_cargo_test_leaves_out_has_no_tests() {
    let repository = Repository::read();
    let mut checked = 0;
    for manifest in Manifest::all(&repository) {
        let inside = format!("{}/src/", manifest.folder);
        let program = format!("{inside}main.rs");
        for file in repository.with_extension(&["rs"]).filter(|file| file.starts_with(&inside)) {
            let text = repository.text(file);
            if manifest.has_no_tests_inside || file == program {
                let has_test = tokens(&text).iter().any(|token| token.text == "test");
                assert!(!has_test, "{file} has tests, and Cargo.toml has `test = false`");
                checked += 1;
            }
            if manifest.has_no_doctests {
                let block = first_compiled_block(&text);
                assert!(
                    block.is_none(),
                    "{file}:{block:?} is compiled by no test: Cargo.toml has `doctest = false`"
                );
            }
        }
    }
    assert!(checked > 30, "{checked}");
}

/// Returns the line of the first block in documentation that is a test.
fn first_compiled_block(text: &str) -> Option<usize> {
    let mut is_open = false;
    for (number, line) in text.lines().map(str::trim).enumerate() {
        let Some(documentation) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else {
            continue;
        };
        let Some(word) = documentation.trim().strip_prefix("```") else { continue };
        if !is_open && !NOT_COMPILED.contains(&word) {
            return Some(number + 1);
        }
        is_open = !is_open;
    }
    None
}

/// Returns the sources of a crate, without those of crates in folders below it.
fn sources<'a>(
    repository: &'a Repository,
    folder: &str,
    manifests: &[Manifest],
) -> impl Iterator<Item = &'a str> {
    let inside = format!("{folder}/");
    let others = manifests.iter().map(|other| format!("{}/", other.folder));
    let others: Vec<String> = others.filter(|other| other.starts_with(&inside) && *other != inside).collect();
    repository
        .with_extension(&["rs"])
        .filter(move |file| file.starts_with(&inside) && !others.iter().any(|other| file.starts_with(other)))
}
