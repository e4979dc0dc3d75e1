//! The `contribution` command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use contribution::endpoints::Storage;
use contribution::replay;
use contribution::stack::{Options, Stack};
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
}

#[derive(Debug, Args)]
struct Up {
    /// Captures to replay if the stack is empty; the built-in one if none is named.
    files: Vec<PathBuf>,
    /// Reads the change topics of this broker instead, and goes on as records come.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "files")]
    kafka: Option<String>,
    #[command(flatten)]
    stack: StackOptions,
}

#[derive(Debug, Args)]
struct Replay {
    /// Captures: files with one Kafka record per line.
    #[arg(required_unless_present = "kafka")]
    files: Vec<PathBuf>,
    /// Reads the change topics of this broker instead, up to where they end now.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "files")]
    kafka: Option<String>,
    /// Writes the ledger's state to this file, as JSON.
    #[arg(long, value_name = "OUT.json")]
    export: Option<PathBuf>,
    #[command(flatten)]
    stack: StackOptions,
}

#[derive(Debug, Args)]
struct StackOptions {
    /// Keeps the tables in this directory, so that a later start goes on with them.
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,
    /// Keeps the tables in memory only. This is the default.
    #[arg(long)]
    ephemeral: bool,
    /// Sets a parameter of infra/template.yaml, as when deploying.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
}

impl StackOptions {
    fn options(self) -> Options {
        let mut options = Options::new(self.data.map_or(Storage::Ephemeral, Storage::Directory));
        options.parameters.extend(self.parameters);
        options
    }
}

fn parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
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
    let mut stack = Stack::start(&arguments.stack.options()).await?;
    if let Some(bootstrap) = &arguments.kafka {
        stack.follow_kafka(bootstrap).await?;
    } else if stack.is_empty().await? {
        println!("{}", replay::replay(&stack, &captures).await?);
    } else {
        eprintln!("the tables are not empty: nothing is replayed, and the work goes on");
    }
    eprintln!("up; press Ctrl-C to stop");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn run_replay(arguments: Replay) -> Result<()> {
    let summary;
    let stack;
    if let Some(bootstrap) = &arguments.kafka {
        stack = Stack::start(&arguments.stack.options()).await?;
        summary = replay::replay_kafka(&stack, bootstrap).await?;
    } else {
        let captures = replay::captures(&arguments.files)?;
        stack = Stack::start(&arguments.stack.options()).await?;
        summary = replay::replay(&stack, &captures).await?;
    }
    println!("{summary}");
    if let Some(path) = &arguments.export {
        replay::write_export(&stack, path).await?;
        eprintln!("the ledger's state is in {}", path.display());
    }
    Ok(())
}
