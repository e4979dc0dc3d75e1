//! Events as triggers deliver them, and what a function's answer says about them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::clock::Millis;
use crate::lambda::{KafkaRecord, Outcome, Payload};
use crate::queue::Delivered;
use crate::table::{Stored, StreamRecord, ViewType};
use crate::value::item_to_json;

/// Returns the event that a function gets; `epoch` is the time of day at virtual time 0.
pub(super) fn event_of(payload: &Payload, epoch: DateTime<Utc>, now_ms: Millis, view: ViewType) -> Value {
    match payload {
        Payload::Direct(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Payload::Tick => json!({
            "version": "0",
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "time": at(epoch, now_ms).to_rfc3339_opts(SecondsFormat::Secs, true),
            "detail": {},
        }),
        Payload::Messages { queue, messages } => {
            let records: Vec<Value> =
                messages.iter().map(|delivered| message(queue, delivered, epoch)).collect();
            json!({ "Records": records })
        }
        Payload::TopicRecords(records) => topic_event(records, epoch),
        Payload::StreamRecords { table, records } => {
            let records: Vec<Value> =
                records.iter().map(|record| change(table, record, epoch, view)).collect();
            json!({ "Records": records })
        }
    }
}

/// Returns how an invocation ended that answered. A failure that names no record of the event is one of all.
pub(super) fn outcome_of(answer: &Value, payload: &Payload) -> Outcome {
    let failures = answer.get("batchItemFailures").and_then(Value::as_array);
    let Some(failures) = failures.filter(|failures| !failures.is_empty()) else {
        return Outcome::Succeeded(Some(answer.to_string()));
    };
    let mut positions = Vec::new();
    for failure in failures {
        let Some(position) = position_of(&failure["itemIdentifier"], payload) else {
            return Outcome::Failed(format!("the answer names no record of its event: {failure}"));
        };
        positions.push(position);
    }
    Outcome::Partial(positions)
}

fn position_of(identifier: &Value, payload: &Payload) -> Option<usize> {
    match payload {
        Payload::Messages { messages, .. } => {
            let id = identifier.as_str()?;
            messages.iter().position(|delivered| delivered.message.id == id)
        }
        Payload::TopicRecords(records) => {
            let partition = identifier["partition"].as_str()?;
            let offset = identifier["offset"].as_u64()?;
            records.iter().position(|record| record.offset == offset && partition_name(record) == partition)
        }
        Payload::StreamRecords { records, .. } => {
            let sequence = identifier.as_str()?;
            records.iter().position(|record| sequence_number(record) == sequence)
        }
        Payload::Direct(_) | Payload::Tick => None,
    }
}

fn message(queue: &str, delivered: &Delivered, epoch: DateTime<Utc>) -> Value {
    let message = &delivered.message;
    let stamp = |ms: Millis| at(epoch, ms).timestamp_millis().to_string();
    let mut attributes = json!({
        "ApproximateReceiveCount": message.receive_count.to_string(),
        "SentTimestamp": stamp(message.sent_ms),
        "ApproximateFirstReceiveTimestamp": stamp(message.first_received_ms.unwrap_or(message.sent_ms)),
    });
    if let Some(group) = &message.group {
        attributes["MessageGroupId"] = group.clone().into();
        attributes["SequenceNumber"] = format!("{:020}", message.sequence).into();
    }
    if let Some(id) = &message.deduplication_id {
        attributes["MessageDeduplicationId"] = id.clone().into();
    }
    json!({
        "messageId": message.id,
        "receiptHandle": delivered.receipt.to_string(),
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
        "awsRegion": "us-east-1",
    })
}

fn topic_event(records: &[KafkaRecord], epoch: DateTime<Utc>) -> Value {
    let mut partitions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let encoded = |text: &Option<String>| text.as_ref().map(|text| STANDARD.encode(text));
    for record in records {
        partitions.entry(partition_name(record)).or_default().push(json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": at(epoch, record.at_ms).timestamp_millis(),
            "timestampType": "CREATE_TIME",
            "key": encoded(&record.key),
            "value": encoded(&record.value),
            "headers": [],
        }));
    }
    json!({
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/model/1",
        "bootstrapServers": "model:9092",
        "records": partitions,
    })
}

fn change(table: &str, record: &StreamRecord, epoch: DateTime<Utc>, view: ViewType) -> Value {
    let mut content = json!({
        "ApproximateCreationDateTime": at(epoch, record.at_ms).timestamp(),
        "Keys": { "pk": { "S": record.key.partition.as_str() }, "sk": { "S": record.key.sort.as_str() } },
        "SequenceNumber": sequence_number(record),
    });
    let image =
        |stored: &Option<std::sync::Arc<Stored>>| stored.as_ref().map(|stored| item_to_json(&stored.item));
    if matches!(view, ViewType::NewImage | ViewType::NewAndOldImages)
        && let Some(image) = image(&record.after)
    {
        content["NewImage"] = image;
    }
    if matches!(view, ViewType::OldImage | ViewType::NewAndOldImages)
        && let Some(image) = image(&record.before)
    {
        content["OldImage"] = image;
    }
    json!({
        "eventID": sequence_number(record),
        "eventName": record.kind.name(),
        "eventSource": "aws:dynamodb",
        "eventSourceARN": format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/1"),
        "awsRegion": "us-east-1",
        "dynamodb": content,
    })
}

fn partition_name(record: &KafkaRecord) -> String {
    format!("{}-{}", record.topic, record.partition)
}

fn sequence_number(record: &StreamRecord) -> String {
    format!("{:021}", record.sequence + 1)
}

fn at(epoch: DateTime<Utc>, ms: Millis) -> DateTime<Utc> {
    epoch + TimeDelta::milliseconds(ms.cast_signed())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{event_of, outcome_of};
    use crate::lambda::{KafkaRecord, Outcome, Payload};
    use crate::table::ViewType;

    fn records() -> Payload {
        let record = |offset| KafkaRecord {
            topic: "t".to_owned(),
            partition: 1,
            offset,
            at_ms: 5,
            fetchable_ms: 25,
            key: None,
            value: Some(format!("v{offset}")),
        };
        Payload::TopicRecords(vec![record(7), record(8)])
    }

    #[test]
    fn an_answer_names_failures_by_their_identifiers() {
        let named = |offset: u64| json!({ "batchItemFailures": [{ "itemIdentifier": { "partition": "t-1", "offset": offset } }] });
        assert_eq!(outcome_of(&named(8), &records()), Outcome::Partial(vec![1]));
        assert!(matches!(outcome_of(&named(9), &records()), Outcome::Failed(_)));
        assert!(matches!(outcome_of(&json!({}), &records()), Outcome::Succeeded(_)));
    }

    #[test]
    fn records_of_a_topic_come_by_partition_with_encoded_values() {
        let epoch = "2026-12-01T00:00:00Z".parse().expect("a time");
        let event = event_of(&records(), epoch, 0, ViewType::KeysOnly);
        assert_eq!(event["records"]["t-1"][0]["value"], "djc=");
        assert_eq!(event["records"]["t-1"][1]["offset"], 8);
    }
}
