//! Which calls each function makes, as the permissions they need.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use serde_json::Value;

use crate::endpoints::Clients;

/// A permission that a function needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The function's name in the template.
    pub function: String,
    /// The action, as roles name it.
    pub action: String,
    /// The table's or the queue's name in the template.
    pub resource: String,
}

/// What was needed so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeSet<Permission>>>);

impl Calls {
    /// Every permission needed so far.
    #[must_use]
    pub fn permissions(&self) -> BTreeSet<Permission> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same clients, whose calls are noted as this function's.
    #[must_use]
    pub fn noting(&self, clients: &Clients, function: &str) -> Clients {
        let note = || Note { function: function.to_owned(), calls: self.clone() };
        let dynamodb = clients.dynamodb.config().to_builder().interceptor(note()).build();
        let sqs = clients.sqs.config().to_builder().interceptor(note()).build();
        Clients {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            // A trigger reads streams, not a function.
            streams: clients.streams.clone(),
        }
    }
}

/// Reads calls off the wire: both services say what is asked of them in a header and a JSON body.
#[derive(Debug)]
struct Note {
    function: String,
    calls: Calls,
}

impl Intercept for Note {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").ok_or("a call says what it is")?;
        let body = request.body().bytes().ok_or("a call's body is in memory")?;
        let needed = permissions(target, &serde_json::from_slice(body)?);
        let mut noted = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.extend(needed.into_iter().map(|(action, resource)| Permission {
            function: self.function.clone(),
            action,
            resource: logical_name(&resource).to_owned(),
        }));
        Ok(())
    }
}

/// The name in the template of what `resources::create` made of it.
fn logical_name(deployed: &str) -> &str {
    let name = deployed.rsplit('/').next().unwrap_or(deployed);
    let name = name.strip_prefix("contribution-").unwrap_or(name);
    name.strip_suffix(".fifo").unwrap_or(name)
}

/// The actions a call needs permission for, each with its resource. A transaction needs those of its
/// parts, and a batch of messages the one of a single message.
fn permissions(target: &str, body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (service, operation) = target.rsplit_once('.').unwrap_or(("", target));
    if service == "AmazonSQS" {
        return vec![(format!("sqs:{}", operation.trim_end_matches("Batch")), text(&body["QueueUrl"]))];
    }
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            let parts = parts.filter_map(|part| part.as_object()?.iter().next());
            let action = |part: &str| match part {
                "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
                part => format!("dynamodb:{part}Item"),
            };
            parts.map(|(part, item)| (action(part), text(&item["TableName"]))).collect()
        }
        "BatchWriteItem" | "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(table, _)| (format!("dynamodb:{operation}"), table.clone())).collect()
        }
        _ => vec![(format!("dynamodb:{operation}"), text(&body["TableName"]))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn resources_are_named_as_in_the_template() {
        assert_eq!(logical_name("contribution-Source"), "Source");
        assert_eq!(logical_name("http://127.0.0.1:1/0/contribution-ReleasedRuns.fifo"), "ReleasedRuns");
    }

    #[test]
    fn transactions_and_batches_need_the_permissions_of_their_parts() {
        let transaction = json!({"TransactItems": [
            {"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}},
        ]});
        let of = |target, body| permissions(target, &body);
        let pair = |action: &str, resource: &str| (action.to_owned(), resource.to_owned());
        assert_eq!(
            of("DynamoDB_20120810.TransactWriteItems", transaction),
            [pair("dynamodb:PutItem", "a"), pair("dynamodb:ConditionCheckItem", "b")]
        );
        assert_eq!(
            of("DynamoDB_20120810.BatchGetItem", json!({"RequestItems": {"a": {}}})),
            [pair("dynamodb:BatchGetItem", "a")]
        );
        assert_eq!(
            of("AmazonSQS.SendMessageBatch", json!({"QueueUrl": "q"})),
            [pair("sqs:SendMessage", "q")]
        );
    }
}
