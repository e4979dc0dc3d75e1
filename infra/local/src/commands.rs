//! The commands, one file each; the first lines of a file say what it reads and writes.

mod ask;
mod audit;
mod compare;
mod completions;
mod digest;
mod explain;
mod kept;
mod operate;
mod price_book;
mod reconcile;
mod replay;
mod run;
mod verify;

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use chrono::Utc;
use domain::BusinessDate;

use crate::arguments::{Arguments, Close, Command, Export, Run, Token};
use crate::export::ExportFile;
use crate::language::Language;
use crate::operators_log::Deed;
use crate::stack::Stack;
use crate::token::{DevelopmentKey, Grant};
use crate::{close, operators_log};

/// Carries out a command, until it is done or Ctrl-C is pressed. Returns what the process exits with.
pub async fn carry_out(arguments: Arguments) -> Result<ExitCode> {
    let command =
        arguments.command.unwrap_or(Command::Run(Run { captures: Vec::new(), options: arguments.run }));
    match command {
        Command::Ask(question) => return ask::carry_out(&question).await,
        Command::Run(run) => run::run(run).await,
        Command::Replay(replay) => replay::replay(replay).await,
        Command::Export(export) => write_export(export).await,
        Command::Close(close) => close_dates(close).await,
        Command::Operate(command) => operate::operate(&command).await,
        Command::Audit(audit) => audit::audit(audit).await,
        Command::Digest(digest) => digest::digest(digest).await,
        Command::Verify(verify) => verify::verify(&verify),
        Command::Explain(explain) => explain::explain(explain).await,
        Command::PriceBook(price_book) => price_book::price_book(price_book).await,
        Command::Reconcile(reconcile) => reconcile::reconcile(reconcile).await,
        Command::Compare(compare) => compare::compare(compare).await,
        Command::Token(token) => print_token(&token),
        Command::Completions(completions) => completions::print(&completions),
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn write_export(arguments: Export) -> Result<()> {
    let file = ExportFile::open(&arguments.file)?;
    if arguments.log {
        return kept::export_log(file, &arguments.kept).await;
    }
    let stack = Stack::start(&arguments.kept.options()?)?;
    unless_stopped(Some(&arguments.kept.data), async {
        operators_log::take_in(&stack, &arguments.kept.data).await?;
        stack.settle().await?;
        file.write(&stack).await
    })
    .await
}

async fn close_dates(arguments: Close) -> Result<()> {
    let stack = Stack::start(&arguments.kept.options()?)?;
    let zone = stack.settings.policy.business_time_zone();
    let today =
        BusinessDate::at(stack.shared.clock.now(), zone).context("the clock shows no business date")?;
    let until = arguments.date.unwrap_or(today);
    unless_stopped(Some(&arguments.kept.data), async {
        close::check(&stack, until).await?;
        operators_log::take_in(&stack, &arguments.kept.data).await?;
        stack.settle().await?;
        let closed = close::close_until(&stack, until, &arguments.reason, None).await?;
        if arguments.json { show(&serde_json::to_string_pretty(&closed.to_json())?) } else { show(&closed) }
    })
    .await
}

fn print_token(arguments: &Token) -> Result<()> {
    let grant = arguments.account.clone().map_or(Grant::Operate, Grant::Account);
    let now = Utc::now();
    let token = DevelopmentKey::kept_in(arguments.data.as_deref())?.issue(&grant, now);
    if let Some(directory) = &arguments.data {
        let whose = match &arguments.account {
            None => "an operator's token".to_owned(),
            Some(account) => format!("a token of the member {account}"),
        };
        operators_log::leave(directory, &arguments.reason, Deed::of_token(&whose, now))?;
    }
    show(&token)
}

/// Returns the error of a build that has no network in it.
#[cfg(not(feature = "network"))]
fn without_network(option: &str) -> anyhow::Error {
    let way = "`cargo build -p contribution --features network`";
    let other_way = "`cargo run --features network -- ...`";
    anyhow::anyhow!(Language::of_environment().say(
        format!(
            "this build cannot read a database, so {option} does nothing: build it with {way}, or start it with \
             {other_way}"
        ),
        format!("此版本无法读取数据库，{option} 不起作用：请用 {way} 构建，或用 {other_way} 启动"),
    ))
}

/// Does the work unless Ctrl-C is pressed first; then it says what is kept.
async fn unless_stopped(data: Option<&Path>, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        done = work => done,
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            Err(anyhow::anyhow!(stopped_words(data)))
        }
    }
}

/// Returns what is kept of work that Ctrl-C stopped.
fn stopped_words(data: Option<&Path>) -> String {
    let language = Language::of_environment();
    let Some(directory) = data.map(Path::display) else {
        let english = "stopped; nothing is kept, because the ledger was in memory (see --data)";
        return language.say(english, "已停止；账本只在内存中，未保存（参见 --data）").to_owned();
    };
    language.say(
        format!(
            "stopped; what was done so far is kept in {directory}, and the same command goes on from there"
        ),
        format!("已停止；目前的进度保存在 {directory}，再次运行同一命令即可继续"),
    )
}

/// Returns a reader of a file, or of standard input where the path is `-`.
fn readable(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

/// Prints text that a reader such as `head` may stop reading, which is not a failure.
fn show(text: &impl Display) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{}", text.to_string().trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
