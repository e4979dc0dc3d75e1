//! The AWS template as the one source of what exists: tables, queues, functions and their triggers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};
use store::Table;

use crate::language::say;

/// The template this binary was built with.
const TEMPLATE: &str = include_str!("../../template.yaml");
const FUNCTION: &str = "AWS::Serverless::Function";

/// What the template declares, with parameters at their defaults unless overridden.
#[derive(Debug)]
pub struct Template {
    document: Value,
    parameters: BTreeMap<String, String>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name in the template.
    pub logical_name: String,
    /// Whether it is a FIFO queue.
    pub is_fifo: bool,
    /// How long every message is invisible at first, in seconds.
    pub delay_s: u64,
    /// How often a message is received before it is given up, and the queue that it goes to then.
    pub dead_letters: Option<(String, u32)>,
}

/// What invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Records of the change topics.
    Kafka {
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
    /// Again and again, each minute or so, with this event.
    Schedule {
        /// The event.
        input: Value,
    },
    /// At a time of the day. Here an operator invokes such a function.
    TimeOfDay,
    /// Requests to the HTTP API.
    Http(Route),
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method, or `ANY`.
    pub method: String,
    /// The path; a last segment `{proxy+}` stands for one or more.
    pub path: String,
    /// Whether the authorizer is asked first.
    pub is_authorized: bool,
}

/// A function.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// Its name in the template.
    pub logical_name: String,
    /// The name of its crate.
    pub crate_name: String,
    /// How long an invocation may take, in seconds.
    pub timeout_s: u32,
    /// What invokes it.
    pub triggers: Vec<Trigger>,
    /// Its environment variables. A table stands for its name in the template, and so does a queue.
    pub variables: BTreeMap<String, String>,
}

impl Template {
    /// Returns the template, with these parameters in place of their defaults.
    ///
    /// # Errors
    ///
    /// It names a parameter that the template does not have.
    pub fn load(overrides: &BTreeMap<String, String>) -> Result<Self> {
        let documents = Yaml::load_from_str(TEMPLATE).context("infra/template.yaml is not YAML")?;
        let document = to_json(documents.first().context("infra/template.yaml is empty")?)?;
        let mut parameters = BTreeMap::new();
        for (name, parameter) in members(&document["Parameters"]) {
            if let Some(default) = text_of(&parameter["Default"]) {
                parameters.insert(name.clone(), default);
            }
        }
        for (name, value) in overrides {
            if document["Parameters"].get(name).is_none() {
                let known = members(&document["Parameters"]).map(|(name, _)| name.as_str());
                let meant = crate::suggestion(name, known);
                bail!(say(
                    format!("infra/template.yaml has no parameter {name}{meant}"),
                    format!("infra/template.yaml 没有参数 {name}{meant}")
                ));
            }
            parameters.insert(name.clone(), value.clone());
        }
        Ok(Self { document, parameters })
    }

    /// Returns the resources of a type, each with its name.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        members(&self.document["Resources"])
            .filter(move |(_, resource)| resource["Type"] == *kind)
            .map(|(name, resource)| (name.as_str(), resource))
    }

    /// Returns the tables whose changes the template streams.
    pub fn streamed_tables(&self) -> impl Iterator<Item = &str> {
        self.of_type("AWS::DynamoDB::Table")
            .filter(|(_, table)| table["Properties"].get("StreamSpecification").is_some())
            .map(|(name, _)| name)
    }

    /// Returns the queues.
    pub fn queues(&self) -> Result<Vec<QueueSpec>> {
        self.of_type("AWS::SQS::Queue").map(|(name, resource)| queue(name, &resource["Properties"])).collect()
    }

    /// Returns the functions, each with what invokes it. What the scheduler sends to a queue each minute is a
    /// trigger of that queue's function.
    pub fn functions(&self) -> Result<Vec<FunctionSpec>> {
        let functions = self.of_type(FUNCTION).map(|(name, resource)| {
            self.function(name, &resource["Properties"]).with_context(|| format!("the function {name}"))
        });
        functions.collect()
    }

    /// Returns the messages that the scheduler sends again and again: each with its queue and its group.
    pub fn scheduled_messages(&self) -> Result<Vec<(String, Option<String>, String)>> {
        let schedules = self.of_type("AWS::Scheduler::Schedule").map(|(name, resource)| {
            let target = &resource["Properties"]["Target"];
            let queue =
                attribute_of(&target["Arn"], "Arn").with_context(|| format!("{name} has no queue"))?;
            let group = text_of(&target["SqsParameters"]["MessageGroupId"]);
            let input = text_of(&target["Input"]).with_context(|| format!("{name} has no input"))?;
            Ok((queue, group, input))
        });
        schedules.collect()
    }

    /// Returns whose tokens the HTTP API accepts, and for which audience.
    pub fn token_check(&self) -> Result<(String, String)> {
        let check = &self.document["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"]["Tokens"];
        let check = self.resolve(&check["JwtConfiguration"])?;
        let text = |value: &Value| text_of(value).context("the authorizer's configuration is not text");
        Ok((text(&check["issuer"])?, text(&check["audience"][0])?))
    }

    fn function(&self, name: &str, properties: &Value) -> Result<FunctionSpec> {
        let uri = properties["CodeUri"].as_str().context("CodeUri is not text")?;
        let crate_name = uri.trim_end_matches('/').rsplit('/').next().unwrap_or(uri).to_owned();
        let timeout_s = properties["Timeout"].as_u64().context("Timeout is not a number")?;
        let triggers = members(&properties["Events"])
            .map(|(event, trigger)| self.trigger(trigger).with_context(|| format!("the event {event}")));
        let global = &self.document["Globals"]["Function"]["Environment"]["Variables"];
        let own = &properties["Environment"]["Variables"];
        let variables = members(global).chain(members(own)).map(|(name, value)| {
            let text = text_of(&self.resolve(value)?).with_context(|| format!("{name} is not text"))?;
            Ok((name.clone(), text))
        });
        Ok(FunctionSpec {
            logical_name: name.to_owned(),
            crate_name,
            timeout_s: u32::try_from(timeout_s)?,
            triggers: triggers.collect::<Result<_>>()?,
            variables: variables.collect::<Result<_>>()?,
        })
    }

    fn trigger(&self, event: &Value) -> Result<Trigger> {
        let properties = &event["Properties"];
        let batch_size = || {
            let size = properties["BatchSize"].as_u64().context("BatchSize is not a number")?;
            usize::try_from(size).context("BatchSize is too large")
        };
        Ok(match event["Type"].as_str() {
            Some("MSK") => Trigger::Kafka { batch_size: batch_size()? },
            Some("SQS") => {
                let queue = attribute_of(&properties["Queue"], "Arn").context("the queue is not a GetAtt")?;
                Trigger::Queue { queue, batch_size: batch_size()? }
            }
            Some("DynamoDB") => {
                let table =
                    attribute_of(&properties["Stream"], "StreamArn").context("the stream is not a GetAtt")?;
                Trigger::Stream { table, batch_size: batch_size()? }
            }
            Some("ScheduleV2") => {
                let expression = properties["ScheduleExpression"].as_str().unwrap_or_default();
                if expression.starts_with("cron(") {
                    Trigger::TimeOfDay
                } else {
                    let input = properties["Input"].as_str().unwrap_or("{}");
                    Trigger::Schedule { input: serde_json::from_str(input).context("Input is not JSON")? }
                }
            }
            Some("HttpApi") => {
                let text = |name: &str| {
                    properties[name].as_str().map(ToOwned::to_owned).with_context(|| format!("no {name}"))
                };
                let api = &self.document["Resources"]["Api"]["Properties"]["Auth"];
                let authorizer =
                    properties["Auth"]["Authorizer"].as_str().or(api["DefaultAuthorizer"].as_str());
                Trigger::Http(Route {
                    method: text("Method")?,
                    path: text("Path")?,
                    is_authorized: authorizer.is_some_and(|authorizer| authorizer != "NONE"),
                })
            }
            other => bail!("the local stack does not know triggers of type {other:?}"),
        })
    }

    /// Returns a value with every reference replaced: to a parameter by its value, to a resource by its name.
    fn resolve(&self, value: &Value) -> Result<Value> {
        if let Some(name) = value.get("Ref").and_then(Value::as_str) {
            let is_resource = || self.document["Resources"].get(name).map(|_| name.to_owned());
            let found = self.parameters.get(name).cloned().or_else(is_resource);
            return found.map(Value::String).with_context(|| {
                say(
                    format!("the parameter {name} has no value: set it with --parameter {name}=VALUE"),
                    format!("参数 {name} 没有值：请用 --parameter {name}=值 设置"),
                )
            });
        }
        if let Some(text) = value.get("Fn::Sub").and_then(Value::as_str) {
            return self.substitute(text).map(Value::String);
        }
        if let Some([condition, then, otherwise]) =
            value.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice)
        {
            let name = condition.as_str().context("a condition has no name")?;
            let holds = self.holds(&self.document["Conditions"][name]);
            let holds = holds.with_context(|| format!("the condition {name}"))?;
            return self.resolve(if holds { then } else { otherwise });
        }
        Ok(match value {
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(name, value)| Ok((name.clone(), self.resolve(value)?)))
                    .collect::<Result<_>>()?,
            ),
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.resolve(value)).collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    /// Returns whether a condition holds.
    fn holds(&self, condition: &Value) -> Result<bool> {
        if let Some([negated]) = condition.get("Fn::Not").and_then(Value::as_array).map(Vec::as_slice) {
            return self.holds(negated).map(|holds| !holds);
        }
        match condition.get("Fn::Equals").and_then(Value::as_array).map(Vec::as_slice) {
            Some([one, other]) => Ok(self.resolve(one)? == self.resolve(other)?),
            _ => bail!("the local stack knows only conditions of !Not and !Equals"),
        }
    }

    /// Returns a text with every `${Name}` replaced.
    fn substitute(&self, text: &str) -> Result<String> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').context("a ${ has no }")?;
            whole += &text_of(&self.resolve(&json!({ "Ref": name }))?).context("a reference is no text")?;
            whole += rest;
        }
        Ok(whole)
    }
}

fn queue(name: &str, properties: &Value) -> Result<QueueSpec> {
    let redrive = &properties["RedrivePolicy"];
    let dead_letters = attribute_of(&redrive["deadLetterTargetArn"], "Arn")
        .map(|target| {
            let count = redrive["maxReceiveCount"].as_u64().context("maxReceiveCount is not a number")?;
            anyhow::Ok((target, u32::try_from(count)?))
        })
        .transpose()
        .with_context(|| format!("the queue {name}"))?;
    Ok(QueueSpec {
        logical_name: name.to_owned(),
        is_fifo: properties["FifoQueue"] == json!(true),
        delay_s: properties["DelaySeconds"].as_u64().unwrap_or_default(),
        dead_letters,
    })
}

/// Returns the resource of which `value` is this attribute.
fn attribute_of(value: &Value, attribute: &str) -> Option<String> {
    let (name, found) = value.get("Fn::GetAtt")?.as_str()?.split_once('.')?;
    (found == attribute).then(|| name.to_owned())
}

/// Returns a scalar as the text that CloudFormation makes of it.
fn text_of(value: &Value) -> Option<String> {
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

/// Returns YAML as JSON, with short tags in their long form: `!Ref X` becomes `{"Ref": "X"}`.
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
        other => bail!("the template uses YAML that the local stack does not read: {other:?}"),
    })
}

/// Returns the ledger's table of this name in the template.
pub fn table_named(name: &str) -> Result<Table> {
    Table::ALL
        .into_iter()
        .find(|table| table.logical_name() == name)
        .with_context(|| format!("the ledger has no table {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_and_table_that_a_trigger_names_exists() {
        let template = Template::load(&BTreeMap::new()).unwrap();
        let queues: Vec<String> =
            template.queues().unwrap().into_iter().map(|queue| queue.logical_name).collect();
        let streamed: Vec<&str> = template.streamed_tables().collect();
        for function in template.functions().unwrap() {
            assert!(!function.triggers.is_empty(), "{} has a trigger", function.logical_name);
            for trigger in &function.triggers {
                match trigger {
                    Trigger::Queue { queue, .. } => assert!(queues.contains(queue), "{queue}"),
                    Trigger::Stream { table, .. } => assert!(streamed.contains(&table.as_str()), "{table}"),
                    _ => {}
                }
            }
        }
        for (queue, ..) in template.scheduled_messages().unwrap() {
            assert!(queues.contains(&queue), "{queue}");
        }
    }

    #[test]
    fn a_parameter_reaches_the_functions_and_a_misspelt_one_is_named() {
        let given = BTreeMap::from([("SettleSeconds".to_owned(), "0".to_owned())]);
        let functions = Template::load(&given).unwrap().functions().unwrap();
        assert!(functions.iter().all(|function| function.variables["SETTLE_SECONDS"] == "0"));
        let misspelt = BTreeMap::from([("SetleSeconds".to_owned(), "0".to_owned())]);
        let error = Template::load(&misspelt).unwrap_err().to_string();
        assert!(error.contains("did you mean SettleSeconds?"), "{error}");
    }

    #[test]
    fn every_route_but_the_page_the_contract_and_the_health_check_wants_a_token() {
        let functions = Template::load(&BTreeMap::new()).unwrap().functions().unwrap();
        let triggers = functions.into_iter().flat_map(|function| function.triggers);
        let routes = triggers.filter_map(|trigger| match trigger {
            Trigger::Http(route) => Some(route),
            _ => None,
        });
        let (closed, open): (Vec<Route>, Vec<Route>) = routes.partition(|route| route.is_authorized);
        let paths = |routes: &[Route]| routes.iter().map(|route| route.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&closed), ["/v1/{proxy+}"]);
        assert_eq!(paths(&open), ["/", "/console/{proxy+}", "/openapi.json", "/health"]);
    }
}
