//! Every role allows exactly the calls that its function makes.
//!
//! The functions do here what they may be asked to do, and their calls are noted at the seam to storage and queues.
//! How the engine over DynamoDB makes a call of each is in `end_to_end::Calls`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contribution::template::Template;
use domain::log::{Command, EventPlace, Paused, WebhookChange};
use end_to_end::source::{Change, Source, USERS, paid};
use end_to_end::{Calls, Harness, Options, Shuffle, kafka_event};
use runtime::{Function, Queue};
use serde_json::{Value, json};
use store::inbox::StoredCommand;

/// A function by its name in the template, an action, and a resource of the template.
type Permitted = (String, String, String);

/// Functions whose every call is made here. Of the others it is only checked that what they call is allowed.
const EXACT: [&str; 3] = ["CdcIngest", "AdoptionDistribution", "LedgerStream"];

const KNOWS_ACTIVITY: &str = r#"{ "tables": {
    "dbserver1.rwa_identity.users": { "holds": "users", "columns": { "last_activity": ["seen_at"] } },
    "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    "dbserver1.rwa_planting.planting_orders": { "holds": "adoptions" }
} }"#;

#[tokio::test]
async fn roles_allow_exactly_the_calls_that_functions_make() {
    let calls = Arc::new(Calls::default());
    everything_that_happens(&calls).await;
    let template = Template::load(&BTreeMap::new()).expect("the template");
    let functions = template.functions().expect("functions");
    let names: BTreeMap<&str, &str> = functions
        .iter()
        .map(|function| (function.crate_name.as_str(), function.logical_name.as_str()))
        .collect();
    let mut needed: BTreeSet<Permitted> = BTreeSet::new();
    for (function, action, resource) in calls.permissions().into_keys() {
        needed.insert((names[function].to_owned(), action.to_owned(), resource.to_owned()));
    }
    // The call that opens a process's connection (`DynamoEngine::warm_up`) is made where there is a process.
    for function in names.values() {
        needed.insert(((*function).to_owned(), "dynamodb:GetItem".to_owned(), "Log".to_owned()));
    }
    let granted: BTreeSet<Permitted> =
        names.values().flat_map(|function| granted(&template, function)).collect();
    let missing: Vec<&Permitted> = needed.difference(&granted).collect();
    let unused = granted.difference(&needed).filter(|(function, ..)| EXACT.contains(&function.as_str()));
    let unused: Vec<&Permitted> = unused.collect();
    assert!(missing.is_empty() && unused.is_empty(), "missing: {missing:#?}\nunused: {unused:#?}");
    assert_partitions_are_allowed(&template, &calls, &names);
}

/// Returns what a function's own code may do.
fn granted(template: &Template, function: &str) -> Vec<Permitted> {
    let mut granted = Vec::new();
    for statement in own_statements(template, function) {
        let resource = statement["Resource"]["Fn::GetAtt"].as_str().expect("a resource of the template");
        let resource = resource.trim_end_matches(".Arn");
        granted.extend(
            actions(&statement).into_iter().map(|action| (function.to_owned(), action, resource.to_owned())),
        );
    }
    granted
}

/// Returns the statements of a function's role that are about what its code does.
fn own_statements(template: &Template, function: &str) -> Vec<Value> {
    let role = format!("{function}Role");
    let (_, role) = template.of_type("AWS::IAM::Role").find(|(name, _)| *name == role).expect("a role");
    let statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array();
    let is_own = |statement: &&Value| {
        let id = statement["Sid"].as_str().expect("a statement has a name");
        id.starts_with("Tables") || id.starts_with("Send") || id.starts_with("GiveBack")
    };
    statements.expect("statements").iter().filter(is_own).cloned().collect()
}

fn actions(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::Array(actions) => {
            actions.iter().map(|action| action.as_str().expect("text").to_owned()).collect()
        }
        action => vec![action.as_str().expect("text").to_owned()],
    }
}

/// Checks that calls name no partition keys but those for which a statement allows an action.
fn assert_partitions_are_allowed(template: &Template, calls: &Calls, names: &BTreeMap<&str, &str>) {
    for ((function, action, resource), partitions) in calls.permissions() {
        let patterns: Vec<Option<Vec<String>>> = own_statements(template, names[function])
            .iter()
            .filter(|statement| statement["Resource"] == json!({ "Fn::GetAtt": format!("{resource}.Arn") }))
            .filter(|statement| actions(statement).iter().any(|other| other == action))
            .map(|statement| {
                let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                let keys = keys.as_array()?;
                Some(keys.iter().map(|key| key.as_str().expect("a pattern").to_owned()).collect())
            })
            .collect();
        if patterns.iter().any(Option::is_none) {
            continue;
        }
        let allowed: Vec<String> = patterns.into_iter().flatten().flatten().collect();
        for partition in partitions {
            let fits = |pattern: &String| match pattern.strip_suffix('*') {
                Some(prefix) => partition.starts_with(prefix),
                None => partition == *pattern,
            };
            assert!(allowed.iter().any(fits), "{function} may not {action} {partition} of {resource}");
        }
    }
}

/// Captures, refusals, corrections, commands, closes and failures, through every function there is.
async fn everything_that_happens(calls: &Arc<Calls>) {
    let mut options = Options { calls: Some(Arc::clone(calls)), records_per_event: 3, ..Options::default() };
    options.settings.account_shards = 2;
    // Where the source says when users were last seen, `cdc-ingest` marks them.
    options.settings.profile = cdc::Profile::from_json(KNOWS_ACTIVITY).expect("a profile");
    let mut harness = Harness::new(options.clone());
    let source = history();
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    // A process that starts later has to learn what the log says so far.
    harness.restart();
    let close = Command::Close { until: "2026-11-30".parse().expect("a date"), source_is_complete: true };
    // Nothing is sent there; that it was tried is listed.
    let url = "https://10.0.0.1/".to_owned();
    let change = WebhookChange::Set { url, types: Vec::new(), after: Some(EventPlace::START) };
    let webhook = Command::Webhook { name: "inside".parse().expect("a name"), change };
    let note = Command::Note { text: "a word".to_owned() };
    for (key, command) in [("note", note), ("webhook", webhook), ("close", close)] {
        let command = StoredCommand::new("o", "r", command);
        store::inbox::ask(harness.engine(), key, &command).await.expect("memory answers");
    }
    harness.settle().await;
    truncated(&harness).await;
    // A decider without time wakes itself, and one that fails gives its messages back.
    options.settings.decisions.decide_for = std::time::Duration::ZERO;
    let hasty = Harness::new(options.clone());
    assert!(hasty.ingest(kafka_event(&source.records)).await.is_ok());
    for _ in 0..3 {
        hasty.decide(json!({ "Records": [] })).await.expect("it decides");
    }
    let failing = Arc::new(end_to_end::FaultyEngine::new(Arc::new(store::MemoryEngine::default())));
    failing.fail_call(1, end_to_end::Fault::BeforeEffect, end_to_end::Afterwards::Works);
    let failing = Harness::over(failing, options.clone());
    let message = json!({ "messageId": "1", "receiptHandle": "handle", "attributes": {} });
    assert!(failing.decide(json!({ "Records": [message] })).await.is_err());
    others(&harness, &options).await;
}

/// Truncates the orders, and has an operator let the truncate go on.
async fn truncated(harness: &Harness) {
    let mut source = history();
    source.records.clear();
    let truncate = source.order(0, "C1", 1).truncating();
    source.write(&truncate);
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let network = store::network::read(harness.engine()).await.expect("readable").expect("a checkpoint");
    let key = network.truncates.keys().next().expect("a truncate waits").clone();
    let command = Command::LetGo { what: Paused::Truncate { key } };
    let command = StoredCommand::new("o", "r", command);
    store::inbox::ask(harness.engine(), "truncate", &command).await.expect("memory answers");
    for _ in 0..2 {
        harness.settle().await;
        harness.pass(chrono::TimeDelta::minutes(3));
    }
    harness.settle().await;
}

/// Runs the functions that follow from the log, woken by their schedules and by what they send each other.
async fn others(harness: &Harness, options: &Options) {
    let functions: Vec<Arc<dyn Function>> = contribution::functions::BUILDERS
        .iter()
        .filter(|(name, _)| {
            [
                "contribution-expiry",
                "daily-snapshot",
                "ledger-audit",
                "talent-propagation",
                "webhook-delivery",
            ]
            .contains(name)
        })
        .map(|(_, build)| build(&options.settings).expect("valid settings"))
        .collect();
    for round in 0..3 {
        // One of each is lost, so that an audit has something to mend. Talent is judged once it has followed.
        match round {
            0 => lose(harness, &["ACCOUNT#C8", "CHILDREN#", "HELD#", "SUM#", "SYSTEM_ACCOUNTS"]).await,
            2 => lose(harness, &["TALENT#C"]).await,
            _ => {}
        }
        for function in &functions {
            let answer = harness.invoke(function, json!({ "repair": true })).await;
            answer.unwrap_or_else(|error| panic!("{}: {error}", function.name()));
        }
        let talents = harness.take_messages().into_iter().filter(|(queue, _)| *queue == Queue::Talent);
        let records: Vec<Value> = talents
            .map(|(_, message)| json!({ "messageId": "1", "body": message.body, "attributes": {} }))
            .collect();
        if let Some(propagation) = functions.iter().find(|function| function.name() == "talent-propagation") {
            let answer = harness.invoke(propagation, json!({ "Records": records })).await;
            answer.expect("levels are propagated");
        }
        harness.settle().await;
    }
}

/// Takes away the first item of the ledger's table in each of these partitions, where there is one.
async fn lose(harness: &Harness, partitions: &[&str]) {
    let items = end_to_end::everything_in(harness.engine(), store::Table::Ledger).await;
    for partition in partitions {
        if let Some(item) = items.iter().find(|item| item.key.partition.starts_with(partition)) {
            let lost = store::Write::delete(item.key.clone(), store::Condition::None);
            assert_eq!(harness.engine().write(lost).await, Ok(store::Written::Done));
        }
    }
}

fn history() -> Source {
    let mut source = Source::new();
    let mut previous: Option<String> = None;
    for number in 1..=8 {
        let account = format!("C{number}");
        let referral = source.referral(&account, previous.as_deref());
        source.write(&referral);
        let row = json!({ "account_sequence": account, "status": "ACTIVE" });
        let user = source.insert(USERS, json!({ "id": number }), row.clone());
        source.write(&user);
        let seen = source.insert(USERS, json!({ "id": number }), row.clone()).updating(row);
        source.write(&seen.with("status", json!("FROZEN")));
        previous = Some(account);
    }
    // Enough for pages of lines, late orders, corrections, holds that come and go.
    for number in 0..40_u64 {
        let order = source.order(1_000 - number, "C8", 1);
        source.write(&order);
    }
    let changes: [Change; 4] = [
        source.order(980, "C8", 2).updating(paid(980, "C8", 1)),
        source.order(2_000, "NOBODY", 1).with("contribution_per_tree", Value::Null),
        source.referral("NOBODY", Some("C1")),
        source.order(985, "C8", 1).deleting(),
    ];
    for change in &changes {
        source.write(change);
    }
    source.append(end_to_end::source::ORDERS, 0, Some("{}".to_owned()), Some("{".to_owned()));
    source
}
