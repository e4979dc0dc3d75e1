//! What must be right in `infra/template.yaml`, and no linter sees.

use std::collections::{BTreeMap, BTreeSet};

use contribution::template::Template;
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

#[test]
fn no_role_allows_everything_of_anything() {
    let template = template();
    for (role, _) in template.resources_of_type("AWS::IAM::Role") {
        for statement in template.statements(role) {
            let actions = texts(&statement["Action"]);
            assert!(actions.iter().all(|action| !action.contains('*')), "{role}: {actions:?}");
            let is_everywhere = texts(&statement["Resource"]).iter().any(|resource| resource.contains('*'));
            let may_be = actions.iter().all(|action| WITHOUT_RESOURCES.contains(&action.as_str()));
            assert!(!is_everywhere || may_be, "{role}: {actions:?} on every resource");
        }
    }
}

#[test]
fn the_scheduler_may_invoke_what_has_a_schedule_and_nothing_else() {
    let template = template();
    let mut scheduled = Vec::new();
    for (name, function) in template.resources_of_type("AWS::Serverless::Function") {
        let events = function["Properties"]["Events"].as_object().into_iter().flatten();
        for (event, schedule) in events.filter(|(_, event)| event["Type"] == "ScheduleV2") {
            let properties = &schedule["Properties"];
            // Without one, another role would be made for it.
            assert_eq!(properties["RoleArn"], json!({ "Fn::GetAtt": "SchedulerRole.Arn" }), "{name}.{event}");
            assert_eq!(properties["GroupName"], json!({ "Ref": "Schedules" }), "{name}.{event}");
            assert_eq!(properties["ScheduleExpressionTimezone"], json!({ "Ref": "BusinessTimeZone" }));
            scheduled.push(json!({ "Fn::GetAtt": format!("{name}.Arn") }));
        }
    }
    let statements = template.statements("SchedulerRole");
    assert_eq!(statements.len(), 1);
    assert_eq!(texts(&statements[0]["Action"]), ["lambda:InvokeFunction"]);
    let mut allowed = statements[0]["Resource"].as_array().expect("functions").clone();
    scheduled.sort_by_key(Value::to_string);
    allowed.sort_by_key(Value::to_string);
    assert_eq!(allowed, scheduled);
}

#[test]
fn only_who_sends_messages_may_encrypt() {
    let template = template();
    for (name, _) in template.resources_of_type("AWS::Serverless::Function") {
        let statements = template.statements(&format!("{name}Role"));
        let actions: Vec<String> =
            statements.iter().flat_map(|statement| texts(&statement["Action"])).collect();
        let has = |wanted: &str| actions.iter().any(|action| action == wanted);
        assert!(has("kms:Decrypt"), "{name} reads tables and its variables");
        assert_eq!(has("kms:GenerateDataKey"), has("sqs:SendMessage"), "{name}");
    }
}

#[test]
fn queues_are_what_the_functions_rely_on() {
    let template = template();
    let queues = properties_of(&template, "AWS::SQS::Queue");
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
            let gives_up_by_age = properties.get("MaximumRecordAgeInSeconds").is_some();
            assert!(!gives_up_by_age, "{name}.{event} gives records up");
            // Where there is a destination, infinitely many attempts would be ten.
            assert_eq!(properties["MaximumRetryAttempts"], json!(10_000), "{name}.{event} gives records up");
        }
    }
}

#[test]
fn functions_that_call_themselves_through_queues_are_not_stopped_for_it() {
    let template = template();
    let functions = properties_of(&template, "AWS::Serverless::Function");
    let is_called_by = |function: &str, queues: &[&Value]| {
        let events = functions[function]["Events"].as_object().into_iter().flatten();
        events.into_iter().any(|(_, event)| queues.contains(&&event["Properties"]["Queue"]))
    };
    let called_by = |function: &str| -> BTreeSet<&str> {
        let statements = template.statements(&format!("{function}Role"));
        let sends = |statement: &&&Value| statement["Action"] == "sqs:SendMessage";
        let queues: Vec<&Value> = statements.iter().filter(sends).map(|sends| &sends["Resource"]).collect();
        functions.keys().copied().filter(|other| is_called_by(other, &queues)).collect()
    };
    assert!(called_by("ContributionExpiry").contains("DailySnapshot"), "the roles can be read");
    for (name, properties) in &functions {
        let mut reached = called_by(name);
        loop {
            let further: Vec<&str> = reached.iter().flat_map(|next| called_by(next)).collect();
            let before = reached.len();
            reached.extend(further);
            if reached.len() == before {
                break;
            }
        }
        let expected = reached.contains(name).then_some("Allow");
        assert_eq!(properties["RecursiveLoop"].as_str(), expected, "{name}");
    }
}

#[test]
fn every_route_but_the_page_the_contract_and_the_health_check_wants_a_token() {
    let template = template();
    let mut open = BTreeSet::new();
    for (_, function) in template.resources_of_type("AWS::Serverless::Function") {
        for (_, event) in function["Properties"]["Events"].as_object().into_iter().flatten() {
            if event["Type"] != "HttpApi" {
                continue;
            }
            let path = event["Properties"]["Path"].as_str().expect("a path");
            match event["Properties"]["Auth"]["Authorizer"].as_str() {
                Some("Tokens") => assert_eq!(path, "/v1/{proxy+}"),
                _ => assert!(open.insert(path.to_owned())),
            }
        }
    }
    assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), ["/", "/health", "/openapi.json"]);
}

fn template() -> Template {
    Template::load(&[] as &[(&str, String)]).expect("the template")
}

/// The properties of every resource of a type, by its name.
fn properties_of<'a>(template: &'a Template, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    template.resources_of_type(kind).map(|(name, resource)| (name, &resource["Properties"])).collect()
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
