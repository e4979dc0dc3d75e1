//! The `contribution` command.

use std::fmt::Display;
use std::future::IntoFuture;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::Utc;
use clap::{Args, Parser, Subcommand};
use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use contribution::token::{DevelopmentKey, Grant};
use contribution::{close, inspect, replay};
use ledger::environment::Environment;
use ledger::queue::Release;
use ledger::rules::{AccountSequence, BusinessDate, OrderId};
use tokio::net::TcpListener;
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
    /// Writes the per-account records again from the journal, and says what was not as it should be.
    ///
    /// Example: contribution rebuild --data ledger --events events.jsonl
    Rebuild(Rebuild),
    /// Prints a token that the running stack's API accepts.
    ///
    /// Example: curl -H "Authorization: Bearer $(contribution token --operate)" 127.0.0.1:8787/v1/sync-status
    Token(Token),
    /// Closes business dates on tables kept with --data, and exits.
    ///
    /// Dates close in sequence, so that all up to the one named are closed.
    Close(Close),
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
    /// The port of 127.0.0.1 that serves the API and the console.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Closes the business dates up to this one once the captures are replayed.
    #[arg(long, value_name = "DATE")]
    as_of: Option<BusinessDate>,
    /// Reads the change topics of this broker instead, and goes on as records come.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "files")]
    kafka: Option<String>,
    #[command(flatten)]
    stack: StackOptions,
}

#[derive(Debug, Args)]
struct Close {
    /// The last date to close; today's in the business time zone if none is named.
    date: Option<BusinessDate>,
    /// Closes even what waits for adoptions of earlier dates: they enter with a later date.
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    stack: StackOptions,
}

#[derive(Debug, Args)]
struct Token {
    #[command(flatten)]
    grant: GrantOptions,
    /// The data directory of the stack that is to accept the token, if it has one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct GrantOptions {
    /// A token of this account's user, which reads that account only.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountSequence>,
    /// A token of an operator, which reads everything.
    #[arg(long)]
    operate: bool,
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
    /// Closes the business dates up to this one before the export.
    #[arg(long, value_name = "DATE")]
    as_of: Option<BusinessDate>,
    #[command(flatten)]
    stack: StackOptions,
}

#[derive(Debug, Args)]
struct Rebuild {
    #[command(flatten)]
    tables: RebuiltTables,
    /// Writes every event there ever was to this file, one JSON document per line: of each account's
    /// postings in their order.
    #[arg(long, value_name = "OUT.jsonl")]
    events: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RebuiltTables {
    /// The directory the tables are in; the running stack's memory is nobody else's.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The tables of a deployment, whose names are in the environment variables that its functions have.
    #[arg(long)]
    deployed: bool,
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
    stack: StackOptions,
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
    // What the audit's log says of each difference, its report says here.
    let filter = || EnvFilter::new("error,ledger_audit=off");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| filter());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => up(cli.up).await,
        Some(Command::Up(arguments)) => up(arguments).await,
        Some(Command::Replay(arguments)) => run_replay(arguments).await,
        Some(Command::Rebuild(arguments)) => run_rebuild(arguments).await,
        Some(Command::Token(arguments)) => print_token(arguments),
        Some(Command::Close(arguments)) => run_close(arguments).await,
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
    // Unreadable input and a port in use are errors before anything starts.
    let captures = replay::captures(&arguments.files)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .with_context(|| format!("cannot serve on port {}; name another with --port", arguments.port))?;
    let address = listener.local_addr()?;
    let options = arguments.stack.options();
    let key = DevelopmentKey::kept_with(&options.storage)?;
    let mut stack = Stack::start(&options).await?;
    let server = axum::serve(listener, stack.http_api(&key).into_router());
    let work = async {
        if let Some(bootstrap) = &arguments.kafka {
            stack.follow_kafka(bootstrap).await?;
        } else if stack.is_empty().await? {
            show(&replay::replay(&stack, &captures).await?)?;
        } else {
            eprintln!("the tables are not empty: nothing is replayed, and the work goes on");
        }
        if let Some(date) = arguments.as_of {
            show(&close::close_until(&stack, date, Release::SourceIsComplete).await?)?;
        }
        let token = key.issue(&Grant::Operate, Utc::now())?;
        eprintln!("the API is at http://{address}, its contract at http://{address}/openapi.json");
        eprintln!("the operators' console, for the next twelve hours:\n  http://{address}/#token={token}");
        eprintln!("up; press Ctrl-C to stop");
        std::future::pending().await
    };
    tokio::select! {
        ended = server.into_future() => ended.context("the API cannot be served any longer"),
        worked = work => worked,
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}

fn print_token(arguments: Token) -> Result<()> {
    let storage = arguments.data.map_or(Storage::Ephemeral, Storage::Directory);
    let grant = arguments.grant.account.map_or(Grant::Operate, Grant::Account);
    show(&DevelopmentKey::kept_with(&storage)?.issue(&grant, Utc::now())?)?;
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
    show(&summary)?;
    if let Some(date) = arguments.as_of {
        show(&close::close_until(&stack, date, Release::SourceIsComplete).await?)?;
    }
    if let Some(path) = &arguments.export {
        replay::write_export(&stack, path).await?;
        eprintln!("the ledger's state is in {}", path.display());
    }
    Ok(())
}

async fn run_rebuild(arguments: Rebuild) -> Result<()> {
    // The work that is left goes on meanwhile, which a rebuild does not mind.
    let (store, _stack) = match arguments.tables.data {
        None => (Environment::of_process().await?.store, None),
        Some(directory) => {
            let storage = Storage::Directory(directory);
            storage.check_that_tables_exist()?;
            let stack = Stack::start(&Options::new(storage)).await?;
            (stack.store().clone(), Some(stack))
        }
    };
    show(&ledger_stream::rebuild::rebuild(&store).await?)?;
    if let Some(path) = &arguments.events {
        let events = replay::write_events(&store, path).await?;
        show(&format_args!("{events} events are in {}", path.display()))?;
    }
    Ok(())
}

async fn run_close(arguments: Close) -> Result<()> {
    let options = arguments.stack.options();
    options.storage.check_that_tables_exist()?;
    let stack = Stack::start(&options).await?;
    let zone = stack.environment().policy.business_time_zone();
    let today = BusinessDate::at(chrono::Utc::now(), zone).context("the clock shows no business date")?;
    let release = if arguments.release { Release::Everything } else { Release::SourceIsComplete };
    // What was released earlier and not distributed yet would only make the close wait.
    stack.settle(|_| {}).await?;
    show(&close::close_until(&stack, arguments.date.unwrap_or(today), release).await?)?;
    Ok(())
}

async fn run_audit(arguments: Audit) -> Result<()> {
    let stack = inspect::open(&arguments.stack.options()).await?;
    let last = inspect::audit(&stack, arguments.repair, show).await?;
    if let Some(path) = &arguments.report {
        inspect::write_report(&last, path)?;
        eprintln!("the report is in {}", path.display());
    }
    anyhow::ensure!(last.is_clean(), "the ledger is not what its source and journal say");
    Ok(())
}

async fn run_explain(arguments: Explain) -> Result<()> {
    let Explain { order, account, json, stack } = arguments;
    let stack = inspect::open(&stack.options()).await?;
    show(&inspect::explain(&stack, order, account.as_ref(), json).await?)
}

/// Prints text that a reader such as `head` may stop reading, which is no failure.
fn show(text: &impl Display) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{}", text.to_string().trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
