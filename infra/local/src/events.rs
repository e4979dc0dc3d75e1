//! Events as the service's triggers deliver them, and what functions answer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cdc::KafkaRecord;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use store::{Key, Table};

use crate::queues::Received;

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";

/// Returns the event of a Kafka trigger with these records of the cluster `source`.
#[must_use]
pub fn kafka(source: &str, records: &[KafkaRecord<'_>]) -> Value {
    let mut partitions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records {
        let encode = |bytes: Option<&[u8]>| bytes.map(|bytes| STANDARD.encode(bytes));
        partitions.entry(partition_name(record)).or_default().push(json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp_ms.unwrap_or(-1),
            "timestampType": "CREATE_TIME",
            "key": encode(record.key),
            "value": encode(record.value),
            "headers": [],
        }));
    }
    json!({
        "eventSource": "aws:kafka",
        "eventSourceArn": format!("arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{source}/local"),
        "bootstrapServers": "127.0.0.1:9092",
        "records": partitions,
    })
}

/// Returns what an event of Kafka calls the partition of a record.
#[must_use]
pub fn partition_name(record: &KafkaRecord<'_>) -> String {
    format!("{}-{}", record.topic, record.partition)
}

/// Returns the partitions that an answer names as failed, each with its first failed offset.
#[must_use]
pub fn failed_partitions(answer: &Value) -> BTreeMap<String, i64> {
    let mut first: BTreeMap<String, i64> = BTreeMap::new();
    for identifier in failures(answer) {
        if let (Some(partition), Some(offset)) =
            (identifier["partition"].as_str(), identifier["offset"].as_i64())
        {
            let least = first.entry(partition.to_owned()).or_insert(offset);
            *least = offset.min(*least);
        }
    }
    first
}

/// Returns the event of a queue's trigger with these messages.
#[must_use]
pub fn sqs(queue: &str, messages: &[Received]) -> Value {
    let records: Vec<Value> = messages.iter().map(|message| sqs_record(queue, message)).collect();
    json!({ "Records": records })
}

fn sqs_record(queue: &str, message: &Received) -> Value {
    let sent_ms = message.sent_at.timestamp_millis().to_string();
    let mut attributes = json!({
        "ApproximateReceiveCount": message.receive_count.to_string(),
        "ApproximateFirstReceiveTimestamp": sent_ms,
        "SenderId": ACCOUNT,
        "SentTimestamp": sent_ms,
    });
    if let Some(group) = &message.group {
        attributes["MessageGroupId"] = group.as_str().into();
        attributes["MessageDeduplicationId"] = message.deduplication_id.as_deref().into();
        attributes["SequenceNumber"] = format!("{:020}", message.number).into();
    }
    json!({
        "messageId": message.number.to_string(),
        "receiptHandle": message.number.to_string(),
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"),
        "awsRegion": REGION,
    })
}

/// Returns the event of a table's stream with the keys of items that were put.
#[must_use]
pub fn stream(table: Table, keys: &[Key], now: DateTime<Utc>) -> Value {
    let name = table.logical_name();
    let record = |(index, key): (usize, &Key)| {
        let number = format!("{}{index:05}", now.timestamp_micros());
        json!({
            "eventID": number,
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": now.timestamp(),
                "Keys": { "pk": { "S": key.partition }, "sk": { "S": key.sort } },
                "SequenceNumber": number,
                "SizeBytes": key.partition.len() + key.sort.len(),
                "StreamViewType": "KEYS_ONLY",
            },
            "eventSourceARN": format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}/stream/local"),
        })
    };
    json!({ "Records": keys.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// Returns the event that the scheduler gives to a function: its input, with the scheduler's variables filled in.
#[must_use]
pub fn schedule(input: &Value, now: DateTime<Utc>) -> Value {
    let mut event = input.clone();
    if let Value::Object(members) = &mut event {
        let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        members.entry("time").or_insert(time.into());
    }
    event
}

/// Returns the message ids that an answer names as failed.
#[must_use]
pub fn failed_messages(answer: &Value) -> Vec<&str> {
    failures(answer).filter_map(Value::as_str).collect()
}

fn failures(answer: &Value) -> impl Iterator<Item = &Value> {
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    failures.map(|failure| &failure["itemIdentifier"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failed_offset_of_a_partition_counts_however_many_are_named() {
        let failure = |partition: &str, offset: i64| json!({"itemIdentifier": {"partition": partition, "offset": offset}});
        let answer =
            json!({ "batchItemFailures": [failure("t-0", 7), failure("t-0", 5), failure("t-1", 9)] });
        let expected = BTreeMap::from([("t-0".to_owned(), 5), ("t-1".to_owned(), 9)]);
        assert_eq!(failed_partitions(&answer), expected);
    }

    #[test]
    fn records_stand_under_their_partition_with_their_bytes_in_base64() {
        let record = |partition, value| KafkaRecord {
            topic: "t",
            partition,
            offset: 3,
            timestamp_ms: None,
            key: None,
            value,
        };
        let event = kafka("source", &[record(0, Some(b"a".as_slice())), record(1, None)]);
        assert_eq!(event["records"]["t-0"][0]["value"], "YQ==");
        assert_eq!(event["records"]["t-1"][0]["value"], Value::Null);
        assert_eq!(event["records"]["t-1"][0]["timestamp"], -1);
    }
}
