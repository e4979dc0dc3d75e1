//! Every role allows exactly the calls that its function makes.
//!
//! Everything that a function may be asked to do is asked of it here, and its calls are read off the
//! wire: a real capture with something to refuse, its closes, its stream, every question of the API and
//! an audit with damage to repair; changes of talent levels near and far; histories in which invocations
//! crash; and invocations whose time is up.

use std::collections::BTreeSet;

use adoption_distribution::Distributor;
use adoption_sequencer::Sequencer;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use cdc_ingest::Ingest;
use chrono::{DateTime, TimeDelta, Utc};
use contribution::calls::Calls;
use contribution::capture::{Capture, CaptureRecord};
use contribution::close::close_until;
use contribution::endpoints::Storage;
use contribution::replay;
use contribution::stack::{Options, Stack};
use contribution::template::Template;
use contribution::token::{DevelopmentKey, Grant};
use contribution_expiry::ContributionExpiry;
use daily_snapshot::DailySnapshot;
use end_to_end::services::Services;
use end_to_end::simulation::{self, Harassment, Settings};
use end_to_end::{capture, generate, golden, triggers};
use ledger::queue::Release;
use ledger::rules::{OrderId, UnlockFacts};
use ledger::store::{AccountChange, Action, BatchWrite, HoldReason, Item, Key};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A function, an action and the resource's name in the template.
type Permitted = (String, String, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_allow_exactly_the_calls_that_functions_make() {
    let calls = Calls::default();
    a_capture_and_what_follows(&calls).await;
    talent_levels(&calls).await;
    histories(&calls).await;
    invocations_whose_time_is_up(&calls).await;

    let template = Template::load(&[] as &[(&str, String)]).expect("the template");
    let functions: Vec<&str> =
        template.resources_of_type("AWS::Serverless::Function").map(|(name, _)| name).collect();
    let needed = calls.permissions().into_iter();
    let mut needed: BTreeSet<Permitted> =
        needed.map(|permission| (permission.function, permission.action, permission.resource)).collect();
    // The call that opens a process's connection (`Store::warm_up`) is made where there is a process.
    needed.extend(
        functions.iter().map(|name| ((*name).to_owned(), "dynamodb:GetItem".to_owned(), "Source".to_owned())),
    );
    let granted: BTreeSet<Permitted> =
        functions.iter().flat_map(|function| granted(&template, function)).collect();
    let missing: Vec<&Permitted> = needed.difference(&granted).collect();
    let unused: Vec<&Permitted> = granted.difference(&needed).collect();
    assert!(missing.is_empty() && unused.is_empty(), "missing: {missing:#?}\nunused: {unused:#?}");
}

/// What a function's own code may do.
fn granted(template: &Template, function: &str) -> Vec<Permitted> {
    let mut granted = Vec::new();
    for statement in template.statements(&format!("{function}Role")) {
        let id = statement["Sid"].as_str().expect("a statement has a name");
        if !(id.starts_with("Tables") || id.starts_with("Send")) {
            continue;
        }
        let resource = statement["Resource"]["Fn::GetAtt"].as_str().expect("a resource of the template");
        let resource = resource.trim_end_matches(".Arn");
        let actions = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        };
        granted.extend(actions.iter().map(|action| {
            let action = action.as_str().expect("an action is text");
            (function.to_owned(), action.to_owned(), resource.to_owned())
        }));
    }
    granted
}

/// A capture through the whole stack: refused, distributed, closed, published, asked for, audited.
async fn a_capture_and_what_follows(calls: &Calls) {
    let mut records: Vec<CaptureRecord> = capture::read(golden::capture_path("ordering-incident"))
        .expect("a capture")
        .iter()
        .map(|record| serde_json::from_value(json!(record)).expect("the same shape"))
        .collect();
    let refused = CaptureRecord { offset: 1_000_000, value: Some("{".to_owned()), ..records[0].clone() };
    records.push(refused);
    let mut options = Options { calls: Some(calls.clone()), ..Options::new(Storage::Ephemeral) };
    // Late enough that the first adoptions expire within a few dates.
    options.parameters.push(("FirstCloseDate".to_owned(), "2028-01-22".to_owned()));
    options.parameters.push(("CloseSegments".to_owned(), "2".to_owned()));
    let stack = Stack::start(&options).await.expect("the stack starts");
    replay::replay(&stack, &[Capture { source: "test".to_owned(), records }]).await.expect("the end");
    let until = "2028-01-23".parse().expect("a date");
    close_until(&stack, until, Release::SourceIsComplete).await.expect("the dates close");
    questions(&stack).await;
    stream_records_that_come_alone(&stack).await;
    an_audit_with_damage_to_repair(&stack).await;
}

/// Every path of the API.
async fn questions(stack: &Stack) {
    let key = DevelopmentKey::new(vec![7; 32]).expect("a key");
    let token = key.issue(&Grant::Operate, Utc::now()).expect("a token");
    for path in query_api::paths() {
        let path = path
            .replace("{account}", "D25122700018")
            .replace("{order_id}", "57")
            .replace("{date}", "2028-01-22")
            .replace("{id}", "OPERATION");
        let request = Request::get(&path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).expect("a request");
        let answer = stack.http_api(&key).into_router().oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
}

/// A posting that comes without the entries it names, which are then read, and an entry that is not what
/// this system writes.
async fn stream_records_that_come_alone(stack: &Stack) {
    let event: Value = triggers::read("stream-postings").expect("an event");
    let mut records = event["Records"].as_array().expect("records").clone();
    let posting = records.pop().expect("what the posting left behind");
    let mut unreadable = records.pop().expect("an entry");
    unreadable["dynamodb"]["NewImage"]["legs"] = json!({ "S": "PERSONAL" });
    for record in [posting, unreadable] {
        let answer = stack.functions.stream.invoke(json!({ "Records": [record] })).await;
        assert_eq!(answer.expect("an answer"), json!({ "batchItemFailures": [] }));
    }
}

/// Facts, an item of a list, and an adoption that are not what they should be.
async fn an_audit_with_damage_to_repair(stack: &Stack) {
    let store = stack.store();
    let order = |number| OrderId::new(number).expect("an order");
    let account = "D25122700018".parse().expect("an account");
    let no_facts = AccountChange { unlock: Some(UnlockFacts::default()), ..AccountChange::default() };
    let orphan = Item::at(&Key::held(order(9_999))).with_text("reason", HoldReason::Status.name());
    let held = store.adoptions([order(26)]).await.expect("readable").remove(&order(26)).expect("an adoption");
    let mut countable = held.clone();
    countable.row.as_mut().expect("a row").status = "ACTIVE".parse().expect("a status");
    let countable = Item::encode(&Key::adoption(order(26)), &countable);
    for damage in [no_facts.write(&account), Action::put(countable).expect("a write")] {
        assert!(store.apply(damage).await.expect("written"));
    }
    store.batch_write(vec![BatchWrite::Put(orphan)]).await.expect("written");
    let report = stack.functions.audit.invoke(json!({ "repair": true })).await.expect("an audit");
    let repaired = report["differences"].as_array().expect("differences").iter();
    let repaired = repaired.filter(|difference| difference["repair"].is_string()).count();
    assert!(repaired >= 3, "{report:#}");
}

/// Levels that change at once, more than twenty ancestors above, and because somebody was not seen for
/// too long.
async fn talent_levels(calls: &Calls) {
    let policy = json!({ "talent": { "rows": [
        { "direct_count": 2, "active_promotion_count": 1 },
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } },
    ] } });
    let profile = json!({ "tables": {
        "dbserver1.rwa_identity.users": { "holds": "users", "columns": { "last_activity": ["last_seen"] } },
        "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    } });
    let mut options = Options { calls: Some(calls.clone()), ..Options::new(Storage::Ephemeral) };
    for (name, value) in [
        ("ContributionPolicy", policy.to_string()),
        ("CdcProfile", profile.to_string()),
        ("TalentSweepAfterMs", "0".to_owned()),
    ] {
        options.parameters.push((name.to_owned(), value));
    }
    let stack = Stack::start(&options).await.expect("the stack starts");
    let mut offset = 0;
    let mut rows = |account: &str, referrer: Option<&str>, last_seen: DateTime<Utc>| {
        let user =
            json!({ "account_sequence": account, "status": "ACTIVE", "last_seen": last_seen.to_rfc3339() });
        let referral = json!({ "account_sequence": account, "referrer_account_sequence": referrer });
        offset += 2;
        [
            streamed(offset, "dbserver1.rwa_identity.users", user),
            streamed(offset + 1, "dbserver1.rwa_referral.referral_relations", referral),
        ]
    };
    let feed = async |records| {
        let capture = Capture { source: "test".to_owned(), records };
        stack.feed(&capture, |_| {}).await.expect("the records are read");
        stack.settle(|_| {}).await.expect("nothing is left to do");
    };
    let now = Utc::now();
    let for_long = now - TimeDelta::days(15);
    let mut chain = rows("C0", None, now).to_vec();
    for number in 1..=25 {
        chain.extend(rows(&format!("C{number}"), Some(&format!("C{}", number - 1)), now));
    }
    feed(chain).await;
    // The second referral of C24 gives it a level, and so one to everybody above.
    feed(rows("SECOND", Some("C24"), for_long).to_vec()).await;
    stack.functions.propagator.invoke(json!({})).await.expect("a sweep");
    // Their fifteen days are over, and then they are seen again.
    feed(rows("SECOND", Some("C24"), now).to_vec()).await;
    let top = "C0".parse().expect("an account");
    let talents = stack.store().talents([top]).await.expect("readable");
    assert!(talents.values().all(|talent| talent.level.get() == 2), "{talents:?}");
}

/// A row that came after the snapshot.
fn streamed(offset: i64, topic: &str, mut row: Value) -> CaptureRecord {
    for (name, value) in [
        ("__op", json!("c")),
        ("__lsn", json!(offset + 1)),
        ("__deleted", json!("false")),
        ("__source_ts_ms", json!(1_795_167_720_000_i64 + offset)),
        ("__source_snapshot", json!("false")),
    ] {
        row[name] = value;
    }
    CaptureRecord {
        topic: topic.to_owned(),
        partition: 0,
        offset,
        timestamp: 1_795_167_720_000 + offset,
        key: Some(json!({ "id": row["account_sequence"] }).to_string()),
        value: Some(row.to_string()),
    }
}

/// A simulation, where invocations crash and trees have to be woken again.
async fn histories(calls: &Calls) {
    let mut settings = Settings::with_policy("{}").expect("a policy");
    settings.calls = Some(calls.clone());
    let harassment = Harassment { checks_every_step: false, ..Harassment::FULL };
    let history = generate::history(1, 12);
    simulation::run(&history, 1, harassment, &settings).await.expect("the simulation ends");
}

/// Whoever has no time left sends itself a message about the rest, which no simulation is slow enough for.
async fn invocations_whose_time_is_up(calls: &Calls) {
    let mut parameters = triggers::parameters().to_vec();
    // Whoever looks finds segments that were not done for long.
    parameters.push(("WakeAgainAfterMs", "0".to_owned()));
    let services = Services::start(&parameters).await.expect("the services start");
    let environment = |function| services.environment(function, calls).expect("an environment");
    let soon = || Utc::now() + TimeDelta::minutes(1);
    let ingest = Ingest::new(environment("CdcIngest")).expect("a function");
    for name in ["kafka-referrals", "kafka-adoptions"] {
        ingest.handle(event(name), Utc::now()).await;
    }
    let sequencer = Sequencer::new(environment("AdoptionSequencer")).expect("a function");
    assert!(sequencer.handle(Utc::now, Utc::now()).await.expect("no release").waiting);
    assert_eq!(sequencer.handle(Utc::now, soon()).await.expect("a release").released, 4);
    let distributor = Distributor::new(environment("AdoptionDistribution")).expect("a function");
    distributor.handle(event("sqs-released-runs"), Utc::now, Utc::now()).await;
    distributor.handle(event("sqs-released-runs"), Utc::now, soon()).await;

    let expiry = ContributionExpiry::new(environment("ContributionExpiry")).expect("a function");
    let snapshot = DailySnapshot::new(environment("DailySnapshot")).expect("a function");
    let begun = expiry.handle(event("schedule-expiry"), Utc::now, soon()).await.expect("a close begins");
    let segment = |step: &str| {
        let body = json!({ "kind": "SEGMENT", "date": begun["date"], "step": step, "segment": 0 });
        let event = json!({ "Records": [{ "messageId": step, "body": body.to_string() }] });
        serde_json::from_value(event).expect("an event")
    };
    let all_done = json!({ "batchItemFailures": [] });
    for deadline in [Utc::now(), soon()] {
        for step in ["EXPIRING", "ACTIVATING"] {
            let answer = expiry.handle(segment(step), Utc::now, deadline).await;
            assert_eq!(answer.expect("an answer"), all_done, "{step}");
        }
    }
    snapshot.handle(event("schedule-snapshot"), Utc::now, soon()).await.expect("segments are sent again");
    for deadline in [DateTime::UNIX_EPOCH, soon()] {
        let answer = snapshot.handle(segment("SNAPSHOTTING"), Utc::now, deadline).await;
        assert_eq!(answer.expect("an answer"), all_done);
    }
    let closed = environment("DailySnapshot").store.latest_closed_date().await.expect("readable");
    assert_eq!(json!(closed), begun["date"], "the date is closed");
}

fn event<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let event = triggers::read(name).expect("an event");
    serde_json::from_value(event).expect("an event of this trigger")
}
