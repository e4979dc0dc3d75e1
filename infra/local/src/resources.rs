//! Creating what the template declares.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType,
};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use crate::endpoints::Clients;
use crate::template::{QueueSpec, Resources, TableSpec, Template, text_of};

/// The names of what was created.
#[derive(Debug, Clone, Default)]
pub struct Created {
    tables: BTreeMap<String, Table>,
    queues: BTreeMap<String, Queue>,
}

#[derive(Debug, Clone)]
struct Table {
    name: String,
    stream_arn: Option<String>,
}

#[derive(Debug, Clone)]
struct Queue {
    url: String,
    arn: String,
    name: String,
}

impl Created {
    /// The URL of a queue of the template.
    pub fn queue_url(&self, logical_name: &str) -> Result<&str> {
        let queue = self.queues.get(logical_name);
        queue
            .map(|queue| queue.url.as_str())
            .with_context(|| format!("the template has no queue {logical_name}"))
    }

    /// The ARN of a queue of the template.
    pub fn queue_arn(&self, logical_name: &str) -> Result<&str> {
        let queue = self.queues.get(logical_name);
        queue
            .map(|queue| queue.arn.as_str())
            .with_context(|| format!("the template has no queue {logical_name}"))
    }

    /// The ARN of the stream of a table of the template.
    pub fn stream_arn(&self, logical_name: &str) -> Result<&str> {
        let table = self.tables.get(logical_name);
        table.and_then(|table| table.stream_arn.as_deref()).with_context(|| {
            format!(
                "the table {logical_name} has no stream; was its data directory made by an earlier version?"
            )
        })
    }

    /// Every queue of the template, by its name there, with its URL.
    pub fn queues(&self) -> impl Iterator<Item = (&str, &str)> {
        self.queues.iter().map(|(name, queue)| (name.as_str(), queue.url.as_str()))
    }
}

impl Resources for Created {
    fn reference(&self, logical_name: &str) -> Option<String> {
        let queue = || self.queues.get(logical_name).map(|queue| queue.url.clone());
        self.tables.get(logical_name).map(|table| table.name.clone()).or_else(queue)
    }

    fn attribute(&self, logical_name: &str, attribute: &str) -> Option<String> {
        let queue = self.queues.get(logical_name)?;
        match attribute {
            "Arn" => Some(queue.arn.clone()),
            "QueueName" => Some(queue.name.clone()),
            _ => None,
        }
    }
}

/// Creates the template's tables and queues, as far as they do not exist yet.
pub async fn create(template: &Template, clients: &Clients) -> Result<Created> {
    let mut created = Created::default();
    for table in template.tables() {
        let name = format!("contribution-{}", table.logical_name);
        let stream_arn = create_table(clients, &name, &table)
            .await
            .with_context(|| format!("cannot create the table {name}"))?;
        created.tables.insert(table.logical_name, Table { name, stream_arn });
    }
    for queue in template.queues() {
        let suffix = if queue.is_fifo { ".fifo" } else { "" };
        let name = format!("contribution-{}{suffix}", queue.logical_name);
        let created_queue = create_queue(template, clients, &name, &queue, &created).await;
        let created_queue = created_queue.with_context(|| format!("cannot create the queue {name}"))?;
        created.queues.insert(queue.logical_name, created_queue);
    }
    Ok(created)
}

/// Creates a table, if there is none yet. Answers the ARN of its stream, if it has one.
async fn create_table(clients: &Clients, name: &str, table: &TableSpec) -> Result<Option<String>> {
    let properties = &table.properties;
    let mut request =
        clients.dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for attribute in list(&properties["AttributeDefinitions"]) {
        let definition = AttributeDefinition::builder()
            .attribute_name(text(&attribute["AttributeName"])?)
            .attribute_type(ScalarAttributeType::from(text(&attribute["AttributeType"])?.as_str()))
            .build()?;
        request = request.attribute_definitions(definition);
    }
    for key in list(&properties["KeySchema"]) {
        let element = KeySchemaElement::builder()
            .attribute_name(text(&key["AttributeName"])?)
            .key_type(KeyType::from(text(&key["KeyType"])?.as_str()))
            .build()?;
        request = request.key_schema(element);
    }
    if let Some(view) = properties["StreamSpecification"]["StreamViewType"].as_str() {
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::from(view))
            .build()?;
        request = request.stream_specification(stream);
    }
    match request.send().await {
        Ok(created) => Ok(created.table_description.and_then(|table| table.latest_stream_arn)),
        Err(error) if error.code() == Some("ResourceInUseException") => {
            let existing = clients.dynamodb.describe_table().table_name(name).send().await?;
            Ok(existing.table.and_then(|table| table.latest_stream_arn))
        }
        Err(error) => Err(error.into()),
    }
}

async fn create_queue(
    template: &Template,
    clients: &Clients,
    name: &str,
    queue: &QueueSpec,
    created: &Created,
) -> Result<Queue> {
    let mut request = clients.sqs.create_queue().queue_name(name);
    let mut properties = queue.properties.clone();
    if let Some(properties) = properties.as_object_mut() {
        // There is no key service here.
        properties.retain(|property, _| property != "KmsMasterKeyId");
    }
    let properties = template.resolve(&properties, created)?;
    for (property, value) in properties.as_object().into_iter().flatten() {
        // The service takes the template's properties as attributes of the same names, as text.
        let value = text_of(value).unwrap_or_else(|| value.to_string());
        request = request.attributes(QueueAttributeName::from(property.as_str()), value);
    }
    let url = request.send().await?.queue_url.context("a created queue has a URL")?;
    let attributes =
        clients.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let arn =
        attributes.send().await?.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
    Ok(Queue { url, arn: arn.context("a queue has an ARN")?, name: name.to_owned() })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Result<String> {
    text_of(value).context("a table's properties are not text")
}
