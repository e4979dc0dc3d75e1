//! The events of `events/`, one for each trigger, through the functions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contribution::template::Template;
use end_to_end::{Harness, Options, ledger};
use runtime::Function;
use serde_json::{Value, json};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn event(name: &str) -> Value {
    let text = std::fs::read_to_string(directory().join(name)).expect("an event");
    serde_json::from_str(&text).expect("JSON")
}

/// Returns the rows of the table in `events/README.md`: the file, the function and its trigger.
fn listed() -> Vec<(String, String, String)> {
    let readme = std::fs::read_to_string(directory().join("README.md")).expect("the guide");
    let rows = readme.lines().filter(|line| line.starts_with("| `") && line.contains(".json"));
    rows.map(|line| {
        let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        (quoted[0].to_owned(), quoted[1].to_owned(), quoted[2].to_owned())
    })
    .collect()
}

#[test]
fn every_trigger_of_the_template_has_an_event() {
    let template = Template::load(&BTreeMap::new()).expect("the template");
    let mut triggers: BTreeSet<(String, String)> = BTreeSet::new();
    for (name, function) in template.of_type("AWS::Serverless::Function") {
        for event in function["Properties"]["Events"].as_object().expect("triggers").keys() {
            triggers.insert((name.to_owned(), event.clone()));
        }
    }
    // The page and the contract are requests like the health check.
    triggers.retain(|(_, trigger)| !["Console", "ConsoleFiles", "Contract"].contains(&trigger.as_str()));
    let listed = listed();
    let with_event: BTreeSet<(String, String)> =
        listed.iter().map(|(_, function, trigger)| (function.clone(), trigger.clone())).collect();
    assert_eq!(with_event, triggers);
    let files: BTreeSet<String> = std::fs::read_dir(directory())
        .expect("events")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| std::path::Path::new(name).extension().is_some_and(|extension| extension == "json"))
        // It describes what is sent, and invokes nothing.
        .filter(|name| name != "asyncapi.json")
        .collect();
    assert_eq!(files, listed.into_iter().map(|(file, ..)| file).collect());
}

#[tokio::test]
async fn each_event_does_what_its_trigger_is_for() {
    let template = Template::load(&BTreeMap::new()).expect("the template");
    let crates: BTreeMap<String, String> = template
        .functions()
        .expect("functions")
        .into_iter()
        .map(|function| (function.logical_name, function.crate_name))
        .collect();
    let options = Options::default();
    let functions: BTreeMap<&str, Arc<dyn Function>> = contribution::functions::BUILDERS
        .iter()
        .map(|(name, build)| (*name, build(&options.settings).expect("valid settings")))
        .collect();
    let harness = Harness::new(options);
    for (file, function, _) in listed() {
        let Some(function) = functions.get(crates[&function].as_str()) else { continue };
        let answer = harness.invoke(function, event(&file)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{file}: {error}"));
        if function.name() == "query-api" {
            assert!(answer["statusCode"].is_number(), "{file}: {answer}");
        } else if file == "schedule-source.json" {
            assert_eq!(answer["compared"], false, "no source is known here: {answer}");
        } else if function.name() == "ledger-audit" {
            assert_eq!((&answer["complete"], &answer["differences"]), (&json!(true), &json!(0)), "{file}");
        } else {
            assert_eq!(answer, json!({ "batchItemFailures": [] }), "{file}");
        }
        if file == "stream-log.json" {
            let ledger = ledger(harness.engine()).await;
            assert_eq!(ledger["orders"], 4, "{:#}", ledger["held"]);
            let legs = ledger["distributions"]["57"]["legs"].to_string();
            assert!(legs.contains("\"owner\":\"D25122700018\""), "55 unlocks what it must: {legs}");
        }
    }
}
