//! Reads what operators said of subscriptions to events.
//!
//! `webhook-delivery` puts what it read in the log, and it runs by its own times. So what the operators' log has since is
//! laid over that, and a subscription is known as soon as its command is.
//!
//! Touches: `Ledger` (reads).

use domain::log::EventPlace;
use domain::webhooks::Webhooks;
use store::lists::{self, Operation};
use store::webhooks;

use crate::problem::Problem;
use crate::request::Request;

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
