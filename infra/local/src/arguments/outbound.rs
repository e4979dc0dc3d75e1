//! Commands about what the ledger tells other services.

use clap::{Args, Subcommand};

use super::{Asked, Sent, at_least_one};

/// `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// After which place: a page of the log such as 57, or the id of an event such as 57-3.
    #[arg(long, value_name = "PLACE", default_value = "0")]
    pub after: String,
    /// Up to which place; the end if none is named.
    #[arg(long, value_name = "PLACE")]
    pub until: Option<String>,
    /// Shows events of this kind only; may be given several times.
    #[arg(long = "type", value_name = "KIND")]
    pub types: Vec<String>,
    /// How many are shown.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// `webhooks`.
#[derive(Debug, Args)]
pub struct Webhooks {
    /// Shows this subscription and what was sent to it.
    pub webhook: Option<String>,
    /// How many deliveries are shown, the latest first.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = at_least_one)]
    pub limit: usize,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}

/// What changes a subscription.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Makes a subscription, or gives one another address and other kinds of events.
    Set(SetWebhook),
    /// Signs with another secret; the one before signs as well for a day.
    Rotate(OneWebhook),
    /// Goes on sending where it stopped, or sends everything after a place again.
    Resume(ResumeWebhook),
    /// Sends one delivery once more.
    Redeliver(Redeliver),
    /// Sends nothing any more.
    Remove(OneWebhook),
    /// Shows the secrets that deliveries are signed with.
    Secrets(Secrets),
}

/// `webhook set`.
#[derive(Debug, Args)]
pub struct SetWebhook {
    /// The subscription's name: lower-case letters, digits and hyphens.
    pub webhook: String,
    /// The https address that its events are sent to.
    pub address: String,
    /// Sends this kind of event; may be given several times, and without it all kinds are sent.
    #[arg(long = "type", value_name = "KIND")]
    pub types: Vec<String>,
    /// Where a new subscription begins: after a page of the log, or after an event.
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `webhook rotate` and `webhook remove`.
#[derive(Debug, Args)]
pub struct OneWebhook {
    /// The subscription's name.
    pub webhook: String,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `webhook resume`.
#[derive(Debug, Args)]
pub struct ResumeWebhook {
    /// The subscription's name.
    pub webhook: String,
    /// Sends everything after this place again, in its order.
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `webhook redeliver`.
#[derive(Debug, Args)]
pub struct Redeliver {
    /// The delivery's id, as `webhooks NAME` shows it.
    pub delivery: String,
    /// How it is sent.
    #[command(flatten)]
    pub sent: Sent,
}

/// `webhook secrets`.
#[derive(Debug, Args)]
pub struct Secrets {
    /// The subscription's name.
    pub webhook: String,
    /// Which ledger.
    #[command(flatten)]
    pub asked: Asked,
}
