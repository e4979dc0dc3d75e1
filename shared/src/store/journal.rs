//! The journal: what was posted, in entries that never change.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::client::{CONCURRENT_CALLS_MAX, Range, Store};
use super::key::{Key, journal_partition};
use super::{Action, Item, StoreError, Table};
use crate::rules::{
    AccountSequence, Amount, AmountOverflow, ContributionPerTree, Leg, OrderId, Recipient, Slot, Term,
    TreeCount,
};

/// One entry of an adoption: its distribution, or a later correction of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The adoption.
    pub order: OrderId,
    /// Counts the entries of the adoption, from 0.
    pub number: u32,
    /// Why it was posted.
    pub cause: EntryCause,
    /// The adopter.
    pub account: AccountSequence,
    /// The trees adopted.
    pub tree_count: TreeCount,
    /// The contribution of each tree.
    pub contribution_per_tree: ContributionPerTree,
    /// When the contribution counts.
    #[serde(flatten)]
    pub term: Term,
    /// What is posted to whom. Amounts are negative where an earlier posting is taken back.
    #[serde(with = "compact_legs")]
    pub legs: Vec<Leg>,
    /// When it was posted. Milliseconds since 1970.
    pub posted_at_ms: i64,
}

/// Why an entry was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EntryCause {
    /// The adoption became distributable.
    Distribution,
    /// The adoption was cancelled or deleted. Takes back everything posted so far.
    Reversal,
    /// The adoption became distributable again after a reversal.
    Redistribution,
    /// Another adoption changed what this account had unlocked as of this order.
    Reassessment {
        /// The adoption that changed it.
        order: OrderId,
        /// Whose unlocks changed.
        account: AccountSequence,
    },
}

impl EntryCause {
    /// The cause's name on every wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Distribution => "DISTRIBUTION",
            Self::Reversal => "REVERSAL",
            Self::Redistribution => "REDISTRIBUTION",
            Self::Reassessment { .. } => "REASSESSMENT",
        }
    }
}

/// Which entry of which adoption. Written `57-0`; it names the same entry for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryId {
    /// The adoption.
    pub order: OrderId,
    /// The number of its entry.
    pub number: u32,
}

impl fmt::Display for EntryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, number } = self;
        write!(formatter, "{order}-{number}")
    }
}

impl From<EntryId> for String {
    fn from(id: EntryId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for EntryId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let read = || {
            let (order, number) = text.split_once('-')?;
            Some(Self { order: order.parse().ok()?, number: number.parse().ok()? })
        };
        read().ok_or_else(|| format!("{text:?} is not an entry, such as \"57-0\""))
    }
}

impl JournalEntry {
    /// Which entry it is.
    #[must_use]
    pub fn id(&self) -> EntryId {
        EntryId { order: self.order, number: self.number }
    }

    /// What the entry posts in sum: the adoption's total, minus that, or nothing.
    pub fn sum(&self) -> Result<Amount, AmountOverflow> {
        Amount::sum(self.legs.iter().map(|leg| leg.amount))
    }

    /// The write of this entry, which holds only if there is none with its number yet.
    pub fn write(&self) -> Result<Action, StoreError> {
        Ok(Action::put(Item::encode(&Key::entry(self.order, self.number), self))?.if_absent())
    }
}

/// Where an adoption stands after all its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The number the next entry gets.
    pub next_number: u32,
    /// Who holds each share, and how much. Shares of nothing are left out.
    pub legs: BTreeMap<Slot, (Recipient, Amount)>,
    live: bool,
}

impl Position {
    /// The position after these entries, which are all of one adoption's, in order.
    ///
    /// `None` if a share is held by more than one recipient, which no sequence of entries this
    /// system writes leads to.
    #[must_use]
    pub fn after<'a>(entries: impl IntoIterator<Item = &'a JournalEntry>) -> Option<Self> {
        let mut position = Self::default();
        for entry in entries {
            position.post(entry)?;
        }
        Some(position)
    }

    /// Follows one more entry; `None` as for [`Self::after`].
    pub fn post(&mut self, entry: &JournalEntry) -> Option<()> {
        let mut held: BTreeMap<(Slot, Recipient), Amount> = std::mem::take(&mut self.legs)
            .into_iter()
            .map(|(slot, (recipient, amount))| ((slot, recipient), amount))
            .collect();
        for leg in &entry.legs {
            let amount = held.entry((leg.slot, leg.recipient.clone())).or_default();
            *amount = amount.checked_add(leg.amount).ok()?;
        }
        held.retain(|_, amount| !amount.is_zero());
        let shares = held.len();
        self.legs = held.into_iter().map(|((slot, recipient), amount)| (slot, (recipient, amount))).collect();
        self.next_number = entry.number + 1;
        self.live = match entry.cause {
            EntryCause::Distribution | EntryCause::Redistribution => true,
            EntryCause::Reversal => false,
            EntryCause::Reassessment { .. } => self.live,
        };
        (self.legs.len() == shares).then_some(())
    }

    /// Whether the adoption is posted and was not taken back.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The legs that take everything back.
    #[must_use]
    pub fn reversed_legs(&self) -> Vec<Leg> {
        self.legs
            .iter()
            .map(|(slot, (recipient, amount))| Leg {
                slot: *slot,
                recipient: recipient.clone(),
                amount: -*amount,
            })
            .collect()
    }

    /// The legs that move each share from whoever holds it to whoever should; nothing if all is right.
    #[must_use]
    pub fn moves_to(&self, legs: &[Leg]) -> Vec<Leg> {
        let mut moves = Vec::new();
        for leg in legs.iter().filter(|leg| !leg.amount.is_zero()) {
            let held = self.legs.get(&leg.slot);
            if held.is_some_and(|(recipient, amount)| (recipient, *amount) == (&leg.recipient, leg.amount)) {
                continue;
            }
            if let Some((recipient, amount)) = held {
                moves.push(Leg { slot: leg.slot, recipient: recipient.clone(), amount: -*amount });
            }
            moves.push(leg.clone());
        }
        moves
    }
}

impl Store {
    /// Every entry of an adoption, in order.
    pub async fn entries(&self, order: OrderId) -> Result<Vec<JournalEntry>, StoreError> {
        let items = self.query_all(Table::Journal, &journal_partition(order), &Range::default()).await?;
        items.into_iter().map(Item::decode).collect()
    }

    /// These entries, in no particular order. Those that were never posted are left out.
    pub async fn entries_by_id(
        &self,
        entries: impl IntoIterator<Item = EntryId>,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let keys = entries.into_iter().map(|entry| Key::entry(entry.order, entry.number));
        self.batch_get(keys.collect::<Vec<_>>()).await?.into_iter().map(Item::decode).collect()
    }

    /// Every entry of each of these adoptions, in order.
    pub async fn entries_of(
        &self,
        orders: impl IntoIterator<Item = OrderId>,
    ) -> Result<Vec<(OrderId, Vec<JournalEntry>)>, StoreError> {
        stream::iter(orders.into_iter().collect::<Vec<_>>())
            .map(async |order| Ok((order, self.entries(order).await?)))
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_collect()
            .await
    }
}

/// Legs as one text each, for example `L1 D25122700018 113.4242550000`, because an entry has about
/// twenty and the store charges for every attribute name.
mod compact_legs {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Leg, LegText};

    pub(super) fn serialize<S: Serializer>(legs: &[Leg], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(legs.iter().map(|leg| LegText(leg).to_string()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Leg>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let read = |text: String| {
            super::leg_from_text(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a leg")))
        };
        texts.into_iter().map(read).collect()
    }
}

struct LegText<'a>(&'a Leg);

impl fmt::Display for LegText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leg { slot, recipient, amount } = self.0;
        write!(formatter, "{slot} {recipient} {amount}")
    }
}

fn leg_from_text(text: &str) -> Option<Leg> {
    let mut parts = text.split(' ');
    let leg = Leg {
        slot: Slot::from_str(parts.next()?).ok()?,
        recipient: Recipient::from_str(parts.next()?).ok()?,
        amount: Amount::from_str(parts.next()?).ok()?,
    };
    parts.next().is_none().then_some(leg)
}
