//! What is below each account, its talent level, and which accounts a change has still to reach.
//!
//! An account's item says what its direct referrals have reported and what it has itself reported to
//! its referrer. A report and the difference it makes to the referrer are one transaction, so that a
//! team is at all times exactly the sum of the reports made to it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::client::{Range, Store};
use super::key::{Key, Shard, active_until_partition, raised_partition, talent_partition};
use super::lists::ListPage;
use super::referral::TreeId;
use super::user::UserRecord;
use super::{Action, Item, StoreError, Table};
use crate::events::{Event, TalentLevelChanged};
use crate::rules::{AccountSequence, Report, TALENT_DEPTH, TalentLevel, Team, TeamChange};

/// The attribute prefix of descendants at a depth: `people#1`.
const PEOPLE_PREFIX: &str = "people#";
/// The attribute prefix of active descendants at a depth.
const ACTIVE_PREFIX: &str = "active#";
/// The attribute prefix of direct referrals at a level.
const LEVEL_PREFIX: &str = "level#";

/// An account's team and level, and what it told its referrer of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalentRecord {
    /// The account.
    pub account: AccountSequence,
    /// Counts the changes of this item; 0 if it does not exist.
    pub revision: u64,
    /// What was reported to it.
    pub team: Team,
    /// Its level, as last recorded.
    pub level: TalentLevel,
    /// How often its level changed.
    pub level_changes: u32,
    /// What it reported, and to whom; `None` if it never did, or took it back.
    pub reported: Option<Reported>,
    /// What brought about the latest change of its team.
    pub cause: Option<TalentCause>,
}

/// An account's team and level as somebody who asks is told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTalent {
    /// The team and the level.
    pub talent: TalentRecord,
    /// Whether the user's row has arrived, without which the level stays as it is.
    pub has_user: bool,
}

/// A report that a referrer's team includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The referrer.
    pub to: AccountSequence,
    /// What it was told.
    pub report: Report,
}

/// What brought a change of a talent level about. Where several changes were taken into account at
/// once, the latest of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TalentCause {
    /// This account's referral arrived, somewhere below.
    ReferralArrived {
        /// Whose.
        account: AccountSequence,
    },
    /// The level of this direct referral, or of somebody below it, changed.
    LevelChanged {
        /// Whose.
        account: AccountSequence,
    },
    /// This user's row arrived or changed.
    UserChanged {
        /// Whose.
        account: AccountSequence,
    },
    /// This account, somewhere below, was seen again or no longer seen.
    ActivityChanged {
        /// Whose.
        account: AccountSequence,
    },
}

/// One change of an account's level. Its item is written once, in the transaction that changes the
/// level, and never changes; it holds all that is published of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalentLevelChange {
    /// Whose level.
    pub account: AccountSequence,
    /// Counts the changes of the account's level, from 1.
    pub number: u32,
    /// The level before.
    pub old_level: TalentLevel,
    /// The level from now on.
    pub new_level: TalentLevel,
    /// Direct referrals at the time.
    pub direct_count: u64,
    /// Descendants within twenty levels at the time.
    pub promotion_count: u64,
    /// What brought it about.
    pub cause: TalentCause,
    /// When it was recorded. Milliseconds since 1970.
    pub changed_at_ms: i64,
}

/// Says that changes have still to be carried up from an account.
///
/// Every change raises it, and only who has carried up everything there was when they read it may
/// take it away. It is no lock: any number may work from one mark at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalentMark {
    /// The account.
    pub account: AccountSequence,
    /// A tree it was in when the mark was raised, if that was known. Only so that marks of one tree
    /// are neighbours; an account may have marks under several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeId>,
    /// What raised it last, by a name that nothing else has; `None` if it is not raised. A number of times
    /// would not do: a mark that was taken away and raised anew would look like the one that was read.
    #[serde(default)]
    pub raised_by: Option<String>,
    /// Whether a message was sent of it, or is about to be. What a snapshot brings needs none.
    #[serde(default)]
    pub announced: bool,
    /// When it was raised first. Milliseconds since 1970.
    #[serde(default)]
    pub raised_at_ms: i64,
}

/// An account that is active until a time, when that must be looked at again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActiveUntil {
    /// The time. Milliseconds since 1970.
    pub until_ms: i64,
    /// The account.
    pub account: AccountSequence,
}

impl TalentRecord {
    /// An account nothing was reported to.
    #[must_use]
    pub fn unknown(account: AccountSequence) -> Self {
        Self {
            account,
            revision: 0,
            team: Team::default(),
            level: TalentLevel::NONE,
            level_changes: 0,
            reported: None,
            cause: None,
        }
    }

    /// The write that adds what was reported to an account's team. It has no condition, because
    /// differences add up in any order; whoever works from what the item was before will notice.
    #[must_use]
    pub fn add(account: &AccountSequence, change: &TeamChange, cause: &TalentCause) -> Action {
        let mut update = Action::update(Key::talent(account)).add("revision", 1).set("cause", encoded(cause));
        let counts = [(PEOPLE_PREFIX, &change.people[..]), (ACTIVE_PREFIX, &change.active[..])];
        for (prefix, differences) in counts.into_iter().chain([(LEVEL_PREFIX, &change.levels[..])]) {
            for (difference, number) in differences.iter().zip(1..) {
                if *difference != 0 {
                    update = update.add(&format!("{prefix}{number}"), *difference);
                }
            }
        }
        update
    }

    /// The write that records this account's level and what it reported, as the next revision. It
    /// holds only if nothing was added to the team since it was read.
    #[must_use]
    pub fn settle(&self) -> Action {
        let update = Action::update(Key::talent(&self.account))
            .if_number_is("revision", (self.revision > 0).then_some(self.revision))
            .set("revision", number(self.revision + 1))
            .set("level", number(self.level.get()))
            .set("level_changes", number(self.level_changes));
        match &self.reported {
            Some(reported) => update.set("reported", encoded(reported)),
            None => update.remove("reported"),
        }
    }

    /// A name for what [`Self::settle`] writes. It takes effect once, because the next revision is
    /// another.
    #[must_use]
    pub fn settlement(&self) -> String {
        format!("{}#{}", self.account, self.revision + 1)
    }

    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let account = item.text("pk")?.strip_prefix(TALENT_PREFIX).and_then(|text| text.parse().ok());
        let mut team = Team::default();
        for (depth, slot) in (1..=TALENT_DEPTH).zip(0..) {
            team.people[slot] = item.number_if_present(&format!("{PEOPLE_PREFIX}{depth}"))?.unwrap_or(0);
            team.active[slot] = item.number_if_present(&format!("{ACTIVE_PREFIX}{depth}"))?.unwrap_or(0);
        }
        let mut levels: BTreeMap<usize, u64> = BTreeMap::new();
        for (name, _) in item.attributes() {
            if let Some(level) = name.strip_prefix(LEVEL_PREFIX) {
                levels.insert(level.parse().map_err(|_| item.corrupt(name))?, item.number(name)?);
            }
        }
        let highest = levels.keys().last().copied().unwrap_or(0);
        team.levels = (1..=highest).map(|level| levels.get(&level).copied().unwrap_or(0)).collect();
        Ok(Self {
            account: account.ok_or_else(|| item.corrupt("pk"))?,
            revision: item.number("revision")?,
            team,
            level: TalentLevel::new(item.number_if_present("level")?.unwrap_or(0)),
            level_changes: item.number_if_present("level_changes")?.unwrap_or(0),
            reported: decoded(item, "reported")?,
            cause: decoded(item, "cause")?,
        })
    }
}

impl TalentLevelChange {
    /// The write of this change, which holds only if there is none with its number yet.
    pub fn write(&self) -> Result<Action, StoreError> {
        Ok(Action::put(Item::encode(&Key::talent_level_changed(&self.account, self.number), self))?
            .if_absent())
    }

    /// What other services are told of this change.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::TalentLevelChanged(TalentLevelChanged {
            account_sequence: self.account.clone(),
            change_number: u64::from(self.number),
            old_level: self.old_level.get(),
            new_level: self.new_level.get(),
            direct_count: self.direct_count,
            promotion_count: self.promotion_count,
            cause: self.cause.name().to_owned(),
            changed_at: DateTime::from_timestamp_millis(self.changed_at_ms)
                .expect("our own clock shows times of this era"),
        })
    }
}

impl TalentCause {
    /// Whose change it was.
    #[must_use]
    pub fn account(&self) -> &AccountSequence {
        match self {
            Self::ReferralArrived { account }
            | Self::LevelChanged { account }
            | Self::UserChanged { account }
            | Self::ActivityChanged { account } => account,
        }
    }

    /// The cause's name on every wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ReferralArrived { .. } => "REFERRAL_ARRIVED",
            Self::LevelChanged { .. } => "LEVEL_CHANGED",
            Self::UserChanged { .. } => "USER_CHANGED",
            Self::ActivityChanged { .. } => "ACTIVITY_CHANGED",
        }
    }
}

impl TalentMark {
    /// A mark that is not raised yet.
    #[must_use]
    pub fn on(account: AccountSequence, tree: Option<TreeId>) -> Self {
        Self { account, tree, raised_by: None, announced: false, raised_at_ms: 0 }
    }

    fn key(&self) -> Key {
        Key::talent_mark(&self.account, self.tree.as_ref())
    }

    /// The write that raises the mark; `announces` says whether whoever raises it sends a message, unless
    /// it is announced. If it was raised when it was read, the write holds only if it still is: whoever
    /// takes marks away relies on being told of those that begin.
    #[must_use]
    pub fn raise(&self, by: String, announces: bool, now_ms: i64) -> Action {
        let mut update = Action::update(self.key());
        if self.raised_by.is_some() {
            update = update.if_attribute_exists("pk");
        }
        update = update.set("raised_by", AttributeValue::S(by)).set_if_absent("raised_at_ms", number(now_ms));
        update = update.set("account", AttributeValue::S(self.account.to_string()));
        if announces {
            update = update.set("announced", AttributeValue::Bool(true));
        }
        match &self.tree {
            Some(tree) => update.set("tree", tree.into()),
            None => update,
        }
    }

    /// The write that takes the mark away, unless it was raised since it was read.
    #[must_use]
    pub fn clear(&self) -> Action {
        let raised_by = self.raised_by.clone().unwrap_or_default();
        Action::delete(self.key()).if_equal("raised_by", AttributeValue::S(raised_by))
    }
}

impl ActiveUntil {
    fn key(&self) -> Key {
        Key::active_until(&self.account, self.until_ms)
    }

    /// The write that asks for another look at that time.
    pub fn write(&self) -> Result<Action, StoreError> {
        Action::put(Item::encode(&self.key(), self))
    }

    /// The write that says that the look was taken.
    #[must_use]
    pub fn remove(&self) -> Action {
        Action::delete(self.key())
    }
}

impl Store {
    /// The teams and levels of these accounts, unknown ones included.
    pub async fn talents(
        &self,
        accounts: impl IntoIterator<Item = AccountSequence>,
    ) -> Result<HashMap<AccountSequence, TalentRecord>, StoreError> {
        let mut found: HashMap<AccountSequence, TalentRecord> =
            accounts.into_iter().map(|account| (account.clone(), TalentRecord::unknown(account))).collect();
        for item in self.batch_get(found.keys().map(Key::talent).collect::<Vec<_>>()).await? {
            let record = TalentRecord::from_item(&item)?;
            found.insert(record.account.clone(), record);
        }
        Ok(found)
    }

    /// An account's team and level, if anything is known of the account: a report, a user row or a
    /// referral row. One read.
    pub async fn known_talent(&self, account: &AccountSequence) -> Result<Option<KnownTalent>, StoreError> {
        let (talent, user) = (Key::talent(account), Key::user(account));
        let mut known = KnownTalent { talent: TalentRecord::unknown(account.clone()), has_user: false };
        let mut is_known = false;
        for item in self.batch_get([talent.clone(), user.clone(), Key::referral(account)]).await? {
            let key = item.key()?;
            if key == talent {
                known.talent = TalentRecord::from_item(&item)?;
                is_known = true;
            } else if key == user {
                known.has_user = item.decode::<UserRecord>()?.row.is_some();
                is_known = true;
            } else {
                // A referral's item may only say that something waits for the row.
                is_known |= item.has("version");
            }
        }
        Ok(is_known.then_some(known))
    }

    /// A page of the changes of an account's level, the latest first; `before` is the number that the
    /// page before ended with.
    pub async fn talent_level_changes_page(
        &self,
        account: &AccountSequence,
        before: Option<u32>,
        limit: usize,
    ) -> Result<ListPage<TalentLevelChange, u32>, StoreError> {
        let range = Range { descending: true, ..Range::prefix(TALENT_CHANGE_PREFIX) };
        let range = range.after(before.map(change_sort_key));
        let page = self.query(Table::Source, &talent_partition(account), &range, limit).await?;
        let entries: Vec<TalentLevelChange> =
            page.items.into_iter().map(Item::decode).collect::<Result<_, _>>()?;
        let next = page.next.and(entries.last()).map(|last| last.number);
        Ok(ListPage { entries, next })
    }

    /// The changes of an account's level, the earliest first.
    pub async fn talent_level_changes(
        &self,
        account: &AccountSequence,
    ) -> Result<Vec<TalentLevelChange>, StoreError> {
        let range = Range::prefix(TALENT_CHANGE_PREFIX);
        let items = self.query_all(Table::Source, &talent_partition(account), &range).await?;
        items.into_iter().map(Item::decode).collect()
    }

    /// These marks as they are now; those that are not raised are left out.
    pub async fn talent_marks(
        &self,
        marks: impl IntoIterator<Item = TalentMark>,
    ) -> Result<Vec<TalentMark>, StoreError> {
        let keys: Vec<Key> = marks.into_iter().map(|mark| mark.key()).collect();
        self.batch_get(keys).await?.into_iter().map(Item::decode).collect()
    }

    /// Raised marks, at most so many, those of one tree together.
    pub async fn raised_talent_marks(&self, limit: usize) -> Result<Vec<TalentMark>, StoreError> {
        let of_shard = limit.div_ceil(usize::from(Shard::COUNT));
        let pages = Shard::all().map(|shard| async move {
            self.query(Table::Source, &raised_partition(shard), &Range::default(), of_shard).await
        });
        let pages = futures::future::try_join_all(pages).await?;
        pages.into_iter().flat_map(|page| page.items).map(Item::decode).collect()
    }

    /// Accounts to look at again by now, at most so many.
    pub async fn no_longer_active(&self, now_ms: i64, limit: usize) -> Result<Vec<ActiveUntil>, StoreError> {
        let of_shard = limit.div_ceil(usize::from(Shard::COUNT));
        let range = Range { to: Some(until_sort_key(now_ms)), ..Range::default() };
        let pages = Shard::all().map(|shard| {
            let range = range.clone();
            async move { self.query(Table::Source, &active_until_partition(shard), &range, of_shard).await }
        });
        let pages = futures::future::try_join_all(pages).await?;
        pages.into_iter().flat_map(|page| page.items).map(Item::decode).collect()
    }
}

/// The prefix of the partitions of teams and level changes.
pub(super) const TALENT_PREFIX: &str = "TALENT#";
/// The sort key prefix of level changes.
pub(super) const TALENT_CHANGE_PREFIX: &str = "CHANGE#";

/// The sort key of the change of a level with this number.
pub(super) fn change_sort_key(number: u32) -> String {
    format!("{TALENT_CHANGE_PREFIX}{number:06}")
}

/// A time as text that sorts as the time does.
pub(super) fn until_sort_key(until_ms: i64) -> String {
    format!("{until_ms:015}")
}

fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn encoded(value: &impl Serialize) -> AttributeValue {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value)
        .expect("stored types are structs of plain fields")
}

fn decoded<T: serde::de::DeserializeOwned>(item: &Item, name: &str) -> Result<Option<T>, StoreError> {
    let value = item.attributes().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    value
        .map(serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value)
        .transpose()
        .map_err(|_| item.corrupt(name))
}
