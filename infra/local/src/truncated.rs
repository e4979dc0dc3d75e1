//! Removes the rows of tables that a capture truncates, from the tables of the stack.
//!
//! In a deployment a truncate waits for an operator. On this machine a replay runs without brakes unless one is asked
//! for, so that it lets truncates go by itself once all of the capture is read.

use anyhow::Result;
use cdc::Truncate;
use domain::log::{Command, Paused};
use store::inbox::{self, StoredCommand};
use store::network;
use store::truncates::{self, Sweep};

use crate::operators_log;
use crate::stack::Stack;

const REASON: &str = "a replay runs without brakes; --brake makes truncates wait";

/// Lets every truncate go that waits, where the stack runs without a brake, and removes the rows that it is about.
pub async fn let_go(stack: &Stack) -> Result<()> {
    if stack.settings.decisions.brake_adoptions.is_some() {
        return Ok(());
    }
    let Some(network) = network::read(stack.engine()).await? else { return Ok(()) };
    if network.truncates.is_empty() {
        return Ok(());
    }
    for key in network.truncates.into_keys() {
        let id = format!("let-go-{}", stack.shared.next_id());
        let command = Command::LetGo { what: Paused::Truncate { key } };
        let command = StoredCommand::new(operators_log::operator(), REASON, command);
        inbox::ask(stack.engine(), &id, &command).await?;
    }
    stack.settle().await?;
    remove_rows(stack).await
}

/// Removes the rows of truncates that were let go.
///
/// A deployment waits until no older invocation stores rows any more. Here none does: the stack is idle, and it is the
/// only one.
pub async fn remove_rows(stack: &Stack) -> Result<()> {
    let Some(network) = network::read(stack.engine()).await? else { return Ok(()) };
    if network.truncates_let_go.is_empty() {
        return Ok(());
    }
    let mut is_waiting = false;
    for mut stored in truncates::read::<Truncate>(stack.engine()).await? {
        if !network.truncates_let_go.contains(&stored.key) || stored.sweep == Sweep::Done {
            continue;
        }
        let now_ms = stack.shared.clock.now().timestamp_millis();
        stored.in_force_ms = Some(now_ms - adoption_distribution::STORING_TAKES_MS);
        is_waiting |= truncates::advance(stack.engine(), &stored).await?;
    }
    if is_waiting { stack.settle().await } else { Ok(()) }
}
