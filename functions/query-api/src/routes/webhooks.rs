//! `GET /v1/webhooks`, its secrets and its deliveries: who is sent the events, and what came of it.
//!
//! What changes a subscription is a command: `POST /v1/commands`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::log::{DeliveryId, EventPlace, EventType, StatedChange, WebhookName};
use domain::webhooks::{ROTATION_MS, SigningSecret, Target, WEBHOOKS_MAX, Webhook};
use serde::Serialize;
use store::webhooks::{self, Attempt, AttemptOutcome, Failing, WebhookState};

use crate::access::Access;
use crate::answer::Answer;
use crate::command::CommandBody;
use crate::language::Language;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};
use crate::subscriptions;
use crate::view::instant;

pub(crate) const LIST: Route = Route {
    method: Method::Get,
    path: "/v1/webhooks",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(list(request)),
};

pub(crate) const SECRETS: Route = Route {
    method: Method::Get,
    path: "/v1/webhooks/{webhook}/secrets",
    access: Access::Command,
    parameters: &[],
    answer: |request| Box::pin(secrets(request)),
};

pub(crate) const DELIVERIES: Route = Route {
    method: Method::Get,
    path: "/v1/webhooks/{webhook}/deliveries",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(deliveries(request)),
};

#[derive(Debug, Serialize)]
struct WebhooksView {
    webhooks: Vec<WebhookView>,
}

#[derive(Debug, Serialize)]
struct WebhookView {
    webhook: WebhookName,
    url: String,
    /// Empty where all kinds are sent.
    types: BTreeSet<EventType>,
    /// `ACTIVE`, `FAILING` or `STOPPED`.
    state: &'static str,
    /// Everything up to here was delivered, or is not wanted.
    delivered: EventPlace,
    failing: Option<FailingView>,
    stopped_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
struct FailingView {
    since: DateTime<Utc>,
    attempts: u32,
    next_attempt_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct SecretsView {
    webhook: WebhookName,
    /// The secrets that sign at present, the latest first.
    secrets: Vec<SecretView>,
}

#[derive(Debug, Serialize)]
struct SecretView {
    number: u32,
    secret: String,
    /// Until when it signs; `null` for the latest.
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
struct DeliveriesView {
    /// The latest attempt first.
    deliveries: Vec<DeliveryView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct DeliveryView {
    delivery: DeliveryId,
    at: DateTime<Utc>,
    attempt: u32,
    event_count: u32,
    took_ms: i64,
    is_delivered: bool,
    /// The status of the answer, if there was one.
    status: Option<u16>,
    /// Why there was none.
    failure: Option<String>,
}

async fn list(request: &Request<'_>) -> Result<Answer, Problem> {
    let subscriptions = subscriptions::read(request).await?;
    let states = webhooks::states(request.engine()).await?;
    let view = |(name, webhook): (&WebhookName, &Webhook)| WebhookView::new(name, webhook, states.get(name));
    Ok(Answer::json(&WebhooksView { webhooks: subscriptions.iter().map(view).collect() }))
}

async fn secrets(request: &Request<'_>) -> Result<Answer, Problem> {
    let (name, webhook) = known(request).await?;
    let Some(deployment) = &request.settings().webhook_secret else {
        return Err(Problem::inconsistent("WEBHOOK_SECRET is not set, from which secrets follow"));
    };
    let secret = |number| SecretView {
        number,
        secret: SigningSecret::of(deployment, &name, webhook.since, number).reveal(),
        until: webhook
            .rotated_ms
            .filter(|_| number < webhook.secret)
            .map(|rotated_ms| instant(rotated_ms.saturating_add(ROTATION_MS))),
    };
    let numbers = webhook.secrets(request.now().timestamp_millis());
    let secrets = numbers.into_iter().map(secret).collect();
    Ok(Answer::momentary_json(&SecretsView { webhook: name.clone(), secrets }))
}

async fn deliveries(request: &Request<'_>) -> Result<Answer, Problem> {
    let (limit, before) = (request.limit()?, request.place::<String>()?);
    let (name, _) = known(request).await?;
    let mut attempts = webhooks::attempts(request.engine(), &name, before, limit + 1).await?;
    let more = attempts.len() > limit;
    attempts.truncate(limit);
    let last = attempts.last().map(|(place, _)| place.clone());
    Ok(Answer::json(&DeliveriesView {
        deliveries: attempts
            .into_iter()
            .map(|(_, attempt)| DeliveryView::new(attempt, request.language))
            .collect(),
        next_cursor: last.filter(|_| more).map(|place| request.cursor(place)),
    }))
}

/// Returns the subscription of the path.
async fn known(request: &Request<'_>) -> Result<(WebhookName, Webhook), Problem> {
    let name: WebhookName = request.path("webhook")?;
    let webhook = subscriptions::read(request).await?.get(&name).cloned();
    webhook.map(|webhook| (name.clone(), webhook)).ok_or(Problem::Unknown(Subject::Webhook, name.to_string()))
}

/// Checks what a command says of a subscription: that it is there, or that its address may be sent to. Returns what it
/// changes, if the command is about one.
pub(super) async fn check(
    request: &Request<'_>,
    command: &CommandBody,
) -> Result<Option<StatedChange>, Problem> {
    let invalid = |message: String| Problem::InvalidBody { message };
    let Some(name) = command.webhook() else { return Ok(None) };
    let subscriptions = subscriptions::read(request).await?;
    let present = subscriptions.get(name);
    if let CommandBody::SetWebhook { url, .. } = command {
        let reach = request.settings().webhook_reach;
        Target::parse(url, reach).map_err(|error| invalid(error.to_string()))?;
        if present.is_none() && subscriptions.count() >= WEBHOOKS_MAX {
            return Err(invalid(format!("there may be {WEBHOOKS_MAX} subscriptions; remove one first")));
        }
    } else if present.is_none() {
        let message = format!("there is no subscription {name}; /v1/webhooks lists those that there are");
        return Err(invalid(message));
    }
    let state = webhooks::states(request.engine()).await?.remove(name);
    let before = present.map_or_else(
        || format!("there is no subscription {name}"),
        |webhook| in_words(&WebhookView::new(name, webhook, state.as_ref()), webhook),
    );
    Ok(Some(StatedChange { before, after: after(command) }))
}

/// Returns what becomes of a subscription by a command about it, in words.
fn after(command: &CommandBody) -> String {
    match command {
        CommandBody::SetWebhook { url, types, .. } => {
            format!("{} to {url}", kinds(&types.iter().copied().collect()))
        }
        CommandBody::RemoveWebhook { .. } => "nothing is sent any more".to_owned(),
        CommandBody::RotateWebhookSecret { .. } => {
            "signed with the next secret, and for a day with the one before, too".to_owned()
        }
        CommandBody::ResumeWebhook { after: Some(place), .. } => format!("sending goes on after {place}"),
        CommandBody::RedeliverWebhook { delivery } => format!("{delivery} is sent once more"),
        _ => "sending goes on where it stopped".to_owned(),
    }
}

fn kinds(types: &BTreeSet<EventType>) -> String {
    if types.is_empty() {
        return "all events".to_owned();
    }
    types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

/// Returns where a subscription stands, in words.
fn in_words(view: &WebhookView, webhook: &Webhook) -> String {
    let WebhookView { url, types, state, delivered, .. } = view;
    format!("{} to {url}, signed with secret {}, {state} after {delivered}", kinds(types), webhook.secret)
}

impl WebhookView {
    fn new(name: &WebhookName, webhook: &Webhook, state: Option<&WebhookState>) -> Self {
        // A subscription that was made anew under its name has not been served yet.
        let state = state.filter(|state| state.since == webhook.since);
        let failing = state.and_then(|state| state.failing.as_ref());
        let stopped_ms = state.and_then(|state| state.stopped_ms);
        Self {
            webhook: name.clone(),
            url: webhook.url.clone(),
            types: webhook.types.clone(),
            state: match (stopped_ms, failing) {
                (Some(_), _) => "STOPPED",
                (None, Some(_)) => "FAILING",
                (None, None) => "ACTIVE",
            },
            delivered: state.map_or(webhook.after, WebhookState::searched),
            failing: failing.map(FailingView::from),
            stopped_at: stopped_ms.map(instant),
        }
    }
}

impl From<&Failing> for FailingView {
    fn from(failing: &Failing) -> Self {
        Self {
            since: instant(failing.since_ms),
            attempts: failing.attempts,
            next_attempt_at: instant(failing.next_ms),
        }
    }
}

impl DeliveryView {
    fn new(attempt: Attempt, language: Language) -> Self {
        let is_delivered = attempt.outcome.is_delivered();
        let (status, failure) = match attempt.outcome {
            AttemptOutcome::Answered(status) => (Some(status), None),
            AttemptOutcome::Failed(why) => (None, Some(language.translate(&why))),
        };
        Self {
            delivery: attempt.delivery,
            at: instant(attempt.at_ms),
            attempt: attempt.number,
            event_count: attempt.events,
            took_ms: attempt.took_ms,
            is_delivered,
            status,
            failure,
        }
    }
}
