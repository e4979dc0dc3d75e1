//! The close of a business date: its state, and how far each part of its work is.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::client::{Range, Store};
use super::key::{Key, Shard, close_segment_prefix, close_segments_partition, late_partition};
use super::{Action, Item, StoreError, Table};
use crate::queue::Release;
use crate::rules::{Amount, AmountOverflow, BusinessDate, CloseStep, Closing, LateAmount, Ratio};
use crate::store::Holder;

/// The close of a business date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseState {
    /// The date.
    pub date: BusinessDate,
    /// Counts the changes of this item.
    pub revision: u64,
    /// Where it stands.
    pub step: CloseStep,
    /// The ledger's first closed date.
    pub first_date: BusinessDate,
    /// Into how many segments its work is split. Makes no difference to the outcome.
    pub segments: u32,
    /// When it was begun. Milliseconds since 1970.
    pub opened_at_ms: i64,
    /// When its segments were last sent to the queue. Milliseconds since 1970.
    pub announced_at_ms: i64,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<String>,
    /// Up to which date to go on, where somebody asked for more or fewer dates than have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<BusinessDate>,
    /// What it need not wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// The network, once what is active on the date is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<NetworkTotals>,
    /// When it was closed. Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at_ms: Option<i64>,
}

/// What is active on a date in the whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkTotals {
    /// Of users.
    pub users: Amount,
    /// Of system accounts.
    pub system: Amount,
}

impl NetworkTotals {
    /// Of both.
    pub fn network(self) -> Result<Amount, AmountOverflow> {
        self.users.checked_add(self.system)
    }
}

impl CloseState {
    /// The close of a date that begins.
    #[must_use]
    pub fn begun(date: BusinessDate, first_date: BusinessDate, segments: u32, now_ms: i64) -> Self {
        Self {
            date,
            revision: 0,
            step: CloseStep::Waiting,
            first_date,
            segments,
            opened_at_ms: now_ms,
            announced_at_ms: 0,
            waiting_for: Vec::new(),
            until: None,
            release: None,
            totals: None,
            closed_at_ms: None,
        }
    }

    /// The date that closes, and the first that ever did.
    #[must_use]
    pub fn closing(&self) -> Closing {
        Closing { date: self.date, first_date: self.first_date }
    }

    /// Whether it is done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.step == CloseStep::Closed
    }

    /// The write that makes this the next state. It holds only if nobody changed the state since this
    /// one's revision was read.
    pub fn write_next(&self) -> Result<Action, StoreError> {
        let next = Self { revision: self.revision + 1, ..self.clone() };
        let stored = (self.revision > 0).then_some(self.revision);
        Ok(Action::put(Item::encode(&Key::close(self.date), &next))?.if_number_is("revision", stored))
    }

    /// The write that takes a stored state away, unless somebody changed it since its revision was read.
    #[must_use]
    pub fn remove(&self) -> Action {
        Action::delete(Key::close(self.date)).if_number_is("revision", Some(self.revision))
    }
}

/// How far one segment of a step is.
///
/// Several may work on one, because messages come again. Each write holds only if nobody else wrote since,
/// so that what a segment sums up is what one of them saw from its beginning to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentState {
    /// Counts the changes of this state; 0 if it is not stored.
    #[serde(default)]
    pub revision: u64,
    /// Whether all of it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
    /// After which item to go on, if part of it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<(String, String)>,
    /// Users' accounts with something effective, or rows written.
    #[serde(default)]
    pub accounts: u64,
    /// What is effective of them in sum.
    #[serde(default)]
    pub effective: Amount,
    /// Their ratios in sum, where rows were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
}

impl SegmentState {
    /// Whether all of it is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done == Some(true)
    }

    /// The write that makes this the next state. It holds only if nobody wrote since this one's revision was
    /// read, and while the segment is not done.
    pub fn write_next(
        &self,
        date: BusinessDate,
        step: CloseStep,
        segment: u32,
    ) -> Result<Action, StoreError> {
        let next = Self { revision: self.revision + 1, ..self.clone() };
        let item = Item::encode(&Key::close_segment(date, step, segment), &next);
        Ok(self.only_if_unchanged(Action::put(item)?))
    }

    /// The write that says that something of the segment is changed with it, on the same conditions: whoever
    /// works on it beside another, or long after it was done, changes nothing any more.
    #[must_use]
    pub fn fence(&self, date: BusinessDate, step: CloseStep, segment: u32) -> Action {
        let fence = Action::update(Key::close_segment(date, step, segment));
        self.only_if_unchanged(fence.set("revision", AttributeValue::N((self.revision + 1).to_string())))
    }

    fn only_if_unchanged(&self, action: Action) -> Action {
        let stored = (self.revision > 0).then_some(self.revision);
        action.if_number_is("revision", stored).if_attribute_absent("done")
    }

    /// The key to go on after.
    #[must_use]
    pub fn start(&self) -> Option<Key> {
        self.after.as_ref().map(|(partition, sort)| Key::new(Table::Accounts, partition, sort))
    }
}

/// Which dates are closed: all from the first to the last, because dates close in sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedDates {
    /// The first that ever closed.
    pub first: BusinessDate,
    /// The latest.
    pub last: BusinessDate,
}

impl ClosedDates {
    /// The write that makes a date the last closed one. It belongs into the transaction that closes the
    /// date, whose conditions keep dates in sequence, and lets the last closed date be read by its key,
    /// together with other items.
    pub fn write(self) -> Result<Action, StoreError> {
        Action::put(Item::encode(&Key::closed_dates(), &self))
    }
}

impl Store {
    /// Which dates are closed; `None` if no date is.
    pub async fn closed_dates(&self) -> Result<Option<ClosedDates>, StoreError> {
        self.get(&Key::closed_dates()).await?.map(Item::decode).transpose()
    }

    /// The latest close, done or not.
    pub async fn latest_close(&self) -> Result<Option<CloseState>, StoreError> {
        let range = Range { descending: true, ..Range::default() };
        let page = self.query(Table::Snapshots, Key::CLOSES, &range, 1).await?;
        page.items.into_iter().next().map(Item::decode).transpose()
    }

    /// The latest date that is closed.
    pub async fn latest_closed_date(&self) -> Result<Option<BusinessDate>, StoreError> {
        Ok(self.closed_dates().await?.map(|dates| dates.last))
    }

    /// The close of a date, if it was begun.
    pub async fn close(&self, date: BusinessDate) -> Result<Option<CloseState>, StoreError> {
        self.get(&Key::close(date)).await?.map(Item::decode).transpose()
    }

    /// How far each segment of a step is; those nobody worked on are at their beginning.
    pub async fn close_segments(
        &self,
        state: &CloseState,
        step: CloseStep,
    ) -> Result<Vec<SegmentState>, StoreError> {
        let prefix = close_segment_prefix(step);
        let partition = close_segments_partition(state.date);
        let mut segments = vec![SegmentState::default(); state.segments as usize];
        for item in self.query_all(Table::Snapshots, &partition, &Range::prefix(&prefix)).await? {
            let number = item.text("sk")?.strip_prefix(&prefix).and_then(|text| text.parse::<usize>().ok());
            let known = number.and_then(|number| segments.get_mut(number));
            let Some(known) = known else { return Err(item.corrupt("sk")) };
            *known = item.decode()?;
        }
        Ok(segments)
    }

    /// How far one segment of a step is.
    pub async fn close_segment(
        &self,
        date: BusinessDate,
        step: CloseStep,
        segment: u32,
    ) -> Result<SegmentState, StoreError> {
        let item = self.get(&Key::close_segment(date, step, segment)).await?;
        item.map_or(Ok(SegmentState::default()), Item::decode)
    }

    /// What the close of a date took late, with the closed dates it would have changed.
    pub async fn late_amounts(&self, date: BusinessDate) -> Result<Vec<(Holder, LateAmount)>, StoreError> {
        let queries = Shard::all().map(|shard| async move {
            self.query_all(Table::Snapshots, &late_partition(date, shard), &Range::default()).await
        });
        let mut found = Vec::new();
        for item in futures::future::try_join_all(queries).await?.iter().flatten() {
            let holder = item.text("sk")?.rsplit_once('#').and_then(|(holder, _)| holder.parse().ok());
            let late = LateAmount {
                effective_date: item.parse("effective_date")?,
                amount: item.amount("amount")?,
                first_date: item.parse("first_date")?,
                last_date: item.parse("last_date")?,
            };
            found.push((holder.ok_or_else(|| item.corrupt("sk"))?, late));
        }
        found.sort_by(|one, other| (&one.0, one.1.effective_date).cmp(&(&other.0, other.1.effective_date)));
        Ok(found)
    }
}
