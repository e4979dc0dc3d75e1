//! The command line.

mod ask;
mod asked;
mod chinese;
mod operate;
mod outbound;
mod proof;
mod refused;
mod source;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdc::Profile;
use clap::{ArgGroup, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use domain::{AccountSequence, BusinessDate, Policy};

use crate::kept_parameters;
use crate::language::{Language, say};
use crate::operators_log::ON_THE_COMMAND_LINE;
use crate::stack::Options;

pub use ask::{
    Account, Ask, Completions, Held, Log, Operations, Order, Quarantine, Shell, Snapshot, Statement, Status,
};
pub use asked::{Asked, Sent};
pub use operate::{LetGo, LetGoClose, LetGoTruncate, Operate, Pause, Resume, Work};
pub use outbound::{
    Events, OneWebhook, Redeliver, ResumeWebhook, Secrets, SetWebhook, WebhookCommand, Webhooks,
};
pub use proof::{Audit, Digest, Explain, PriceBook, PriceBookExport, PriceBookImport, Verify};
pub use source::{Compare, Reconcile};

// Parameters of the template.
const SETTLE: &str = "SettleSeconds";
const BRAKE: &str = "BrakeAdoptions";
const GUARD: &str = "GuardFactor";
const PROFILE: &str = "CdcProfile";
const PARTITIONS: &str = "OrdersPartitions";

/// The contribution ledger on this machine.
///
/// Without a command it is `run`: it starts everything in memory, replays the recording of the ordering incident, shows
/// what became of it, and serves the API and the console until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "contribution", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What `run` takes.
    #[command(flatten)]
    pub run: RunOptions,
}

impl Arguments {
    /// Returns what the process was started with. Where that cannot be read, or asks for help, the process ends here.
    #[must_use]
    pub fn of_process() -> Self {
        if Language::of_environment() == Language::English {
            return Self::parse();
        }
        let mut command = chinese::in_chinese(Self::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        let read = matches.and_then(|matches| Self::from_arg_matches(&matches));
        read.unwrap_or_else(|error| refused::in_chinese(error, &command).exit())
    }
}

/// How many partitions the orders' topic may have: what infra/template.yaml allows.
const PARTITIONS_MAX: u32 = 1_000;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replays captures, then serves the API and the console until Ctrl-C.
    ///
    /// Tables that are kept with --data and are not empty are gone on with, and nothing is replayed.
    ///
    /// Example: contribution run events/captures/flattened-regions.jsonl --data ledger
    Run(Run),
    /// Replays captures until nothing is left to do, shows a summary, and exits.
    ///
    /// A capture is a file with one Kafka record per line, as JSON: topic, partition, offset, timestamp, key and value,
    /// or what `kcat -J` writes. `-` is standard input. With --data, a replay that was interrupted goes on where it
    /// was.
    ///
    /// Example: contribution replay events/captures/ordering-incident.jsonl --as-of 2026-02-10 --export ledger.json
    Replay(Replay),
    /// Writes the state of a ledger kept with --data to a file, as JSON; with --log, the log that `verify` checks.
    ///
    /// Example: contribution export ledger.json --data ledger
    ///
    /// Example: contribution export --log log.jsonl --data ledger
    Export(Export),
    /// Closes business dates of a ledger kept with --data, and exits.
    ///
    /// Dates close in sequence, so that all up to the one named are closed. What was read of the source counts as
    /// all there is.
    ///
    /// Example: contribution close 2026-02-10 --data ledger
    Close(Close),
    /// What asks a ledger and changes nothing.
    #[command(flatten)]
    Ask(Ask),
    /// What operates a ledger.
    #[command(flatten)]
    Operate(Operate),
    /// Recalculates a ledger kept with --data from its log, and compares everything that is stored with it.
    ///
    /// It exits with 1 where something differs, and names it. With --repair, heads that differ are rebuilt from the
    /// log, and adoptions that differ are compared again; each repair stands in the operators' log. An audit that was
    /// interrupted goes on where it was.
    ///
    /// Example: contribution audit --data ledger --repair
    Audit(Audit),
    /// Prints the state digest of a ledger kept with --data, and one for each section.
    ///
    /// Two ledgers with the same inputs have the same digest on the same date, whatever arrived first. With --diff, the
    /// first hundred keys that differ between two ledgers are named: two data directories, two exports made with
    /// `export --log`, or one of each.
    ///
    /// Example: contribution digest --data ledger
    ///
    /// Example: contribution digest --diff ledger second
    Digest(Digest),
    /// Checks an export of the log: that its pages follow each other, that its entries do not contradict each other,
    /// what every posting shares out, and that all of it has the digest that the export says.
    ///
    /// It uses nothing that decided, stored or projected the ledger. Keep the head that it prints: with --head, a later
    /// export is refused if anything up to there was rewritten.
    ///
    /// Example: contribution verify log.jsonl
    ///
    /// Example: contribution verify log.jsonl --head 4711:5f0c...
    Verify(Verify),
    /// Says why each leg of an adoption has its amount: terms and where the price comes from, the chain and what it had
    /// unlocked, what was not allocated and why, its place in the price book, and the cause of every correction.
    ///
    /// Of a deployment it knows the last entry of the log about the adoption, and not those before.
    ///
    /// Example: contribution explain 55 --data ledger
    ///
    /// Example: `contribution explain 55 --url https://api.example.com`
    Explain(Explain),
    /// Writes the price book of a ledger to a file, or takes over that of another ledger.
    ///
    /// A second ledger that is to end with the same digest needs it before it is fed.
    ///
    /// Example: contribution price-book export book.csv --data ledger
    ///
    /// Example: contribution price-book import book.csv --data second
    #[command(subcommand)]
    PriceBook(PriceBook),
    /// Compares the source's tables with the ledger's rows, and names every row that is lost, extra or stale.
    ///
    /// The tables are read on a PostgreSQL server, or are those of a capture of a snapshot. A row that differs is
    /// looked at again before it is named, so that both may go on changing. With --repair the ledger takes in what the
    /// source has; that stands in the operators' log.
    ///
    /// Example: contribution reconcile --postgres <postgres://reader@localhost/planting> --data ledger
    Reconcile(Reconcile),
    /// Says what differs between the ledger and the service that ran before, account by account, and why.
    ///
    /// It reads that service's tables on a PostgreSQL server, and writes CSV files and a page.
    ///
    /// Example: contribution compare --postgres <postgres://reader@localhost/rwa_contribution> --data ledger --out compared
    Compare(Compare),
    /// Prints what a shell needs to complete this command's names and options.
    ///
    /// Example: contribution completions bash > ~/.local/share/bash-completion/completions/contribution
    Completions(Completions),
    /// Prints a token that the API of a running stack accepts.
    ///
    /// Example: curl -H "Authorization: Bearer $(contribution token --operate)" 127.0.0.1:8787/v1/status
    Token(Token),
}

/// What `run` takes besides captures.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// The port of 127.0.0.1 that serves the API and the console; 0 finds a free one.
    #[arg(long, default_value_t = 8787)]
    pub port: u16,
    /// Closes the business dates up to this one once the captures are replayed.
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<BusinessDate>,
    /// Where and how the ledger runs.
    #[command(flatten)]
    pub ledger: LedgerOptions,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Captures to replay if the ledger is empty; the built-in one if none is named.
    pub captures: Vec<PathBuf>,
    /// The rest.
    #[command(flatten)]
    pub options: RunOptions,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Captures, one after another.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Closes the business dates up to this one at the end.
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<BusinessDate>,
    /// Writes the ledger's state to this file at the end, as JSON; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Shows the summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where and how the ledger runs.
    #[command(flatten)]
    pub ledger: LedgerOptions,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The file to write; - is standard output.
    pub file: PathBuf,
    /// Writes every page of the log with the state digest they lead to, for `verify`.
    #[arg(long)]
    pub log: bool,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}

/// `close`.
#[derive(Debug, Args)]
pub struct Close {
    /// The last date to close; today's in the business time zone if none is named.
    pub date: Option<BusinessDate>,
    /// Why, for the operators' log.
    #[arg(long, default_value = ON_THE_COMMAND_LINE)]
    pub reason: String,
    /// Shows what was closed as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}

/// `token`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("bearer").required(true).args(["account", "operate"])))]
pub struct Token {
    /// A token of this account's member, which reads that account only.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<AccountSequence>,
    /// A token of an operator, which reads and operates everything.
    #[arg(long)]
    pub operate: bool,
    /// The data directory of the stack that is to accept the token, if it has one. Its operators' log then says that
    /// the token was issued.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Why, for the operators' log.
    #[arg(long, default_value = ON_THE_COMMAND_LINE)]
    pub reason: String,
}

/// A ledger that an earlier command kept.
#[derive(Debug, Args)]
pub struct KeptLedger {
    /// The directory that the ledger is kept in.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Sets a parameter of infra/template.yaml, as when deploying.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

/// Where and how a ledger runs.
#[derive(Debug, Args)]
pub struct LedgerOptions {
    /// Keeps the ledger in this directory, so that a later start goes on with it: with the profile, the policy, the
    /// brakes and the parameters that were given last. Without it, it is in memory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What the topics carry: the name of a profile, or a file with one as JSON.
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// The numbers of the rules: a file with JSON; what it leaves out has its default.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// How many partitions the topic of the orders has; as many as the captures show if it is not said.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(PARTITIONS_MAX)))]
    pub partitions: Option<u32>,
    /// How long a withdrawal waits for a later version of its rows, in seconds; 0 at first.
    #[arg(long, value_name = "SECONDS")]
    pub settle: Option<u32>,
    /// How many withdrawals an hour go by themselves; more wait for an operator. It is off at first.
    #[arg(long, value_name = "COUNT|off", value_parser = count_or_off)]
    pub brake: Option<String>,
    /// How many times the largest amount of thirty days may become effective on a date before its close waits. It is
    /// off at first.
    #[arg(long, value_name = "FACTOR|off", value_parser = count_or_off)]
    pub guard: Option<String>,
    /// Sets a parameter of infra/template.yaml, as when deploying.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

impl KeptLedger {
    /// Returns how to run the stack.
    ///
    /// # Errors
    ///
    /// It says that there is no ledger in the directory.
    pub fn options(&self) -> Result<Options> {
        kept_options(&self.data, &self.parameters)
    }
}

impl LedgerOptions {
    /// Returns how to run the stack, where the captures show so many partitions of the orders' topic.
    pub fn options(&self, partitions_seen: u32) -> Result<Options> {
        let last = partitions_seen.saturating_sub(1);
        anyhow::ensure!(
            partitions_seen <= PARTITIONS_MAX,
            say(
                format!(
                    "a capture names partition {last} of the orders' topic, which may have {PARTITIONS_MAX} partitions: \
                     look for the line in the capture"
                ),
                format!(
                    "捕获文件中订单主题出现分区 {last}，而最多允许 {PARTITIONS_MAX} 个分区：请查看捕获文件中的该行"
                ),
            )
        );
        let mut parameters = self.kept()?;
        let kept_partitions = parameters.get(PARTITIONS).and_then(|count| count.parse().ok());
        let partitions = self.partitions.or(kept_partitions).unwrap_or(partitions_seen).max(partitions_seen);
        let mut set = |name: &str, value: String| parameters.insert(name.to_owned(), value);
        set(PARTITIONS, partitions.to_string());
        let brakes = [
            (SETTLE, self.settle.map(|seconds| seconds.to_string())),
            (BRAKE, self.brake.clone()),
            (GUARD, self.guard.clone()),
        ];
        for (name, value) in brakes {
            value.map(|value| set(name, value));
        }
        if let Some(profile) = &self.profile {
            set(PROFILE, profile_text(profile)?);
        }
        if let Some(path) = &self.policy {
            let text = std::fs::read_to_string(path).with_context(|| {
                let path = path.display();
                say(format!("cannot read the policy {path}"), format!("无法读取规则文件 {path}"))
            })?;
            serde_json::from_str::<Policy>(&text).with_context(|| {
                let path = path.display();
                say(format!("the policy {path}"), format!("规则文件 {path}"))
            })?;
            set("ContributionPolicy", text);
        }
        parameters.extend(self.parameters.iter().cloned());
        Ok(Options { data: self.data.clone(), parameters })
    }

    /// Returns the profile of the topics.
    pub fn profile(&self) -> Result<Profile> {
        let text = match &self.profile {
            Some(profile) => Some(profile_text(profile)?),
            None => self.kept()?.remove(PROFILE),
        };
        let Some(text) = text else { return Ok(Profile::built_in()) };
        match Profile::named(&text) {
            Some(profile) => Ok(profile),
            None => Profile::from_json(&text).with_context(|| match &self.profile {
                Some(profile) => say(format!("the profile {profile}"), format!("配置 {profile}")),
                None => say("the profile that the ledger's directory keeps", "账本目录保存的配置").to_owned(),
            }),
        }
    }

    /// Returns the parameters that the ledger's directory keeps, if it has one that does.
    fn kept(&self) -> Result<BTreeMap<String, String>> {
        self.data.as_deref().map_or_else(|| Ok(without_brakes()), parameters_kept_in)
    }
}

/// Returns how to run the stack over a ledger that is kept in this directory.
///
/// # Errors
///
/// It says that there is no ledger in the directory, or that it cannot be read.
pub fn kept_options(data: &Path, parameters: &[(String, String)]) -> Result<Options> {
    let shown = data.display();
    let is_there = match data.join("tables.sqlite").try_exists() {
        Err(error) if error.kind() == ErrorKind::NotADirectory => false,
        found => found.with_context(|| {
            say(format!("the ledger in {shown} cannot be read"), format!("无法读取 {shown} 中的账本"))
        })?,
    };
    anyhow::ensure!(
        is_there,
        say(
            format!("{shown} holds no ledger: name a directory that replay or run was given with --data"),
            format!("{shown} 中没有账本：请写明 replay 或 run 以 --data 使用过的目录"),
        )
    );
    let mut all = parameters_kept_in(data)?;
    all.extend(parameters.iter().cloned());
    Ok(Options { data: Some(data.to_owned()), parameters: all })
}

/// Returns the parameters that a directory keeps. Where it does not say when changes wait, none does.
fn parameters_kept_in(data: &Path) -> Result<BTreeMap<String, String>> {
    let mut parameters = without_brakes();
    parameters.extend(kept_parameters::read(data)?);
    Ok(parameters)
}

/// Returns the parameters by which no change waits for time or an operator: a recording has none.
fn without_brakes() -> BTreeMap<String, String> {
    [(SETTLE, "0"), (BRAKE, "off"), (GUARD, "off")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Returns a profile's name, or the content of the file with one.
fn profile_text(profile: &str) -> Result<String> {
    const NAMES: [&str; 4] = ["built-in", "guide", "guide-planting-orders", "flattened-deployment"];
    if Profile::named(profile).is_some() {
        return Ok(profile.to_owned());
    }
    std::fs::read_to_string(Path::new(profile)).with_context(|| {
        let (names, meant) = (NAMES.join(", "), crate::suggestion(profile, NAMES));
        say(
            format!("{profile} is neither a profile nor a file with one; profiles are {names}{meant}"),
            format!("{profile} 既不是配置名称，也不是配置文件；可用的配置有 {names}{meant}"),
        )
    })
}

/// Returns the text if it is a whole number from 1, or `off`.
fn count_or_off(text: &str) -> Result<String, &'static str> {
    let is_good = text == "off" || text.parse::<u32>().is_ok_and(|count| count > 0);
    if is_good {
        Ok(text.to_owned())
    } else {
        Err(say("expected a whole number from 1, or off", "应为不小于 1 的整数，或 off"))
    }
}

/// Returns the text as a number of entries to show.
fn at_least_one(text: &str) -> Result<usize, &'static str> {
    let is_good = |count: &usize| *count > 0;
    text.parse()
        .ok()
        .filter(is_good)
        .ok_or_else(|| say("expected a whole number from 1", "应为不小于 1 的整数"))
}

fn parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or(say("expected NAME=VALUE", "应为 名称=值"))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
