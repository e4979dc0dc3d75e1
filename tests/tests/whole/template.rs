//! What must be right in `infra/template.yaml`, and no linter sees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contribution::template::Template;
use serde_json::{Value, json};

const FUNCTION: &str = "AWS::Serverless::Function";
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
    for (role, statement) in statements(&template) {
        let actions = texts(&statement["Action"]);
        assert!(actions.iter().all(|action| !action.contains('*')), "{role}: {actions:?}");
        let is_everywhere = texts(&statement["Resource"]).iter().any(|resource| resource.contains('*'));
        let may_be = actions.iter().all(|action| WITHOUT_RESOURCES.contains(&action.as_str()));
        assert!(!is_everywhere || may_be, "{role}: {actions:?} on every resource");
    }
}

#[test]
fn the_decider_alone_writes_pages_and_no_role_deletes_any() {
    let template = template();
    let log = json!({ "Fn::GetAtt": "Log.Arn" });
    let mut writers = BTreeSet::new();
    for (role, statement) in statements(&template) {
        if texts_of_resources(&statement).contains(&log.to_string()) {
            let actions = texts(&statement["Action"]);
            let is_write = |action: &&String| {
                ["PutItem", "UpdateItem", "DeleteItem", "PartiQL"].iter().any(|kind| action.contains(kind))
            };
            let writing: Vec<&String> = actions.iter().filter(is_write).collect();
            assert!(writing.iter().all(|action| *action == "dynamodb:PutItem"), "{role}: {writing:?}");
            if !writing.is_empty() {
                writers.insert(role);
            }
        }
    }
    assert_eq!(writers, BTreeSet::from(["AdoptionDistributionRole".to_owned()]));
}

#[test]
fn every_function_writes_only_what_is_its_own_among_the_items_of_a_shared_table() {
    let template = template();
    let shared =
        ["Source", "Ledger"].map(|table| json!({ "Fn::GetAtt": format!("{table}.Arn") }).to_string());
    // The rows, the announcements and the progress are the source's table: it is the ingest's own.
    let owner = ("CdcIngestRole".to_owned(), shared[0].clone());
    for (role, statement) in statements(&template) {
        let is_write = |action: &String| {
            ["PutItem", "UpdateItem", "PartiQLInsert", "PartiQLUpdate"]
                .iter()
                .any(|kind| action.ends_with(kind))
        };
        for resource in texts_of_resources(&statement) {
            let is_shared = shared.contains(&resource) && (role.clone(), resource) != owner;
            if !is_shared || !texts(&statement["Action"]).iter().any(is_write) {
                continue;
            }
            let keys = texts(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]);
            assert!(!keys.is_empty(), "{role} may write any item: {statement}");
            assert!(keys.iter().all(|key| !key.starts_with('*')), "{role}: {keys:?}");
        }
    }
}

#[test]
fn the_scheduler_may_invoke_and_send_to_what_has_a_schedule_and_nothing_else() {
    let template = template();
    let mut scheduled: BTreeSet<String> = BTreeSet::new();
    for (name, event, schedule) in triggers(&template, "ScheduleV2") {
        // Without one, another role would be made for it.
        assert_eq!(schedule["RoleArn"], json!({ "Fn::GetAtt": "SchedulerRole.Arn" }), "{name}.{event}");
        assert_eq!(schedule["GroupName"], json!({ "Ref": "Schedules" }), "{name}.{event}");
        assert_eq!(schedule["ScheduleExpressionTimezone"], json!({ "Ref": "BusinessTimeZone" }));
        scheduled.insert(json!({ "Fn::GetAtt": format!("{name}.Arn") }).to_string());
    }
    for (_, schedule) in template.of_type("AWS::Scheduler::Schedule") {
        let target = &schedule["Properties"]["Target"];
        assert_eq!(target["RoleArn"], json!({ "Fn::GetAtt": "SchedulerRole.Arn" }));
        scheduled.insert(target["Arn"].to_string());
    }
    let allowed = statements(&template).into_iter();
    let allowed = allowed.filter(|(role, statement)| role == "SchedulerRole" && statement["Sid"] != "Key");
    let allowed: BTreeSet<String> =
        allowed.flat_map(|(_, statement)| texts_of_resources(&statement)).collect();
    assert_eq!(allowed, scheduled);
}

#[test]
fn only_roles_that_send_messages_may_encrypt() {
    let template = template();
    let mut of_roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (role, statement) in statements(&template) {
        of_roles.entry(role).or_default().extend(texts(&statement["Action"]));
    }
    for (role, actions) in of_roles {
        let has = |wanted: &str| actions.iter().any(|action| action == wanted);
        assert!(has("kms:Decrypt"), "{role} reads tables, queues or its variables");
        assert_eq!(has("kms:GenerateDataKey"), has("sqs:SendMessage"), "{role}");
    }
}

#[test]
fn queues_are_what_the_functions_rely_on() {
    let template = template();
    let queues: BTreeMap<&str, &Value> = template.of_type("AWS::SQS::Queue").collect();
    for (name, queue) in &queues {
        assert!(queue.get("DeletionPolicy").is_some(), "{name} says what its deletion means");
        let queue = &queue["Properties"];
        assert!(queue.get("KmsMasterKeyId").is_some(), "{name} is encrypted");
        if name.ends_with("DeadLetters") {
            assert_eq!(queue["MessageRetentionPeriod"], json!(1_209_600), "{name} keeps fourteen days");
            continue;
        }
        let Some(target) = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"].as_str() else {
            continue;
        };
        let target = &queues[target.trim_end_matches(".Arn")]["Properties"];
        assert_eq!(target["FifoQueue"], queue["FifoQueue"], "{name} and its dead letters are alike");
    }
    for (name, event, trigger) in triggers(&template, "SQS") {
        let (_, function) = template.of_type(FUNCTION).find(|(other, _)| *other == name).expect("it is one");
        let timeout_s = function["Properties"]["Timeout"].as_u64().expect("a timeout");
        let queue = trigger["Queue"]["Fn::GetAtt"].as_str().expect("a queue").trim_end_matches(".Arn");
        let visibility_s = queues[queue]["Properties"]["VisibilityTimeout"].as_u64();
        let visibility_s = visibility_s.expect("a visibility timeout");
        assert!(visibility_s >= timeout_s, "{name}.{event}: a message comes again while it is worked on");
    }
    for name in ["DecisionsQueue", "DecisionsDeadLetters"] {
        let queue = &queues[name]["Properties"];
        assert_eq!(queue["DeduplicationScope"], json!("messageGroup"), "{name}");
        assert_eq!(queue["FifoThroughputLimit"], json!("perMessageGroupId"), "{name}");
    }
}

#[test]
fn a_decider_that_stands_still_does_so_for_seconds() {
    let template = template();
    let timeout = |kind: &str, name: &str, property: &str| {
        let (_, resource) = template.of_type(kind).find(|(other, _)| *other == name).expect("it is there");
        resource["Properties"][property].as_u64().expect("a number")
    };
    assert!(timeout(FUNCTION, "AdoptionDistribution", "Timeout") <= 3);
    assert!(timeout("AWS::SQS::Queue", "DecisionsQueue", "VisibilityTimeout") <= 3);
    let decide_for = runtime::DecisionSettings::default().decide_for;
    let ends_at_most_s = Duration::from_secs(timeout(FUNCTION, "AdoptionDistribution", "Timeout"));
    // What an invocation does after it has decided for so long: a page, and its checkpoint.
    assert!(decide_for + Duration::from_millis(1_500) <= ends_at_most_s);
}

#[test]
fn tables_cannot_be_lost_and_pages_and_snapshots_never_expire() {
    let template = template();
    let mut names = BTreeSet::new();
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        names.insert(name);
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
    assert_eq!(names, store::Table::ALL.iter().map(|table| table.logical_name()).collect());
}

#[test]
fn kafka_triggers_lose_nothing_begin_at_the_beginning_and_bisect_what_fails() {
    let template = template();
    let triggers = triggers(&template, "MSK");
    assert_eq!(triggers.len(), 4);
    for (name, event, properties) in triggers {
        assert_eq!(properties["StartingPosition"], json!("TRIM_HORIZON"), "{name}.{event}");
        assert_eq!(properties["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        assert_eq!(properties["BisectBatchOnFunctionError"], json!(true), "{name}.{event}");
        assert_eq!(properties["MaximumBatchingWindowInSeconds"], json!(0), "{name}.{event}");
        let has_own_pollers = properties.get("ProvisionedPollerConfig").is_some();
        assert!(has_own_pollers, "{name}.{event} is answered in 100 ms");
        assert_eq!(properties["Topics"].as_array().map(Vec::len), Some(1), "one topic for each trigger");
        assert!(properties.get("FilterCriteria").is_none(), "{name}.{event} drops records unseen");
        let gives_up_by_age = properties.get("MaximumRecordAgeInSeconds").is_some();
        assert!(!gives_up_by_age, "{name}.{event} gives records up");
        // Where there is a destination, infinitely many attempts would be ten.
        assert_eq!(properties["MaximumRetryAttempts"], json!(10_000), "{name}.{event} gives records up");
    }
}

#[test]
fn functions_that_call_themselves_through_queues_are_not_stopped_for_it() {
    let template = template();
    let called_by = |function: &str| -> BTreeSet<String> {
        let role = format!("{function}Role");
        let sends = statements(&template).into_iter();
        let sends = sends.filter(|(name, statement)| {
            *name == role && texts(&statement["Action"]).iter().any(|action| action == "sqs:SendMessage")
        });
        let queues: BTreeSet<String> =
            sends.flat_map(|(_, statement)| texts_of_resources(&statement)).collect();
        let called = triggers(&template, "SQS").into_iter();
        let called = called.filter(|(.., trigger)| queues.contains(&trigger["Queue"].to_string()));
        called.map(|(name, ..)| name).collect()
    };
    assert!(called_by("ContributionExpiry").contains("DailySnapshot"), "the roles can be read");
    for (name, function) in template.of_type(FUNCTION) {
        let mut reached = called_by(name);
        loop {
            let further: Vec<String> = reached.iter().flat_map(|next| called_by(next)).collect();
            let before = reached.len();
            reached.extend(further);
            if reached.len() == before {
                break;
            }
        }
        let expected = reached.contains(name).then_some("Allow");
        assert_eq!(function["Properties"]["RecursiveLoop"].as_str(), expected, "{name}");
    }
}

#[test]
fn every_route_of_the_contract_is_served_and_wants_a_token_where_the_contract_says_so() {
    let template = template();
    let api = template.of_type("AWS::Serverless::HttpApi").next().expect("an API").1;
    assert_eq!(api["Properties"]["Auth"]["DefaultAuthorizer"], "Tokens");
    let routes = triggers(&template, "HttpApi");
    let contract: Value = serde_json::from_str(query_api::OPENAPI).expect("the contract is JSON");
    for (path, operations) in contract["paths"].as_object().expect("paths") {
        let served = routes.iter().find(|(.., route)| serves(route["Path"].as_str().expect("a path"), path));
        let (.., route) = served.unwrap_or_else(|| panic!("no route of the template serves {path}"));
        assert_eq!(route["Method"], "ANY", "{path}");
        for (method, operation) in operations.as_object().expect("operations") {
            let wants_token = operation["security"].as_array().is_some_and(|security| !security.is_empty());
            let expected = if wants_token { Value::Null } else { json!("NONE") };
            assert_eq!(route["Auth"]["Authorizer"], expected, "{method} {path}");
        }
    }
}

/// Returns whether a route of an HTTP API takes a path of the contract.
fn serves(route: &str, path: &str) -> bool {
    match route.strip_suffix("{proxy+}") {
        Some(prefix) => path.starts_with(prefix),
        None => route == path,
    }
}

#[test]
fn access_logs_name_the_caller_and_the_route_and_no_account() {
    let template = template();
    let api = template.of_type("AWS::Serverless::HttpApi").next().expect("an API").1;
    let format = api["Properties"]["AccessLogSettings"]["Format"].as_str().expect("a format");
    let line: Value = serde_json::from_str(format).expect("a line of JSON");
    assert_eq!(line["caller"], "$context.authorizer.claims.sub");
    assert_eq!(line["route"], "$context.routeKey");
    assert!(!format.contains("$context.path"), "a path names accounts");
}

#[test]
fn every_function_of_the_template_is_a_crate_and_has_the_variables_it_needs() {
    let template = template();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let crates: BTreeSet<String> = std::fs::read_dir(root)
        .expect("functions")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let functions = template.functions().expect("functions");
    let in_template: BTreeSet<String> =
        functions.iter().map(|function| function.crate_name.clone()).collect();
    let missing: Vec<&String> = crates.difference(&in_template).collect();
    assert!(missing.is_empty(), "nothing deploys {missing:?}");
    for function in functions {
        for table in store::Table::ALL {
            let name = function.variables.get(table.variable());
            assert_eq!(name.map(String::as_str), Some(table.logical_name()), "{}", function.logical_name);
        }
        for queue in runtime::Queue::ALL {
            let name = function.variables.get(queue.variable());
            assert_eq!(name.map(String::as_str), Some(queue.logical_name()), "{}", function.logical_name);
        }
    }
}

fn template() -> Template {
    Template::load(&BTreeMap::new()).expect("the template")
}

/// Returns the triggers of a kind: the function, the trigger's name and its properties.
fn triggers(template: &Template, kind: &str) -> Vec<(String, String, Value)> {
    let mut triggers = Vec::new();
    for (name, function) in template.of_type(FUNCTION) {
        for (event, trigger) in function["Properties"]["Events"].as_object().into_iter().flatten() {
            if trigger["Type"] == kind {
                triggers.push((name.to_owned(), event.clone(), trigger["Properties"].clone()));
            }
        }
    }
    triggers
}

/// Returns the statements of every role, each with the role's name.
fn statements(template: &Template) -> Vec<(String, Value)> {
    let mut statements = Vec::new();
    for (role, resource) in template.of_type("AWS::IAM::Role") {
        for policy in resource["Properties"]["Policies"].as_array().expect("policies") {
            let of_policy = policy["PolicyDocument"]["Statement"].as_array().expect("statements");
            statements.extend(of_policy.iter().map(|statement| (role.to_owned(), statement.clone())));
        }
    }
    statements
}

/// Returns the resources of a statement, each as JSON.
fn texts_of_resources(statement: &Value) -> Vec<String> {
    match &statement["Resource"] {
        Value::Array(resources) => resources.iter().map(Value::to_string).collect(),
        resource => vec![resource.to_string()],
    }
}

/// Returns one text, or a list of them, as a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
