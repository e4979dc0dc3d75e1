//! Commands that ask a ledger and change nothing.

mod account;
mod lists;
mod log;
mod operations;
mod order;
mod snapshot;
mod statement;
mod status;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::show;
use crate::arguments::{Ask, Asked};
use crate::client::{Client, encoded};
use crate::screen::Screen;

/// Asks the ledger the command's question, and prints the answer. Returns the exit status of the process.
pub(super) async fn carry_out(question: &Ask) -> Result<ExitCode> {
    match question {
        Ask::Status(status) => return status::show_status(status).await,
        Ask::Account(account) => account::show_account(account).await,
        Ask::Order(order) => order::show_order(order).await,
        Ask::Held(held) => lists::show_held(held).await,
        Ask::Quarantine(quarantine) => lists::show_quarantine(quarantine).await,
        Ask::Snapshot(snapshot) => snapshot::show_snapshot(snapshot).await,
        Ask::Statement(statement) => statement::show_statement(statement).await,
        Ask::Operations(operations) => operations::show_operations(operations).await,
        Ask::Log(log) => log::show_log(log).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Prints an answer as JSON, or as a person reads it.
fn answer(asked: &Asked, document: &Value, screen: impl FnOnce(&Value) -> Screen) -> Result<()> {
    if asked.json {
        return show(&serde_json::to_string_pretty(document)?);
    }
    show(&screen(document))
}

/// Returns an account's path as the ledger spells the account, and what is known of it.
///
/// # Errors
///
/// What the API says; where only the case of letters is wrong, how the account is spelled.
async fn known_account(client: &Client, account: &str) -> Result<(String, Value)> {
    let path = format!("/v1/accounts/{}", encoded(account.trim()));
    let unknown = match client.json(&path).await {
        Ok(found) => return Ok((path, found)),
        Err(error) => error,
    };
    let spelled = account.trim().to_uppercase();
    if spelled != account.trim()
        && matches!(client.find(&format!("/v1/accounts/{}", encoded(&spelled))).await, Ok(Some(_)))
    {
        return Err(unknown.context(format!("did you mean {spelled}?")));
    }
    Err(unknown)
}

/// Returns a query of those parameters that have a value.
fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given =
        parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    let given: Vec<String> = given.collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// A file for comma-separated values, or standard output. It is opened before anything is asked.
struct CsvFile(Option<(std::path::PathBuf, std::fs::File)>);

impl CsvFile {
    /// Opens it without changing what is in it.
    fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self(None));
        }
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = opened.with_context(|| format!("cannot write to {} (see --csv)", path.display()))?;
        Ok(Self(Some((path.to_owned(), file))))
    }

    /// Puts the text in the place of what is in it.
    fn write(self, text: &str) -> Result<()> {
        let Some((path, mut file)) = self.0 else { return show(&text) };
        let mut write = || -> std::io::Result<()> {
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write to {} (see --csv)", path.display()))?;
        eprintln!("{} lines are in {}", text.lines().count(), path.display());
        Ok(())
    }
}
