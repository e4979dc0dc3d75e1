//! The ledger's state as one JSON document.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use ledger::rules::{
    AccountSequence, Amount, BusinessDate, OrderId, Owner, Policy, Ratio, Recipient, Slot, SystemAccount,
    TalentLevel,
};
use ledger::store::{AdoptionRecord, Position, SnapshotPosition, SnapshotRow, Stage, Store};
use serde::Serialize;

/// The ledger's state, all amounts as text of scale 10.
#[derive(Debug, Serialize)]
pub struct Export {
    /// Distributed adoptions.
    pub orders: usize,
    /// Adoptions that do not take part, with the reason, by order.
    pub held: Vec<(OrderId, &'static str)>,
    /// The sum of what was distributed.
    pub distributed_total: Amount,
    /// Every account with a user or referral row.
    pub accounts: BTreeMap<AccountSequence, ExportedAccount>,
    /// Every system account that any leg went to.
    pub system: BTreeMap<SystemAccount, Amount>,
    /// The snapshot of the latest closed date, if any date is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<ExportedSnapshot>,
    /// Every distributed adoption, as the net of all its entries.
    pub distributions: BTreeMap<OrderId, ExportedDistribution>,
    /// Every account with a user row.
    pub talent: BTreeMap<AccountSequence, ExportedTalent>,
}

/// An account's place in the referral forest, in the export.
#[derive(Debug, Serialize)]
pub struct ExportedTalent {
    direct_count: u64,
    promotion_count: u64,
    talent_level: TalentLevel,
}

/// An account in the export.
#[derive(Debug, Serialize)]
pub struct ExportedAccount {
    personal: Amount,
    team_level: Amount,
    team_bonus: Amount,
    total: Amount,
    effective: Amount,
    has_adopted: bool,
    direct_referral_adopted_count: u32,
    unlocked_level_depth: u8,
    unlocked_bonus_tiers: u8,
    /// As of the latest closed date, by level.
    team_trees: Vec<u64>,
}

/// A snapshot in the export.
#[derive(Debug, Serialize)]
pub struct ExportedSnapshot {
    date: BusinessDate,
    network_total: Amount,
    rows: BTreeMap<Owner, ExportedRow>,
}

#[derive(Debug, Serialize)]
struct ExportedRow {
    effective: Amount,
    ratio: Ratio,
}

/// A distributed adoption in the export.
#[derive(Debug, Serialize)]
pub struct ExportedDistribution {
    account: AccountSequence,
    total: Amount,
    effective_date: BusinessDate,
    expire_date: BusinessDate,
    legs: Vec<ExportedLeg>,
}

#[derive(Debug, Serialize)]
struct ExportedLeg {
    amount: Amount,
    index: Option<u8>,
    owner: Owner,
    r#type: String,
    would_be: Option<AccountSequence>,
}

/// Reads the whole ledger.
pub async fn export(store: &Store, policy: &Policy) -> Result<Export> {
    let adoptions = store.adoptions_from(OrderId::MIN).await?;
    let mut held: Vec<(OrderId, &'static str)> =
        store.held().await?.into_iter().map(|held| (held.order, held.reason.name())).collect();
    held.sort_unstable();

    let mut distributions = BTreeMap::new();
    let mut distributed_total = Amount::ZERO;
    for record in adoptions.iter().filter(|record| record.released) {
        let entries = store.entries(record.order).await?;
        let Some(first) = entries.first() else { continue };
        let position = Position::after(&entries)
            .with_context(|| format!("the entries of adoption {} contradict each other", record.order))?;
        if !position.is_live() {
            continue;
        }
        let legs =
            position.legs.iter().map(|(slot, (recipient, amount))| exported_leg(*slot, recipient, *amount));
        let legs: Vec<ExportedLeg> = legs.collect();
        let total = Amount::sum(legs.iter().map(|leg| leg.amount))?;
        distributed_total = distributed_total.checked_add(total).context(
            "the total of all distributed adoptions is too large to export; the ledger itself is whole",
        )?;
        let distribution = ExportedDistribution {
            account: first.account.clone(),
            total,
            effective_date: first.term.effective_date,
            expire_date: first.term.expire_date,
            legs,
        };
        distributions.insert(record.order, distribution);
    }

    let closed = store.latest_closed_date().await?;
    let accounts = accounts(store, policy, closed).await?;
    let snapshot = match closed {
        Some(date) => snapshot(store, date).await?,
        None => None,
    };
    let talent = talent(store).await?;
    let system = store.system_accounts().await?;
    // An account whose every leg was taken back is as if it had never had one.
    let system = system.into_iter().filter(|(_, share)| !share.total.is_zero());
    let system = system.map(|(account, share)| (account, share.total)).collect();
    let orders = distributions.len();
    Ok(Export { orders, held, distributed_total, accounts, system, snapshot, distributions, talent })
}

async fn snapshot(store: &Store, date: BusinessDate) -> Result<Option<ExportedSnapshot>> {
    let Some(totals) = store.snapshot_totals(date).await? else { return Ok(None) };
    let rows = store.snapshot_page(&totals, SnapshotPosition::default(), usize::MAX).await?.rows;
    let exported = |row: SnapshotRow| {
        (row.account, ExportedRow { effective: row.effective_contribution, ratio: row.contribution_ratio })
    };
    Ok(Some(ExportedSnapshot {
        date,
        network_total: totals.network_total_contribution,
        rows: rows.into_iter().map(exported).collect(),
    }))
}

async fn accounts(
    store: &Store,
    policy: &Policy,
    closed: Option<BusinessDate>,
) -> Result<BTreeMap<AccountSequence, ExportedAccount>> {
    let known: BTreeSet<AccountSequence> = store.known_accounts().await?;
    let states = store.accounts(known).await?;
    let mut exported = BTreeMap::new();
    for (account, state) in states {
        let unlock = state.unlock.latest(policy);
        let team_trees = match closed {
            Some(date) => store.team_statistics(&account, date, policy.level_count()).await?.trees_at_level,
            None => vec![0; usize::from(policy.level_count())],
        };
        exported.insert(
            account,
            ExportedAccount {
                personal: state.personal,
                team_level: state.team_level,
                team_bonus: state.team_bonus,
                total: state.total()?,
                effective: state.effective,
                has_adopted: unlock.has_adopted,
                direct_referral_adopted_count: state.unlock.direct_adopter_count(),
                unlocked_level_depth: unlock.level_depth,
                unlocked_bonus_tiers: unlock.bonus_tiers,
                team_trees,
            },
        );
    }
    Ok(exported)
}

async fn talent(store: &Store) -> Result<BTreeMap<AccountSequence, ExportedTalent>> {
    let users = store.users(store.known_accounts().await?).await?;
    let with_row = users.into_values().filter(|user| user.row.is_some()).map(|user| user.account);
    let talents = store.talents(with_row).await?;
    let exported = talents.into_iter().map(|(account, talent)| {
        let exported = ExportedTalent {
            direct_count: talent.team.direct_count(),
            promotion_count: talent.team.promotion_count(),
            talent_level: talent.level,
        };
        (account, exported)
    });
    Ok(exported.collect())
}

fn exported_leg(slot: Slot, recipient: &Recipient, amount: Amount) -> ExportedLeg {
    let leg = ledger::rules::Leg { slot, recipient: recipient.clone(), amount };
    ExportedLeg {
        amount,
        index: leg.index(),
        owner: recipient.owner(),
        r#type: leg.type_name().into_owned(),
        would_be: recipient.would_be().cloned(),
    }
}

/// The adoptions that are distributed now.
#[must_use]
pub fn is_distributed(record: &AdoptionRecord, policy: &Policy) -> bool {
    record.stage == Stage::Released && record.is_distributable(policy)
}
