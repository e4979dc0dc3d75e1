//! Keeps what operators asked for and the API refused, before it came to the decider.
//!
//! A refused command stands in the operators' log like one that was carried out. A request of any other caller is
//! only counted: it does not say who asks, and the number of such requests has no bound.
//!
//! Touches: `Source` (writes), the clock.

use domain::log::{Command, PageHash};
use runtime::Context;
use runtime::telemetry::Metrics;
use serde_json::Value;
use store::inbox::{self, StoredCommand};

use crate::access::Caller;
use crate::event::Event;
use crate::problem::Problem;
use crate::routes::commands;

/// How many characters of a reason or a refusal are kept.
const TEXT_CHARACTERS_MAX: usize = 500;
/// How many characters of what was asked for are kept.
const WHAT_CHARACTERS_MAX: usize = 64;

/// Keeps a refusal of what this event asks for, if it is one.
pub(crate) async fn keep(
    problem: &Problem,
    caller: Option<&Caller>,
    event: &Event,
    context: &Context,
) -> Result<(), Problem> {
    if !(400..500).contains(&problem.status()) {
        return Ok(());
    }
    let Some(Caller::Operator(operator)) = caller else {
        Metrics::of("query-api").count("CommandsOfOthers", 1).emit(context.clock.now());
        return Ok(());
    };
    let body: Value = event.body().and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
    let reason = shortened(body["reason"].as_str().unwrap_or_default().trim(), TEXT_CHARACTERS_MAX);
    let command = Command::Rejected {
        what: shortened(body["command"]["type"].as_str().unwrap_or("?"), WHAT_CHARACTERS_MAX),
        why: shortened(&problem.in_words(), TEXT_CHARACTERS_MAX),
    };
    let rejected = StoredCommand::new(operator.name.clone(), reason, command);
    let key = key(&rejected.by, event, context);
    inbox::ask(context.engine.as_ref(), &key, &rejected).await?;
    commands::wake_decider(context, &key).await
}

/// Returns the key of the entry: the same one for the same request under the same idempotency key, so that sending
/// it again leaves one entry, and never a key that a command can be sent under.
fn key(by: &str, event: &Event, context: &Context) -> String {
    match event.header(commands::KEY_HEADER).filter(|key| commands::is_usable(key)) {
        Some(key) => {
            let sent = format!("{by}\n{}\n{}", event.query(), event.body().unwrap_or_default());
            let hash = PageHash::of(sent.as_bytes()).to_string();
            format!("refused#{key}#{}", &hash[..16])
        }
        None => format!("refused#{}", context.request_id),
    }
}

fn shortened(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
