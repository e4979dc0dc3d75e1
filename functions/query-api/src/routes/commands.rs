//! `POST /v1/commands`: what an operator asks for. `GET /v1/commands/{key}`: what became of it.
//!
//! A command is stored under its idempotency key and announced. The decider carries it out or refuses it, and
//! either way it stands in the log. Sending it again under the same key answers what became of the first one.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::log::{CommandOutcome, Position, StatedChange};
use runtime::{Context, Message, Queue};
use serde::{Deserialize, Serialize};
use store::inbox::{self, StoredCommand};
use store::progress;
use store::quarantine;

use crate::access::{Access, Caller, Operator};
use crate::answer::Answer;
use crate::command::{CommandBody, CommandView, RefusedRecord};
use crate::expected::Expected;
use crate::language::Language;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};
use crate::routes::webhooks;

pub(crate) const SEND: Route = Route {
    method: Method::Post,
    path: "/v1/commands",
    access: Access::Command,
    parameters: &[],
    answer: |request| Box::pin(send(request)),
};

pub(crate) const READ: Route = Route {
    method: Method::Get,
    path: "/v1/commands/{key}",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(read(request)),
};

pub(crate) const KEY_HEADER: &str = "idempotency-key";
/// For how long a caller is kept waiting for the decider.
const WAIT: Duration = Duration::from_secs(4);
/// After which time its answer is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SendBody {
    reason: String,
    command: CommandBody,
}

#[derive(Debug, Serialize)]
struct SentView {
    idempotency_key: String,
    by: String,
    reason: String,
    command: CommandView,
    /// `DONE`, `REFUSED`, or `PENDING` while the decider has not taken it in.
    outcome: &'static str,
    refusal: Option<String>,
    /// What the command is about as that stood before, in words, and after.
    before: Option<String>,
    after: Option<String>,
    /// The page of the log in which it stands.
    page: Option<Position>,
}

async fn send(request: &Request<'_>) -> Result<Answer, Problem> {
    let key = key(request)?;
    let Some(Caller::Operator(operator)) = &request.caller else { return Err(Problem::Forbidden) };
    let body: SendBody = request.body()?;
    check_allowed(operator, &body.command)?;
    if body.reason.trim().is_empty() || body.reason.chars().count() > 500 {
        let message = "`reason` must say why, in 1 to 500 characters".to_owned();
        return Err(Problem::InvalidBody { message });
    }
    let invalid = |message| Problem::InvalidBody { message };
    let command = body.command.clone().into_command(&operator.name, &body.reason).map_err(invalid)?;
    // What was asked for under this key already is not checked again: it may have changed what it is checked by.
    let change = match inbox::command(request.engine(), &key).await? {
        Some(known) => known.change,
        None => check(request, &body.command).await?,
    };
    let stored = StoredCommand { change, ..StoredCommand::new(&*operator.name, body.reason, command) };
    let present = inbox::ask(request.engine(), &key, &stored).await?;
    if let Some(present) = &present
        && (&present.by, &present.reason, &present.command) != (&stored.by, &stored.reason, &stored.command)
    {
        return Err(Problem::KeyUsed);
    }
    // What was asked for is kept and will stand in the log, whatever happens from here on.
    if let CommandBody::PurgeQuarantined(record) = &body.command {
        let (name, offset) = record.place();
        for refused in quarantine::at(request.engine(), &name, offset).await? {
            let _ = request.engine().write(quarantine::purge(&refused)).await?;
        }
    }
    let is_repeated = present.is_some();
    let mut known = present.unwrap_or(stored);
    if known.answer.is_none() {
        wake_decider(request.context, &key).await?;
        known = answered(request, &key).await?.unwrap_or(known);
    }
    let answer = shown(key, known, request.language);
    Ok(if is_repeated { answer.with_header("idempotency-hit", "true") } else { answer })
}

/// Checks what the decider does not check: what a command names has to be there. Returns what it changes outside the
/// log.
async fn check(request: &Request<'_>, command: &CommandBody) -> Result<Option<StatedChange>, Problem> {
    match command {
        CommandBody::PurgeQuarantined(record) => Ok(Some(of_purge(request, record).await?)),
        CommandBody::RetireSource { source } => {
            check_source(request, source).await?;
            Ok(None)
        }
        command => webhooks::check(request, command).await,
    }
}

/// Returns what a purge of a refused record's bytes changes. The record has to be listed.
async fn of_purge(request: &Request<'_>, record: &RefusedRecord) -> Result<StatedChange, Problem> {
    let (name, offset) = record.place();
    let listed = quarantine::at(request.engine(), &name, offset).await?;
    if listed.is_empty() {
        return Err(Problem::InvalidBody { message: format!("nothing was refused at {record}") });
    }
    let mut before = Vec::new();
    for refused in &listed {
        let kept = quarantine::bytes(request.engine(), refused).await?;
        let state = kept.map_or("gone already", |_| "kept");
        before.push(format!("{} bytes with the hash {} are {state}", refused.bytes, refused.hash));
    }
    let after = "the bytes are gone, and the listing with their hash stays".to_owned();
    Ok(StatedChange { before: before.join("; "), after })
}

/// Checks that something was read of a source: a name that is misspelt would retire nothing, and say that it did.
async fn check_source(request: &Request<'_>, source: &str) -> Result<(), Problem> {
    let progress = progress::read(request.engine()).await?;
    let known: BTreeSet<&str> = progress.iter().map(|progress| progress.name.source.as_str()).collect();
    if known.contains(source) {
        return Ok(());
    }
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    Err(Problem::InvalidBody {
        message: format!("nothing was read of a source of this name, only of {known}"),
    })
}

/// Returns the key under which the caller sends the command.
fn key(request: &Request<'_>) -> Result<String, Problem> {
    let key = request.header(KEY_HEADER).unwrap_or_default();
    if is_usable(key) {
        Ok(key.to_owned())
    } else {
        Err(Problem::invalid(
            "Idempotency-Key",
            Expected::new(
                "a header of 8 to 100 letters, digits, '-', '_', '.' or ':', new for every command",
                "8 至 100 个字母、数字、“-”“_”“.”或“:”组成的头，每个命令各用一个",
            ),
        ))
    }
}

/// Returns whether a command may be sent under this key.
pub(crate) fn is_usable(key: &str) -> bool {
    (8..=100).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

fn check_allowed(operator: &Operator, command: &CommandBody) -> Result<(), Problem> {
    let is_allowed = if command.needs_approval() { operator.may_approve } else { operator.may_operate };
    if is_allowed { Ok(()) } else { Err(Problem::Forbidden) }
}

/// Wakes the decider. A wake-up's id is used for it alone.
pub(crate) async fn wake_decider(context: &Context, key: &str) -> Result<(), Problem> {
    let id = format!("command-{key}-{}", context.request_id);
    let body = serde_json::json!({ "cause": "command" }).to_string();
    let message = Message { body, group: Some(("decider".to_owned(), id)), delay_s: None };
    Ok(context.queues.send(Queue::Decisions, vec![message]).await?)
}

/// Returns what is stored under the key once the decider has answered; after a while, whether or not.
async fn answered(request: &Request<'_>, key: &str) -> Result<Option<StoredCommand>, Problem> {
    let clock = &request.context.clock;
    let until = clock.now() + WAIT;
    loop {
        let stored = inbox::command(request.engine(), key).await?;
        if stored.as_ref().is_some_and(|stored| stored.answer.is_some()) || clock.now() >= until {
            return Ok(stored);
        }
        clock.sleep(LOOK_AGAIN).await;
    }
}

async fn read(request: &Request<'_>) -> Result<Answer, Problem> {
    let key: String = request.path("key")?;
    let stored = inbox::command(request.engine(), &key).await?;
    Ok(shown(key.clone(), stored.ok_or(Problem::Unknown(Subject::Command, key))?, request.language))
}

fn shown(idempotency_key: String, stored: StoredCommand, language: Language) -> Answer {
    let (status, outcome) = match &stored.answer {
        None => (202, "PENDING"),
        Some((answer, _)) if answer.is_done() => (200, "DONE"),
        Some(_) => (200, "REFUSED"),
    };
    let answer = stored.answer.as_ref().map(|(answer, _)| answer);
    let change = answer.and_then(CommandOutcome::change);
    let text = |text: &str| language.translate(text);
    let view = SentView {
        idempotency_key,
        by: stored.by,
        reason: language.translate_unless_by_hand(&stored.reason),
        command: CommandView::new(&stored.command, language),
        outcome,
        refusal: answer.and_then(CommandOutcome::refusal).map(text),
        before: change.map(|(before, _)| text(before)),
        after: change.map(|(_, after)| text(after)),
        page: stored.answer.as_ref().map(|(_, page)| *page),
    };
    Answer::momentary_json(&view).with_status(status)
}
