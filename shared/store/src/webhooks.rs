//! Subscriptions to events: what operators asked for, how far each is, and what was delivered.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | what the log says of all subscriptions; its revision is the position it stands at | `WEBHOOKS` / `REGISTRY` |
//! | how far a subscription is | `WEBHOOK_STATES` / `<name>` |
//! | an attempt to deliver | `WEBHOOK_DELIVERIES#<name>` / `<time>#<delivery>` |

use std::collections::BTreeMap;

use domain::VersionTerms;
use domain::log::{DeliveryId, EventPlace, Position, WebhookName};
use domain::webhooks::Webhooks;
use serde::{Deserialize, Serialize};

use crate::codec::{decode, decode_with_last_member, encode, unreadable};
use crate::engine::{Answer, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write, Written};

const STATES: &str = "WEBHOOK_STATES";
/// For how long attempts are listed.
const ATTEMPT_KEPT_S: i64 = 30 * 86_400;

/// What the log says of subscriptions, up to a position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// The subscriptions.
    pub webhooks: Webhooks,
    /// The versions of the rules that were introduced, without the first, which the deployment begins with.
    pub versions: Vec<VersionTerms>,
    /// The last page that it includes.
    #[serde(skip)]
    pub position: Position,
}

/// How far a subscription is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookState {
    /// Which subscription of this name: the entry that made it.
    pub since: EventPlace,
    /// The end of the last delivery that was taken; where the subscription begins, before the first.
    pub delivered: EventPlace,
    /// The last word that it go on which was followed.
    pub resumed_at: Option<EventPlace>,
    /// The last word that something be delivered once more which was followed.
    pub redelivered_at: Option<EventPlace>,
    /// The delivery that fails, if one does.
    pub failing: Option<Failing>,
    /// Since when nothing is sent any more, until an operator resumes it; in milliseconds since 1970.
    pub stopped_ms: Option<i64>,
    /// Until when one invocation has it for itself, in milliseconds since 1970.
    pub claimed_until_ms: i64,
    /// What is known of the next delivery, if anything is.
    pub next: Option<NextDelivery>,
    /// Counts the changes of this.
    #[serde(skip)]
    pub revision: u64,
}

/// What is known of the next delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextDelivery {
    /// From the end of the delivery before up to here nothing is wanted.
    pub searched: EventPlace,
    /// Its end, once it may have been sent: when it comes again it is the same.
    pub to: Option<EventPlace>,
}

impl WebhookState {
    /// Returns the place up to which everything was delivered, or is not wanted.
    #[must_use]
    pub fn searched(&self) -> EventPlace {
        self.next.map_or(self.delivered, |next| next.searched)
    }

    /// Returns the end of the delivery that may have been sent and was not taken yet, as far as is known.
    #[must_use]
    pub fn begun(&self) -> Option<EventPlace> {
        self.failing.as_ref().map(|failing| failing.to).or_else(|| self.next.and_then(|next| next.to))
    }
}

/// A delivery that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The last place that it has, so that it is the same when it is repeated.
    pub to: EventPlace,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it is tried again, in milliseconds since 1970.
    pub next_ms: i64,
}

/// An attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was to be delivered.
    pub delivery: DeliveryId,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// How many attempts of it there were, this one included.
    pub number: u32,
    /// How many events it had.
    pub events: u32,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// The subscriber answered with this status.
    Answered(u16),
    /// It could not be reached, or did not answer.
    Failed(String),
}

impl AttemptOutcome {
    /// Returns whether the subscriber has taken the delivery.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }
}

fn registry_key() -> Key {
    Key::new(Table::Ledger, "WEBHOOKS", "REGISTRY")
}

/// Returns what the log says of subscriptions, as far as it was read.
pub fn registry(engine: &dyn Engine) -> Answer<'_, Registry> {
    Box::pin(async move {
        let Some(item) = engine.get(registry_key()).await? else { return Ok(Registry::default()) };
        Ok(Registry { position: item.revision, ..decode(&item)? })
    })
}

/// Puts what the log says up to a position in the place of what it said before.
pub fn put_registry<'a>(engine: &'a dyn Engine, registry: &Registry) -> Answer<'a, ()> {
    let item = Item::new(registry_key(), registry.position, encode(registry));
    let write = Write::put(item, Condition::Below(registry.position));
    Box::pin(async move { engine.write(write).await.map(drop) })
}

/// Returns how far each subscription is that anything was ever sent of.
pub fn states(engine: &dyn Engine) -> Answer<'_, BTreeMap<WebhookName, WebhookState>> {
    Box::pin(async move {
        let mut query = Query::partition(Table::Ledger, STATES);
        let mut states = BTreeMap::new();
        loop {
            let page = engine.query(query.clone()).await?;
            for item in &page.items {
                let name =
                    item.key.sort.parse().map_err(|_| unreadable(item, "its key is no name".to_owned()))?;
                states
                    .insert(name, WebhookState { revision: item.revision, ..decode_with_last_member(item)? });
            }
            match page.next {
                Some(next) => query.after = Some(next.sort),
                None => return Ok(states),
            }
        }
    })
}

/// Puts how far a subscription is in the place of what was read. Returns whether nothing else came first.
pub fn put_state<'a>(engine: &'a dyn Engine, name: &WebhookName, state: &WebhookState) -> Answer<'a, bool> {
    let before = state.revision;
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    let key = Key::new(Table::Ledger, STATES, name.as_str());
    let write = Write::put(Item::new(key, before + 1, encode(state)), condition);
    Box::pin(async move { Ok(engine.write(write).await? == Written::Done) })
}

fn attempts_partition(name: &WebhookName) -> String {
    format!("WEBHOOK_DELIVERIES#{name}")
}

fn attempt_sort(attempt: &Attempt) -> String {
    format!("{:015}#{}", attempt.at_ms, attempt.delivery)
}

/// Lists an attempt. The service removes it after a while.
pub fn put_attempt<'a>(engine: &'a dyn Engine, attempt: &Attempt) -> Answer<'a, ()> {
    let key = Key::new(Table::Ledger, attempts_partition(&attempt.delivery.webhook), attempt_sort(attempt));
    let mut item = Item::new(key, 1, encode(attempt));
    item.expires_at_s = Some(attempt.at_ms / 1_000 + ATTEMPT_KEPT_S);
    Box::pin(async move { engine.write(Write::put(item, Condition::None)).await.map(drop) })
}

/// Returns attempts to deliver, the latest first, each with its place in the list; those before the place `before`.
pub fn attempts<'a>(
    engine: &'a dyn Engine,
    name: &WebhookName,
    before: Option<String>,
    limit: usize,
) -> Answer<'a, Vec<(String, Attempt)>> {
    let partition = attempts_partition(name);
    Box::pin(async move {
        let query =
            Query { descending: true, after: before, limit, ..Query::partition(Table::Ledger, partition) };
        let items = engine.query(query).await?.items;
        let attempts = items.iter().map(|item| Ok((item.key.sort.clone(), decode(item)?)));
        attempts.collect::<Result<_, StoreError>>()
    })
}
