//! What must be right in `infra/template.yaml`, and no linter sees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use contribution::template::Template;
use serde_json::{Value, json};

const FUNCTION: &str = "AWS::Serverless::Function";
const QUEUE: &str = "AWS::SQS::Queue";

fn template() -> Template {
    Template::load(&BTreeMap::new()).expect("the template")
}

/// Returns the properties of every resource of a type, by its name.
fn properties_of<'a>(template: &'a Template, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    template.of_type(kind).map(|(name, resource)| (name, &resource["Properties"])).collect()
}

/// Returns one text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn statements(role: &Value) -> impl Iterator<Item = &Value> {
    let policies = role["Policies"].as_array().into_iter().flatten();
    policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten())
}

fn events(function: &Value) -> impl Iterator<Item = (&String, &Value)> {
    function["Events"].as_object().into_iter().flatten()
}

/// Returns the resource of which a value is an attribute.
fn resource(value: &Value) -> Option<&str> {
    value["Fn::GetAtt"].as_str()?.split('.').next()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the source of a function's crate.
fn source_of(function: &str) -> String {
    fn add(directory: &Path, source: &mut String) {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            if entry.path().is_dir() {
                add(&entry.path(), source);
            } else {
                *source += &fs::read_to_string(entry.path()).expect("a source");
            }
        }
    }
    let mut source = String::new();
    add(&root().join("functions").join(function).join("src"), &mut source);
    source
}

#[test]
fn only_the_decider_puts_pages_and_no_function_changes_or_deletes_one() {
    let template = template();
    let mut writers = Vec::new();
    for (name, role) in properties_of(&template, "AWS::IAM::Role") {
        for statement in statements(role).filter(|statement| resource(&statement["Resource"]) == Some("Log"))
        {
            let actions = texts(&statement["Action"]);
            let verbs_of_writes = ["Put", "Update", "Delete", "PartiQL", "Write"];
            let writing: Vec<_> = actions
                .iter()
                .filter(|action| verbs_of_writes.iter().any(|write| action.contains(write)))
                .collect();
            if !writing.is_empty() {
                writers.push((name, actions.clone()));
            }
        }
    }
    assert_eq!(writers, [("AdoptionDistributionRole", vec!["dynamodb:PutItem".to_owned()])]);
}

#[test]
fn only_functions_that_send_messages_may_encrypt() {
    let template = template();
    let roles = properties_of(&template, "AWS::IAM::Role");
    for name in properties_of(&template, FUNCTION).into_keys() {
        let role = roles[format!("{name}Role").as_str()];
        let actions: Vec<String> =
            statements(role).flat_map(|statement| texts(&statement["Action"])).collect();
        let has = |wanted: &str| actions.iter().any(|action| action == wanted);
        assert!(has("kms:Decrypt"), "{name} reads tables and its variables");
        assert_eq!(has("kms:GenerateDataKey"), has("sqs:SendMessage"), "{name}");
    }
}

#[test]
fn queues_are_encrypted_and_wait_for_their_functions() {
    let template = template();
    let queues = properties_of(&template, QUEUE);
    for (name, queue) in template.of_type(QUEUE) {
        assert!(queue.get("DeletionPolicy").is_some(), "{name} says what becomes of it");
        let queue = &queue["Properties"];
        assert!(queue.get("KmsMasterKeyId").is_some(), "{name} is encrypted");
        if name.ends_with("DeadLetters") {
            assert_eq!(queue["MessageRetentionPeriod"], json!(1_209_600), "{name} keeps fourteen days");
        } else if let Some(target) = resource(&queue["RedrivePolicy"]["deadLetterTargetArn"]) {
            assert_eq!(
                queues[target]["FifoQueue"], queue["FifoQueue"],
                "{name} and its dead letters are alike"
            );
        }
    }
    for (name, function) in properties_of(&template, FUNCTION) {
        let timeout_s = function["Timeout"].as_u64().unwrap();
        for queue in events(function).filter_map(|(_, event)| resource(&event["Properties"]["Queue"])) {
            let visibility_s = queues[queue]["VisibilityTimeout"].as_u64().unwrap();
            assert!(visibility_s >= timeout_s, "{name}: Lambda refuses a shorter visibility timeout");
        }
    }
    // A decider that hangs must not stand in the way for long.
    assert_eq!(queues["DecisionsQueue"]["VisibilityTimeout"], json!(6));
    for name in ["DecisionsQueue", "DecisionsDeadLetters"] {
        assert_eq!(queues[name]["DeduplicationScope"], json!("messageGroup"), "{name}");
        assert_eq!(queues[name]["FifoThroughputLimit"], json!("perMessageGroupId"), "{name}");
    }
}

#[test]
fn tables_cannot_be_lost_and_pages_and_snapshots_never_expire() {
    let template = template();
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        assert_eq!(table["DeletionPolicy"], json!("Retain"), "{name}");
        assert_eq!(table["UpdateReplacePolicy"], json!("Retain"), "{name}");
        let properties = &table["Properties"];
        assert_eq!(properties["BillingMode"], json!("PAY_PER_REQUEST"), "{name}");
        assert_eq!(properties["DeletionProtectionEnabled"], json!(true), "{name}");
        let recovery = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        assert_eq!(*recovery, json!(true), "{name}");
        assert_eq!(properties["SSESpecification"]["SSEType"], json!("KMS"), "{name}");
        let expires = properties["TimeToLiveSpecification"]["AttributeName"] == "t";
        assert_eq!(expires, ["Source", "Ledger"].contains(&name), "{name}");
    }
}

#[test]
fn kafka_triggers_lose_nothing_begin_at_the_beginning_and_do_not_wait() {
    let template = template();
    let mut triggers = 0;
    for (name, function) in properties_of(&template, FUNCTION) {
        for (event, trigger) in events(function).filter(|(_, trigger)| trigger["Type"] == "MSK") {
            triggers += 1;
            let properties = &trigger["Properties"];
            assert_eq!(properties["StartingPosition"], json!("TRIM_HORIZON"), "{name}.{event}");
            assert_eq!(properties["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
            assert_eq!(properties["BisectBatchOnFunctionError"], json!(true), "{name}.{event}");
            assert_eq!(properties["MaximumBatchingWindowInSeconds"], json!(0), "{name}.{event}");
            assert!(
                properties.get("ProvisionedPollerConfig").is_some(),
                "{name}.{event} is answered in 100 ms"
            );
            assert_eq!(properties["Topics"].as_array().map(Vec::len), Some(1), "one topic for each trigger");
            assert!(properties.get("FilterCriteria").is_none(), "{name}.{event} drops records unseen");
            assert!(properties.get("MaximumRecordAgeInSeconds").is_none(), "{name}.{event} gives records up");
            // Where there is a destination, infinitely many attempts would be ten.
            assert_eq!(properties["MaximumRetryAttempts"], json!(10_000), "{name}.{event} gives records up");
        }
    }
    assert_eq!(triggers, 4);
}

#[test]
fn the_scheduler_may_call_what_has_a_schedule_and_nothing_else() {
    let template = template();
    let mut scheduled: BTreeSet<&str> = BTreeSet::new();
    for (name, function) in properties_of(&template, FUNCTION) {
        for (event, schedule) in events(function).filter(|(_, event)| event["Type"] == "ScheduleV2") {
            // Without one, another role would be made for it.
            assert_eq!(resource(&schedule["Properties"]["RoleArn"]), Some("SchedulerRole"), "{name}.{event}");
            scheduled.insert(name);
        }
    }
    for (_, schedule) in properties_of(&template, "AWS::Scheduler::Schedule") {
        scheduled.extend(resource(&schedule["Target"]["Arn"]));
    }
    let roles = properties_of(&template, "AWS::IAM::Role");
    let allowed = statements(roles["SchedulerRole"])
        .filter(|statement| statement["Sid"] != "Key")
        .flat_map(|statement| match &statement["Resource"] {
            Value::Array(resources) => resources.iter().filter_map(resource).collect(),
            one => resource(one).into_iter().collect::<Vec<_>>(),
        })
        .collect::<BTreeSet<&str>>();
    assert_eq!(allowed, scheduled);
}

#[test]
fn every_alarm_watches_what_is_counted_and_says_what_to_do_next() {
    let template = template();
    let existing: Vec<String> = fs::read_dir(root().join("functions"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    for (name, alarm) in properties_of(&template, "AWS::CloudWatch::Alarm") {
        let description = alarm["AlarmDescription"].as_str().unwrap();
        assert!(description.contains("Next: "), "{name}: {description}");
        for actions in ["AlarmActions", "OKActions"] {
            assert!(alarm.get(actions).is_some(), "{name} has {actions}");
        }
        let is_own = alarm["Namespace"]["Fn::Sub"] == "ContributionLedger/${Stage}";
        let function = alarm["Dimensions"][0]["Value"].as_str().unwrap_or_default();
        let metric = alarm["MetricName"].as_str().unwrap_or_default();
        // The duration of an audit is counted by its end, whatever the function emits.
        if is_own && existing.iter().any(|known| known == function) {
            assert!(
                source_of(function).contains(&format!("\"{metric}\"")),
                "{name}: {metric} is not emitted"
            );
        }
    }
}

#[test]
fn what_gives_messages_up_has_an_alarm_and_every_function_is_watched() {
    let template = template();
    let mut give_up: BTreeSet<&str> = BTreeSet::new();
    for (_, queue) in properties_of(&template, QUEUE) {
        give_up.extend(resource(&queue["RedrivePolicy"]["deadLetterTargetArn"]));
    }
    let functions = properties_of(&template, FUNCTION);
    for function in functions.values() {
        for (_, event) in events(function) {
            give_up.extend(resource(&event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]));
        }
    }
    let alarms = properties_of(&template, "AWS::CloudWatch::Alarm");
    let watched = |metric: &str| -> BTreeSet<&str> {
        let of_metric = alarms.values().filter(|alarm| alarm["MetricName"] == metric);
        let values = of_metric.map(|alarm| &alarm["Dimensions"][0]["Value"]);
        values.filter_map(|value| resource(value).or(value["Ref"].as_str())).collect()
    };
    assert_eq!(watched("ApproximateNumberOfMessagesVisible"), give_up);
    assert_eq!(watched("Errors"), functions.into_keys().collect());
}

#[test]
fn the_alarms_and_the_status_have_the_same_thresholds() {
    let template = template();
    let thresholds: Value =
        serde_json::from_str(&fs::read_to_string(root().join("infra/thresholds.json")).unwrap()).unwrap();
    let alarms = properties_of(&template, "AWS::CloudWatch::Alarm");
    let number = |name: &str| thresholds[name].as_u64().unwrap();
    assert_eq!(alarms["SourceLagAlarm"]["Threshold"], json!(number("source_lag_seconds") * 1_000));
    assert_eq!(alarms["CloseOverdueAlarm"]["Threshold"], json!(number("close_overdue_minutes")));
    assert_eq!(alarms["PausedAlarm"]["Threshold"], json!(number("pause_minutes")));
}
