//! Commands that ask a ledger and change nothing.

mod account;
mod lists;
mod log;
mod operations;
mod order;
mod outbound;
mod snapshot;
mod statement;
mod status;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::show;
use crate::arguments::{Ask, Asked};
use crate::client::{Client, encoded};
use crate::language::{Language, say, tell};
use crate::screen::Screen;

pub(super) use outbound::show_secrets;

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
        Ask::Events(events) => outbound::show_events(events).await,
        Ask::Webhooks(webhooks) => outbound::show_webhooks(webhooks).await,
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

/// Returns an account's path as the ledger spells the account, and what is known of it. Where only the case of letters
/// is wrong, the account that was meant is taken, and it is said so.
///
/// # Errors
///
/// What the API says.
async fn known_account(client: &Client, account: &str) -> Result<(String, Value)> {
    let account = account.trim();
    ensure!(!account.is_empty(), say("which account? Its name is empty", "哪个账户？账户名为空"));
    let path = |account: &str| format!("/v1/accounts/{}", encoded(account));
    let unknown = match client.json(&path(account)).await {
        Ok(found) => return Ok((path(account), found)),
        Err(error) => error,
    };
    let spelled = account.to_uppercase();
    if spelled != account
        && let Ok(Some(found)) = client.find(&path(&spelled)).await
    {
        let english = format!("{account} is not known; this is {spelled}");
        tell(Language::of_environment().say(english, format!("没有 {account}；以下为 {spelled}")));
        return Ok((path(&spelled), found));
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

fn cannot_write(path: &Path) -> String {
    let path = path.display();
    say(format!("cannot write to {path} (see --csv)"), format!("无法写入 {path}（参见 --csv）"))
}

/// A file for comma-separated values, or standard output. It is opened before anything is asked.
struct CsvFile {
    /// `None` for standard output.
    file: Option<(PathBuf, File)>,
    /// Whether the file is only there because of this, and has nothing in it yet.
    is_new: bool,
}

impl CsvFile {
    /// Opens it without changing what is in it.
    fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { file: None, is_new: false });
        }
        let is_new = !path.exists();
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = opened.with_context(|| cannot_write(path))?;
        Ok(Self { file: Some((path.to_owned(), file)), is_new })
    }

    /// Puts the text in the place of what is in it.
    fn write(mut self, text: &str) -> Result<()> {
        self.is_new = false;
        let Some((path, file)) = &mut self.file else { return show(&text) };
        let mut write = || -> std::io::Result<()> {
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().with_context(|| cannot_write(path))?;
        let (lines, path) = (text.lines().count(), path.display());
        let language = Language::of_environment();
        tell(language.say(format!("{lines} lines are in {path}"), format!("{path} 共 {lines} 行")));
        Ok(())
    }
}

impl Drop for CsvFile {
    /// Leaves no empty file behind where there was no answer.
    fn drop(&mut self) {
        if let Some((path, _)) = self.file.as_ref().filter(|_| self.is_new) {
            let _ = std::fs::remove_file(path);
        }
    }
}
