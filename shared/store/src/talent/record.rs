//! An account's team and level, and the changes of its level: `TALENT#<account>` and `TALENT_CHANGES#<account>`.

use std::collections::BTreeMap;

use domain::log::Position;
use domain::{AccountSequence, Report, TalentLevel, Team, TeamChange, VersionNumber};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Segment, Table, Write};

const SORT: &str = "HEAD";
const PREFIX: &str = "TALENT#";

/// An account's team and level, and what it takes to keep them right.
///
/// A team is always exactly the sum of the reports that it includes. Which report of a direct referral it includes
/// is said by [`includes`](Self::includes), so that taking the same report in twice changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talent {
    /// The referrer in force, as of [`link_at`](Self::link_at).
    pub referrer: Option<AccountSequence>,
    /// The last page of the log that changed the referrer.
    pub link_at: Position,
    /// How many accounts the ring has that the account is on, if it is on one.
    pub ring: u32,
    /// The sum of the reports of its direct referrals.
    pub team: Team,
    /// The reports that were taken in lately, by direct referral. They go before what the referral confirms.
    pub taken_in: BTreeMap<AccountSequence, TakenIn>,
    /// The report that a referrer includes, unless that referrer's own item says otherwise.
    pub confirmed: Option<Confirmed>,
    /// The level, by the forest alone.
    pub level: TalentLevel,
    /// The level as last published.
    pub published: TalentLevel,
    /// Since which revision of this the level waits for its user, if it does.
    pub awaits_user_since: Option<u64>,
    /// Until when the account counts as active, in milliseconds since 1970.
    pub active_until_ms: Option<i64>,
    /// The latest change of the published level. Earlier ones are in a list.
    pub latest_change: Option<LevelChange>,
}

/// A report that a team has taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenIn {
    /// The revision of the team that took it in first.
    pub at: u64,
    /// The report; `None` where the account no longer reports here.
    pub report: Option<Report>,
}

/// A report that its account knows to be included in its referrer's team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The referrer.
    pub to: AccountSequence,
    /// The revision of the referrer's team that took it in first.
    pub at: u64,
    /// The report.
    pub report: Report,
}

/// What brought a change of a level about. Where several changes were taken into account at once, one of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TalentCause {
    /// This account, somewhere below, was referred, or is referred by another account now.
    ReferralChanged {
        /// The account.
        account: AccountSequence,
    },
    /// This user's row arrived or changed.
    UserChanged {
        /// The account.
        account: AccountSequence,
    },
    /// This account, somewhere below, was not seen for so long that it no longer counts as active.
    ActivityEnded {
        /// The account.
        account: AccountSequence,
    },
    /// Another table of levels came into force.
    TableChanged {
        /// The version of the rules that has it.
        version: VersionNumber,
    },
}

impl TalentCause {
    /// Returns the cause's name on every wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ReferralChanged { .. } => "REFERRAL_CHANGED",
            Self::UserChanged { .. } => "USER_CHANGED",
            Self::ActivityEnded { .. } => "ACTIVITY_ENDED",
            Self::TableChanged { .. } => "TABLE_CHANGED",
        }
    }

    /// Returns the account that the cause is about, if it is about one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountSequence> {
        match self {
            Self::ReferralChanged { account }
            | Self::UserChanged { account }
            | Self::ActivityEnded { account } => Some(account),
            Self::TableChanged { .. } => None,
        }
    }
}

/// A change of the published level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    /// Counts the changes of the account's level, from 1.
    pub number: u32,
    /// The level before.
    pub old_level: TalentLevel,
    /// The level from then on.
    pub new_level: TalentLevel,
    /// Direct referrals at the time.
    pub direct_count: u64,
    /// Descendants within twenty levels at the time.
    pub promotion_count: u64,
    /// What brought it about.
    pub cause: TalentCause,
    /// When, in milliseconds since 1970.
    pub changed_at_ms: i64,
}

impl Talent {
    /// Returns the team with each descendant counted once and the account itself not at all.
    #[must_use]
    pub fn counted_team(&self, now_ms: i64) -> Team {
        self.team.on_ring(self.ring as usize, self.is_active(now_ms))
    }

    /// Returns whether the account was seen lately.
    #[must_use]
    pub fn is_active(&self, now_ms: i64) -> bool {
        self.active_until_ms.is_some_and(|until_ms| now_ms < until_ms)
    }

    /// Returns what the account should report to its referrer.
    #[must_use]
    pub fn report(&self, now_ms: i64) -> Report {
        self.team.report(self.level, self.is_active(now_ms))
    }

    /// Returns the report of `child` that this account's team includes. `account` is this account.
    #[must_use]
    pub fn includes<'a>(
        &'a self,
        account: &AccountSequence,
        child: &AccountSequence,
        confirmed: Option<&'a Confirmed>,
    ) -> Option<&'a Report> {
        match self.taken_in.get(child) {
            Some(taken_in) => taken_in.report.as_ref(),
            None => confirmed.filter(|confirmed| confirmed.to == *account).map(|confirmed| &confirmed.report),
        }
    }

    /// Puts `report` in the place of `included` in the team, as its revision `at`; `None` if the team never
    /// included that.
    #[must_use]
    pub fn take_in(
        &mut self,
        child: &AccountSequence,
        included: Option<&Report>,
        report: Option<Report>,
        at: u64,
    ) -> Option<()> {
        let nothing = Report::default();
        let change: TeamChange = report.as_ref().unwrap_or(&nothing).since(included.unwrap_or(&nothing));
        self.team = self.team.changed_by(&change)?;
        self.taken_in.insert(child.clone(), TakenIn { at, report });
        Some(())
    }
}

/// A record with its revision; 0 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredTalent {
    /// The record.
    pub talent: Talent,
    /// Counts its changes.
    pub revision: u64,
}

fn key(account: &AccountSequence) -> Key {
    Key::new(Table::Ledger, format!("{PREFIX}{account}"), SORT)
}

fn account_of(item: &Item) -> Result<AccountSequence, StoreError> {
    let account = item.key.partition.strip_prefix(PREFIX).and_then(|account| account.parse().ok());
    account.ok_or_else(|| unreadable(item, "its key does not name an account".to_owned()))
}

fn decode_record(item: &Item) -> Result<StoredTalent, StoreError> {
    Ok(StoredTalent { talent: decode(item)?, revision: item.revision })
}

/// Returns the team and level of an account; those of an account without a team if nothing is known of it.
pub fn read<'a>(
    engine: &'a dyn Engine,
    account: &AccountSequence,
) -> BoxFuture<'a, Result<StoredTalent, StoreError>> {
    let key = key(account);
    Box::pin(async move {
        engine.get(key).await?.as_ref().map_or_else(|| Ok(StoredTalent::default()), decode_record)
    })
}

/// Returns the teams and levels of these accounts; those of accounts without a team where nothing is known.
pub fn read_all(
    engine: &dyn Engine,
    accounts: Vec<AccountSequence>,
) -> BoxFuture<'_, Result<BTreeMap<AccountSequence, StoredTalent>, StoreError>> {
    Box::pin(async move {
        let items = engine.get_many(accounts.iter().map(key).collect()).await?;
        let mut records = BTreeMap::new();
        for item in items {
            records.insert(account_of(&item)?, decode_record(&item)?);
        }
        for account in accounts {
            records.entry(account).or_default();
        }
        Ok(records)
    })
}

/// Returns whether talent knows an account: a referral row named it, or a report was made to it.
pub fn knows_account<'a>(
    engine: &'a dyn Engine,
    account: &AccountSequence,
) -> BoxFuture<'a, Result<bool, StoreError>> {
    let key = key(account);
    Box::pin(async move { Ok(engine.get(key).await?.is_some()) })
}

/// Returns the record that an item holds, with its account: for tools that scan the table.
pub fn record_of(item: &Item) -> Result<Option<(AccountSequence, StoredTalent)>, StoreError> {
    if !item.key.partition.starts_with(PREFIX) {
        return Ok(None);
    }
    Ok(Some((account_of(item)?, decode_record(item)?)))
}

/// Returns a page of all teams and levels of one part of the table, and where the next page starts.
pub fn scan(
    engine: &dyn Engine,
    segment: Segment,
    start: Option<Key>,
) -> BoxFuture<'_, Result<(Vec<(AccountSequence, StoredTalent)>, Option<Key>), StoreError>> {
    Box::pin(async move {
        let page = engine.scan(Table::Ledger, segment, start).await?;
        let records = page.items.iter().filter_map(|item| record_of(item).transpose());
        Ok((records.collect::<Result<_, StoreError>>()?, page.next))
    })
}

/// Returns the write that puts a record in the place of that of revision `before`.
#[must_use]
pub fn put(account: &AccountSequence, talent: &Talent, before: u64) -> Write {
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    Write::put(Item::new(key(account), before + 1, encode(talent)), condition)
}

fn changes_partition(account: &AccountSequence) -> String {
    format!("TALENT_CHANGES#{account}")
}

/// Returns the write that moves a change to the list of earlier ones. Repeating it changes nothing.
#[must_use]
pub fn put_change(account: &AccountSequence, change: &LevelChange) -> Write {
    let key = Key::new(Table::Ledger, changes_partition(account), format!("{:08}", change.number));
    Write::put(Item::new(key, 1, encode(change)), Condition::None)
}

/// Returns the changes of an account's level, the latest first, those before number `before`, at most `limit`.
pub fn changes<'a>(
    engine: &'a dyn Engine,
    account: &AccountSequence,
    before: Option<u32>,
    limit: usize,
) -> BoxFuture<'a, Result<Vec<LevelChange>, StoreError>> {
    let account = account.clone();
    Box::pin(async move {
        let latest = read(engine, &account).await?.talent.latest_change;
        let mut changes: Vec<LevelChange> =
            latest.into_iter().filter(|change| before.is_none_or(|before| change.number < before)).collect();
        let listed_before = changes.first().map(|change| change.number).or(before);
        let query = Query {
            descending: true,
            after: listed_before.map(|number| format!("{number:08}")),
            limit,
            ..Query::partition(Table::Ledger, changes_partition(&account))
        };
        for item in engine.query(query).await?.items {
            changes.push(decode(&item)?);
        }
        changes.truncate(limit);
        Ok(changes)
    })
}
