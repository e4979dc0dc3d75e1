//! The `contribution` command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use contribution::{close, replay};
use ledger::queue::Release;
use ledger::rules::BusinessDate;
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
    /// Closes business dates on tables kept with --data, and exits.
    ///
    /// Dates close in sequence, so that all up to the one named are closed.
    Close(Close),
}

#[derive(Debug, Args)]
struct Up {
    /// Captures to replay if the stack is empty; the built-in one if none is named.
    files: Vec<PathBuf>,
    /// Closes the business dates up to this one once the captures are replayed.
    #[arg(long, value_name = "DATE")]
    as_of: Option<BusinessDate>,
    #[command(flatten)]
    storage: StorageOptions,
}

#[derive(Debug, Args)]
struct Close {
    /// The last date to close; today's in the business time zone if none is named.
    date: Option<BusinessDate>,
    /// Closes even what waits for adoptions of earlier dates: they enter with a later date.
    #[arg(long)]
    release: bool,
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
    /// Closes the business dates up to this one before the export.
    #[arg(long, value_name = "DATE")]
    as_of: Option<BusinessDate>,
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
        Some(Command::Close(arguments)) => run_close(arguments).await,
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
    if let Some(date) = arguments.as_of {
        println!("{}", close::close_until(&stack, date, Release::SourceIsComplete).await?);
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
    if let Some(date) = arguments.as_of {
        println!("{}", close::close_until(&stack, date, Release::SourceIsComplete).await?);
    }
    if let Some(path) = &arguments.export {
        replay::write_export(&stack, path).await?;
        eprintln!("the ledger's state is in {}", path.display());
    }
    Ok(())
}

async fn run_close(arguments: Close) -> Result<()> {
    let stack = Stack::start(&Options::new(arguments.storage.storage())).await?;
    let zone = stack.environment().policy.business_time_zone();
    let today = BusinessDate::at(chrono::Utc::now(), zone).context("the clock shows no business date")?;
    let release = if arguments.release { Release::Everything } else { Release::SourceIsComplete };
    // What was released earlier and not distributed yet would only make the close wait.
    stack.settle(|_| {}).await?;
    println!("{}", close::close_until(&stack, arguments.date.unwrap_or(today), release).await?);
    Ok(())
}
