//! Reads the subscriptions to events, as operators last asked for them.
//!
//! `webhook-delivery` reads the commands in the log when it runs, and stores the subscriptions that follow
//! from them. The commands since then are read here from the operators' log and applied to what is stored,
//! so that a subscription is known as soon as its command is.
//!
//! Touches: `Ledger` (reads).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::log::{EventPlace, WebhookName};
use domain::webhooks::Webhooks;
use store::lists::{self, Operation};
use store::webhooks;

use crate::problem::Problem;
use crate::request::Request;
use crate::view::instant;

/// How many entries of the operators' log are read together.
const AT_ONCE: usize = 50;

/// Returns every subscription, as the operators' log has it.
pub(crate) async fn read(request: &Request<'_>) -> Result<Webhooks, Problem> {
    let registry = webhooks::registry(request.engine()).await?;
    let mut later: Vec<Operation> = Vec::new();
    loop {
        let before = later.last().map(|operation| (operation.position, operation.index));
        let page = lists::operations(request.engine(), before, AT_ONCE).await?;
        let is_last = page.last().is_none_or(|last| last.position <= registry.position);
        later.extend(page.into_iter().filter(|operation| operation.position > registry.position));
        if is_last {
            break;
        }
    }
    let mut webhooks = registry.webhooks;
    for operation in later.iter().rev() {
        let at = EventPlace::of_entry(operation.position, operation.index);
        webhooks.apply_command(&operation.command, &operation.outcome, at, operation.time_ms);
    }
    Ok(webhooks)
}

/// Returns the subscriptions that are stopped, and when each was. Where none is, that is one call.
pub(crate) async fn stopped(request: &Request<'_>) -> Result<BTreeMap<WebhookName, DateTime<Utc>>, Problem> {
    let mut states = webhooks::states(request.engine()).await?;
    states.retain(|_, state| state.stopped_ms.is_some());
    if states.is_empty() {
        return Ok(BTreeMap::new());
    }
    // A state may be of a subscription that was removed since, or made anew.
    let subscriptions = read(request).await?;
    let stopped = states.into_iter().filter_map(|(name, state)| {
        let is_present = subscriptions.get(&name).is_some_and(|webhook| webhook.since == state.since);
        state.stopped_ms.filter(|_| is_present).map(|stopped_ms| (name, instant(stopped_ms)))
    });
    Ok(stopped.collect())
}
