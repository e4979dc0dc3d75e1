//! Tables and queues in this process: real clients, whose requests are answered without a network.
//!
//! The clients write and read the services' JSON as ever. In place of a socket there is a call of the
//! embedded service, and on the way the invocation's fate.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::Router;
use axum::body::Body;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::{AttributeValue, Database, DynoxideError};
use futures::future::BoxFuture;
use local_queues::QueueService;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

use super::invocation::{Crashed, Invocation};

/// A service that answers requests.
pub(super) trait Service: Clone + fmt::Debug + Send + Sync + 'static {
    /// The status and the body of the answer to a request for this operation.
    fn answer(&self, operation: String, body: Vec<u8>) -> BoxFuture<'static, (u16, Vec<u8>)>;
}

/// In place of a client's network.
#[derive(Debug, Clone)]
pub(super) struct Connection<S>(pub(super) S);

impl<S: Service> HttpClient for Connection<S> {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl<S: Service> HttpConnector for Connection<S> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self(service) = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default().to_vec();
            let answer = async |operation: String| match conflict(&operation, &body) {
                Some(conflict) => (400, conflict),
                None => service.answer(operation, body).await,
            };
            let (status, body) = match Invocation::current() {
                None => answer(operation).await,
                Some(invocation) => invocation
                    .call(answer(operation))
                    .await
                    .map_err(|error: Crashed| ConnectorError::other(error.into(), None))?,
            };
            let status = status.try_into().map_err(|_| ConnectorError::other("no status".into(), None))?;
            Ok(HttpResponse::new(status, body.into()))
        })
    }
}

/// What the tables answer a transaction that meets another one, if it is this one's fate. The embedded
/// tables take transactions one after another, so that none ever does.
fn conflict(operation: &str, body: &[u8]) -> Option<Vec<u8>> {
    let conflicts =
        operation == "TransactWriteItems" && Invocation::current().is_some_and(|current| current.conflicts());
    if !conflicts {
        return None;
    }
    let request: serde_json::Value = serde_json::from_slice(body).ok()?;
    let actions = request["TransactItems"].as_array()?.len();
    let mut reasons = vec![serde_json::json!({ "Code": "None" }); actions];
    *reasons.first_mut()? = serde_json::json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
    let answer = serde_json::json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]",
        "CancellationReasons": reasons,
    });
    Some(answer.to_string().into_bytes())
}

/// Where an item is: table, partition key and sort key.
pub(super) type ItemKey = (String, String, String);

/// The embedded tables.
#[derive(Clone)]
pub(super) struct Tables {
    database: Database,
    written: Arc<Mutex<BTreeSet<ItemKey>>>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tables")
    }
}

impl Service for Tables {
    fn answer(&self, operation: String, body: Vec<u8>) -> BoxFuture<'static, (u16, Vec<u8>)> {
        let tables = self.clone();
        Box::pin(async move {
            match tables.perform(&operation, &body) {
                Ok(answer) => (200, answer),
                Err(error) => (error.status_code(), error.to_json().into_bytes()),
            }
        })
    }
}

impl Tables {
    /// Tables in memory, none yet.
    pub(super) fn new() -> Result<Self, DynoxideError> {
        Ok(Self { database: Database::memory()?, written: Arc::default() })
    }

    /// The items that somebody attempted to write since this was last asked.
    pub(super) fn take_written(&self) -> BTreeSet<ItemKey> {
        std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn perform(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        let Self { database, .. } = self;
        match operation {
            "GetItem" => perform(body, |request| database.get_item(request)),
            "BatchGetItem" => perform(body, |request| database.batch_get_item(request)),
            "Query" => perform(body, |request| database.query(request)),
            "Scan" => perform(body, |request| database.scan(request)),
            "PutItem" => perform(body, |request: dynoxide::actions::put_item::PutItemRequest| {
                self.note(&request.table_name, &request.item);
                database.put_item(request)
            }),
            "UpdateItem" => perform(body, |request: dynoxide::actions::update_item::UpdateItemRequest| {
                self.note(&request.table_name, &request.key);
                database.update_item(request)
            }),
            "DeleteItem" => perform(body, |request: dynoxide::actions::delete_item::DeleteItemRequest| {
                self.note(&request.table_name, &request.key);
                database.delete_item(request)
            }),
            "BatchWriteItem" => {
                perform(body, |request: dynoxide::actions::batch_write_item::BatchWriteItemRequest| {
                    for (table, writes) in &request.request_items {
                        for write in writes {
                            let put = write.put_request.as_ref().map(|put| &put.item);
                            let delete = write.delete_request.as_ref().map(|delete| &delete.key);
                            put.or(delete).inspect(|item| self.note(table, item));
                        }
                    }
                    database.batch_write_item(request)
                })
            }
            "TransactWriteItems" => perform(
                body,
                |request: dynoxide::actions::transact_write_items::TransactWriteItemsRequest| {
                    for action in &request.transact_items {
                        action.put.iter().for_each(|put| self.note(&put.table_name, &put.item));
                        action.update.iter().for_each(|update| self.note(&update.table_name, &update.key));
                        action.delete.iter().for_each(|delete| self.note(&delete.table_name, &delete.key));
                    }
                    database.transact_write_items(request)
                },
            ),
            "CreateTable" => perform(body, |mut request: CreateTableRequest| {
                // Nobody follows a stream here, and every write to a table with one searches all of it.
                request.stream_specification = None;
                database.create_table(request)
            }),
            "DescribeTable" => perform(body, |request| database.describe_table(request)),
            unknown => Err(DynoxideError::ValidationException(format!("{unknown} is not answered here"))),
        }
    }

    fn note(&self, table: &str, item: &dynoxide::Item) {
        if let (Some(AttributeValue::S(partition)), Some(AttributeValue::S(sort))) =
            (item.get("pk"), item.get("sk"))
        {
            let key = (table.to_owned(), partition.clone(), sort.clone());
            self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        }
    }
}

fn perform<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    run: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<Vec<u8>, DynoxideError> {
    let refused = |error: String| DynoxideError::SerializationException(error);
    // As text, because that is how the embedded service reads requests too: where dependencies are
    // optimised, so is their reading of text.
    let body = std::str::from_utf8(body).map_err(|error| refused(error.to_string()))?;
    let request = serde_json::from_str(body).map_err(|error| refused(error.to_string()))?;
    let answer = run(request)?;
    serde_json::to_vec(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The embedded queues.
#[derive(Debug, Clone)]
pub(super) struct Queues(Router);

impl Queues {
    pub(super) fn new(service: QueueService) -> Self {
        Self(service.router())
    }
}

impl Service for Queues {
    fn answer(&self, operation: String, body: Vec<u8>) -> BoxFuture<'static, (u16, Vec<u8>)> {
        let Self(router) = self.clone();
        Box::pin(async move {
            let request = axum::http::Request::post("/")
                .header("x-amz-target", format!("AmazonSQS.{operation}"))
                .body(Body::from(body))
                .expect("a path and a header that are always the same");
            let Ok(answer) = router.oneshot(request).await;
            let status = answer.status().as_u16();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
            (status, body.expect("the body is in memory").to_vec())
        })
    }
}
