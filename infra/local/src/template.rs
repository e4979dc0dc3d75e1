//! The AWS template as the one source of what exists: tables, queues, functions and their triggers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The template this binary was built with.
const TEMPLATE: &str = include_str!("../../template.yaml");

/// What the template declares, with parameters at their defaults unless overridden.
#[derive(Debug)]
pub struct Template {
    document: Value,
    parameters: BTreeMap<String, String>,
}

/// A table to create: the request as the service takes it.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// The table's name in the template.
    pub logical_name: String,
    /// Its properties.
    pub properties: Value,
}

/// A queue to create.
#[derive(Debug, Clone)]
pub struct QueueSpec {
    /// The queue's name in the template.
    pub logical_name: String,
    /// Whether it is a FIFO queue.
    pub is_fifo: bool,
    /// Its properties, with references in place.
    pub properties: Value,
}

/// What invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Records of the change topics.
    Kafka {
        /// The topics.
        topics: Vec<String>,
        /// Records in one event at most.
        batch_size: usize,
    },
    /// Messages of a queue.
    Queue {
        /// The queue's name in the template.
        queue: String,
        /// Messages in one event at most.
        batch_size: usize,
    },
    /// Changes of a table.
    Stream {
        /// The table's name in the template.
        table: String,
        /// Records in one event at most.
        batch_size: usize,
    },
    /// Time, again and again.
    Schedule,
    /// A time of the day.
    Clock,
    /// Requests to the HTTP API.
    Http {
        /// The method, or `ANY`.
        method: String,
        /// The path.
        path: String,
        /// Whether the authorizer is asked first.
        authorized: bool,
    },
}

/// Finds what a reference stands for once the resources exist.
pub trait Resources {
    /// What `Ref` gives: a table's name or a queue's URL.
    fn reference(&self, logical_name: &str) -> Option<String>;
    /// What `GetAtt` gives, such as a queue's ARN.
    fn attribute(&self, logical_name: &str, attribute: &str) -> Option<String>;
}

/// For what may only depend on parameters.
struct NoResources;

impl Resources for NoResources {
    fn reference(&self, _: &str) -> Option<String> {
        None
    }

    fn attribute(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

impl Template {
    /// The template, with these parameters in place of their defaults.
    pub fn load(overrides: &[(impl AsRef<str>, String)]) -> Result<Self> {
        let documents = Yaml::load_from_str(TEMPLATE).context("infra/template.yaml is not YAML")?;
        let document = to_json(documents.first().context("infra/template.yaml is empty")?)?;
        let mut parameters = BTreeMap::new();
        for (name, parameter) in members(&document["Parameters"]) {
            if let Some(default) = text_of(&parameter["Default"]) {
                parameters.insert(name.clone(), default);
            }
        }
        for (name, value) in overrides {
            let name = name.as_ref();
            if document["Parameters"].get(name).is_none() {
                bail!("infra/template.yaml has no parameter {name}");
            }
            parameters.insert((*name).to_owned(), value.clone());
        }
        Ok(Self { document, parameters })
    }

    /// The resources of a type, each with its name, for checks.
    pub fn resources_of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.of_type(kind).map(|(name, resource)| (name.as_str(), resource))
    }

    /// The statements of a role's policies, for checks; none if there is no such role.
    #[must_use]
    pub fn statements(&self, role: &str) -> Vec<&Value> {
        let policies = self.document["Resources"][role]["Properties"]["Policies"].as_array();
        let documents = policies.into_iter().flatten().map(|policy| &policy["PolicyDocument"]);
        documents.filter_map(|document| document["Statement"].as_array()).flatten().collect()
    }

    /// The tables.
    #[must_use]
    pub fn tables(&self) -> Vec<TableSpec> {
        self.of_type("AWS::DynamoDB::Table")
            .map(|(name, resource)| TableSpec {
                logical_name: name.clone(),
                properties: resource["Properties"].clone(),
            })
            .collect()
    }

    /// The queues, dead-letter queues before those that name them.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueSpec> {
        let mut queues: Vec<QueueSpec> = self
            .of_type("AWS::SQS::Queue")
            .map(|(name, resource)| QueueSpec {
                logical_name: name.clone(),
                is_fifo: resource["Properties"]["FifoQueue"] == json!(true),
                properties: resource["Properties"].clone(),
            })
            .collect();
        queues.sort_by_key(|queue| queue.properties.get("RedrivePolicy").is_some());
        queues
    }

    /// The environment variables of a function, resolved.
    pub fn variables(&self, function: &str, resources: &dyn Resources) -> Result<BTreeMap<String, String>> {
        let own = &self.document["Resources"][function]["Properties"]["Environment"]["Variables"];
        let global = &self.document["Globals"]["Function"]["Environment"]["Variables"];
        members(global)
            .chain(members(own))
            .map(|(name, value)| {
                let value = self.resolve(value, resources)?;
                let text = text_of(&value).with_context(|| format!("{function}: {name} is not text"))?;
                Ok((name.clone(), text))
            })
            .collect()
    }

    /// What invokes a function.
    pub fn triggers(&self, function: &str) -> Result<Vec<Trigger>> {
        let events = &self.document["Resources"][function]["Properties"]["Events"];
        let mut triggers = Vec::new();
        for (name, event) in members(events) {
            let properties = &event["Properties"];
            let batch_size = || {
                let size = properties["BatchSize"].as_u64().context("BatchSize is not a number")?;
                usize::try_from(size).context("BatchSize is too large")
            };
            triggers.push(match event["Type"].as_str() {
                Some("MSK") => {
                    let topics = self.resolve(&properties["Topics"], &NoResources)?;
                    let topics = topics.as_array().into_iter().flatten().filter_map(text_of).collect();
                    Trigger::Kafka { topics, batch_size: batch_size()? }
                }
                Some("SQS") => {
                    let queue =
                        properties["Queue"]["Fn::GetAtt"].as_str().and_then(|path| path.strip_suffix(".Arn"));
                    let queue =
                        queue.with_context(|| format!("{function}.{name}: the queue is not a GetAtt"))?;
                    Trigger::Queue { queue: queue.to_owned(), batch_size: batch_size()? }
                }
                Some("DynamoDB") => {
                    let stream = properties["Stream"]["Fn::GetAtt"].as_str();
                    let table = stream.and_then(|path| path.strip_suffix(".StreamArn"));
                    let table =
                        table.with_context(|| format!("{function}.{name}: the stream is not a GetAtt"))?;
                    Trigger::Stream { table: table.to_owned(), batch_size: batch_size()? }
                }
                Some("ScheduleV2") => {
                    let expression = properties["ScheduleExpression"].as_str().unwrap_or_default();
                    if expression.starts_with("cron(") { Trigger::Clock } else { Trigger::Schedule }
                }
                Some("HttpApi") => {
                    let text = |name: &str| {
                        let value = properties[name].as_str().map(ToOwned::to_owned);
                        value.with_context(|| format!("{function}.{name} is not text"))
                    };
                    Trigger::Http {
                        method: text("Method")?,
                        path: text("Path")?,
                        authorized: properties["Auth"]["Authorizer"].is_string(),
                    }
                }
                other => bail!("{function}.{name}: the local stack does not know triggers of type {other:?}"),
            });
        }
        Ok(triggers)
    }

    /// Whose tokens the HTTP API accepts, and for which audience.
    pub fn token_check(&self, resources: &dyn Resources) -> Result<(String, String)> {
        let check = &self.document["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]["Tokens"];
        let check = self.resolve(&check["JwtConfiguration"], resources)?;
        let text = |value: &Value| text_of(value).context("the authorizer's configuration is not text");
        Ok((text(&check["issuer"])?, text(&check["audience"][0])?))
    }

    /// A value with every reference replaced by what it stands for.
    pub fn resolve(&self, value: &Value, resources: &dyn Resources) -> Result<Value> {
        if let Some(name) = value.get("Ref").and_then(Value::as_str) {
            let found = self.parameters.get(name).cloned().or_else(|| resources.reference(name));
            return found.map(Value::String).with_context(|| format!("nothing is named {name}"));
        }
        if let Some(path) = value.get("Fn::GetAtt").and_then(Value::as_str) {
            let found =
                path.split_once('.').and_then(|(name, attribute)| resources.attribute(name, attribute));
            return found.map(Value::String).with_context(|| format!("nothing is at {path}"));
        }
        Ok(match value {
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(name, value)| Ok((name.clone(), self.resolve(value, resources)?)))
                    .collect::<Result<_>>()?,
            ),
            Value::Array(values) => Value::Array(
                values.iter().map(|value| self.resolve(value, resources)).collect::<Result<_>>()?,
            ),
            other => other.clone(),
        })
    }

    fn of_type(&self, kind: &str) -> impl Iterator<Item = (&String, &Value)> {
        members(&self.document["Resources"]).filter(move |(_, resource)| resource["Type"] == *kind)
    }
}

/// A scalar as the text CloudFormation makes of it.
#[must_use]
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// YAML as JSON, with short tags in their long form: `!Ref X` becomes `{"Ref": "X"}`.
fn to_json(yaml: &Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(flag) => json!(flag),
            Scalar::Integer(number) => json!(number),
            Scalar::FloatingPoint(number) => json!(number.into_inner()),
            Scalar::String(text) => json!(text),
        },
        Yaml::Sequence(values) => Value::Array(values.iter().map(to_json).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = text_of(&to_json(key)?).context("a key is not text")?;
                map.insert(key, to_json(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tag, value) => {
            let name = match tag.suffix.as_str() {
                "Ref" => "Ref".to_owned(),
                function => format!("Fn::{function}"),
            };
            json!({ name: to_json(value)? })
        }
        other => bail!("the template uses YAML the local stack does not read: {other:?}"),
    })
}
