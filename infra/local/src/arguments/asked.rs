//! Which ledger a command asks or operates.

use std::path::PathBuf;

use clap::Args;

use super::parameter;

/// Which ledger is asked, and how the answer is shown.
#[derive(Debug, Clone, Args)]
pub struct Asked {
    /// Asks the ledger that is kept in this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub data: Option<PathBuf>,
    /// Asks the API of a deployment or of a stack that runs, such as `http://127.0.0.1:8787`.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The token for --url; - reads it from standard input, and without it `CONTRIBUTION_TOKEN` counts.
    #[arg(long, value_name = "TOKEN", requires = "url")]
    pub token: Option<String>,
    /// Sets a parameter of infra/template.yaml, as when deploying.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter, conflicts_with = "url")]
    pub parameters: Vec<(String, String)>,
    /// Shows the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How a command is sent.
#[derive(Debug, Clone, Args)]
pub struct Sent {
    /// Why, for the operators' log.
    #[arg(long)]
    pub reason: String,
    /// The command's key: sent again under the same key, it is carried out once. Without it, a new one is made.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// To which ledger.
    #[command(flatten)]
    pub asked: Asked,
}
