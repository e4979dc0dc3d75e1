//! What the service answers when it is busy, broken or gone, which no implementation in a process does.

use std::time::{Duration, Instant};

use runtime::aws::DynamoEngine;
use serde_json::{Value, json};
use store::{Condition, Engine, Item, Key, StoreError, Table, Write, Written};

use crate::http_server::{Answer, Request, Server};
use crate::support::impatient_engine_of;

/// The content of the items, which no message may show.
const BODY: &[u8] = b"13800138000";

fn item(sort: &str, revision: u64) -> Item {
    Item::new(Key::new(Table::Ledger, "ACCOUNT#1", sort), revision, BODY.to_vec())
}

fn put() -> Write {
    Write::put(item("HEAD", 2), Condition::Revision(1))
}

fn ok(body: &Value) -> Answer {
    Answer::Status(200, Vec::new(), body.to_string())
}

fn error(status: u16, name: &str, mut members: Value) -> Answer {
    members["__type"] = format!("com.amazonaws.dynamodb.v20120810#{name}").into();
    Answer::Status(status, vec!["x-amzn-requestid: REQUEST7".to_owned()], members.to_string())
}

fn failed_condition(present: &Item) -> Answer {
    // Base 64 of the body.
    let attributes = json!({
        "pk": {"S": present.key.partition}, "sk": {"S": present.key.sort},
        "r": {"N": present.revision.to_string()}, "b": {"B": "MTM4MDAxMzgwMDA="},
    });
    error(400, "ConditionalCheckFailedException", json!({"message": "no", "Item": attributes}))
}

async fn service(
    answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
) -> (Server, DynamoEngine) {
    let server = Server::start(answer).await;
    let engine = impatient_engine_of(server.address);
    (server, engine)
}

fn message_of(outcome: Result<Written, StoreError>) -> String {
    let Err(StoreError::Unavailable { message }) = outcome else { panic!("{outcome:?}") };
    assert!(!message.contains("13800138000") && !message.contains("MTM4"), "{message}");
    message
}

#[tokio::test]
async fn a_conflict_or_throttle_of_a_write_is_tried_again_where_it_happens() {
    for name in [
        "TransactionConflictException",
        "ReplicatedWriteConflictException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ] {
        let (server, engine) = service(move |number, _| match number {
            0..3 => error(400, name, json!({"message": "not now"})),
            _ => ok(&json!({})),
        })
        .await;
        assert_eq!(engine.write(put()).await, Ok(Written::Done), "{name}");
        assert_eq!(server.requests().len(), 4, "{name}");
    }
}

#[tokio::test]
async fn a_throttle_that_stays_says_why_and_how_to_find_the_request() {
    for (name, list) in [
        ("ThrottlingException", "throttlingReasons"),
        ("ProvisionedThroughputExceededException", "ThrottlingReasons"),
        ("RequestLimitExceeded", "ThrottlingReasons"),
    ] {
        let reason = json!([{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": "arn:table"}]);
        let (server, engine) =
            service(move |_, _| error(400, name, json!({"message": "too fast", list: reason}))).await;
        let message = message_of(engine.write(put()).await);
        let expected =
            format!("{name}: too fast, TableWriteKeyRangeThroughputExceeded arn:table (request REQUEST7)");
        assert_eq!(message, expected);
        let count = server.requests().len();
        assert!((9..20).contains(&count), "about two seconds of attempts: {count}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_done_if_it_stands_there() {
    let lost: [fn() -> Answer; 2] =
        [|| Answer::Close, || error(500, "InternalServerError", json!({"message": "sorry"}))];
    for lost in lost {
        let (_server, engine) = service(move |number, _| match number {
            0 => lost(),
            _ => failed_condition(&item("HEAD", 2)),
        })
        .await;
        assert_eq!(engine.write(put()).await, Ok(Written::Done));
        let (_server, engine) = service(move |number, _| match number {
            0 => lost(),
            _ => failed_condition(&item("HEAD", 3)),
        })
        .await;
        assert_eq!(engine.write(put()).await, Ok(Written::ConditionFailed(Some(item("HEAD", 3)))));
    }
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up() {
    let (server, engine) = service(|_, _| Answer::Silence).await;
    assert!(message_of(engine.write(put()).await).starts_with("no answer in time"));
    assert_eq!(server.requests().len(), 3, "one silence is not the end");
}

#[tokio::test]
async fn an_answer_that_does_not_come_costs_half_a_second() {
    let (_server, engine) = service(|number, _| match number {
        0 => Answer::Silence,
        _ => ok(&json!({})),
    })
    .await;
    let started = Instant::now();
    assert_eq!(engine.get(item("HEAD", 1).key).await, Ok(None));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_that_is_not_allowed_is_refused_without_another_attempt() {
    let (server, engine) =
        service(|_, _| error(400, "AccessDeniedException", json!({"Message": "not you"}))).await;
    let refused = engine.write(put()).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    let refused = engine.query(store::Query::partition(Table::Ledger, "ACCOUNT#1")).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_statement_that_meets_a_conflict_is_written_again_by_itself() {
    let (server, engine) = service(|_, request| {
        if !is_batch(request) {
            return ok(&json!({}));
        }
        ok(&json!({"Responses": [
            {},
            {"Error": {"Code": "TransactionConflict", "Message": "not now"}},
            {"Error": {"Code": "ThrottlingError", "Message": "not now"}},
            {"Error": {"Code": "ValidationError", "Message": "never"}},
        ]}))
    })
    .await;
    let writes = ["a", "b", "c", "d"].map(|sort| Write::put(item(sort, 2), Condition::Revision(1))).to_vec();
    let outcomes = engine.write_many(writes).await;
    assert_eq!(outcomes[..3], [Ok(Written::Done), Ok(Written::Done), Ok(Written::Done)]);
    let message = "ValidationError: never".to_owned();
    assert_eq!(outcomes[3], Err(StoreError::Refused { message }));
    assert_eq!(server.requests().len(), 3, "the batch, and two writes");
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_settled_write_by_write() {
    let (_server, engine) = service(|_, request| match is_batch(request) {
        true => Answer::Close,
        false if request.body.contains("\"a\"") => failed_condition(&item("a", 2)),
        false => failed_condition(&item("b", 7)),
    })
    .await;
    let writes = ["a", "b"].map(|sort| Write::put(item(sort, 2), Condition::Absent)).to_vec();
    let outcomes = engine.write_many(writes).await;
    assert_eq!(outcomes[0], Ok(Written::Done), "what stands there is what it put");
    assert_eq!(outcomes[1], Ok(Written::ConditionFailed(Some(item("b", 7)))));
}

fn is_batch(request: &Request) -> bool {
    request.headers.iter().any(|header| header.ends_with("BatchExecuteStatement"))
}

#[tokio::test]
async fn reads_that_stay_unprocessed_are_asked_for_again() {
    let attributes = json!({"pk": {"S": "p"}, "sk": {"S": "s"}, "r": {"N": "1"}, "b": {"B": ""}});
    let unprocessed = json!({"test-LOG_TABLE": {"Keys": [{"pk": {"S": "p"}, "sk": {"S": "s"}}]}});
    let (server, engine) = service(move |number, _| match number {
        0..2 => ok(&json!({"Responses": {}, "UnprocessedKeys": unprocessed})),
        _ => ok(&json!({"Responses": {"test-LOG_TABLE": [attributes]}, "UnprocessedKeys": {}})),
    })
    .await;
    let key = Key::new(Table::Log, "p", "s");
    assert_eq!(engine.get_many(vec![key.clone()]).await, Ok(vec![Item::new(key, 1, Vec::new())]));
    assert_eq!(server.requests().len(), 3);
}
