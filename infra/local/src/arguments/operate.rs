//! Commands that send an operator's command to a ledger.

use clap::{Args, Subcommand, ValueEnum};
use domain::BusinessDate;

use super::{Sent, WebhookCommand};

/// What operates a ledger.
#[derive(Debug, Subcommand)]
pub enum Operate {
    /// Stops a kind of work until `resume`: posting new adoptions, closing dates, or correcting what is posted.
    ///
    /// It stands in the log, so that it survives restarts. What is stopped shows in `status` and on every page of the
    /// console, and after an hour as broken.
    ///
    /// Example: `contribution pause --what posting --reason "ticket 4711" --data ledger`
    Pause(Pause),
    /// Takes a kind of work up again.
    ///
    /// Example: `contribution resume --what posting --reason "ticket 4711 is solved" --data ledger`
    Resume(Resume),
    /// Lets go what a brake or the guard stops.
    ///
    /// Example: `contribution let-go brake --reason "the source is right" --url https://api.example.com`
    ///
    /// Example: contribution let-go close 2026-02-10 --reason "a campaign" --data ledger
    #[command(subcommand)]
    LetGo(LetGo),
    /// Changes who is sent events: subscribes, rotates a secret, sends a period or one delivery again.
    ///
    /// Example: `contribution webhook set mining https://mining.example.com/in --type DailySnapshotCreated --reason "ticket 4711" --data ledger`
    ///
    /// Example: `contribution webhook resume mining --after 57 --reason "restored from a backup" --url https://api.example.com`
    #[command(subcommand)]
    Webhook(WebhookCommand),
}

/// `pause`.
#[derive(Debug, Args)]
pub struct Pause {
    /// Which kind of work.
    #[arg(long)]
    pub what: Work,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Which kind of work.
    #[arg(long)]
    pub what: Work,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `let-go`.
#[derive(Debug, Subcommand)]
pub enum LetGo {
    /// Lets go all withdrawals that wait.
    Brake(Sent),
    /// Lets dates up to this one close, whatever the guard says.
    Close(LetGoClose),
    /// Removes the rows that are older than a truncate.
    Truncate(LetGoTruncate),
}

/// `let-go close`.
#[derive(Debug, Args)]
pub struct LetGoClose {
    /// The last date that the guard may not stop.
    pub date: BusinessDate,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `let-go truncate`.
#[derive(Debug, Args)]
pub struct LetGoTruncate {
    /// The truncate's key, as `/v1/waiting` names it.
    pub truncate: String,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// A kind of work that can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Posting adoptions that are new.
    Posting,
    /// Closing dates.
    Closing,
    /// Correcting what is posted.
    Corrections,
}

impl Work {
    /// Returns its name in a command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Posting => "posting",
            Self::Closing => "closing",
            Self::Corrections => "corrections",
        }
    }
}
