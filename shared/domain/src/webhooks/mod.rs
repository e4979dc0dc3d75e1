//! Who is sent the events, by what operators asked for: a fold of the log.

mod address;
mod signing;
mod target;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::log::{
    Command, CommandOutcome, DeliveryId, Entry, EventPlace, EventType, WebhookChange, WebhookName,
};

pub use address::is_public;
pub use signing::{InvalidSigningSecret, SigningSecret};
pub use target::{Host, InvalidTarget, Reach, Target};

/// How many subscriptions there may be.
pub const WEBHOOKS_MAX: usize = 50;
/// For how long a secret still signs after it was replaced: a day, in milliseconds.
pub const ROTATION_MS: i64 = 24 * 3_600 * 1_000;
/// How many redeliveries of a subscription are remembered, the last ones.
const REDELIVERIES_MAX: usize = 100;

/// Every subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks(BTreeMap<WebhookName, Webhook>);

/// A subscription, as operators asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The entry that made it. One that is made anew under the same name is another one.
    pub since: EventPlace,
    /// Where its events are sent.
    pub url: String,
    /// The kinds of events; all where it is empty.
    pub types: BTreeSet<EventType>,
    /// Where it begins.
    pub after: EventPlace,
    /// Which of its secrets signs, from 1.
    pub secret: u32,
    /// When its secret was replaced last, in milliseconds since 1970.
    pub rotated_ms: Option<i64>,
    /// The last word that it go on.
    pub resumed: Option<Resumed>,
    /// The deliveries that were asked for once more, each with the entry that asked.
    pub redeliveries: Vec<(EventPlace, DeliveryId)>,
}

/// An operator's word that a subscription go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The entry that has it.
    pub at: EventPlace,
    /// After which place; where it stopped if that is left out.
    pub after: Option<EventPlace>,
}

impl Webhook {
    /// Returns whether an event of this kind is sent.
    #[must_use]
    pub fn wants(&self, kind: EventType) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }

    /// Returns the numbers of the secrets that sign at a time, the latest first.
    #[must_use]
    pub fn secrets(&self, now_ms: i64) -> Vec<u32> {
        let previous =
            self.rotated_ms.is_some_and(|rotated_ms| now_ms < rotated_ms.saturating_add(ROTATION_MS));
        std::iter::once(self.secret).chain(previous.then(|| self.secret - 1)).collect()
    }
}

impl Webhooks {
    /// Returns every subscription by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&WebhookName, &Webhook)> {
        self.0.iter()
    }

    /// Returns the subscription of this name.
    #[must_use]
    pub fn get(&self, name: &WebhookName) -> Option<&Webhook> {
        self.0.get(name)
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Folds the entry at a place of the log in, which was decided at `time_ms`.
    pub fn apply(&mut self, entry: &Entry, at: EventPlace, time_ms: i64) {
        if let Entry::Commanded { command, outcome, .. } = entry {
            self.apply_command(command, outcome, at, time_ms);
        }
    }

    /// Folds a command in that stands at a place of the log, with what became of it.
    pub fn apply_command(
        &mut self,
        command: &Command,
        outcome: &CommandOutcome,
        at: EventPlace,
        time_ms: i64,
    ) {
        let Command::Webhook { name, change } = command else { return };
        if !outcome.is_done() {
            return;
        }
        match change {
            WebhookChange::Set { url, types, after } => self.set(name, url, types, *after, at),
            WebhookChange::Remove => {
                self.0.remove(name);
            }
            WebhookChange::RotateSecret | WebhookChange::Resume { .. } | WebhookChange::Redeliver { .. } => {
                if let Some(webhook) = self.0.get_mut(name) {
                    webhook.change(change, at, time_ms);
                }
            }
        }
    }

    /// Makes a subscription, or gives one another address and other kinds.
    fn set(
        &mut self,
        name: &WebhookName,
        url: &str,
        types: &[EventType],
        after: Option<EventPlace>,
        at: EventPlace,
    ) {
        let types = types.iter().copied().collect();
        let is_full = self.0.len() >= WEBHOOKS_MAX;
        match self.0.get_mut(name) {
            Some(webhook) => {
                url.clone_into(&mut webhook.url);
                webhook.types = types;
            }
            None if is_full => {}
            None => {
                let webhook = Webhook {
                    since: at,
                    url: url.to_owned(),
                    types,
                    after: after.unwrap_or(at),
                    secret: 1,
                    rotated_ms: None,
                    resumed: None,
                    redeliveries: Vec::new(),
                };
                self.0.insert(name.clone(), webhook);
            }
        }
    }
}

impl Webhook {
    fn change(&mut self, change: &WebhookChange, at: EventPlace, time_ms: i64) {
        match change {
            WebhookChange::RotateSecret => {
                self.secret += 1;
                self.rotated_ms = Some(time_ms);
            }
            WebhookChange::Resume { after } => self.resumed = Some(Resumed { at, after: *after }),
            WebhookChange::Redeliver { delivery } => {
                self.redeliveries.push((at, delivery.clone()));
                let surplus = self.redeliveries.len().saturating_sub(REDELIVERIES_MAX);
                self.redeliveries.drain(..surplus);
            }
            WebhookChange::Set { .. } | WebhookChange::Remove => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> WebhookName {
        "mining".parse().expect("a name")
    }

    fn fold(changes: Vec<WebhookChange>) -> Webhooks {
        let mut webhooks = Webhooks::default();
        for (position, change) in (1_u64..).zip(changes) {
            let entry = Entry::Commanded {
                idempotency_key: format!("key-{position}"),
                by: "anna".to_owned(),
                reason: "a test".to_owned(),
                command: Command::Webhook { name: name(), change },
                outcome: CommandOutcome::Done,
            };
            webhooks.apply(&entry, EventPlace::of_entry(position, 0), i64::try_from(position).expect("few"));
        }
        webhooks
    }

    fn set(url: &str, after: Option<EventPlace>) -> WebhookChange {
        WebhookChange::Set { url: url.to_owned(), types: vec![EventType::AdoptionHeld], after }
    }

    #[test]
    fn a_subscription_begins_where_it_is_made_unless_it_says_otherwise() {
        let of = |after| fold(vec![set("https://a.example/", after)]).get(&name()).expect("one").after;
        assert_eq!(of(None), EventPlace::of_entry(1, 0));
        assert_eq!(of(Some(EventPlace::START)), EventPlace::START);
    }

    #[test]
    fn another_address_keeps_where_the_subscription_stands_and_its_secret() {
        let webhooks = fold(vec![
            set("https://a.example/", None),
            WebhookChange::RotateSecret,
            set("https://b.example/", Some(EventPlace::START)),
        ]);
        let webhook = webhooks.get(&name()).expect("one");
        assert_eq!((webhook.url.as_str(), webhook.secret), ("https://b.example/", 2));
        assert_eq!(webhook.since, EventPlace::of_entry(1, 0));
        assert!(webhook.wants(EventType::AdoptionHeld) && !webhook.wants(EventType::AdoptionReleased));
    }

    #[test]
    fn a_replaced_secret_signs_for_a_day_beside_the_new_one() {
        let webhooks = fold(vec![set("https://a.example/", None), WebhookChange::RotateSecret]);
        let webhook = webhooks.get(&name()).expect("one");
        assert_eq!(webhook.secrets(2), [2, 1]);
        assert_eq!(webhook.secrets(1 + ROTATION_MS), [2, 1]);
        assert_eq!(webhook.secrets(2 + ROTATION_MS), [2]);
    }

    #[test]
    fn what_is_asked_of_a_subscription_that_is_gone_changes_nothing() {
        let gone = vec![
            set("https://a.example/", None),
            WebhookChange::Remove,
            WebhookChange::RotateSecret,
            WebhookChange::Resume { after: None },
        ];
        assert_eq!(fold(gone), Webhooks::default());
    }
}
