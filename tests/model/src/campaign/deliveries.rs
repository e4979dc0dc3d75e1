//! Compares what subscribers were sent with the log: everything that they want, nothing else, in its order.

use std::collections::{BTreeMap, BTreeSet};

use domain::Versions;
use domain::events::{Event, events_of};
use domain::log::{
    Command, DeliveryId, Entry, EventPlace, EventType, Page, Position, WebhookChange, WebhookName,
};
use domain::webhooks::{Webhook, Webhooks};
use serde_json::Value;
use store::webhooks::{Attempt, WebhookState};

use super::subscriptions::{Subscriptions, attempts, states};
use super::watcher::Reached;
use crate::bench::{Executor, Taken};
use crate::clock::Millis;

/// By how much clocks differ at most, in milliseconds.
const SKEW_MS: i64 = 1_000;

/// Returns what is wrong with what the subscriber of a history was sent, which began at `epoch_ms` and whose log ends
/// at `last`.
///
/// Where it is not disturbed, nothing went wrong with a call of the function that sends, and nothing was provoked.
/// While a closed date waits for its publication, its page and later ones tell nothing yet.
pub(super) fn judge(
    subscriptions: &Subscriptions,
    executor: &mut Executor,
    last: Position,
    versions: &Versions,
    reached: &Reached,
    epoch_ms: i64,
    is_disturbed: bool,
) -> Vec<String> {
    let engine = executor.engine();
    let read = executor.run_client(async move { store::log::read_at(&engine, (1..=last).collect()).await });
    let pages = read.expect("no fault for the bench");
    let told = pages.iter().take_while(|page| is_published(page, reached));
    let events: Vec<Event> = told.flat_map(|page| events_of(page, versions)).collect();
    let states = states(executor);
    let mut taken: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
    for one in subscriptions.subscriber.taken() {
        taken.entry(one.webhook.clone()).or_default().push(one);
    }
    let mut found = subscriptions.findings.clone();
    found.extend(taken.values().flatten().flat_map(|one| early(one, reached)));
    for (name, webhook) in webhooks_of(&pages).iter() {
        let subscription = Subscription {
            name,
            webhook,
            asked: Asked::of(&pages, name),
            events: events.iter().filter(|event| webhook.wants(event.kind)).collect(),
            taken: taken.get(name.as_str()).map(Vec::as_slice).unwrap_or_default(),
            epoch_ms,
        };
        found.extend(subscription.wrong());
        if !is_disturbed {
            found.extend(subscription.needless());
        }
        found.extend(subscription.wrong_attempts(&attempts(executor, name)));
        found.extend(subscription.stuck(states.get(name)));
    }
    found
}

/// A subscription, with what it must be sent and what it was.
struct Subscription<'a> {
    name: &'a WebhookName,
    webhook: &'a Webhook,
    asked: Asked,
    /// What it wants of the whole log.
    events: Vec<&'a Event>,
    /// What it was sent, in the order in which it came.
    taken: &'a [Taken],
    epoch_ms: i64,
}

/// What operators asked of a subscription, with the times of the pages that have it, in milliseconds since 1970.
#[derive(Default)]
struct Asked {
    /// That it go on after other places than where it stood.
    places: BTreeSet<EventPlace>,
    /// The last word that it go on, if that names a place.
    last_replay: Option<(i64, EventPlace)>,
    redelivered: Vec<(i64, DeliveryId)>,
}

impl Asked {
    fn of(pages: &[Page], of: &WebhookName) -> Self {
        let mut asked = Self::default();
        for (page, entry) in pages.iter().flat_map(|page| page.entries.iter().map(move |entry| (page, entry)))
        {
            let Entry::Commanded { command: Command::Webhook { name, change }, .. } = entry else { continue };
            if name != of {
                continue;
            }
            match change {
                WebhookChange::Resume { after } => {
                    asked.places.extend(*after);
                    asked.last_replay = after.map(|place| (page.time_ms, place));
                }
                WebhookChange::Redeliver { delivery } => {
                    asked.redelivered.push((page.time_ms, delivery.clone()));
                }
                _ => {}
            }
        }
        asked
    }
}

impl Subscription<'_> {
    /// Returns what is wrong with what it was sent.
    ///
    /// A delivery has what the log tells between its places. One that is new begins where the one before ended, unless
    /// an operator had events sent again: then it begins where one that is known ended, or where the operator said.
    fn wrong(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut frontier = self.webhook.after;
        let mut ends = BTreeSet::from([frontier]);
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for Taken { id, after, to, events, .. } in self.taken {
            if *events != self.told(*after, *to) {
                found.push(format!("delivery {id} has not what the log tells after {after} up to {to}"));
            }
            if !known.insert(id) {
                continue;
            }
            let is_sent_again =
                *after <= frontier && !self.asked.places.is_empty() && self.begins_known(&ends, *after);
            if *after != frontier && !is_sent_again {
                found.push(format!("delivery {id} begins after {after}, and those before end at {frontier}"));
            }
            ends.insert(*to);
            frontier = frontier.max(*to);
        }
        let missing = self.events.iter().find(|event| event.id > frontier);
        found.extend(missing.map(|event| format!("{} is never sent event {}", self.name, event.id)));
        found.extend(self.not_sent_again());
        found
    }

    fn begins_known(&self, ends: &BTreeSet<EventPlace>, after: EventPlace) -> bool {
        ends.contains(&after) || self.asked.places.contains(&after)
    }

    fn told(&self, after: EventPlace, to: EventPlace) -> Vec<Value> {
        let told = self.events.iter().filter(|event| after < event.id && event.id <= to);
        told.map(|event| serde_json::to_value(event).expect("an event is JSON")).collect()
    }

    /// Returns what an operator had sent again and did not come after that.
    fn not_sent_again(&self) -> Option<String> {
        let (asked_ms, place) = self.asked.last_replay?;
        let again = self.taken.iter().filter(|taken| self.time_ms(taken.at_ms) >= asked_ms);
        let again: Vec<&Taken> = again.collect();
        let came = |event: &Event| again.iter().any(|taken| taken.after < event.id && event.id <= taken.to);
        let missing = self.events.iter().find(|event| event.id > place && !came(event))?;
        Some(format!("{} is not sent event {} again, as was asked", self.name, missing.id))
    }

    /// Returns what came once more although its sender was told that it had been taken, and no operator asked for it.
    fn needless(&self) -> Vec<String> {
        if !(self.asked.places.is_empty() && self.asked.redelivered.is_empty()) {
            return Vec::new();
        }
        let mut told: BTreeSet<&str> = BTreeSet::new();
        let mut found = Vec::new();
        for Taken { id, is_told, .. } in self.taken {
            if told.contains(id.as_str()) {
                found.push(format!("delivery {id} comes again, and its sender knew that it had been taken"));
            }
            if *is_told {
                told.insert(id);
            }
        }
        found
    }

    /// Returns what is wrong with the list of attempts: what came is not in it as it came, or what an operator asked
    /// for once more was never tried.
    fn wrong_attempts(&self, attempts: &[Attempt]) -> Vec<String> {
        let mut found = Vec::new();
        for (asked_ms, delivery) in &self.asked.redelivered {
            let is_it =
                |attempt: &&Attempt| attempt.delivery == *delivery && attempt.at_ms + SKEW_MS >= *asked_ms;
            if attempts.iter().find(is_it).is_none() {
                found.push(format!("delivery {delivery} is not tried once more, as was asked"));
            }
        }
        let ids: BTreeSet<&str> = self.taken.iter().map(|taken| taken.id.as_str()).collect();
        for attempt in attempts.iter().filter(|attempt| attempt.outcome.is_delivered()) {
            if !ids.contains(attempt.delivery.to_string().as_str()) {
                found.push(format!("delivery {} is listed as taken, and never came", attempt.delivery));
            }
        }
        found
    }

    /// Returns what still waits although nothing goes wrong any more.
    fn stuck(&self, state: Option<&WebhookState>) -> Option<String> {
        let state = state?;
        let waits = state.failing.is_some() || state.stopped_ms.is_some() || state.begun().is_some();
        waits.then(|| format!("{} waits for ever: {state:?}", self.name))
    }

    fn time_ms(&self, at_ms: Millis) -> i64 {
        self.epoch_ms + at_ms.cast_signed()
    }
}

/// Returns what a delivery tells that could not be asked for when it came.
fn early(Taken { at_ms, id, to, events, .. }: &Taken, reached: &Reached) -> Vec<String> {
    let mut found = Vec::new();
    if reached.heads_at(*at_ms) < to.position() {
        found.push(format!("delivery {id} comes before all heads include page {}", to.position()));
    }
    let closed = EventType::DailySnapshotCreated.name();
    let dates = events.iter().filter(|event| event["type"] == closed).map(|event| &event["data"]["date"]);
    for date in dates.filter_map(Value::as_str) {
        if reached.published_ms(date).is_none_or(|published_ms| published_ms > *at_ms) {
            found.push(format!("delivery {id} comes before {date} is published"));
        }
    }
    found
}

/// Returns whether every date that a page closes is published.
fn is_published(page: &Page, reached: &Reached) -> bool {
    page.entries.iter().all(|entry| match entry {
        Entry::Close(terms) => reached.published_ms(&terms.date.to_string()).is_some(),
        _ => true,
    })
}

/// Returns the subscriptions that the log asks for.
fn webhooks_of(pages: &[Page]) -> Webhooks {
    let mut webhooks = Webhooks::default();
    for page in pages {
        for (index, entry) in (0_u32..).zip(&page.entries) {
            webhooks.apply(entry, EventPlace::of_entry(page.position, index), page.time_ms);
        }
    }
    webhooks
}

#[cfg(test)]
mod tests {
    use domain::log::{CommandOutcome, Held, HoldReason, PageHash};

    use super::*;

    fn name() -> WebhookName {
        "all".parse().expect("a name")
    }

    fn page(position: u64, entries: Vec<Entry>) -> Page {
        Page { position, previous: PageHash::default(), time_ms: 1_000 * position.cast_signed(), entries }
    }

    fn said(change: WebhookChange) -> Entry {
        Entry::Commanded {
            idempotency_key: "key".to_owned(),
            by: "anna".to_owned(),
            reason: "a test".to_owned(),
            command: Command::Webhook { name: name(), change },
            outcome: CommandOutcome::Done,
        }
    }

    /// Returns a log that subscribes on its first page, and has an event on each of the next four.
    fn log() -> Vec<Page> {
        let url = "https://subscriber.example/in".to_owned();
        let set = WebhookChange::Set { url, types: Vec::new(), after: None };
        let held = |order: u64| {
            let order = order.to_string().parse().expect("an order");
            Entry::Held(Held { order, reason: HoldReason::Status, look_again_ms: None })
        };
        let mut pages = vec![page(1, vec![said(set)])];
        pages.extend((2..=5).map(|position| page(position, vec![held(position)])));
        pages
    }

    fn place(text: &str) -> EventPlace {
        text.parse().expect("a place")
    }

    /// Returns what is wrong if the subscriber of a log gets deliveries between these places, one a second.
    fn wrong(pages: &[Page], places: &[(&str, &str)]) -> Vec<String> {
        judged(pages, places).0
    }

    /// Returns what is wrong with these deliveries, and what comes needlessly.
    fn judged(pages: &[Page], places: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let versions = Versions::starting("{}").expect("a policy");
        let events: Vec<Event> = pages.iter().flat_map(|page| events_of(page, &versions)).collect();
        let webhooks = webhooks_of(pages);
        let mut subscription = Subscription {
            name: &name(),
            webhook: webhooks.get(&name()).expect("it is made"),
            asked: Asked::of(pages, &name()),
            events: events.iter().collect(),
            taken: &[],
            epoch_ms: 0,
        };
        let taken: Vec<Taken> = (6..)
            .zip(places)
            .map(|(second, (after, to))| Taken {
                at_ms: second * 1_000,
                id: format!("all_{after}_{to}"),
                webhook: "all".to_owned(),
                after: place(after),
                to: place(to),
                events: subscription.told(place(after), place(to)),
                is_told: true,
            })
            .collect();
        subscription.taken = &taken;
        (subscription.wrong(), subscription.needless())
    }

    #[test]
    fn what_comes_in_order_is_right_although_some_of_it_comes_twice() {
        let none: [String; 0] = [];
        assert_eq!(wrong(&log(), &[("1-0", "3-0"), ("1-0", "3-0"), ("3-0", "5-0")]), none);
        let late_repetition = [("1-0", "3-0"), ("3-0", "5-0"), ("1-0", "3-0")];
        assert_eq!(wrong(&log(), &late_repetition), none);
    }

    #[test]
    fn a_gap_a_change_of_what_was_sent_and_a_missing_end_are_found() {
        let gap = wrong(&log(), &[("1-0", "2-0"), ("3-0", "5-0")]);
        assert_eq!(gap, ["delivery all_3-0_5-0 begins after 3-0, and those before end at 2-0"]);
        let grown = wrong(&log(), &[("1-0", "2-0"), ("1-0", "5-0")]);
        assert_eq!(grown, ["delivery all_1-0_5-0 begins after 1-0, and those before end at 2-0"]);
        assert_eq!(wrong(&log(), &[("1-0", "3-0")]), ["all is never sent event 4-0"]);
    }

    #[test]
    fn what_comes_again_although_its_sender_knew_that_it_was_taken_is_needless() {
        let twice = [("1-0", "3-0"), ("1-0", "3-0"), ("3-0", "5-0")];
        let found = judged(&log(), &twice).1;
        assert_eq!(found, ["delivery all_1-0_3-0 comes again, and its sender knew that it had been taken"]);
        assert_eq!(judged(&log(), &twice[1..]).1, Vec::<String>::new());
    }

    #[test]
    fn a_period_that_an_operator_wants_again_has_to_come_again() {
        let mut pages = log();
        let after = Some(place("2-0"));
        pages.push(page(8, vec![said(WebhookChange::Resume { after })]));
        let first = [("1-0", "3-0"), ("3-0", "5-0")];
        assert_eq!(wrong(&pages, &first), ["all is not sent event 3-0 again, as was asked"]);
        let [one, two] = first;
        assert_eq!(wrong(&pages, &[one, two, ("2-0", "4-0"), ("4-0", "5-0")]), Vec::<String>::new());
    }
}
