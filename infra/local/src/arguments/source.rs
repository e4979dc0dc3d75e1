//! The commands that compare a ledger with other databases.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{KeptLedger, parameter};

/// `reconcile`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("with").required(true).multiple(true).args(["postgres", "capture"])))]
pub struct Reconcile {
    /// The server with the source's tables; once for each database that has some.
    #[arg(long, value_name = "URL", conflicts_with = "capture")]
    pub postgres: Vec<String>,
    /// A capture of a snapshot to compare with in place of a server.
    #[arg(long, value_name = "FILE", conflicts_with = "repair")]
    pub capture: Vec<PathBuf>,
    /// Compares this topic only; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Vec<String>,
    /// The table of a topic, where the topic's name does not say it.
    #[arg(long, value_name = "TOPIC=SCHEMA.TABLE", value_parser = parameter)]
    pub table: Vec<(String, String)>,
    /// Takes in what the source has, for every row that is named.
    #[arg(long, requires = "reason")]
    pub repair: bool,
    /// Why, for the operators' log.
    #[arg(long)]
    pub reason: Option<String>,
    /// How long to wait for the ledger to read past a look, at most, before what differs is named.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub patience: u32,
    /// How long to wait before a row is looked at again, at least.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub pause: u32,
    /// How many rows a statement on the source reads, at most.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub page_rows: u32,
    /// Does not let the source rest for as long as each statement took.
    #[arg(long)]
    pub full_speed: bool,
    /// Shows what was found as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}

/// `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The server with the earlier service's tables.
    #[arg(long, value_name = "URL")]
    pub postgres: String,
    /// The schema that has them.
    #[arg(long, value_name = "NAME", default_value = "public")]
    pub schema: String,
    /// A file that says which order each adoption of that service is: on each line what the source calls the adoption,
    /// a comma, and its order number. Where the source calls it by its order number or by its primary key, none is
    /// needed.
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
    /// The directory to write `accounts.csv`, `legs.csv`, `mining.csv` and `comparison.html` to.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Which ledger.
    #[command(flatten)]
    pub kept: KeptLedger,
}
