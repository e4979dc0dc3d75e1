//! Mends what an audit found: heads that are not what the log says are rebuilt, and adoptions that are not what the
//! rules say are compared again by the decider.
//!
//! Touches: `Ledger` (reads), `Source` (writes commands), `DecisionsQueue` (sends).

use std::collections::BTreeSet;

use domain::log::{Command, HoldReason};
use domain::recalculate::Difference;
use domain::{OrderId, Versions};
use runtime::{Context, Message, Queue, QueueError};
use store::audit::AuditReport;
use store::inbox::{self, StoredCommand};
use store::{StoreError, lists};

use crate::error::AuditError;
use crate::rebuild::{Targets, rebuild};

/// More adoptions than these are compared by one walk over all of them.
const ORDERS_MAX: usize = 100;
/// How many held adoptions are looked through for those that an unreadable account holds.
const HELD_READ_MAX: usize = 100_000;
/// How many heads the operators' log names.
const NAMED_MAX: usize = 20;

/// What was done about the differences that an audit found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Heads that were rebuilt from the log.
    pub rebuilt: u64,
    /// Commands that the decider is asked to carry out.
    pub asked: u64,
}

/// Why what an audit found could not be mended.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// A head could not be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] AuditError),
    /// Storage failed. Mending again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decider could not be woken. It looks for commands each minute anyway.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Mends what a report names, on behalf of `by`.
///
/// Every repair stands in the operators' log: what was rebuilt as a note, and each adoption that is compared again.
/// Asking again is safe, because a command has one key for each audit and order.
///
/// # Errors
///
/// [`RepairError`] says what to do.
pub async fn repair(
    context: &Context,
    versions: &Versions,
    shards: u32,
    report: &AuditReport,
    by: &str,
) -> Result<Repaired, RepairError> {
    let engine = &*context.engine;
    let differences = &report.found.differences;
    let targets = Targets::of(differences);
    let has_accounts = !targets.accounts.is_empty();
    let mut repaired = Repaired::default();
    let reason = format!("the audit of position {} found differences", report.position);
    let asked_for = |command| StoredCommand::new(by, &*reason, command);
    let mut commands: Vec<(String, StoredCommand)> = Vec::new();
    if targets.count() > 0 {
        let command = asked_for(Command::Note { text: note(report, &targets) });
        let command = command.changing("they were not what the log says", "they are what the log says");
        repaired.rebuilt = rebuild(engine, versions, shards, targets).await?;
        commands.push(("rebuilt".to_owned(), command));
    }
    let mut orders: BTreeSet<OrderId> = differences.iter().filter_map(Difference::order).collect();
    if has_accounts {
        let held = lists::held(engine, shards, None, HELD_READ_MAX).await?;
        let by_account = held.iter().filter(|held| matches!(held.reason, HoldReason::AccountUnreadable(_)));
        orders.extend(by_account.map(|held| held.order));
    }
    let are_all_named = report.found.count <= differences.len() as u64;
    if orders.len() <= ORDERS_MAX && are_all_named {
        let one = |order: OrderId| (order.to_string(), asked_for(Command::Repair { order: Some(order) }));
        commands.extend(orders.into_iter().map(one));
    } else if !orders.is_empty() {
        commands.push(("all".to_owned(), asked_for(Command::Repair { order: None })));
    }
    if commands.is_empty() {
        return Ok(repaired);
    }
    for (what, command) in commands {
        let key = format!("audit-{}-{}-{what}", report.position, report.began_ms);
        repaired.asked += u64::from(inbox::ask(engine, &key, &command).await?.is_none());
    }
    let wake_up = Message {
        body: serde_json::json!({ "cause": "audit" }).to_string(),
        group: Some(("decider".to_owned(), format!("audit-{}-{}", report.position, report.began_ms))),
        delay_s: None,
    };
    context.queues.send(Queue::Decisions, vec![wake_up]).await?;
    Ok(repaired)
}

/// Says for the operators' log what is rebuilt.
fn note(report: &AuditReport, targets: &Targets) -> String {
    let rebuilt = report.found.differences.iter().filter(|difference| difference.order().is_none());
    let named: BTreeSet<String> =
        rebuilt.map(|difference| format!("{} of {}", difference.name(), difference.subject())).collect();
    let more = if named.len() > NAMED_MAX { ", and more" } else { "" };
    let named: Vec<String> = named.into_iter().take(NAMED_MAX).collect();
    format!("rebuilt {} heads from the log: {}{more}", targets.count(), named.join(", "))
}
