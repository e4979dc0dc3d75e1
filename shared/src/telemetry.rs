//! Logs and metrics.
//!
//! Logs are JSON lines. A message reads by itself, and what it is about is in fields: `order`,
//! `account`, `tree`, `message_id`. A failure is logged once, where it is handled. A phone number
//! or a row's raw bytes are never logged.
//!
//! Metrics are CloudWatch's embedded format: a log line that CloudWatch turns into metrics, without
//! a call.

use std::cell::RefCell;
use std::io::Write;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use tracing_subscriber::EnvFilter;

/// The namespace of every metric. A deployment's own has its stage after a slash, because several stages
/// may share an account, and an alarm of one must not be calmed by another.
pub const NAMESPACE: &str = "ContributionLedger";
/// The variable that holds the stage.
const STAGE_VARIABLE: &str = "STAGE";

/// The namespace this process writes metrics to; none are written before it is set. They are for
/// CloudWatch; elsewhere nobody reads them.
static PROCESS_NAMESPACE: OnceLock<String> = OnceLock::new();

tokio::task_local! {
    /// The lines that are kept rather than written, where a test asks for them.
    static KEPT_METRICS: RefCell<Vec<Value>>;
}

/// Sends log lines as JSON, and metrics of this process's `STAGE`, to standard output, as Lambda wants
/// them. `RUST_LOG` selects levels; the default is `info`.
pub fn init() {
    PROCESS_NAMESPACE.get_or_init(|| match std::env::var(STAGE_VARIABLE) {
        Ok(stage) => format!("{NAMESPACE}/{stage}"),
        Err(_) => NAMESPACE.to_owned(),
    });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Only a second call can fail, and the first one's setting is as good.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .try_init();
}

/// Does some work and keeps the lines of metrics that its task emits, for tests: what alarms are set on is
/// part of what a function does.
pub async fn keeping_metrics<T>(work: impl Future<Output = T>) -> (T, Vec<Value>) {
    let work = async {
        let outcome = work.await;
        (outcome, KEPT_METRICS.with(RefCell::take))
    };
    KEPT_METRICS.scope(RefCell::default(), work).await
}

/// The metrics of one invocation, written as one line when it ends.
#[derive(Debug)]
pub struct Metrics {
    function: &'static str,
    values: Vec<(&'static str, Unit, f64)>,
    properties: Map<String, Value>,
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
}

impl Metrics {
    /// No metrics of this function yet.
    #[must_use]
    pub fn of(function: &'static str) -> Self {
        Self { function, values: Vec::new(), properties: Map::new() }
    }

    /// Adds a count.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of one invocation stay far below 2^52")]
    pub fn count(mut self, name: &'static str, value: u64) -> Self {
        self.values.push((name, Unit::Count, value as f64));
        self
    }

    /// Adds a duration.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "durations of one invocation stay far below 2^52")]
    pub fn milliseconds(mut self, name: &'static str, value: i64) -> Self {
        self.values.push((name, Unit::Milliseconds, value as f64));
        self
    }

    /// Adds a searchable detail that is no metric.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    /// The line.
    #[must_use]
    pub fn to_json(&self, now_ms: i64) -> Value {
        let definitions: Vec<Value> = self
            .values
            .iter()
            .map(|(name, unit, _)| json!({"Name": name, "Unit": format!("{unit:?}")}))
            .collect();
        let mut line = self.properties.clone();
        line.insert("function".to_owned(), self.function.into());
        for (name, _, value) in &self.values {
            line.insert((*name).to_owned(), json!(value));
        }
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now_ms,
                "CloudWatchMetrics": [{
                    "Namespace": PROCESS_NAMESPACE.get().map_or(NAMESPACE, String::as_str),
                    "Dimensions": [["function"]],
                    "Metrics": definitions,
                }],
            }),
        );
        Value::Object(line)
    }

    /// Writes the line to standard output, where Lambda picks it up, once [`init`] was called.
    pub fn emit(&self, now_ms: i64) {
        if KEPT_METRICS.try_with(|kept| kept.borrow_mut().push(self.to_json(now_ms))).is_ok() {
            return;
        }
        if PROCESS_NAMESPACE.get().is_none() {
            return;
        }
        // Losing a metric must not fail the work it is about.
        let _ = writeln!(std::io::stdout().lock(), "{}", self.to_json(now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_every_metric_it_carries() {
        let line = Metrics::of("cdc-ingest").count("Quarantined", 2).property("topic", "t").to_json(5);
        assert_eq!(line["Quarantined"], json!(2.0));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "ContributionLedger");
        assert_eq!(directive["Metrics"][0], json!({"Name": "Quarantined", "Unit": "Count"}));
        assert_eq!(line["_aws"]["Timestamp"], 5);
    }
}
