//! Has the decider put right what an audit found.

use std::collections::BTreeSet;

use domain::OrderId;
use domain::log::Command;
use runtime::{Context, Message, Queue};
use store::audit::AuditReport;
use store::inbox::{self, StoredCommand};

/// More adoptions than these are compared by one walk over all of them.
const ORDERS_MAX: usize = 100;

/// Asks for the adoptions of a report to be compared again. Returns how many commands were stored.
///
/// Heads that are not what the log says are no decision, so that nothing here mends them: they are rebuilt from the log.
///
/// # Errors
///
/// What storage or the queue said. Asking again is safe: a command has one key for each position and order.
pub async fn ask_for_repairs(context: &Context, report: &AuditReport) -> Result<u64, String> {
    let orders: BTreeSet<OrderId> =
        report.found.differences.iter().filter_map(domain::recalculate::Difference::order).collect();
    if orders.is_empty() {
        return Ok(0);
    }
    let are_all_named = report.found.count <= report.found.differences.len() as u64;
    let commands: Vec<Option<OrderId>> = if orders.len() <= ORDERS_MAX && are_all_named {
        orders.into_iter().map(Some).collect()
    } else {
        vec![None]
    };
    let mut asked = 0;
    for order in commands {
        let what = order.map_or_else(|| "all".to_owned(), |order| order.to_string());
        let key = format!("audit-{}-{}-{what}", report.position, report.began_ms);
        let command = StoredCommand {
            by: "ledger-audit".to_owned(),
            reason: format!("the audit of position {} found differences", report.position),
            command: Command::Repair { order },
            answer: None,
        };
        let present =
            inbox::ask(&*context.engine, &key, &command).await.map_err(|error| error.to_string())?;
        asked += u64::from(present.is_none());
    }
    let wake_up = Message {
        body: serde_json::json!({ "cause": "audit" }).to_string(),
        group: Some(("decider".to_owned(), format!("audit-{}-{}", report.position, report.began_ms))),
        delay_s: None,
    };
    context.queues.send(Queue::Decisions, vec![wake_up]).await.map_err(|error| error.to_string())?;
    Ok(asked)
}
