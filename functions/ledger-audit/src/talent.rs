//! Compares the records of talent with what the referrers give, and writes anew those that differ.
//!
//! Talent follows the log by itself. It is judged only where it stands still: its mark is not before the audited
//! position, nothing is marked to be propagated, and all of that is the same once the last record was read. What the
//! records say of activity follows from users and the time, and is taken as it stands.
//!
//! Touches: `Log` (reads), `Ledger` (reads, writes), the clock.

use std::collections::{BTreeMap, BTreeSet};

use domain::log::Position;
use domain::recalculate::{Difference, ReferralForest, ShouldBe, TalentFault, Talents};
use domain::{AccountSequence, Report, TALENT_DEPTH, TalentTable, Team, TeamChange, Versions};
use runtime::Context;
use store::audit::AuditFindings;
use store::marks::{self, Projection};
use store::talent::{self, StoredTalent, TablePass, TakenIn, Talent, TalentShards, TalentState};
use store::{Engine, Item, StoreError, Written};

use crate::error::AuditError;
use crate::pages;

/// How many accounts are compared at once, each with its direct referrals.
const ACCOUNTS_COMPARED: usize = 200;
/// They are begun only while more than this is left of the invocation, in milliseconds.
const ACCOUNTS_TAKE_MS: i64 = 5_000;

/// Talent as it stands still.
#[derive(PartialEq, Eq)]
struct Still {
    /// The last page that it includes.
    position: Position,
    state: TalentState,
}

/// Returns where talent stands, if it stands still.
async fn still(engine: &dyn Engine, shards: TalentShards) -> Result<Option<Still>, StoreError> {
    let position = marks::read(engine).await?.of(&Projection::Talent);
    let state = talent::state(engine).await?;
    let is_settled = state.pass.is_none() && talent::is_settled(engine, shards).await?;
    Ok(is_settled.then_some(Still { position, state }))
}

/// The records that were among the items which the audit read anyway.
pub(crate) struct Seen {
    shards: TalentShards,
    begun: Option<Still>,
    records: BTreeMap<AccountSequence, StoredTalent>,
}

impl Seen {
    pub(crate) async fn begin(engine: &dyn Engine, shards: TalentShards) -> Result<Self, StoreError> {
        Ok(Self { shards, begun: still(engine, shards).await?, records: BTreeMap::new() })
    }

    /// Keeps the records among these items. One that cannot be read is asked for again when accounts are compared.
    pub(crate) fn take(&mut self, items: &[Item]) {
        let records = items.iter().filter_map(|item| talent::record_of(item).ok().flatten());
        self.records.extend(records);
    }
}

/// Compares every account's talent. Returns how many; `None` where talent did not stand still.
pub(crate) async fn compare(
    context: &Context,
    versions: &Versions,
    position: Position,
    forest: &mut ReferralForest,
    seen: Seen,
    found: &mut AuditFindings,
) -> Result<Option<u64>, AuditError> {
    let engine = &*context.engine;
    let shards = seen.shards;
    let Some(begun) = still(engine, shards).await?.filter(|still| still.position >= position) else {
        return Ok(None);
    };
    read_on(engine, forest, position, begun.position).await?;
    let Some(table) = table(versions, &begun.state)? else { return Ok(None) };
    let talents = forest.talents(&table);
    let judge = Judge { talents: &talents, levels: !table.asks_for_activity() };
    let mut differences = Vec::new();
    // What was seen before talent stood still may be older.
    let mut records = if seen.begun.as_ref() == Some(&begun) { seen.records } else { BTreeMap::new() };
    for accounts in forest.accounts().chunks(ACCOUNTS_COMPARED) {
        if (context.deadline - context.clock.now()).num_milliseconds() < ACCOUNTS_TAKE_MS {
            return Ok(None);
        }
        read_with_children(engine, &talents, accounts, &mut records).await?;
        for account in accounts {
            let fault = judge.fault(account, &records);
            differences.extend(fault.map(|fault| Difference::Talent { account: account.clone(), fault }));
        }
    }
    if still(engine, shards).await?.as_ref() != Some(&begun) {
        return Ok(None);
    }
    for difference in differences {
        found.add(difference);
    }
    Ok(Some(forest.accounts().len() as u64))
}

/// Writes the records of these accounts as they should be, and has every account's level compared again. Returns how
/// many records were written.
pub(crate) async fn rebuild(
    engine: &dyn Engine,
    versions: &Versions,
    shards: TalentShards,
    accounts: &BTreeSet<AccountSequence>,
) -> Result<u64, AuditError> {
    if accounts.is_empty() {
        return Ok(0);
    }
    let begun = still(engine, shards).await?.ok_or(AuditError::TalentMoves)?;
    let mut forest = ReferralForest::new();
    read_on(engine, &mut forest, 0, begun.position).await?;
    let table = table(versions, &begun.state)?.ok_or(AuditError::TalentMoves)?;
    let talents = forest.talents(&table);
    let judge = Judge { talents: &talents, levels: !table.asks_for_activity() };
    for account in accounts {
        let mut records = BTreeMap::new();
        read_with_children(engine, &talents, std::slice::from_ref(account), &mut records).await?;
        let Some(anew) = judge.anew(account, &records) else { continue };
        let write = talent::put(account, &anew, records[account].revision);
        if engine.write(write).await? != Written::Done {
            return Err(AuditError::TalentMoves);
        }
    }
    // What follows from the records, levels above them included, is found by comparing every account once.
    let next = TalentState { pass: Some(TablePass::default()), ..begun.state };
    if talent::put_state(engine, &next).await? {
        Ok(accounts.len() as u64)
    } else {
        Err(AuditError::TalentMoves)
    }
}

/// Folds the pages after one position, up to another, into the forest.
async fn read_on(
    engine: &dyn Engine,
    forest: &mut ReferralForest,
    after: Position,
    until: Position,
) -> Result<(), AuditError> {
    pages::read(engine, after, until, |page| {
        page.entries.iter().for_each(|entry| forest.apply(entry, page.position));
        Ok(())
    })
    .await
}

/// Returns the table of levels in force; `None` where none was looked up yet.
fn table(versions: &Versions, state: &TalentState) -> Result<Option<TalentTable>, AuditError> {
    let mut versions = versions.clone();
    for terms in &state.versions {
        versions.introduce(terms.clone())?;
    }
    Ok(versions.numbered(state.version).map(|version| version.policy.talent().clone()))
}

/// Reads the records of accounts and of their direct referrals.
async fn read_with_children(
    engine: &dyn Engine,
    talents: &Talents<'_>,
    accounts: &[AccountSequence],
    records: &mut BTreeMap<AccountSequence, StoredTalent>,
) -> Result<(), StoreError> {
    let children = accounts.iter().flat_map(|account| talents.children(account));
    let named = accounts.iter().chain(children);
    let missing: BTreeSet<AccountSequence> =
        named.filter(|account| !records.contains_key(*account)).cloned().collect();
    records.extend(talent::read_all(engine, missing.into_iter().collect()).await?);
    Ok(())
}

/// By what records are judged.
struct Judge<'a> {
    talents: &'a Talents<'a>,
    /// Whether levels are: those that depend on activity are not.
    levels: bool,
}

impl Judge<'_> {
    /// Returns what is wrong with an account's talent, if anything is.
    fn fault(
        &self,
        account: &AccountSequence,
        records: &BTreeMap<AccountSequence, StoredTalent>,
    ) -> Option<TalentFault> {
        let should = self.talents.of(account)?;
        let stands = &records[account].talent;
        let has_link = (&stands.referrer, stands.link_at) == (&should.referrer, should.changed_at);
        let has_team = stands.team.people == should.team.people
            && (!self.levels || stands.team.levels == should.team.levels);
        let is_published = stands.published == stands.level || stands.awaits_user_since.is_some();
        let includes_reports =
            self.talents.children(account).all(|child| self.includes(account, child, records).is_some());
        let includes_no_other = stands
            .taken_in
            .iter()
            .all(|(child, taken_in)| taken_in.report.is_none() || self.is_child(account, child));
        let holds = [
            (TalentFault::Referrer, has_link),
            (TalentFault::Ring, ring_of(stands.ring) == ring_of(should.ring)),
            (TalentFault::Team, has_team),
            (TalentFault::Level, !self.levels || stands.level == should.level),
            (TalentFault::Published, is_published),
            (TalentFault::Reports, includes_reports && includes_no_other),
        ];
        holds.into_iter().find(|(_, holds)| !holds).map(|(fault, _)| fault)
    }

    /// Returns an account's record as it should be. What follows from it, its level first, is not in it yet.
    fn anew(
        &self,
        account: &AccountSequence,
        records: &BTreeMap<AccountSequence, StoredTalent>,
    ) -> Option<Talent> {
        let should = self.talents.of(account)?;
        let StoredTalent { talent: stands, revision } = &records[account];
        let mut anew = Talent {
            referrer: should.referrer.clone(),
            link_at: should.changed_at,
            ring: should.ring,
            team: Team::default(),
            ..stands.clone()
        };
        for (child, taken_in) in &mut anew.taken_in {
            if !self.is_child(account, child) {
                taken_in.report = None;
            }
        }
        for child in self.talents.children(account) {
            let report = if let Some(report) = self.includes(account, child, records) {
                report.clone()
            } else {
                let report = self.report(child, records)?;
                let taken_in = TakenIn { at: revision + 1, report: Some(report.clone()) };
                anew.taken_in.insert(child.clone(), taken_in);
                report
            };
            anew.team = anew.team.changed_by(&report.since(&Report::default()))?;
        }
        Some(anew)
    }

    /// Returns the report of a direct referral that the account's team includes, if it is the one that it should
    /// include.
    fn includes<'a>(
        &self,
        account: &AccountSequence,
        child: &AccountSequence,
        records: &'a BTreeMap<AccountSequence, StoredTalent>,
    ) -> Option<&'a Report> {
        let confirmed = records[child].talent.confirmed.as_ref();
        let included = records[account].talent.includes(account, child, confirmed)?;
        // What it says of activity is taken as it stands.
        let TeamChange { people, levels, .. } = included.since(&self.report(child, records)?);
        let is_same = people == [0; TALENT_DEPTH] && levels.iter().all(|difference| *difference == 0);
        is_same.then_some(included)
    }

    /// Returns what an account should report to its referrer.
    fn report(
        &self,
        child: &AccountSequence,
        records: &BTreeMap<AccountSequence, StoredTalent>,
    ) -> Option<Report> {
        let ShouldBe { team, level, .. } = self.talents.of(child)?;
        let stands = &records[child].talent;
        let team = Team { people: team.people, active: stands.team.active, levels: Vec::new() };
        let is_active = stands.confirmed.as_ref().is_some_and(|confirmed| confirmed.report.is_active());
        Some(team.report(if self.levels { *level } else { stands.level }, is_active))
    }

    fn is_child(&self, account: &AccountSequence, child: &AccountSequence) -> bool {
        let refers_here = |should: &ShouldBe| should.referrer.as_ref() == Some(account) && account != child;
        self.talents.of(child).is_some_and(refers_here)
    }
}

/// Returns a ring's length where it matters. A team on a ring that is longer than a team is deep has each account once.
fn ring_of(length: u32) -> u32 {
    if length as usize > TALENT_DEPTH { 0 } else { length }
}
