//! The compiled functions, as Lambda runs them: started behind a Runtime API, invoked with the events
//! that the services send, and judged by what they did to tables and queues.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::lambda_runtime::{Answer, Process};
use end_to_end::services::Services;
use serde_json::{Value, json};

/// An event, the function it is for, and what must come of it.
struct Case {
    /// The function's name in the template.
    function: &'static str,
    /// The function's crate, which is also its binary.
    package: &'static str,
    /// The file in `events/`, without its ending.
    event: &'static str,
    /// What the function answers.
    answer: Value,
    /// The tables that have more items afterwards, or fewer.
    tables: &'static [&'static str],
    /// The queues that have messages afterwards. Nothing takes them away here, and a tick within the
    /// same second as another is one, so that their number says nothing.
    queues: &'static [&'static str],
}

/// Every trigger of every function, in an order in which the events follow from each other.
fn cases() -> Vec<Case> {
    let all_done = || json!({ "batchItemFailures": [] });
    let case = |function, package, event, answer, tables, queues| Case {
        function,
        package,
        event,
        answer,
        tables,
        queues,
    };
    let released = json!({ "released": 4, "held": 0, "woken_again": 0, "waiting": false });
    let nothing_to_do = json!({ "released": 0, "held": 0, "woken_again": 0, "waiting": false });
    let ticks: &[&str] = &["SequencerTicks"];
    let both: &[&str] = &["ReleasedRuns", "SequencerTicks"];
    vec![
        case("CdcIngest", "cdc-ingest", "kafka-users", all_done(), &["Source"], ticks),
        case("CdcIngest", "cdc-ingest", "kafka-referrals", all_done(), &["Source"], ticks),
        case("CdcIngest", "cdc-ingest", "kafka-adoptions", all_done(), &["Source"], ticks),
        case("CdcIngest", "cdc-ingest", "kafka-heartbeat", all_done(), &["Source"], ticks),
        case("AdoptionSequencer", "adoption-sequencer", "sqs-ticks", released, &["Source"], both),
        case("AdoptionSequencer", "adoption-sequencer", "schedule-sequencer", nothing_to_do, &[], both),
        case(
            "AdoptionDistribution",
            "adoption-distribution",
            "sqs-released-runs",
            all_done(),
            &["Accounts", "Journal", "Source"],
            both,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trigger_s_event_does_its_work_through_the_compiled_function() {
    let cases = cases();
    let binaries = build();
    let services = Services::start(&settings()).await.expect("the services start");
    let mut processes: BTreeMap<&str, Process> = BTreeMap::new();
    for case in &cases {
        let what = format!("{} with {}", case.package, case.event);
        if !processes.contains_key(case.function) {
            let variables = services.variables(case.function).expect("the template's variables");
            let process = Process::start(&binaries.join(case.package), &variables).await;
            processes.insert(case.function, process.unwrap_or_else(|error| panic!("{what}: {error:#}")));
        }
        let process = processes.get_mut(case.function).expect("it was started");
        let tables = services.items().await.expect("the tables");
        let answer = process.invoke(event(case.event)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error:#}"));
        assert_eq!(answer, Answer::Response(case.answer.clone()), "{what}");
        let changed: Vec<String> = differing(&tables, &services.items().await.expect("the tables"));
        assert_eq!(changed, case.tables, "the tables that {what} changed");
        let messages = services.messages().await.expect("the queues");
        let filled: Vec<&str> =
            messages.iter().filter(|(_, count)| **count > 0).map(|(name, _)| name.as_str()).collect();
        assert_eq!(filled, case.queues, "the queues with messages after {what}");
    }
    let items = services.items().await.expect("the tables");
    assert_eq!(items["Journal"], 5, "one entry for each adoption, and where they left the tree's accounts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_none_is_a_reported_failure_and_the_process_goes_on() {
    let binaries = build();
    let services = Services::start(&settings()).await.expect("the services start");
    let variables = services.variables("CdcIngest").expect("the template's variables");
    let mut process = Process::start(&binaries.join("cdc-ingest"), &variables).await.expect("it starts");
    let answer = process.invoke(json!({ "records": "none" })).await.expect("an answer");
    let Answer::Failure(failure) = answer else { panic!("{answer:?} is no failure") };
    assert!(failure["errorMessage"].is_string(), "{failure} says what was wrong");
    let answer = process.invoke(event("kafka-users")).await.expect("an answer");
    assert_eq!(answer, Answer::Response(json!({ "batchItemFailures": [] })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_tables_cannot_be_reached_every_record_is_asked_for_again() {
    let binaries = build();
    let services = Services::start(&settings()).await.expect("the services start");
    let mut variables = services.variables("CdcIngest").expect("the template's variables");
    // Nothing listens on the discard port.
    variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), "http://127.0.0.1:9".to_owned());
    let mut process = Process::start(&binaries.join("cdc-ingest"), &variables)
        .await
        .expect("it starts, although the connection cannot be made beforehand");
    let answer = process.invoke(event("kafka-referrals")).await.expect("an answer");
    let Answer::Response(response) = answer else { panic!("{answer:?} is no response") };
    let failures = response["batchItemFailures"].as_array().expect("failures");
    let failed: BTreeSet<&str> =
        failures.iter().filter_map(|failure| failure["itemIdentifier"]["partition"].as_str()).collect();
    let records = event("kafka-referrals")["records"].as_object().expect("partitions").clone();
    assert_eq!(failed, records.keys().map(String::as_str).collect());
}

/// Nothing waits in here.
fn settings() -> [(&'static str, String); 2] {
    [("ReorderWindowMs", "0".to_owned()), ("SnapshotQuietPeriodMs", "0".to_owned())]
}

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn differing(before: &BTreeMap<String, usize>, after: &BTreeMap<String, usize>) -> Vec<String> {
    let changed = after.iter().filter(|(name, count)| before[*name] != **count);
    changed.map(|(name, _)| name.clone()).collect()
}

/// Builds the functions' binaries, which a test of another package cannot ask Cargo for otherwise, and
/// answers where they are: beside this test's own directory. Of the whole workspace, because then
/// everything below them is built as for the workspace's tests, and so only once.
fn build() -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--workspace", "--bins"]);
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "the functions can be built");
    let this = std::env::current_exe().expect("this test is a file");
    this.ancestors().nth(2).expect("target/debug/deps/<test>").to_owned()
}
