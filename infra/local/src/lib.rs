//! The whole ledger on one machine.
//!
//! The same functions as on AWS run here in one process, through the same event JSON: a SQLite file or memory
//! stands in for DynamoDB, queues in memory for SQS, loops for event source mappings, and an HTTP server for
//! API Gateway. What exists (tables, queues, triggers, variables) is read from `infra/template.yaml`.

pub mod arguments;
pub mod capture;
pub mod client;
pub mod close;
pub mod commands;
pub mod events;
pub mod export;
pub mod functions;
pub mod gateway;
pub mod http;
pub mod incident;
pub mod invocation;
pub mod kept_parameters;
pub mod language;
pub mod operators_log;
pub mod progress_line;
pub mod queues;
pub mod replay;
pub mod screen;
pub mod stack;
pub mod streamed;
pub mod summary;
pub mod template;
pub mod token;
pub mod triggers;
pub mod truncated;

/// Returns `; did you mean X?` where one of the known names is close to `name`, and nothing otherwise.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const CLOSE: f64 = 0.8;
    let rated = known.into_iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let best = rated.filter(|(rating, _)| *rating > CLOSE).max_by(|one, other| one.0.total_cmp(&other.0));
    let say =
        |known: &str| language::say(format!("; did you mean {known}?"), format!("；是否想写 {known}？"));
    best.map(|(_, known)| say(known)).unwrap_or_default()
}
