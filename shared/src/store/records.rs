//! Records: the journal once more, account by account.
//!
//! A record is one leg of one entry. The legs that one entry posts to one account are one item: the
//! entry itself, with these legs only. So an item follows from its entry alone, is the same whenever
//! it is written, and everything here can be written again from the journal.
//!
//! An account's records are spread over *parts*, each in ascending order of adoptions, and a page is
//! one query of every part concerned, at once: the last page costs what the first one does. A user's
//! parts are by type, so that one's few own adoptions are found among any number of team legs. A
//! system account's are by order number, so that no part is written for every adoption of the network.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;

use super::client::{Page, Range, Store};
use super::journal::{EntryCause, JournalEntry};
use super::key::{Key, Shard, padded};
use super::{Item, StoreError, Table};
use crate::rules::{
    AccountSequence, BusinessDate, ContributionPerTree, Leg, LegType, OrderId, Owner, Slot, SystemAccount,
    Term, TreeCount,
};

/// The attribute that says where in their entry an item's legs are.
const POSITIONS: &str = "positions";
/// Items that a page with a filter reads at least, because most of them may not pass it.
const FILTERED_ITEMS: usize = 500;

/// One leg of one entry (明细), with what explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which leg of which entry it is.
    pub id: RecordId,
    /// Why the entry was posted.
    pub cause: EntryCause,
    /// The adopter.
    pub adopter: AccountSequence,
    /// The trees adopted.
    pub tree_count: TreeCount,
    /// The contribution of each tree.
    pub contribution_per_tree: ContributionPerTree,
    /// When the contribution counts.
    pub term: Term,
    /// What was posted to whom. The amount is negative where an earlier posting is taken back.
    pub leg: Leg,
    /// When it was posted. Milliseconds since 1970.
    pub posted_at_ms: i64,
}

/// Which leg of which entry a record is; ascending, the order in which an account's records are listed.
///
/// Written `57-0-4`. It names the same leg for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The adoption.
    pub order: OrderId,
    /// The number of its entry.
    pub entry: u32,
    /// The leg's place in the entry, counted from 0.
    pub leg: u32,
}

/// Which records of an account to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Only these types; all if empty.
    pub types: BTreeSet<LegType>,
    /// Only those of this adoption.
    pub order: Option<OrderId>,
    /// Only those active on this date.
    pub active_on: Option<BusinessDate>,
    /// Only those after this one: where an earlier page ended.
    pub after: Option<RecordId>,
    /// The highest order first.
    pub descending: bool,
    /// At most so many.
    pub limit: usize,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// The records, in order. May be fewer than asked for, or none, although more follow.
    pub records: Vec<Record>,
    /// After which one to go on; `None` at the end.
    pub next: Option<RecordId>,
}

/// A part of an account's records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A user's legs of one kind.
    OfUser(AccountSequence, UserPart),
    /// A system account's legs of the orders of one shard.
    OfSystem(SystemAccount, Shard),
    /// The legs a user has not unlocked.
    Unallocated(AccountSequence),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum UserPart {
    Personal,
    TeamLevel,
    TeamBonus,
}

impl UserPart {
    const ALL: [Self; 3] = [Self::Personal, Self::TeamLevel, Self::TeamBonus];

    fn of_slot(slot: Slot) -> Self {
        match slot {
            Slot::TeamLevel(_) => Self::TeamLevel,
            Slot::TeamBonus(_) => Self::TeamBonus,
            Slot::Personal | Slot::Operation | Slot::Province | Slot::City | Slot::Rounding => Self::Personal,
        }
    }

    /// The only type of leg in this part.
    fn leg_type(self) -> LegType {
        match self {
            Self::Personal => LegType::Personal,
            Self::TeamLevel => LegType::TeamLevel,
            Self::TeamBonus => LegType::TeamBonus,
        }
    }
}

impl Part {
    /// The part that a leg of this adoption is booked in.
    fn of_leg(order: OrderId, leg: &Leg) -> Self {
        match leg.recipient.owner() {
            Owner::User(account) => Self::OfUser(account, UserPart::of_slot(leg.slot)),
            Owner::System(account) => Self::OfSystem(account, Shard::of_order(order)),
        }
    }

    /// Every part of an account's records that can hold what is asked for.
    fn of_owner(owner: &Owner, query: &RecordQuery) -> Vec<Self> {
        match owner {
            Owner::User(account) => UserPart::ALL
                .into_iter()
                .filter(|part| query.admits_type(part.leg_type()))
                .map(|part| Self::OfUser(account.clone(), part))
                .collect(),
            Owner::System(account) => Shard::all()
                .filter(|shard| query.order.is_none_or(|order| Shard::of_order(order) == *shard))
                .map(|shard| Self::OfSystem(account.clone(), shard))
                .collect(),
        }
    }

    fn partition(&self) -> String {
        match self {
            Self::OfUser(account, part) => format!("RECORDS#{account}#{}", part.leg_type()),
            Self::OfSystem(account, shard) => format!("RECORDS#{account}#{shard}"),
            Self::Unallocated(account) => format!("UNALLOCATED#{account}"),
        }
    }
}

impl JournalEntry {
    /// The items by which the accounts concerned list this entry.
    #[must_use]
    pub fn record_items(&self) -> Vec<Item> {
        let mut parts: BTreeMap<Part, (Vec<Leg>, Vec<usize>)> = BTreeMap::new();
        for (position, leg) in self.legs.iter().enumerate() {
            let unallocated = leg.recipient.would_be().map(|account| Part::Unallocated(account.clone()));
            for part in std::iter::once(Part::of_leg(self.order, leg)).chain(unallocated) {
                let (legs, positions) = parts.entry(part).or_default();
                legs.push(leg.clone());
                positions.push(position);
            }
        }
        let item = |(part, (legs, positions)): (Part, (Vec<Leg>, Vec<usize>))| {
            let key = Key::new(Table::Records, part.partition(), sort_key(self.order, self.number));
            let positions = positions.iter().map(|position| AttributeValue::N(position.to_string()));
            Item::encode(&key, &Self { legs, ..self.clone() })
                .with(POSITIONS, AttributeValue::L(positions.collect()))
        };
        parts.into_iter().map(item).collect()
    }
}

impl Record {
    /// The records of one item.
    fn of_item(item: Item) -> Result<Vec<Self>, StoreError> {
        let positions = positions(&item).ok_or_else(|| item.corrupt(POSITIONS))?;
        let (key, entry) = (item.key()?, item.decode::<JournalEntry>()?);
        if positions.len() != entry.legs.len() {
            return Err(Item::at(&key).corrupt(POSITIONS));
        }
        let record = |(leg, position): (&Leg, u32)| Self {
            id: RecordId { order: entry.order, entry: entry.number, leg: position },
            cause: entry.cause.clone(),
            adopter: entry.account.clone(),
            tree_count: entry.tree_count,
            contribution_per_tree: entry.contribution_per_tree,
            term: entry.term,
            leg: leg.clone(),
            posted_at_ms: entry.posted_at_ms,
        };
        Ok(entry.legs.iter().zip(positions).map(record).collect())
    }
}

fn positions(item: &Item) -> Option<Vec<u32>> {
    let (_, value) = item.attributes().find(|(name, _)| *name == POSITIONS)?;
    let number = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
    value.as_l().ok()?.iter().map(number).collect()
}

impl RecordQuery {
    /// The first `limit` records of everything.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    fn admits_type(&self, leg_type: LegType) -> bool {
        self.types.is_empty() || self.types.contains(&leg_type)
    }

    fn admits(&self, record: &Record) -> bool {
        let is_after = self
            .after
            .is_none_or(|after| if self.descending { record.id < after } else { record.id > after });
        is_after
            && self.admits_type(record.leg.leg_type())
            && self.active_on.is_none_or(|date| record.term.is_active_on(date))
    }

    /// The items to read of each part. The one at which the page before ended may have records left,
    /// so it is read again. `None` if there can be nothing.
    fn range(&self) -> Option<Range> {
        let of_order = self.order.map(|order| Range::prefix(&format!("{}#", padded(order))));
        let mut range = Range { descending: self.descending, ..of_order.unwrap_or_default() };
        if let Some(RecordId { order, entry, .. }) = self.after {
            let reached = sort_key(order, entry);
            if self.descending {
                range.to = Some(range.to.map_or(reached.clone(), |to| to.min(reached)));
            } else {
                range.from = range.from.max(Some(reached));
            }
        }
        let is_possible = range.from.as_ref().zip(range.to.as_ref()).is_none_or(|(from, to)| from <= to);
        is_possible.then_some(range)
    }

    /// How many items of each part to read for a page.
    fn items_per_part(&self, parts: usize) -> usize {
        let is_filtered = self.active_on.is_some() || !self.types.is_empty();
        let wanted = if is_filtered { self.limit.max(FILTERED_ITEMS) } else { self.limit };
        // Orders are spread evenly over many parts, so twice the even share nearly always fills a page.
        // One more, because the first item may have been listed already.
        let of_each = if parts > UserPart::ALL.len() { 2 * wanted.div_ceil(parts) } else { wanted };
        of_each + 1
    }

    /// The page that these pages of the parts make: in order, without gaps, and without what a part
    /// has beyond the point up to which all of them were read.
    fn merge(&self, parts: Vec<Page>) -> Result<RecordPage, StoreError> {
        let ends = parts.iter().filter_map(|page| page.next.clone());
        let read_to = if self.descending { ends.max() } else { ends.min() };
        let mut records = Vec::new();
        for item in parts.into_iter().flat_map(|page| page.items) {
            for record in Record::of_item(item)? {
                let reached = sort_key(record.id.order, record.id.entry);
                let is_within = read_to
                    .as_ref()
                    .is_none_or(|end| if self.descending { reached >= *end } else { reached <= *end });
                if is_within && self.admits(&record) {
                    records.push(record);
                }
            }
        }
        records.sort_unstable_by_key(|record| record.id);
        if self.descending {
            records.reverse();
        }
        let next = if records.len() > self.limit {
            records.truncate(self.limit);
            records.last().map(|record| record.id)
        } else {
            // Nothing of the item at which reading ended is left.
            read_to.as_deref().and_then(parse_sort_key).map(|(order, entry)| RecordId {
                order,
                entry,
                leg: if self.descending { 0 } else { u32::MAX },
            })
        };
        Ok(RecordPage { records, next })
    }
}

impl Store {
    /// A page of an account's records: one query of each of its parts, at once.
    pub async fn records(&self, owner: &Owner, query: &RecordQuery) -> Result<RecordPage, StoreError> {
        self.record_page(&Part::of_owner(owner, query), query).await
    }

    /// A page of the legs that went to headquarters because this account had not unlocked them. Those
    /// it was given later are there once more, negative.
    pub async fn unallocated(
        &self,
        account: &AccountSequence,
        query: &RecordQuery,
    ) -> Result<RecordPage, StoreError> {
        self.record_page(&[Part::Unallocated(account.clone())], query).await
    }

    async fn record_page(&self, parts: &[Part], query: &RecordQuery) -> Result<RecordPage, StoreError> {
        assert!(query.limit > 0, "a page of nothing would never get on");
        let Some(range) = query.range() else { return Ok(RecordPage { records: Vec::new(), next: None }) };
        let limit = query.items_per_part(parts.len());
        let pages = try_join_all(parts.iter().map(|part| {
            let (partition, range) = (part.partition(), &range);
            async move { self.query(Table::Records, &partition, range, limit).await }
        }));
        query.merge(pages.await?)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, entry, leg } = self;
        write!(formatter, "{order}-{entry}-{leg}")
    }
}

impl FromStr for RecordId {
    type Err = InvalidRecordId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '-');
        let mut read = || {
            Some(Self {
                order: parts.next()?.parse().ok()?,
                entry: parts.next()?.parse().ok()?,
                leg: parts.next()?.parse().ok()?,
            })
        };
        // One id has one spelling, although `parse` also reads `+1` and `01`.
        read().filter(|id| id.to_string() == text).ok_or_else(|| InvalidRecordId { text: text.to_owned() })
    }
}

/// Text that is not a record's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a record's id, such as \"57-0-4\"")]
pub struct InvalidRecordId {
    text: String,
}

fn sort_key(order: OrderId, entry: u32) -> String {
    format!("{}#{entry:04}", padded(order))
}

fn parse_sort_key(sort: &str) -> Option<(OrderId, u32)> {
    let (order, entry) = sort.split_once('#')?;
    Some((OrderId::new(order.parse().ok()?)?, entry.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::rules::{Amount, Recipient};

    /// The entries of so many adoptions: legs to their adopter, to a referrer, and to system accounts.
    fn entries(orders: std::ops::RangeInclusive<u64>) -> Vec<JournalEntry> {
        let entry = |number: u64| {
            let leg = |slot: &str, recipient: &str| Leg {
                slot: slot.parse().expect("a slot"),
                recipient: recipient.parse().expect("a recipient"),
                amount: Amount::from_units(i128::from(number)).expect("an amount"),
            };
            let adopter = format!("A{}", number % 7);
            JournalEntry {
                order: OrderId::new(number).expect("an order"),
                number: 0,
                cause: EntryCause::Distribution,
                account: adopter.parse().expect("an account"),
                tree_count: TreeCount::new(1).expect("a tree"),
                contribution_per_tree: Amount::ZERO.try_into().expect("a price"),
                term: Term::starting(date(number), 2),
                legs: vec![
                    leg("PERSONAL", &adopter),
                    leg("OPERATION", "OPERATION"),
                    leg("L1", "TOP"),
                    leg("L2", "!LOCKED:LAZY"),
                    leg("L3", "!NO_ANCESTOR"),
                    leg("B1", "TOP"),
                    leg("B2", "!LOCKED:LAZY"),
                    leg("ROUNDING", "HEADQUARTERS"),
                ],
                posted_at_ms: 0,
            }
        };
        orders.map(entry).collect()
    }

    fn date(number: u64) -> BusinessDate {
        let days = u16::try_from(number).expect("few orders");
        "2026-01-01".parse::<BusinessDate>().expect("a date").plus_days(days)
    }

    /// The items of each part, in sort key order.
    fn stored(entries: &[JournalEntry]) -> HashMap<String, Vec<(String, Item)>> {
        let mut parts: HashMap<String, Vec<(String, Item)>> = HashMap::new();
        for item in entries.iter().flat_map(JournalEntry::record_items) {
            let key = item.key().expect("a key");
            parts.entry(key.partition).or_default().push((key.sort, item));
        }
        parts
    }

    /// Answers a part's query as the store does.
    fn page(items: &[(String, Item)], range: &Range, limit: usize) -> Page {
        let is_within = |sort: &String| {
            range.from.as_ref().is_none_or(|from| sort >= from)
                && range.to.as_ref().is_none_or(|to| sort <= to)
        };
        let mut found: Vec<&(String, Item)> = items.iter().filter(|(sort, _)| is_within(sort)).collect();
        if range.descending {
            found.reverse();
        }
        let next = (found.len() > limit).then(|| found[limit - 1].0.clone());
        Page { items: found.into_iter().take(limit).map(|(_, item)| item.clone()).collect(), next }
    }

    /// Every record of a query, page by page.
    fn pages(entries: &[JournalEntry], owner: &str, mut query: RecordQuery) -> Vec<Record> {
        let stored = stored(entries);
        let parts = Part::of_owner(&owner.parse().expect("an owner"), &query);
        let mut records = Vec::new();
        for _ in 0..10_000 {
            let limit = query.items_per_part(parts.len());
            let Some(range) = query.range() else { return records };
            let items = |part: &Part| stored.get(&part.partition()).map_or(&[][..], Vec::as_slice);
            let answers = parts.iter().map(|part| page(items(part), &range, limit)).collect();
            let answer = query.merge(answers).expect("a page");
            assert!(answer.records.len() <= query.limit);
            records.extend(answer.records);
            match answer.next {
                Some(next) => query.after = Some(next),
                None => return records,
            }
        }
        panic!("the pages do not end")
    }

    fn expected(entries: &[JournalEntry], owner: &str) -> Vec<RecordId> {
        let mut ids = Vec::new();
        for entry in entries {
            for (position, leg) in (0..).zip(&entry.legs) {
                if leg.recipient.owner().to_string() == owner {
                    ids.push(RecordId { order: entry.order, entry: entry.number, leg: position });
                }
            }
        }
        ids
    }

    fn ids(records: &[Record]) -> Vec<RecordId> {
        records.iter().map(|record| record.id).collect()
    }

    #[test]
    fn pages_of_any_size_in_either_direction_give_every_leg_once_and_in_order() {
        let entries = entries(1..=100);
        for owner in ["A3", "TOP", "OPERATION", "HEADQUARTERS", "NOBODY"] {
            for limit in [1, 3, 10, 1000] {
                let mut expected = expected(&entries, owner);
                let query = RecordQuery::first(limit);
                assert_eq!(ids(&pages(&entries, owner, query.clone())), expected, "{owner}, {limit}");
                expected.reverse();
                let query = RecordQuery { descending: true, ..query };
                assert_eq!(ids(&pages(&entries, owner, query)), expected, "{owner}, {limit}, descending");
            }
        }
    }

    #[test]
    fn filters_leave_out_what_they_say_and_nothing_else() {
        let entries = entries(1..=100);
        let types = BTreeSet::from([LegType::TeamBonus]);
        let bonuses = pages(&entries, "TOP", RecordQuery { types, ..RecordQuery::first(7) });
        assert_eq!(bonuses.len(), 100);
        assert!(bonuses.iter().all(|record| record.leg.leg_type() == LegType::TeamBonus));

        let order = OrderId::new(42);
        let of_order = pages(&entries, "HEADQUARTERS", RecordQuery { order, ..RecordQuery::first(2) });
        assert_eq!(of_order.iter().map(|record| record.id.leg).collect::<Vec<_>>(), [3, 4, 6, 7]);

        let active = RecordQuery { active_on: Some(date(10)), ..RecordQuery::first(3) };
        assert_eq!(pages(&entries, "OPERATION", active).len(), 10);
    }

    #[test]
    fn a_query_for_one_type_of_a_user_or_one_order_reads_one_part() {
        let of_type = RecordQuery { types: BTreeSet::from([LegType::Personal]), ..RecordQuery::first(10) };
        assert_eq!(Part::of_owner(&"A1".parse().expect("an owner"), &of_type).len(), 1);
        let of_order = RecordQuery { order: OrderId::new(42), ..RecordQuery::first(10) };
        assert_eq!(Part::of_owner(&"OPERATION".parse().expect("an owner"), &of_order).len(), 1);
    }

    #[test]
    fn a_cursor_of_another_query_leads_to_nothing_rather_than_to_a_refused_call() {
        let after = Some("50-0-0".parse().expect("an id"));
        let query = RecordQuery { order: OrderId::new(42), after, ..RecordQuery::first(10) };
        assert!(query.range().is_none());
    }

    #[test]
    fn what_an_account_has_not_unlocked_is_listed_with_it_and_with_headquarters() {
        let items = entries(1..=1)[0].record_items();
        let partitions: Vec<&str> = items.iter().filter_map(|item| item.text("pk").ok()).collect();
        assert_eq!(
            partitions,
            [
                "RECORDS#A1#PERSONAL",
                "RECORDS#TOP#TEAM_LEVEL",
                "RECORDS#TOP#TEAM_BONUS",
                "RECORDS#OPERATION#1",
                "RECORDS#HEADQUARTERS#1",
                "UNALLOCATED#LAZY",
            ]
        );
        let records = Record::of_item(items[5].clone()).expect("an item");
        assert_eq!(records.len(), 2);
        assert!(records.iter().all(|record| matches!(record.leg.recipient, Recipient::Unallocated(_))));
    }

    #[test]
    fn ids_read_back_as_written() {
        let id: RecordId = "57-0-4".parse().expect("an id");
        assert_eq!(id.to_string(), "57-0-4");
        for text in ["", "57", "57-0", "57-0-4-1", "057-0-4", "57-+0-4", "0-0-0"] {
            assert!(text.parse::<RecordId>().is_err(), "{text:?}");
        }
    }
}
