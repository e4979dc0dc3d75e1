//! Looking at a ledger: auditing it, and explaining what is in it.

use std::path::Path;

use anyhow::{Context, Result};
use ledger::explain;
use ledger::rules::{AccountSequence, OrderId};
use ledger_audit::{Report, Request};

use crate::endpoints::Storage;
use crate::replay;
use crate::stack::{Options, Stack};

/// Starts the stack over a ledger and lets it finish what is to be done. Tables in memory are fed with
/// the built-in capture, so that there is something to look at; a directory has to hold tables already.
pub async fn open(options: &Options) -> Result<Stack> {
    options.storage.check_that_tables_exist()?;
    let stack = Stack::start(options).await?;
    if matches!(options.storage, Storage::Ephemeral) && stack.is_empty().await? {
        eprintln!("the tables are empty: looking at the built-in capture");
        replay::replay(&stack, &replay::captures(&[])?).await?;
    }
    stack.settle(|_| {}).await?;
    Ok(stack)
}

/// Audits the ledger through the function's own event and answer. With repair it is audited again when
/// the repairs are done, and repaired again as long as fewer differences are left, because one audit
/// repairs only so many of a kind. Every report is shown, and the last one is the answer.
pub async fn audit(stack: &Stack, repair: bool, show: impl Fn(&Report) -> Result<()>) -> Result<Report> {
    let mut left = u64::MAX;
    loop {
        let report = invoke(stack, Request { repair }).await?;
        show(&report)?;
        let is_repairing = report.differences.iter().any(|difference| difference.repair.is_some());
        if is_repairing {
            stack.settle(|_| {}).await?;
        }
        if !is_repairing || report.difference_count() >= left {
            return Ok(report);
        }
        left = report.difference_count();
    }
}

async fn invoke(stack: &Stack, request: Request) -> Result<Report> {
    let event = serde_json::to_value(request)?;
    Ok(serde_json::from_value(stack.functions.audit.invoke(event).await?)?)
}

/// Writes a report to a file.
pub fn write_report(report: &Report, path: &Path) -> Result<()> {
    let json = serde_json::to_vec_pretty(report)?;
    std::fs::write(path, json).with_context(|| format!("cannot write the report to {}", path.display()))
}

/// Explains an adoption, or what an account has to do with it: as text, or as JSON.
pub async fn explain(
    stack: &Stack,
    order: OrderId,
    account: Option<&AccountSequence>,
    as_json: bool,
) -> Result<String> {
    let policy = &stack.environment().policy;
    let unknown = || format!("no adoption {order} ever arrived");
    match account {
        None => {
            let explained = explain::adoption(stack.store(), policy, order).await?.with_context(unknown)?;
            shown(&explained, as_json)
        }
        Some(account) => {
            let explained = explain::account(stack.store(), policy, order, account).await?;
            shown(&explained.with_context(unknown)?, as_json)
        }
    }
}

fn shown<T: serde::Serialize + std::fmt::Display>(explained: &T, as_json: bool) -> Result<String> {
    Ok(if as_json { serde_json::to_string_pretty(explained)? } else { explained.to_string() })
}
