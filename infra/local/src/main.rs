//! The `contribution` command.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use contribution::{inspect, replay};
use ledger::rules::{AccountSequence, OrderId};
use tracing_subscriber::EnvFilter;

/// The contribution ledger on this machine.
///
/// Without a command it is `up`: it starts everything, replays the built-in capture of the ordering
/// incident, shows what became of it, and stays up until Ctrl-C.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: Up,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the stack, replays captures if it is empty, and stays up until Ctrl-C.
    Up(Up),
    /// Replays captures until nothing is left to do, shows a summary, and exits.
    ///
    /// Example: contribution replay events/captures/ordering-incident.jsonl --export ledger.json
    Replay(Replay),
    /// Recomputes the ledger from source rows and journal, and reports every difference. Fails if there
    /// is one.
    ///
    /// Example: contribution audit --data ./data --repair --report audit.json
    Audit(Audit),
    /// Says why an adoption was shared out as it was, or why an account received something or nothing.
    ///
    /// Example: contribution explain 57 D25122700018
    Explain(Explain),
}

#[derive(Debug, Args)]
struct Up {
    /// Captures to replay if the stack is empty; the built-in one if none is named.
    files: Vec<PathBuf>,
    #[command(flatten)]
    storage: StorageOptions,
}

#[derive(Debug, Args)]
struct Replay {
    /// Captures: files with one Kafka record per line.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Writes the ledger's state to this file, as JSON.
    #[arg(long, value_name = "OUT.json")]
    export: Option<PathBuf>,
    #[command(flatten)]
    storage: StorageOptions,
}

#[derive(Debug, Args)]
struct Audit {
    /// Puts right what the ledger's own means can, and audits again.
    #[arg(long)]
    repair: bool,
    /// Writes the report to this file, as JSON.
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    #[command(flatten)]
    storage: StorageOptions,
}

#[derive(Debug, Args)]
struct Explain {
    /// The adoption's order number.
    order: OrderId,
    /// The account to explain it for; without one every leg is explained.
    account: Option<AccountSequence>,
    /// Shows the explanation as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageOptions,
}

#[derive(Debug, Args)]
struct StorageOptions {
    /// Keeps the tables in this directory, so that a later start goes on with them.
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,
    /// Keeps the tables in memory only. This is the default.
    #[arg(long)]
    ephemeral: bool,
}

impl StorageOptions {
    fn storage(self) -> Storage {
        self.data.map_or(Storage::Ephemeral, Storage::Directory)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => up(cli.up).await,
        Some(Command::Up(arguments)) => up(arguments).await,
        Some(Command::Replay(arguments)) => run_replay(arguments).await,
        Some(Command::Audit(arguments)) => run_audit(arguments).await,
        Some(Command::Explain(arguments)) => run_explain(arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up(arguments: Up) -> Result<()> {
    // Unreadable input is an error before anything starts.
    let captures = replay::captures(&arguments.files)?;
    let stack = Stack::start(&Options::new(arguments.storage.storage())).await?;
    if stack.is_empty().await? {
        println!("{}", replay::replay(&stack, &captures).await?);
    } else {
        eprintln!("the tables are not empty: nothing is replayed, and the work goes on");
    }
    eprintln!("up; press Ctrl-C to stop");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn run_replay(arguments: Replay) -> Result<()> {
    let captures = replay::captures(&arguments.files)?;
    let stack = Stack::start(&Options::new(arguments.storage.storage())).await?;
    let summary = replay::replay(&stack, &captures).await?;
    println!("{summary}");
    if let Some(path) = &arguments.export {
        replay::write_export(&stack, path).await?;
        eprintln!("the ledger's state is in {}", path.display());
    }
    Ok(())
}

async fn run_audit(arguments: Audit) -> Result<()> {
    let stack = inspect::open(arguments.storage.storage()).await?;
    let reports = inspect::audit(&stack, arguments.repair).await?;
    for report in &reports {
        show(&report.to_string())?;
    }
    let last = reports.last().expect("an audit makes a report");
    if let Some(path) = &arguments.report {
        inspect::write_report(last, path)?;
        eprintln!("the report is in {}", path.display());
    }
    anyhow::ensure!(last.is_clean(), "the ledger is not what its source and journal say");
    Ok(())
}

async fn run_explain(arguments: Explain) -> Result<()> {
    let Explain { order, account, json, storage } = arguments;
    let stack = inspect::open(storage.storage()).await?;
    show(&inspect::explain(&stack, order, account.as_ref(), json).await?)
}

/// Prints text that a reader such as `head` may stop reading, which is no failure.
fn show(text: &str) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
