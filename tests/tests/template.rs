//! What must be right in `infra/template.yaml`, and no linter sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use adoption_distribution::Distributor;
use adoption_sequencer::Sequencer;
use cdc_ingest::Ingest;
use chrono::{TimeDelta, Utc};
use contribution::calls::Calls;
use contribution::capture::{Capture, CaptureRecord};
use contribution::close::close_until;
use contribution::endpoints::Storage;
use contribution::replay;
use contribution::stack::{Options, Stack};
use contribution::template::Template;
use end_to_end::services::Services;
use end_to_end::simulation::{self, Harassment, Settings};
use end_to_end::{capture, generate, golden};
use ledger::queue::Release;
use serde_json::{Value, json};

/// What EC2 has no resources for.
const WITHOUT_RESOURCES: [&str; 6] = [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
];

/// Functions of which not every path is taken here, so that what seems unused may not be: the audit's
/// repairs, the API's routes, records of the stream that cannot be read, changes of talent levels far
/// above, and a snapshot whose time is up. What they do here is compared all the same.
const EXERCISED_IN_PART: [&str; 5] =
    ["DailySnapshot", "LedgerAudit", "LedgerStream", "QueryApi", "TalentPropagation"];

/// A function, an action and the resource's name in the template.
type Grant = (String, String, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_allow_exactly_the_calls_that_functions_make() {
    let calls = Calls::default();
    // A real capture with something to refuse through the stack, and histories with everything in them
    // through simulations, where invocations crash and trees have to be woken again.
    let mut records: Vec<CaptureRecord> = capture::read(golden::capture_path("ordering-incident"))
        .expect("a capture")
        .iter()
        .map(|record| serde_json::from_value(json!(record)).expect("the same shape"))
        .collect();
    let refused = CaptureRecord { offset: 1_000_000, value: Some("{".to_owned()), ..records[0].clone() };
    records.push(refused);
    let mut options = Options { calls: Some(calls.clone()), ..Options::new(Storage::Ephemeral) };
    // Late enough that the first adoptions expire within a few dates.
    options.parameters.push(("FirstCloseDate".to_owned(), "2028-01-20".to_owned()));
    let stack = Stack::start(&options).await.expect("the stack starts");
    replay::replay(&stack, &[Capture { source: "test".to_owned(), records }]).await.expect("the end");
    let until = "2028-01-23".parse().expect("a date");
    close_until(&stack, until, Release::SourceIsComplete).await.expect("the dates close");
    stack.functions.audit.invoke(json!({ "repair": false })).await.expect("an audit");
    for seed in 1..=2 {
        let mut settings = Settings::with_policy("{}").expect("a policy");
        settings.calls = Some(calls.clone());
        let harassment = Harassment { checks_every_step: false, ..Harassment::FULL };
        let history = generate::history(seed, 30);
        simulation::run(&history, seed, harassment, &settings).await.expect("the simulation ends");
    }
    a_distribution_whose_time_is_up(&calls).await;

    let needed = calls.permissions().into_iter();
    let mut needed: BTreeSet<Grant> =
        needed.map(|permission| (permission.function, permission.action, permission.resource)).collect();
    // The call that opens a process's connection (`Store::warm_up`) is made where there is a process.
    let template = template();
    let functions: BTreeSet<&str> =
        template.resources_of_type("AWS::Serverless::Function").map(|(name, _)| name).collect();
    needed.extend(
        functions.iter().map(|name| ((*name).to_owned(), "dynamodb:GetItem".to_owned(), "Source".to_owned())),
    );

    let mut granted: BTreeSet<Grant> = BTreeSet::new();
    for function in functions {
        for statement in statements(&template, &format!("{function}Role")) {
            let id = statement["Sid"].as_str().expect("a statement has a name");
            if id.starts_with("Tables") || id.starts_with("Send") {
                for resource in texts(&statement["Resource"]["Fn::GetAtt"]) {
                    let resource = resource.trim_end_matches(".Arn").to_owned();
                    granted.extend(
                        texts(&statement["Action"])
                            .into_iter()
                            .map(|action| (function.to_owned(), action, resource.clone())),
                    );
                }
            }
        }
    }
    let missing: Vec<&Grant> = needed.difference(&granted).collect();
    let is_exercised = |grant: &&&Grant| !EXERCISED_IN_PART.contains(&grant.0.as_str());
    let unused: Vec<&Grant> = granted.difference(&needed).filter(|grant| is_exercised(&grant)).collect();
    assert!(missing.is_empty() && unused.is_empty(), "missing: {missing:#?}\nunused: {unused:#?}");
}

/// It leaves itself a message about the rest, which no simulation is slow enough for.
async fn a_distribution_whose_time_is_up(calls: &Calls) {
    let parameters = [("ReorderWindowMs", "0".to_owned()), ("SnapshotQuietPeriodMs", "0".to_owned())];
    let services = Services::start(&parameters).await.expect("the services start");
    let environment = |function| services.environment(function, calls).expect("an environment");
    let ingest = Ingest::new(environment("CdcIngest")).expect("a function");
    for name in ["kafka-referrals", "kafka-adoptions"] {
        ingest.handle(event(name), Utc::now()).await;
    }
    let sequencer = Sequencer::new(environment("AdoptionSequencer")).expect("a function");
    let soon = || Utc::now() + TimeDelta::minutes(1);
    assert_eq!(sequencer.handle(Utc::now, soon()).await.expect("a release").released, 4);
    let distributor = Distributor::new(environment("AdoptionDistribution")).expect("a function");
    distributor.handle(event("sqs-released-runs"), Utc::now, Utc::now()).await;
}

fn event<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("an event")
}

#[test]
fn no_role_allows_everything_of_anything() {
    let template = template();
    for (role, _) in template.resources_of_type("AWS::IAM::Role") {
        for statement in statements(&template, role) {
            let actions = texts(&statement["Action"]);
            assert!(actions.iter().all(|action| !action.contains('*')), "{role}: {actions:?}");
            let is_everywhere = texts(&statement["Resource"]).iter().any(|resource| resource.contains('*'));
            let may_be = actions.iter().all(|action| WITHOUT_RESOURCES.contains(&action.as_str()));
            assert!(!is_everywhere || may_be, "{role}: {actions:?} on every resource");
        }
    }
}

#[test]
fn queues_are_what_the_functions_rely_on() {
    let template = template();
    let queues: BTreeMap<&str, &Value> = template
        .resources_of_type("AWS::SQS::Queue")
        .map(|(name, queue)| (name, &queue["Properties"]))
        .collect();
    for (name, queue) in &queues {
        assert!(queue.get("KmsMasterKeyId").is_some(), "{name} is encrypted");
        if name.ends_with("DeadLetters") {
            assert_eq!(queue["MessageRetentionPeriod"], json!(1_209_600), "{name} keeps fourteen days");
            continue;
        }
        let Some(target) = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"].as_str() else {
            continue;
        };
        let target = queues[target.trim_end_matches(".Arn")];
        assert_eq!(target["FifoQueue"], queue["FifoQueue"], "{name} and its dead letters are alike");
    }
    // Misspelt, either would cost nothing but throughput, and nobody would be told.
    for name in ["ReleasedRuns", "ReleasedRunsDeadLetters"] {
        assert_eq!(queues[name]["DeduplicationScope"], json!("messageGroup"), "{name}");
        assert_eq!(queues[name]["FifoThroughputLimit"], json!("perMessageGroupId"), "{name}");
    }
    for (name, function) in template.resources_of_type("AWS::Serverless::Function") {
        let timeout_s = function["Properties"]["Timeout"].as_u64().expect("a timeout");
        for event in
            function["Properties"]["Events"].as_object().into_iter().flatten().map(|(_, event)| event)
        {
            let Some(queue) = event["Properties"]["Queue"]["Fn::GetAtt"].as_str() else { continue };
            let visibility_s = queues[queue.trim_end_matches(".Arn")]["VisibilityTimeout"].as_u64();
            let visibility_s = visibility_s.expect("a visibility timeout");
            assert!(visibility_s >= timeout_s, "{name}: a message comes again while it is worked on");
        }
    }
}

#[test]
fn tables_cannot_be_lost() {
    let template = template();
    for (name, table) in template.resources_of_type("AWS::DynamoDB::Table") {
        assert_eq!(table["DeletionPolicy"], json!("Retain"), "{name}");
        assert_eq!(table["UpdateReplacePolicy"], json!("Retain"), "{name}");
        let properties = &table["Properties"];
        assert_eq!(properties["BillingMode"], json!("PAY_PER_REQUEST"), "{name}");
        assert_eq!(properties["DeletionProtectionEnabled"], json!(true), "{name}");
        let recovery = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        assert_eq!(*recovery, json!(true), "{name}");
        assert_eq!(properties["SSESpecification"]["SSEType"], json!("KMS"), "{name}");
    }
}

#[test]
fn kafka_triggers_lose_nothing_and_begin_at_the_beginning() {
    let template = template();
    for (name, function) in template.resources_of_type("AWS::Serverless::Function") {
        for (event, trigger) in function["Properties"]["Events"].as_object().into_iter().flatten() {
            if trigger["Type"] != "MSK" {
                continue;
            }
            let properties = &trigger["Properties"];
            assert_eq!(properties["StartingPosition"], json!("TRIM_HORIZON"), "{name}.{event}");
            assert_eq!(properties["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
            assert_eq!(properties["Topics"].as_array().map(Vec::len), Some(1), "one topic for each trigger");
            assert!(properties.get("FilterCriteria").is_none(), "{name}.{event} drops records unseen");
            for limit in ["MaximumRetryAttempts", "MaximumRecordAgeInSeconds"] {
                assert!(properties.get(limit).is_none(), "{name}.{event} gives records up");
            }
        }
    }
}

fn template() -> Template {
    Template::load(&[] as &[(&str, String)]).expect("the template")
}

/// The statements of a role's policies; none if there is no such role.
fn statements(template: &Template, role: &str) -> Vec<Value> {
    let found = template.resources_of_type("AWS::IAM::Role").find(|(name, _)| *name == role);
    let policies = found.and_then(|(_, role)| role["Properties"]["Policies"].as_array().cloned());
    let of_policy = |policy: Value| policy["PolicyDocument"]["Statement"].as_array().cloned();
    policies.unwrap_or_default().into_iter().filter_map(of_policy).flatten().collect()
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
