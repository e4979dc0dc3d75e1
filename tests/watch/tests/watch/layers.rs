//! What a crate may depend on, and what its code may not do.

use std::collections::BTreeSet;

use watch::{Manifest, Repository, tokens};

/// A crate, and the crates of this workspace that it may name.
struct Layer {
    name: &'static str,
    may_name: &'static [&'static str],
}

/// From the lowest on: a crate names crates above it in this list only.
const LAYERS: [Layer; 25] = [
    Layer { name: "domain", may_name: &[] },
    // The judge shares nothing with what it judges.
    Layer { name: "oracle", may_name: &[] },
    Layer { name: "watch", may_name: &[] },
    Layer { name: "cdc", may_name: &["domain"] },
    Layer { name: "store", may_name: &["domain"] },
    // A second implementation: the types of a page, and nothing that decides.
    Layer { name: "verify", may_name: &["domain"] },
    Layer { name: "runtime", may_name: &["cdc", "domain", "store"] },
    Layer { name: "cdc-ingest", may_name: &["cdc", "domain", "runtime", "store"] },
    // It reads the rows as the decoder keeps them.
    Layer { name: "adoption-distribution", may_name: &["cdc", "domain", "runtime", "store"] },
    Layer { name: "ledger-stream", may_name: FUNCTION },
    Layer { name: "contribution-expiry", may_name: FUNCTION },
    Layer { name: "daily-snapshot", may_name: FUNCTION },
    Layer { name: "talent-propagation", may_name: FUNCTION },
    Layer { name: "webhook-delivery", may_name: FUNCTION },
    // It shows rows and truncates as the decoder keeps them.
    Layer { name: "query-api", may_name: &["cdc", "domain", "runtime", "store"] },
    // The next two compare the ledger with the source's rows.
    Layer { name: "compare", may_name: &["cdc", "domain", "store"] },
    Layer { name: "reconcile", may_name: &["cdc", "domain", "runtime", "store"] },
    Layer { name: "local-postgres", may_name: &["compare", "domain", "reconcile", "store"] },
    // It compares the source's tables on a schedule, where the deployment has a connection to them.
    Layer {
        name: "ledger-audit",
        may_name: &["cdc", "domain", "local-postgres", "reconcile", "runtime", "store", "verify"],
    },
    Layer { name: "local-tables", may_name: &["store"] },
    Layer { name: "local-queues", may_name: &[] },
    // These three put the others together.
    Layer { name: "contribution", may_name: EVERYTHING },
    Layer { name: "end-to-end", may_name: EVERYTHING },
    Layer { name: "model", may_name: EVERYTHING },
    // Outside the workspace: it puts a heart that is gone on the bench.
    Layer { name: "first-edition", may_name: EVERYTHING },
];
/// What a function may name. Never another function.
const FUNCTION: &[&str] = &["domain", "runtime", "store"];
const EVERYTHING: &[&str] = &["*"];

/// Crates that are pure functions over values.
const PURE: [&str; 4] = ["cdc", "domain", "verify", "oracle"];
/// What a pure crate, or the store, may not depend on: an asynchronous runtime, the network, a database, AWS.
const NOT_PURE: [&str; 12] = [
    "aws", "axum", "dynoxide", "hyper", "lambda", "reqwest", "rskafka", "rusqlite", "tokio", "tower",
    "tracing", "rustls",
];
/// What the code of a pure library may not name: files, processes, the environment, clocks and chance.
const EFFECTS: [&[&str]; 10] = [
    &["std", "::", "fs"],
    &["std", "::", "net"],
    &["std", "::", "env"],
    &["std", "::", "process"],
    &["SystemTime"],
    &["Instant", "::", "now"],
    &["Utc", "::", "now"],
    &["Local", "::", "now"],
    &["thread_rng"],
    &["getrandom"],
];
/// Clocks. A function asks the clock of its context, so that a replay and the model can set it.
const CLOCKS: [&[&str]; 4] =
    [&["SystemTime", "::", "now"], &["Instant", "::", "now"], &["Utc", "::", "now"], &["Local", "::", "now"]];

#[test]
fn a_crate_names_only_crates_of_the_layers_below() {
    let repository = Repository::read();
    let manifests = Manifest::all(&repository);
    let ours: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    for manifest in &manifests {
        let layer = LAYERS.iter().find(|layer| layer.name == manifest.name);
        let layer = layer.unwrap_or_else(|| panic!("say in this test what {} may name", manifest.name));
        for dependency in manifest.dependencies.iter().filter(|name| ours.contains(name.as_str())) {
            let may = layer.may_name == EVERYTHING || layer.may_name.contains(&dependency.as_str());
            assert!(may, "{} may not depend on {dependency}", manifest.name);
        }
    }
    assert!(manifests.len() >= 18, "{}", manifests.len());
}

#[test]
fn pure_crates_and_the_store_depend_on_no_runtime_and_no_service() {
    let repository = Repository::read();
    let is_such = |name: &str| PURE.contains(&name) || name == "store";
    for manifest in Manifest::all(&repository).iter().filter(|manifest| is_such(&manifest.name)) {
        for dependency in &manifest.dependencies {
            let family = dependency.split(['-', '_']).next().expect("a first part");
            assert!(!NOT_PURE.contains(&family), "{} may not depend on {dependency}", manifest.name);
        }
    }
}

#[test]
fn a_pure_library_asks_no_clock_and_touches_no_file() {
    // The oracle reads captures from files. The model's time is virtual.
    for name in ["cdc", "compare", "domain", "model", "reconcile", "store", "verify"] {
        assert_free_of(name, &EFFECTS);
    }
}

#[test]
fn a_function_asks_no_clock_but_that_of_its_context() {
    let repository = Repository::read();
    for manifest in Manifest::all(&repository) {
        if manifest.folder.starts_with("functions/") {
            assert_free_of(&manifest.name, &CLOCKS);
        }
    }
}

/// Panics if the library of a crate has one of these sequences of tokens. What is in files of tests is left out, and
/// so is what only a program beside the library does.
fn assert_free_of(name: &str, forbidden: &[&[&str]]) {
    let repository = Repository::read();
    let manifests = Manifest::all(&repository);
    let manifest =
        manifests.iter().find(|manifest| manifest.name == name).expect("a crate of this workspace");
    let source = format!("{}/src/", manifest.folder);
    let mut checked = 0;
    for file in repository.with_extension(&["rs"]).filter(|file| file.starts_with(&source)) {
        let is_test = ["/tests.rs", "/tests/", "_tests.rs", "/main.rs", "/histories.rs"].iter();
        if is_test.clone().any(|part| file.contains(part)) {
            continue;
        }
        checked += 1;
        let tokens = tokens(&repository.text(file));
        for sequence in forbidden {
            let found =
                tokens.windows(sequence.len()).find(|window| window.iter().map(|t| &t.text).eq(*sequence));
            if let Some(found) = found {
                panic!("{file}:{} may not use {}", found[0].line, sequence.concat());
            }
        }
    }
    assert!(checked > 0, "{name} has no source");
}
