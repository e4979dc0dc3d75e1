//! Commands that ask a ledger and change nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use domain::BusinessDate;

use super::{Asked, Events, Webhooks, at_least_one};

/// What asks a ledger and changes nothing.
#[derive(Debug, Subcommand)]
pub enum Ask {
    /// Says whether all is well, how far the ledger is, and what it waits for.
    ///
    /// Example: contribution status --data ledger --exit-code
    Status(Status),
    /// Shows what an account has, what it has unlocked, and its adoptions.
    ///
    /// Example: contribution account D25122700018 --data ledger
    Account(Account),
    /// Shows what became of an adoption, leg by leg.
    ///
    /// Example: contribution order 57 --data ledger
    Order(Order),
    /// Lists the adoptions that do not take part for now, with why and what would help.
    ///
    /// Example: `contribution held --reason NO_REFERRAL --data ledger`
    Held(Held),
    /// Lists the records that were refused, with why.
    ///
    /// Example: `contribution quarantine --url https://api.example.com`
    Quarantine(Quarantine),
    /// Shows a closed date: its totals, and its rows by rank.
    ///
    /// Example: contribution snapshot 2026-02-10 --csv - --data ledger
    Snapshot(Snapshot),
    /// Shows what an account had at first, every line that changed it, and what it has at last.
    ///
    /// Example: contribution statement D25122700018 --from 2026-01-01 --to 2026-01-31 --data ledger
    Statement(Statement),
    /// Lists what operators did, the latest first: who, when, why, the state before and after.
    ///
    /// Example: contribution operations --csv operations.csv --data ledger
    Operations(Operations),
    /// Lists what the ledger tells other services, in the order of its log.
    ///
    /// Example: contribution events --after 57 --limit 20 --data ledger
    Events(Events),
    /// Lists the services that are sent events, or shows one and what was sent to it.
    ///
    /// Example: `contribution webhooks mining --url https://api.example.com`
    Webhooks(Webhooks),
    /// Lists the pages of the log, the last ones first, or shows what one page holds.
    ///
    /// Example: contribution log 3 --data ledger
    Log(Log),
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Exits with 0 if all is well, 1 if something needs attention, 2 if something is broken, and 3 if the
    /// answer could not be had.
    #[arg(long)]
    pub exit_code: bool,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `account`.
#[derive(Debug, Args)]
pub struct Account {
    /// The account: a member's, or a system account's such as HEADQUARTERS or PROVINCE:440000.
    pub account: String,
    /// How many of its adoptions are shown, the highest order numbers first.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = at_least_one)]
    pub limit: usize,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `order`.
#[derive(Debug, Args)]
pub struct Order {
    /// The order number, with or without a # before it.
    pub order: String,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `held`.
#[derive(Debug, Args)]
pub struct Held {
    /// Shows those that are held for this reason only, such as `NO_REFERRAL`.
    #[arg(long)]
    pub reason: Option<String>,
    /// Shows those that this account has, or that wait for it.
    #[arg(long)]
    pub account: Option<String>,
    /// How many are shown.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `quarantine`.
#[derive(Debug, Args)]
pub struct Quarantine {
    /// Shows those that were refused for this reason only.
    #[arg(long)]
    pub reason: Option<String>,
    /// Shows those that name this order.
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
    /// Shows those that name this account.
    #[arg(long)]
    pub account: Option<String>,
    /// How many are shown.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// The business date; the last closed one if none is named.
    pub date: Option<BusinessDate>,
    /// How many rows are shown, the largest shares first.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = at_least_one)]
    pub limit: usize,
    /// Writes all rows to this file as comma-separated values; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub csv: Option<PathBuf>,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `statement`.
#[derive(Debug, Args)]
pub struct Statement {
    /// The account.
    pub account: String,
    /// The first date of the period; thirty dates before the last one if none is named.
    #[arg(long, value_name = "DATE")]
    pub from: Option<BusinessDate>,
    /// The last date of the period, which must be closed; the last closed one if none is named.
    #[arg(long, value_name = "DATE")]
    pub to: Option<BusinessDate>,
    /// Writes the statement to this file as comma-separated values; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub csv: Option<PathBuf>,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `operations`.
#[derive(Debug, Args)]
pub struct Operations {
    /// How many are shown.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
    /// Writes all of them to this file as comma-separated values; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub csv: Option<PathBuf>,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `log`.
#[derive(Debug, Args)]
pub struct Log {
    /// Shows what this page holds.
    pub page: Option<u64>,
    /// How many pages are shown, the last ones first; of one page, how many entries.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = at_least_one)]
    pub limit: usize,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell.
    pub shell: Shell,
}

/// A shell that completes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// For bash.
    Bash,
    /// For zsh.
    Zsh,
    /// For fish.
    Fish,
}
