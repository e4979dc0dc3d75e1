//! The commands by which a ledger is checked.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use domain::{BusinessDate, InvalidOrderId, OrderId};

use super::{Asked, KeptLedger, LedgerOptions, parameter};

/// `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Mends what differs, and audits again.
    #[arg(long)]
    pub repair: bool,
    /// Shows the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}

/// `digest`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["diff", "data"])))]
pub struct Digest {
    /// Two data directories or exports of the log, whose states are compared.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub diff: Vec<PathBuf>,
    /// The directory that the ledger is kept in.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The business date of the state; today's in the business time zone if none is named.
    #[arg(long, value_name = "DATE")]
    pub date: Option<BusinessDate>,
    /// Shows it as JSON.
    #[arg(long)]
    pub json: bool,
    /// Sets a parameter of infra/template.yaml, as when deploying.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The export, as `export --log` writes it; - is standard input.
    pub export: PathBuf,
    /// A head that an earlier `verify` printed: the log must still have that page.
    #[arg(long, value_name = "POSITION:HASH")]
    pub head: Option<String>,
    /// Shows it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The order number, with or without a # before it.
    #[arg(value_parser = order)]
    pub order: OrderId,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// Returns the order that the text numbers, with or without a # before it.
fn order(text: &str) -> Result<OrderId, InvalidOrderId> {
    text.trim_start_matches('#').parse()
}

/// `price-book`.
#[derive(Debug, Subcommand)]
pub enum PriceBook {
    /// Writes the place of every order that has one to a file.
    Export(PriceBookExport),
    /// Takes over the places in a file. Do it before the ledger is fed.
    Import(PriceBookImport),
}

/// `price-book export`.
#[derive(Debug, Args)]
pub struct PriceBookExport {
    /// The file to write; - is standard output.
    pub file: PathBuf,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}

/// `price-book import`.
#[derive(Debug, Args)]
pub struct PriceBookImport {
    /// The file to read; - is standard input.
    pub file: PathBuf,
    /// Why, for the operators' log.
    #[arg(long, default_value = "taken over from another ledger")]
    pub reason: String,
    /// Where and how the ledger runs.
    #[command(flatten)]
    pub ledger: LedgerOptions,
}
