//! What becomes of changes that cannot be carried up.

use aws_sdk_dynamodb::types::AttributeValue;
use contribution::template::Template;
use serde_json::json;

use crate::support::{Ledger, Source};

/// Makes an account's item one that this system never writes.
async fn corrupt(ledger: &Ledger, account: &str) {
    let key = AttributeValue::S(format!("TALENT#{account}"));
    let request = ledger.clients.dynamodb.update_item().table_name("contribution-Source");
    let request = request.key("pk", key).key("sk", AttributeValue::S("ROW".to_owned()));
    let request = request.update_expression("SET revision = :text");
    let request = request.expression_attribute_values(":text", AttributeValue::S("many".to_owned()));
    request.send().await.expect("written");
}

#[tokio::test]
async fn what_cannot_be_carried_up_fails_its_own_message_only_and_keeps_its_mark() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    let mut rows = Vec::new();
    for tree in ["A", "B"] {
        rows.extend(source.joined(tree, None));
        rows.extend(source.joined(&format!("{tree}1"), Some(tree)));
        rows.extend(source.joined(&format!("{tree}2"), Some(&format!("{tree}1"))));
    }
    ledger.feed(&rows, 1000).await;
    ledger.deliver_messages().await;
    ledger.feed(&[source.referral("A3", Some("A2")), source.referral("B3", Some("B2"))], 2).await;
    corrupt(&ledger, "A1").await;

    let message = |id: &str, account: &str, tree: &str| json!({ "messageId": id, "body": json!({ "account": account, "tree": tree }).to_string() });
    let event = json!({ "Records": [message("1", "A1", "A"), message("2", "B1", "B")] });
    let answer = ledger.functions.propagator.invoke(event).await.expect("an answer");
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] }));
    assert_eq!(ledger.numbers("B").await, (1, 3, 0));
    let marks = ledger.store.raised_talent_marks(10).await.expect("readable");
    assert_eq!(marks.iter().map(|mark| mark.account.as_str()).collect::<Vec<_>>(), ["A1"]);
    assert!(ledger.functions.propagator.invoke(json!({})).await.is_err(), "a sweep says that it failed");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_does_not_keep_rows_from_being_stored() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    ledger.feed(&source.chain(2), 1000).await;
    ledger.deliver_messages().await;
    corrupt(&ledger, "C2").await;
    let mut rows = vec![source.referral("N", Some("C2"))];
    rows.extend(source.joined("OTHER", None));
    rows.extend(source.joined("BELOW", Some("OTHER")));
    ledger.feed(&rows, 1000).await;
    assert!(ledger.functions.propagator.invoke(json!({})).await.is_err());
    assert_eq!(ledger.numbers("OTHER").await, (1, 1, 0), "others are settled");
    let marks = ledger.store.raised_talent_marks(10).await.expect("readable");
    assert_eq!(marks.iter().map(|mark| mark.account.as_str()).collect::<Vec<_>>(), ["N"]);
}

#[test]
fn a_message_has_three_attempts_of_sixty_seconds_before_it_is_a_dead_letter_with_an_alarm() {
    let template = Template::load(&[] as &[(&str, String)]).expect("a template");
    let queue = template.queues().into_iter().find(|queue| queue.logical_name == "TalentRaised");
    let properties = queue.expect("the template has it").properties;
    assert_eq!(properties["RedrivePolicy"]["maxReceiveCount"], json!(3));
    assert_eq!(
        properties["RedrivePolicy"]["deadLetterTargetArn"],
        json!({ "Fn::GetAtt": "TalentRaisedDeadLetters.Arn" })
    );
    assert_eq!(properties["VisibilityTimeout"], json!(360));
    let text = include_str!("../../../../infra/template.yaml");
    let function = text.split("\n  TalentPropagation:").nth(1).expect("the template has it");
    assert!(function.contains("\n      Timeout: 60\n"));
    let alarm = text.split("\n  TalentRaisedDeadLettersAlarm:").nth(1).expect("the template has it");
    assert!(alarm.contains("Value: !GetAtt TalentRaisedDeadLetters.QueueName"));
}
