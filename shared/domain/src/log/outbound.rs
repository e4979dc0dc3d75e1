//! What operators say about who is told what the log decides.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of event that other services are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// An adoption was posted: what each account has of it.
    ContributionCalculated,
    /// What an adoption gives was put right, or taken back: what that changes for each account.
    ContributionCorrected,
    /// An amount was moved by hand.
    ContributionAdjusted,
    /// An adoption is held.
    AdoptionHeld,
    /// An adoption is no longer held for a reason.
    AdoptionReleased,
    /// A date was closed, and its snapshot is published.
    DailySnapshotCreated,
}

impl EventType {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::ContributionCalculated,
        Self::ContributionCorrected,
        Self::ContributionAdjusted,
        Self::AdoptionHeld,
        Self::AdoptionReleased,
        Self::DailySnapshotCreated,
    ];

    /// Returns the kind's name on every wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ContributionCalculated => "ContributionCalculated",
            Self::ContributionCorrected => "ContributionCorrected",
            Self::ContributionAdjusted => "ContributionAdjusted",
            Self::AdoptionHeld => "AdoptionHeld",
            Self::AdoptionReleased => "AdoptionReleased",
            Self::DailySnapshotCreated => "DailySnapshotCreated",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for EventType {
    type Err = InvalidEventType;

    fn from_str(text: &str) -> Result<Self, InvalidEventType> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(InvalidEventType)
    }
}

/// Text that names no kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not ContributionCalculated, ContributionCorrected, ContributionAdjusted, AdoptionHeld, AdoptionReleased or \
     DailySnapshotCreated"
)]
pub struct InvalidEventType;

/// A place among the events: everything up to an entry of a page, or to the end of a page.
///
/// Its text is the page and the entry, as `57-3`, or the page alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventPlace {
    position: u64,
    entry: u32,
}

impl EventPlace {
    /// Before every event.
    pub const START: Self = Self::after_page(0);

    /// Returns the place of an entry.
    #[must_use]
    pub const fn of_entry(position: u64, entry: u32) -> Self {
        Self { position, entry }
    }

    /// Returns the place at the end of a page.
    #[must_use]
    pub const fn after_page(position: u64) -> Self {
        Self { position, entry: u32::MAX }
    }

    /// Returns the page.
    #[must_use]
    pub const fn position(self) -> u64 {
        self.position
    }

    /// Returns the first page that may have later events.
    #[must_use]
    pub const fn next_page(self) -> u64 {
        if self.entry == u32::MAX { self.position.saturating_add(1) } else { self.position }
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entry == u32::MAX {
            write!(formatter, "{}", self.position)
        } else {
            write!(formatter, "{}-{}", self.position, self.entry)
        }
    }
}

impl FromStr for EventPlace {
    type Err = InvalidEventPlace;

    fn from_str(text: &str) -> Result<Self, InvalidEventPlace> {
        let number = |text: &str| {
            // So that a place has one text.
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 15;
            if is_plain { text.parse::<u64>().map_err(|_| InvalidEventPlace) } else { Err(InvalidEventPlace) }
        };
        match text.split_once('-') {
            None => Ok(Self::after_page(number(text)?)),
            Some((position, entry)) => {
                let entry = u32::try_from(number(entry)?).map_err(|_| InvalidEventPlace)?;
                Ok(Self::of_entry(number(position)?, entry))
            }
        }
    }
}

impl From<EventPlace> for String {
    fn from(place: EventPlace) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for EventPlace {
    type Error = InvalidEventPlace;

    fn try_from(text: String) -> Result<Self, InvalidEventPlace> {
        text.parse()
    }
}

/// Text that is no place among the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position of the log, such as 57, or the id of an event, such as 57-3")]
pub struct InvalidEventPlace;

/// The name of a subscription: 1 to 40 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookName(String);

impl WebhookName {
    /// Returns its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for WebhookName {
    type Err = InvalidWebhookName;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookName> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for WebhookName {
    type Error = InvalidWebhookName;

    fn try_from(text: String) -> Result<Self, InvalidWebhookName> {
        let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(is_good) {
            Ok(Self(text))
        } else {
            Err(InvalidWebhookName)
        }
    }
}

impl From<WebhookName> for String {
    fn from(name: WebhookName) -> Self {
        name.0
    }
}

/// Text that is no name of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 40 lower-case letters, digits and hyphens")]
pub struct InvalidWebhookName;

/// A change of what is sent to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookChange {
    /// Send these kinds of events to this address from now on.
    Set {
        /// The address.
        url: String,
        /// The kinds of events; all where none is named.
        types: Vec<EventType>,
        /// Where a new subscription begins; where it is made if that is left out.
        after: Option<EventPlace>,
    },
    /// Send nothing any more.
    Remove,
    /// Sign with another secret.
    RotateSecret,
    /// Go on sending: after this place, or where sending stopped.
    Resume {
        /// The place.
        after: Option<EventPlace>,
    },
    /// Send a delivery once more.
    Redeliver {
        /// Its id.
        delivery: DeliveryId,
    },
}

/// The id of a delivery: the subscription, and the places after and up to which it has its events.
///
/// Its text is `mining_41-3_57`. What a delivery has follows from it, so that a repeated one is the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId {
    /// The subscription.
    pub webhook: WebhookName,
    /// The place before its first event.
    pub after: EventPlace,
    /// The place of its last event.
    pub to: EventPlace,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_{}_{}", self.webhook, self.after, self.to)
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidDeliveryId;

    fn from_str(text: &str) -> Result<Self, InvalidDeliveryId> {
        let mut parts = text.splitn(3, '_');
        let mut next = || parts.next().ok_or(InvalidDeliveryId);
        let id = Self {
            webhook: next()?.parse().map_err(|_| InvalidDeliveryId)?,
            after: next()?.parse().map_err(|_| InvalidDeliveryId)?,
            to: next()?.parse().map_err(|_| InvalidDeliveryId)?,
        };
        if id.after < id.to { Ok(id) } else { Err(InvalidDeliveryId) }
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = InvalidDeliveryId;

    fn try_from(text: String) -> Result<Self, InvalidDeliveryId> {
        text.parse()
    }
}

/// Text that is no id of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a delivery, as its header webhook-id has it")]
pub struct InvalidDeliveryId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_log_and_have_one_text() {
        let texts = ["0", "1-0", "1-7", "1-10", "1", "2-0", "12"];
        let places = texts.map(|text| text.parse::<EventPlace>().expect("a place"));
        assert!(places.is_sorted());
        assert_eq!(places.map(|place| place.to_string()), texts);
        assert_eq!(places.map(EventPlace::next_page), [1, 1, 1, 1, 2, 2, 13]);
        for text in ["", "-", "1-", "-1", "+1", "1-2-3", "1-99999999999", "1234567890123456", "a"] {
            assert_eq!(text.parse::<EventPlace>(), Err(InvalidEventPlace), "{text}");
        }
    }

    #[test]
    fn a_delivery_is_named_by_what_it_has() {
        let id: DeliveryId = "mining_41-3_57".parse().expect("an id");
        assert_eq!(
            (id.webhook.as_str(), id.after, id.to.position()),
            ("mining", EventPlace::of_entry(41, 3), 57)
        );
        assert_eq!(id.to_string(), "mining_41-3_57");
        for text in ["mining", "mining_1", "mining_57_41-3", "Mining_1_2", "mining_1_2_3", "mining_1_1"] {
            assert_eq!(text.parse::<DeliveryId>(), Err(InvalidDeliveryId), "{text}");
        }
    }

    #[test]
    fn every_kind_of_event_is_found_by_its_name() {
        for kind in EventType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert!(InvalidEventType.to_string().contains(kind.name()));
        }
    }
}
