//! The command line.

mod ask;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdc::Profile;
use clap::{Args, Parser, Subcommand};
use domain::{AccountSequence, BusinessDate, Policy};

use crate::stack::Options;

pub use ask::{
    Account, Ask, Asked, Completions, Held, Log, Order, Quarantine, Shell, Snapshot, Statement, Status,
};

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
    /// Writes the state of a ledger kept with --data to a file, as JSON.
    ///
    /// Example: contribution export ledger.json --data ledger
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
    /// Writes the ledger's state to this file at the end, as JSON.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Where and how the ledger runs.
    #[command(flatten)]
    pub ledger: LedgerOptions,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The file to write.
    pub file: PathBuf,
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
    #[arg(long, default_value = "asked for on the command line")]
    pub reason: String,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}

/// `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// A token of this account's member, which reads that account only.
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "operate", conflicts_with = "operate")]
    pub account: Option<AccountSequence>,
    /// A token of an operator, which reads and operates everything.
    #[arg(long)]
    pub operate: bool,
    /// The data directory of the stack that is to accept the token, if it has one. Its operators' log then says that
    /// the token was issued.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Why, for the operators' log.
    #[arg(long, default_value = "asked for on the command line")]
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
    /// Keeps the ledger in this directory, so that a later start goes on with it. Without it, it is in memory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What the topics carry: the name of a profile, or a file with one as JSON.
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// The numbers of the rules: a file with JSON; what it leaves out has its default.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// How many partitions the topic of the orders has; as many as the captures show if it is not said.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub partitions: Option<u32>,
    /// How long a withdrawal waits for a later version of its rows, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub settle: u32,
    /// How many withdrawals an hour go by themselves; more wait for an operator.
    #[arg(long, value_name = "COUNT|off", default_value = "off", value_parser = count_or_off)]
    pub brake: String,
    /// How many times the largest amount of thirty days may become effective on a date before its close waits.
    #[arg(long, value_name = "FACTOR|off", default_value = "off", value_parser = count_or_off)]
    pub guard: String,
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
        let mut parameters = without_brakes(self.settle, &self.brake, &self.guard);
        let mut set = |name: &str, value: String| parameters.insert(name.to_owned(), value);
        set("OrdersPartitions", self.partitions.unwrap_or(partitions_seen).max(partitions_seen).to_string());
        if let Some(profile) = &self.profile {
            set("CdcProfile", profile_text(profile)?);
        }
        if let Some(path) = &self.policy {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the policy {}", path.display()))?;
            serde_json::from_str::<Policy>(&text)
                .with_context(|| format!("the policy {}", path.display()))?;
            set("ContributionPolicy", text);
        }
        parameters.extend(self.parameters.iter().cloned());
        Ok(Options { data: self.data.clone(), parameters })
    }

    /// Returns the profile of the topics.
    pub fn profile(&self) -> Result<Profile> {
        let Some(profile) = &self.profile else { return Ok(Profile::built_in()) };
        let text = profile_text(profile)?;
        match Profile::named(&text) {
            Some(profile) => Ok(profile),
            None => Profile::from_json(&text).with_context(|| format!("the profile {profile}")),
        }
    }
}

/// Returns how to run the stack over a ledger that is kept in this directory.
///
/// # Errors
///
/// It says that there is no ledger in the directory.
pub fn kept_options(data: &Path, parameters: &[(String, String)]) -> Result<Options> {
    anyhow::ensure!(
        data.join("tables.sqlite").exists(),
        "{} holds no ledger: name a directory that replay or run was given with --data",
        data.display()
    );
    let mut all = without_brakes(0, "off", "off");
    all.extend(parameters.iter().cloned());
    Ok(Options { data: Some(data.to_owned()), parameters: all })
}

/// Returns the parameters that say when changes wait for time or an operator.
fn without_brakes(settle_s: u32, brake: &str, guard: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("SettleSeconds".to_owned(), settle_s.to_string()),
        ("BrakeAdoptions".to_owned(), brake.to_owned()),
        ("GuardFactor".to_owned(), guard.to_owned()),
    ])
}

/// Returns a profile's name, or the content of the file with one.
fn profile_text(profile: &str) -> Result<String> {
    const NAMES: [&str; 4] = ["built-in", "guide", "guide-planting-orders", "flattened-deployment"];
    if Profile::named(profile).is_some() {
        return Ok(profile.to_owned());
    }
    std::fs::read_to_string(Path::new(profile)).with_context(|| {
        format!(
            "{profile} is neither a profile nor a file with one; profiles are {}{}",
            NAMES.join(", "),
            crate::suggestion(profile, NAMES)
        )
    })
}

/// Returns the text if it is a whole number from 1, or `off`.
fn count_or_off(text: &str) -> Result<String, &'static str> {
    let is_good = text == "off" || text.parse::<u32>().is_ok_and(|count| count > 0);
    if is_good { Ok(text.to_owned()) } else { Err("expected a whole number from 1, or off") }
}

fn parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_suggests_what_was_meant() {
        Arguments::command().debug_assert();
        let mistyped = Arguments::try_parse_from(["contribution", "repaly", "x"]).unwrap_err().to_string();
        assert!(mistyped.contains("replay"), "{mistyped}");
        let mistyped = Arguments::try_parse_from(["contribution", "replay", "x", "--as-off", "2026-02-10"]);
        assert!(mistyped.unwrap_err().to_string().contains("--as-of"));
    }

    #[test]
    fn every_profile_that_is_suggested_exists() {
        let error = profile_text("buit-in").unwrap_err().to_string();
        assert!(error.contains("did you mean built-in?"), "{error}");
        for name in ["built-in", "guide", "guide-planting-orders", "flattened-deployment"] {
            assert!(Profile::named(name).is_some(), "{name}");
        }
    }
}
