//! Reads a command from the body of a request, and shows one in an answer. Pure: `routes/commands.rs`
//! stores it.

use domain::log::{
    AdjustmentTerms, Command, DeliveryId, EventPlace, EventType, PauseScope, Paused, WebhookChange,
    WebhookName,
};
use domain::{Amount, BusinessDate, OrderId, Owner, VersionTerms};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::progress::PartitionName;

use crate::language::Language;
use crate::view::order_text;

/// A command in a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CommandBody {
    /// Close dates up to this one.
    Close {
        /// The last date to close.
        until: BusinessDate,
        /// Whether not to wait for proof that the source was read.
        #[serde(default)]
        source_is_complete: bool,
    },
    /// Compare one adoption again, or all.
    Repair {
        /// The order; without it, all adoptions.
        #[serde(default)]
        order_id: Option<String>,
    },
    /// Move an amount.
    Adjust {
        /// Who gives.
        giver: Owner,
        /// Who receives.
        receiver: Owner,
        /// The amount.
        amount: Amount,
        /// From which date it is active.
        effective_date: BusinessDate,
        /// From which date it no longer is.
        #[serde(default)]
        expire_date: Option<BusinessDate>,
        /// Where it is documented.
        reference: String,
    },
    /// Introduce a version of the rules.
    Introduce {
        /// Its number.
        number: u32,
        /// The first adoption date it judges.
        from: BusinessDate,
        /// The first one it no longer judges.
        #[serde(default)]
        until: Option<BusinessDate>,
        /// Its policy.
        policy: Value,
    },
    /// Stop a kind of work.
    Pause {
        /// The kind of work.
        what: PauseScope,
    },
    /// Take a kind of work up again.
    Resume {
        /// The kind of work.
        what: PauseScope,
    },
    /// Let go everything that waits at the brake.
    LetGoBrake {},
    /// Let go a close that the guard stops.
    LetGoClose {
        /// Its date.
        date: BusinessDate,
    },
    /// Let go a table that the source truncated.
    LetGoTruncate {
        /// Its key, as `/v1/waiting` names it.
        key: String,
    },
    /// No longer wait for a source.
    RetireSource {
        /// Its name.
        source: String,
    },
    /// Take over places of another stack's price book.
    TakeOverPlaces {
        /// The places.
        places: Vec<PlaceBody>,
    },
    /// Remember something that was done outside the log.
    Note {
        /// What was done.
        text: String,
    },
    /// Delete the bytes of a record that was refused. Its listing stays, and the log says who deleted them.
    PurgeQuarantined(RefusedRecord),
    /// Send events to an address.
    SetWebhook {
        /// The subscription.
        webhook: WebhookName,
        /// The address.
        url: String,
        /// The kinds of events; all where none is named.
        #[serde(default)]
        types: Vec<EventType>,
        /// Where a new subscription begins.
        #[serde(default)]
        after: Option<EventPlace>,
    },
    /// Send nothing any more.
    RemoveWebhook {
        /// The subscription.
        webhook: WebhookName,
    },
    /// Sign with another secret.
    RotateWebhookSecret {
        /// The subscription.
        webhook: WebhookName,
    },
    /// Go on sending, or send a period again.
    ResumeWebhook {
        /// The subscription.
        webhook: WebhookName,
        /// After which place; where it stopped if that is left out.
        #[serde(default)]
        after: Option<EventPlace>,
    },
    /// Send a delivery once more.
    RedeliverWebhook {
        /// The id of the delivery.
        delivery: DeliveryId,
    },
}

/// Where a refused record is, as `/v1/quarantine` names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedRecord {
    source: String,
    topic: String,
    partition: i32,
    offset: i64,
}

impl RefusedRecord {
    /// Returns the partition of the record, and its offset.
    pub(crate) fn place(&self) -> (PartitionName, i64) {
        let Self { source, topic, partition, offset } = self.clone();
        (PartitionName { source, topic, partition }, offset)
    }
}

impl std::fmt::Display for RefusedRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, topic, partition, offset } = self;
        write!(formatter, "offset {offset} of {topic}-{partition} of {source}")
    }
}

/// A place of the price book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceBody {
    order_id: String,
    trees_before: u64,
}

impl CommandBody {
    /// Returns whether the command changes rules or amounts, or who is told of them, so that it takes an approver.
    pub(crate) fn needs_approval(&self) -> bool {
        matches!(
            self,
            Self::Adjust { .. }
                | Self::Introduce { .. }
                | Self::TakeOverPlaces { .. }
                | Self::SetWebhook { .. }
        )
    }

    /// Returns the subscription that the command is about.
    pub(crate) fn webhook(&self) -> Option<&WebhookName> {
        match self {
            Self::SetWebhook { webhook, .. }
            | Self::RemoveWebhook { webhook }
            | Self::RotateWebhookSecret { webhook }
            | Self::ResumeWebhook { webhook, .. } => Some(webhook),
            Self::RedeliverWebhook { delivery } => Some(&delivery.webhook),
            _ => None,
        }
    }

    /// Returns the command, or what is wrong with it.
    pub(crate) fn into_command(self, by: &str, reason: &str) -> Result<Command, String> {
        Ok(match self {
            Self::Close { until, source_is_complete } => Command::Close { until, source_is_complete },
            Self::Repair { order_id } => {
                Command::Repair { order: order_id.as_deref().map(order).transpose()? }
            }
            Self::Adjust { giver, receiver, amount, effective_date, expire_date, reference } => {
                let terms =
                    AdjustmentTerms { giver, receiver, amount, effective_date, expire_date, reference };
                Command::Adjust(Box::new(terms))
            }
            Self::Introduce { number, from, until, policy } => Command::Introduce(Box::new(VersionTerms {
                number,
                from: Some(from),
                until,
                reason: reason.to_owned(),
                introduced_by: by.to_owned(),
                policy: policy.to_string(),
            })),
            Self::Pause { what } => Command::Pause { scope: what },
            Self::Resume { what } => Command::Resume { scope: what },
            Self::LetGoBrake {} => Command::LetGo { what: Paused::Brake },
            Self::LetGoClose { date } => Command::LetGo { what: Paused::SuspiciousClose { date } },
            Self::LetGoTruncate { key } => Command::LetGo { what: Paused::Truncate { key } },
            Self::RetireSource { source } => Command::RetireSource { source },
            Self::TakeOverPlaces { places } => Command::TakeOverPlaces {
                places: places
                    .iter()
                    .map(|place| Ok((order(&place.order_id)?, place.trees_before)))
                    .collect::<Result<_, String>>()?,
            },
            Self::Note { text } => Command::Note { text },
            Self::PurgeQuarantined(record) => {
                Command::Note { text: format!("purged the refused bytes at {record}") }
            }
            Self::SetWebhook { webhook, url, types, after } => {
                of_webhook(webhook, WebhookChange::Set { url, types, after })
            }
            Self::RemoveWebhook { webhook } => of_webhook(webhook, WebhookChange::Remove),
            Self::RotateWebhookSecret { webhook } => of_webhook(webhook, WebhookChange::RotateSecret),
            Self::ResumeWebhook { webhook, after } => of_webhook(webhook, WebhookChange::Resume { after }),
            Self::RedeliverWebhook { delivery } => {
                of_webhook(delivery.webhook.clone(), WebhookChange::Redeliver { delivery })
            }
        })
    }
}

fn of_webhook(name: WebhookName, change: WebhookChange) -> Command {
    Command::Webhook { name, change }
}

fn order(text: &str) -> Result<OrderId, String> {
    text.parse().map_err(|error: domain::InvalidOrderId| error.to_string())
}

/// A command as the operators' log shows it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum CommandView {
    Close {
        until: BusinessDate,
        source_is_complete: bool,
    },
    Repair {
        order_id: Option<String>,
    },
    Adjust {
        giver: Owner,
        receiver: Owner,
        amount: Amount,
        effective_date: BusinessDate,
        expire_date: Option<BusinessDate>,
        reference: String,
    },
    Introduce {
        number: u32,
        from: Option<BusinessDate>,
        until: Option<BusinessDate>,
        policy: String,
    },
    Pause {
        what: PauseScope,
    },
    Resume {
        what: PauseScope,
    },
    LetGoBrake,
    LetGoClose {
        date: BusinessDate,
    },
    LetGoTruncate {
        key: String,
    },
    RetireSource {
        source: String,
    },
    /// The number of places; the log itself has them all.
    TakeOverPlaces {
        count: usize,
    },
    Note {
        text: String,
    },
    /// What an operator asked for and was refused before it came to the decider.
    Rejected {
        what: String,
    },
    SetWebhook {
        webhook: WebhookName,
        url: String,
        types: Vec<EventType>,
        after: Option<EventPlace>,
    },
    RemoveWebhook {
        webhook: WebhookName,
    },
    RotateWebhookSecret {
        webhook: WebhookName,
    },
    ResumeWebhook {
        webhook: WebhookName,
        after: Option<EventPlace>,
    },
    RedeliverWebhook {
        delivery: DeliveryId,
    },
}

impl CommandView {
    fn of_webhook(webhook: WebhookName, change: WebhookChange) -> Self {
        match change {
            WebhookChange::Set { url, types, after } => Self::SetWebhook { webhook, url, types, after },
            WebhookChange::Remove => Self::RemoveWebhook { webhook },
            WebhookChange::RotateSecret => Self::RotateWebhookSecret { webhook },
            WebhookChange::Resume { after } => Self::ResumeWebhook { webhook, after },
            WebhookChange::Redeliver { delivery } => Self::RedeliverWebhook { delivery },
        }
    }
}

impl CommandView {
    /// Returns a command of the log, with what a program noted in the caller's language.
    pub(crate) fn new(command: &Command, language: Language) -> Self {
        match command.clone() {
            Command::Close { until, source_is_complete } => Self::Close { until, source_is_complete },
            Command::Repair { order } => Self::Repair { order_id: order.map(order_text) },
            Command::Adjust(terms) => Self::Adjust {
                giver: terms.giver,
                receiver: terms.receiver,
                amount: terms.amount,
                effective_date: terms.effective_date,
                expire_date: terms.expire_date,
                reference: terms.reference,
            },
            Command::Introduce(terms) => Self::Introduce {
                number: terms.number,
                from: terms.from,
                until: terms.until,
                policy: terms.policy,
            },
            Command::Pause { scope } => Self::Pause { what: scope },
            Command::Resume { scope } => Self::Resume { what: scope },
            Command::LetGo { what: Paused::Brake } => Self::LetGoBrake,
            Command::LetGo { what: Paused::SuspiciousClose { date } } => Self::LetGoClose { date },
            Command::LetGo { what: Paused::Truncate { key } } => Self::LetGoTruncate { key },
            Command::RetireSource { source } => Self::RetireSource { source },
            Command::TakeOverPlaces { places } => Self::TakeOverPlaces { count: places.len() },
            Command::Note { text } => Self::Note { text: language.translate_unless_by_hand(&text) },
            Command::Rejected { what, .. } => Self::Rejected { what },
            Command::Webhook { name, change } => Self::of_webhook(name, change),
        }
    }
}
