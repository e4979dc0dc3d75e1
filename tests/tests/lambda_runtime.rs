//! The compiled functions, as Lambda runs them: started behind a Runtime API, invoked with the events
//! that the services send, and judged by what they did to tables and queues.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use contribution::template::Template;
use end_to_end::lambda_runtime::{Answer, Process};
use end_to_end::services::Services;
use end_to_end::triggers::{self, STEPS};
use serde_json::{Value, json};

/// What must come of an event.
struct Expected {
    /// The file in `events/`, without its ending.
    event: &'static str,
    /// What the function answers, or the members of it that matter.
    answer: Value,
    /// The tables that have other items afterwards.
    tables: &'static [&'static str],
    /// The queues that have messages afterwards. Nothing takes them away here, and a tick within the
    /// same second as another is one, so that their number says nothing.
    queues: &'static [&'static str],
}

/// What must come of every event, in their order.
fn expected() -> Vec<Expected> {
    const TICKS: &[&str] = &["SequencerTicks"];
    const RUNS: &[&str] = &["ReleasedRuns", "SequencerTicks"];
    const EVENTS: &[&str] = &["OutboundEvents", "ReleasedRuns", "SequencerTicks"];
    const TALENT: &[&str] = &["OutboundEvents", "ReleasedRuns", "SequencerTicks", "TalentRaised"];
    const CLOSING: &[&str] =
        &["ExpirySegments", "OutboundEvents", "ReleasedRuns", "SequencerTicks", "TalentRaised"];
    const SNAPSHOT: &[&str] = &[
        "ExpirySegments",
        "OutboundEvents",
        "ReleasedRuns",
        "SequencerTicks",
        "SnapshotSegments",
        "TalentRaised",
    ];
    let all_done = || json!({ "batchItemFailures": [] });
    let released =
        |released: u64| json!({ "released": released, "held": 0, "woken_again": 0, "waiting": false });
    let of = |event, answer, tables, queues| Expected { event, answer, tables, queues };
    vec![
        of("kafka-users", all_done(), &["Source"], TICKS),
        of("kafka-referrals", all_done(), &["Source"], TICKS),
        of("kafka-adoptions", all_done(), &["Source"], TICKS),
        of("kafka-heartbeat", all_done(), &["Source"], TICKS),
        of("sqs-ticks", released(4), &["Source"], RUNS),
        of("schedule-sequencer", released(0), &[], RUNS),
        of("sqs-released-runs", all_done(), &["Accounts", "Journal", "Source"], RUNS),
        of("stream-postings", all_done(), &["Records"], EVENTS),
        of("kafka-registration", all_done(), &["Source"], TALENT),
        of("sqs-talent-raised", all_done(), &["Source"], TALENT),
        of("schedule-talent", json!({ "cleared": 0, "failed": 0, "waiting": false }), &[], TALENT),
        of("schedule-expiry", json!({ "date": "2026-01-10", "step": "EXPIRING" }), &["Snapshots"], CLOSING),
        of("sqs-expiry-segment", all_done(), &["Snapshots"], CLOSING),
        of("sqs-activation-segment", all_done(), &["Accounts", "Snapshots"], SNAPSHOT),
        of("sqs-snapshot-segment", all_done(), &["Journal", "Snapshots"], SNAPSHOT),
        of("schedule-snapshot", Value::Null, &[], SNAPSHOT),
        of("schedule-audit", json!({ "complete": true, "differences": [] }), &[], SNAPSHOT),
        of("http-account", json!({ "statusCode": 200 }), &[], SNAPSHOT),
        of("http-health", json!({ "statusCode": 200 }), &[], SNAPSHOT),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trigger_s_event_does_its_work_through_the_compiled_function() {
    let binaries = build();
    let services = Services::start(&triggers::parameters()).await.expect("the services start");
    let mut processes: BTreeMap<&str, Process> = BTreeMap::new();
    let expected = expected();
    assert_eq!(expected.len(), STEPS.len());
    for (step, expected) in STEPS.iter().zip(&expected) {
        let what = format!("{} with {}", step.package, step.event);
        assert_eq!(step.event, expected.event);
        if !processes.contains_key(step.function) {
            let variables = services.variables(step.function).expect("the template's variables");
            let process = Process::start(&binaries.join(step.package), &variables).await;
            processes.insert(step.function, process.unwrap_or_else(|error| panic!("{what}: {error:#}")));
        }
        let process = processes.get_mut(step.function).expect("it was started");
        let tables = services.items().await.expect("the tables");
        let answer = process.invoke(event(step.event)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let Answer::Response(answer) = answer else { panic!("{what}: {answer:?}") };
        assert_answers(&answer, &expected.answer, &what);
        let changed: Vec<String> = differing(&tables, &services.items().await.expect("the tables"));
        assert_eq!(changed, expected.tables, "the tables that {what} changed");
        let messages = services.messages().await.expect("the queues");
        let filled: Vec<&str> =
            messages.iter().filter(|(_, count)| **count > 0).map(|(name, _)| name.as_str()).collect();
        assert_eq!(filled, expected.queues, "the queues with messages after {what}");
    }
    let items = services.items().await.expect("the tables");
    // One entry for each adoption, where they left the tree's accounts, and the totals of the closed date.
    assert_eq!(items["Journal"].len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_stream_did_not_write_is_written_again_to_a_deployment_s_tables() {
    let binaries = build();
    let services = Services::start(&triggers::parameters()).await.expect("the services start");
    for step in STEPS.iter().take_while(|step| step.function != "LedgerStream") {
        let variables = services.variables(step.function).expect("the template's variables");
        let mut process = Process::start(&binaries.join(step.package), &variables).await.expect("it starts");
        process.invoke(event(step.event)).await.expect("an answer");
    }
    let rebuild = async || {
        let mut command = tokio::process::Command::new(binaries.join("contribution"));
        command.args(["rebuild", "--deployed"]).env_clear();
        command.envs(services.variables("LedgerStream").expect("the template's variables"));
        let output = command.output().await.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let first = rebuild().await;
    assert!(first.contains(" 0 were identical, ") && !first.contains(" 0 were missing"), "{first}");
    let second = rebuild().await;
    assert!(second.contains(" 0 were missing and 0 different"), "{second}");
}

#[test]
fn every_trigger_of_the_template_has_an_event() {
    let template = Template::load(&[] as &[(&str, String)]).expect("the template");
    for (function, resource) in template.resources_of_type("AWS::Serverless::Function") {
        for (trigger, properties) in resource["Properties"]["Events"].as_object().into_iter().flatten() {
            // One request is like another; those without a token are the exception.
            if ["Console", "Contract"].contains(&trigger.as_str()) {
                continue;
            }
            let steps: Vec<_> =
                STEPS.iter().filter(|step| step.function == function && step.trigger == trigger).collect();
            assert!(!steps.is_empty(), "{function}.{trigger} has no event");
            // What a schedule is configured to send is all that arrives.
            if let Some(input) = properties["Properties"]["Input"].as_str() {
                let input: Value = serde_json::from_str(input).expect("JSON");
                assert_eq!(event(steps[0].event), input, "{function}.{trigger}");
            }
        }
    }
    let guide = include_str!("../../events/README.md");
    for step in STEPS {
        assert!(guide.contains(&format!("`{}.json`", step.event)), "{} is not described", step.event);
    }
}

/// Whether an answer is this value, or has all members of this object.
fn assert_answers(answer: &Value, expected: &Value, what: &str) {
    match expected {
        Value::Object(members) => {
            for (name, expected) in members {
                assert_eq!(&answer[name], expected, "{what}: `{name}` of {answer}");
            }
        }
        expected => assert_eq!(answer, expected, "{what}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_none_is_a_reported_failure_and_the_process_goes_on() {
    let binaries = build();
    let services = Services::start(&triggers::parameters()).await.expect("the services start");
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
    let services = Services::start(&triggers::parameters()).await.expect("the services start");
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

fn event(name: &str) -> Value {
    triggers::read(name).expect("an event")
}

/// The items of each table.
type Items = BTreeMap<String, BTreeSet<String>>;

fn differing(before: &Items, after: &Items) -> Vec<String> {
    let changed = after.iter().filter(|(name, items)| before[*name] != **items);
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
