//! Logs and metrics.
//!
//! Logs are JSON lines. A message reads by itself, and what it is about is in fields: `order`, `account`,
//! `message_id`. A failure is logged once, where it is handled. Values of rows, bytes of messages and the
//! answers of services are never logged, at no level.
//!
//! Metrics are CloudWatch's embedded format: a log line that CloudWatch turns into metrics, without a call.

use std::cell::RefCell;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterFn, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The namespace of every metric. A deployment's own has its stage after a slash, because several stages
/// may share an account, and an alarm of one must not be calmed by another.
pub const NAMESPACE: &str = "ContributionLedger";
/// The variable that selects levels of log lines: `info`, or `warn,ledger_stream=debug`.
const LEVELS_VARIABLE: &str = "RUST_LOG";
/// The crates that print requests and answers of services, tokens included, when asked for details.
const TALKATIVE_CRATES: [&str; 7] = ["aws_", "h2", "hyper", "lambda_runtime", "rustls", "smithy", "tower"];

/// The namespace this process writes metrics to; none are written before it is set. They are for
/// CloudWatch; elsewhere they are not read.
static PROCESS_NAMESPACE: OnceLock<String> = OnceLock::new();

tokio::task_local! {
    /// The lines that are kept rather than written, where a test asks for them.
    static KEPT_METRICS: RefCell<Vec<Value>>;
}

/// Sends log lines as JSON, and metrics of this stage, to standard output, as Lambda wants them.
pub fn init_for_cloudwatch(stage: Option<&str>) {
    PROCESS_NAMESPACE.get_or_init(|| match stage {
        Some(stage) => format!("{NAMESPACE}/{stage}"),
        None => NAMESPACE.to_owned(),
    });
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    // Only a second call can fail, and the first one's setting is as good.
    let _ = tracing_subscriber::registry().with(levels("info")).with(discreet()).with(lines).try_init();
    std::panic::set_hook(Box::new(log_panic));
}

/// Sends log lines as text to standard error, and no metrics: for a person at a terminal.
pub fn init_for_terminal(default_levels: &str) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let _ =
        tracing_subscriber::registry().with(levels(default_levels)).with(discreet()).with(lines).try_init();
}

fn levels(default: &str) -> Targets {
    let asked_for = std::env::var(LEVELS_VARIABLE).ok().and_then(|levels| levels.parse().ok());
    asked_for.unwrap_or_else(|| default.parse().expect("the program's own levels are well written"))
}

/// Lets no details of calls through, whatever was asked for: a service's answer is made of rows.
fn discreet() -> FilterFn {
    filter_fn(is_discreet)
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO
        || !TALKATIVE_CRATES.iter().any(|name| metadata.target().starts_with(name))
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(location, panic = message, "a panic: an invariant of the program does not hold");
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
    /// Returns metrics of this function, none yet.
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

    /// Adds a searchable detail that is not a metric.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the line.
    #[must_use]
    pub fn to_json(&self, now: DateTime<Utc>) -> Value {
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
                "Timestamp": now.timestamp_millis(),
                "CloudWatchMetrics": [{
                    "Namespace": PROCESS_NAMESPACE.get().map_or(NAMESPACE, String::as_str),
                    "Dimensions": [["function"]],
                    "Metrics": definitions,
                }],
            }),
        );
        Value::Object(line)
    }

    /// Writes the line to standard output, where Lambda picks it up, once [`init_for_cloudwatch`] was
    /// called.
    pub fn emit(&self, now: DateTime<Utc>) {
        if KEPT_METRICS.try_with(|kept| kept.borrow_mut().push(self.to_json(now))).is_ok() {
            return;
        }
        if PROCESS_NAMESPACE.get().is_none() {
            return;
        }
        // Losing a metric must not fail the work it is about.
        let _ = writeln!(std::io::stdout().lock(), "{}", self.to_json(now));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_line_declares_every_metric_it_carries() {
        let now = DateTime::from_timestamp_millis(5).expect("5 ms after 1970 is a time");
        let line = Metrics::of("CdcIngest").count("Quarantined", 2).property("topic", "t").to_json(now);
        assert_eq!(line["Quarantined"], json!(2.0));
        assert_eq!(line["topic"], "t");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"][0], json!({"Name": "Quarantined", "Unit": "Count"}));
        assert_eq!(line["_aws"]["Timestamp"], 5);
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn answers_of_services_are_not_logged_whatever_was_asked_for() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
        let levels: Targets = "trace,aws_smithy_runtime::client::orchestrator=trace".parse().unwrap();
        let subscriber = tracing_subscriber::registry().with(levels).with(discreet()).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "aws_smithy_runtime::client::orchestrator", "response: 13800138000");
            tracing::trace!(target: "hyper::proto", "read: 13800138000");
            tracing::warn!(target: "aws_config", "no region");
            tracing::debug!(target: "ledger_stream", "a page was applied");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("13800138000"), "{text}");
        assert!(text.contains("no region") && text.contains("a page was applied"), "{text}");
    }
}
