//! What a script expects, compared with what was observed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::matcher::{matches, number_matches};
use crate::clock::Millis;
use crate::lambda::Invocation;
use crate::queue::Queue;
use crate::table::{Direction, Key};
use crate::value::item_to_json;
use crate::world::World;

/// What the clients and the functions of a script saw.
#[derive(Debug, Default)]
pub(super) struct Observed {
    answers: BTreeMap<String, Vec<StepAnswer>>,
    invocations: BTreeMap<String, Vec<(Millis, Value)>>,
}

#[derive(Debug)]
struct StepAnswer {
    error: Option<String>,
    output: Value,
    takes_ms: Millis,
    consumed: f64,
}

impl Observed {
    /// Takes in an answer.
    pub(super) fn answered(
        &mut self,
        step: &str,
        error: Option<String>,
        output: Value,
        takes_ms: Millis,
        consumed: f64,
    ) {
        let answer = StepAnswer { error, output, takes_ms, consumed };
        self.answers.entry(step.to_owned()).or_default().push(answer);
    }

    /// Takes in the beginning of an invocation.
    pub(super) fn begun(&mut self, invocation: &Invocation, ends_ms: Millis, outcome: &str) {
        let at_ms = invocation.begins_ms;
        let clock_ms = at_ms.cast_signed() + invocation.environment.skew_ms;
        let seen = json!({
            "at_ms": at_ms,
            "ends_ms": ends_ms,
            "records": invocation.payload.texts(),
            "receive_counts": invocation.payload.receive_counts(),
            "outcome": outcome,
            "cold": invocation.environment.cold,
            "env": invocation.environment.number,
            "clock_ms": clock_ms,
        });
        self.invocations.entry(invocation.function.clone()).or_default().push((at_ms, seen));
    }
}

/// Returns whether an expectation looks at the world at a time of its own.
pub(super) fn is_look(expectation: &Value) -> bool {
    ["queue", "table", "committed"].iter().any(|kind| expectation.get(kind).is_some())
}

/// Checks an expectation about a step or about invocations, and returns what does not hold.
pub(super) fn check(expectation: &Value, observed: &Observed) -> Vec<String> {
    if let Some(function) = expectation["invocations"].as_str() {
        return check_invocations(expectation, function, observed);
    }
    let Some(step) = expectation["step"].as_str() else {
        return vec![format!("an expectation of an unknown kind: {expectation}")];
    };
    let Some(answers) = observed.answers.get(step) else {
        return vec![format!("step {step}: there is no answer")];
    };
    match expectation.get("summary") {
        Some(summary) => check_summary(step, summary, answers),
        None => check_step(step, expectation, answers),
    }
}

/// Checks a look at a queue, a table or the offsets of a topic as they are now.
pub(super) fn check_look(look: &Value, world: &mut World) -> Vec<String> {
    let actual = if let Some(name) = look["queue"].as_str() {
        look_at_queue(name, world)
    } else if let Some(name) = look["table"].as_str() {
        look_at_table(name, look, world)
    } else {
        look_at_offset(look, world)
    };
    let Some(actual) = actual else { return vec![format!("a look at what is not there: {look}")] };
    let ignored = ["queue", "table", "committed", "function", "partition", "at_ms", "key"];
    let members = look.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| !ignored.contains(&name.as_str()))
        .filter(|(name, expected)| !member_matches(expected, actual.get(name.as_str())))
        .map(|(name, expected)| {
            format!(
                "look {look}: {name} should be {expected} and is {}",
                actual.get(name).unwrap_or(&Value::Null)
            )
        })
        .collect()
}

fn check_step(step: &str, expectation: &Value, answers: &[StepAnswer]) -> Vec<String> {
    let mut failures = Vec::new();
    let answer = answers.last().expect("a step with answers has a last one");
    let shown = answer.error.as_deref().unwrap_or("ok");
    if let Some(ok) = expectation["ok"].as_bool()
        && ok != answer.error.is_none()
    {
        failures.push(format!("step {step}: ok should be {ok} and it was {shown} {}", answer.output));
    }
    if let Some(expected) = expectation.get("error")
        && !answer.error.as_deref().is_some_and(|error| error_matches(expected, error))
    {
        failures
            .push(format!("step {step}: the error should be {expected} and was {shown} {}", answer.output));
    }
    if let Some(expected) = expectation.get("takes_ms")
        && !member_matches(expected, Some(&answer.takes_ms.into()))
    {
        failures.push(format!("step {step}: it should take {expected} ms and took {}", answer.takes_ms));
    }
    if let Some(expected) = expectation.get("consumed") {
        let consumed: f64 = answers.iter().map(|answer| answer.consumed).sum();
        if !number_matches(expected, consumed) {
            failures.push(format!("step {step}: it should consume {expected} units and consumed {consumed}"));
        }
    }
    if let Some(expected) = expectation.get("output")
        && !matches(expected, Some(&answer.output))
    {
        failures.push(format!(
            "step {step}: the answer should be {expected} and was {}",
            shortened(&answer.output)
        ));
    }
    failures
}

fn check_summary(step: &str, summary: &Value, answers: &[StepAnswer]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.error.as_deref().unwrap_or("ok")).or_default() += 1;
    }
    let count =
        |names: &str| names.split('|').map(|name| counts.get(name).copied().unwrap_or(0)).sum::<u64>();
    let mut holds = summary.get("ok").is_none_or(|ok| member_matches(ok, Some(&count("ok").into())));
    if let Some(errors) = summary["errors"].as_object() {
        holds &= errors.iter().all(|(names, expected)| member_matches(expected, Some(&count(names).into())));
        let named: u64 = errors.keys().map(|names| count(names)).sum();
        holds &= named + count("ok") == answers.len() as u64;
    }
    if holds {
        Vec::new()
    } else {
        vec![format!("step {step}: the summary should be {summary} and was {counts:?}")]
    }
}

fn check_invocations(expectation: &Value, function: &str, observed: &Observed) -> Vec<String> {
    let until_ms = expectation["until_ms"].as_u64().unwrap_or(Millis::MAX);
    let all = observed.invocations.get(function).map_or(&[][..], Vec::as_slice);
    let seen: Vec<&Value> =
        all.iter().filter(|(at_ms, _)| *at_ms <= until_ms).map(|(_, seen)| seen).collect();
    let mut failures = Vec::new();
    if let Some(expected) = expectation.get("count")
        && !member_matches(expected, Some(&seen.len().into()))
    {
        failures.push(format!("function {function}: {expected} invocations expected, {} seen", seen.len()));
    }
    let listed = expectation["list"].as_array().map_or(&[][..], Vec::as_slice);
    for (position, expected) in listed.iter().enumerate() {
        let actual = seen.get(position).copied();
        let members = expected.as_object().into_iter().flatten();
        let holds = actual.is_some_and(|actual| {
            members
                .clone()
                .all(|(name, expected)| invocation_member_matches(name, expected, actual.get(name)))
        });
        if !holds {
            let actual = actual.map_or_else(|| "none".to_owned(), Value::to_string);
            failures.push(format!(
                "function {function}: invocation {position} should be {expected} and was {actual}"
            ));
        }
    }
    failures
}

/// Returns whether a member is as expected. In numbers a pair is a range; in lists it is a list of two.
fn invocation_member_matches(name: &str, expected: &Value, actual: Option<&Value>) -> bool {
    if matches!(name, "records" | "receive_counts") {
        return matches(expected, actual);
    }
    member_matches(expected, actual)
}

fn member_matches(expected: &Value, actual: Option<&Value>) -> bool {
    match actual {
        Some(Value::Number(number)) => number_matches(expected, number.as_f64().unwrap_or(f64::NAN)),
        other => matches(expected, other),
    }
}

fn error_matches(expected: &Value, error: &str) -> bool {
    match expected {
        Value::String(name) => name == "*" || name.split('|').any(|name| name == error),
        Value::Array(names) => names.iter().any(|name| error_matches(name, error)),
        _ => false,
    }
}

fn look_at_queue(name: &str, world: &mut World) -> Option<Value> {
    world.with_queue(name, Queue::advance)?;
    let queue = world.queues.get(name)?;
    let bodies: Vec<&str> = queue.messages().map(|message| message.body.as_str()).collect();
    Some(json!({
        "bodies": bodies,
        "visible": queue.visible(),
        "in_flight": queue.in_flight(),
        "delayed": queue.delayed(),
    }))
}

fn look_at_table(name: &str, look: &Value, world: &World) -> Option<Value> {
    let table = world.database.tables().get(name)?;
    let mut actual = json!({
        "count": table.count(),
        "write_units": table.capacity().total(Direction::Write).as_f64(),
        "read_units": table.capacity().total(Direction::Read).as_f64(),
    });
    if let Some(key) = look.get("key") {
        let part = |position: usize| key[position].as_str().unwrap_or_default().to_owned();
        let key = Key { partition: part(0).into(), sort: part(1).into() };
        if let Some(item) = table.look(&key) {
            actual["item"] = item_to_json(item);
        }
    }
    Some(actual)
}

fn look_at_offset(look: &Value, world: &World) -> Option<Value> {
    let partition = u32::try_from(look["partition"].as_u64()?).ok()?;
    let offset = world.committed(look["committed"].as_str()?, look["function"].as_str()?, partition)?;
    Some(json!({ "offset": offset }))
}

/// Cuts long answers, so that a failure stays readable.
fn shortened(output: &Value) -> String {
    const MAX_CHARACTERS: usize = 600;
    let text = output.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
