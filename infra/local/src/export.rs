//! Reads the ledger's state from the tables as one JSON document, all amounts as text of scale 10. The form is that
//! of the golden captures' expected states.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use domain::heads::{AdoptionHead, AdoptionState, Network, Totals};
use domain::snapshot::{CarriedAccount, CarriedState, Manifest, TEAM_LEVELS};
use domain::{
    AccountSequence, Amount, BusinessDate, OrderId, Owner, Posting, Ratio, SystemAccount, TalentLevel,
    Versions,
};
use serde::Serialize;
use store::heads::AccountHead;
use store::{Engine, StoreError, Table, heads, snapshots, users};

use crate::language::{Language, say, tell};
use crate::stack::Stack;

/// The ledger's state.
#[derive(Debug, Serialize)]
pub struct Export {
    /// How many adoptions are posted.
    pub orders: usize,
    /// Adoptions that do not take part, with the reason, by order.
    pub held: Vec<(u64, &'static str)>,
    /// The sum of what is posted.
    pub distributed_total: Amount,
    /// Every account with a user or referral row.
    pub accounts: BTreeMap<AccountSequence, ExportedAccount>,
    /// Every system account that has anything.
    pub system: BTreeMap<SystemAccount, Amount>,
    /// The snapshot of the latest closed date, if any date is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<ExportedSnapshot>,
    /// Every posted adoption, as the net of all its entries.
    pub distributions: BTreeMap<OrderId, ExportedDistribution>,
    /// Every account with a user row.
    pub talent: BTreeMap<AccountSequence, ExportedTalent>,
}

/// An account's place in the referral forest.
#[derive(Debug, Serialize)]
pub struct ExportedTalent {
    direct_count: u64,
    promotion_count: u64,
    talent_level: TalentLevel,
}

/// A closed date.
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

/// An account.
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
    team_trees: [u64; TEAM_LEVELS],
}

/// A posted adoption.
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

/// A file that an export goes to, or standard output. It is opened before the work whose outcome it is to hold.
#[derive(Debug)]
pub struct ExportFile {
    path: PathBuf,
    /// `None` for standard output.
    file: Option<File>,
    /// Whether the file is only there because of this export, and has nothing of it yet.
    is_new: bool,
}

/// Returns that an export cannot be written there.
pub fn cannot_write(name: &impl Display) -> String {
    say(format!("cannot write the export to {name}"), format!("无法将导出写入 {name}"))
}

impl ExportFile {
    /// Opens the file without changing what is in it; `-` is standard output.
    ///
    /// # Errors
    ///
    /// It names the file where it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { path: path.to_owned(), file: None, is_new: false });
        }
        let is_new = !path.exists();
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = opened.with_context(|| cannot_write(&path.display()))?;
        Ok(Self { path: path.to_owned(), file: Some(file), is_new })
    }

    /// Returns a writer to the file, of which nothing is left.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn emptied(&mut self) -> std::io::Result<Box<dyn Write + Send + '_>> {
        self.is_new = false;
        let Some(file) = &self.file else { return Ok(Box::new(BufWriter::new(std::io::stdout()))) };
        // A device or a pipe has no length.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        Ok(Box::new(BufWriter::new(file)))
    }

    /// Returns the file's name, as a sentence has it.
    #[must_use]
    pub fn name(&self) -> String {
        if self.is_standard_output() { "standard output".to_owned() } else { self.path.display().to_string() }
    }

    /// Returns whether it is standard output.
    #[must_use]
    pub fn is_standard_output(&self) -> bool {
        self.file.is_none()
    }

    /// Puts the ledger's state in the place of what is in the file.
    pub async fn write(mut self, stack: &Stack) -> Result<()> {
        let export = export(stack).await?;
        let name = self.name();
        let mut written = || {
            let mut writer = self.emptied()?;
            serde_json::to_writer_pretty(&mut writer, &export)?;
            writer.write_all(b"\n")?;
            anyhow::Ok(writer.flush()?)
        };
        written().with_context(|| cannot_write(&name))?;
        tell(
            Language::of_environment()
                .say(format!("the ledger's state is in {name}"), format!("账本状态已写入 {name}")),
        );
        Ok(())
    }
}

impl Drop for ExportFile {
    /// Leaves no empty file behind where nothing was exported.
    fn drop(&mut self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Reads the whole ledger.
pub async fn export(stack: &Stack) -> Result<Export> {
    let engine = stack.engine();
    let network = store::network::read(engine).await?;
    let versions = match &network {
        Some(Network { versions, .. }) => versions.clone(),
        None => Versions::starting(&stack.settings.policy_json)?,
    };
    let heads = read_heads(engine).await?;
    let with_user = accounts_with_user(engine).await?;

    let mut held = Vec::new();
    let mut distributions = BTreeMap::new();
    for (order, head) in &heads.adoptions {
        match &head.state {
            AdoptionState::Held(reason) => held.push((order.get(), reason.name())),
            AdoptionState::Posted(posting) => {
                distributions.insert(*order, distribution(posting, &versions)?);
            }
            AdoptionState::Absent | AdoptionState::Unpriced => {}
        }
    }
    let distributed_total = Amount::sum(distributions.values().map(|distribution| distribution.total))?;
    let mut export = Export {
        orders: distributions.len(),
        held,
        distributed_total,
        accounts: BTreeMap::new(),
        system: BTreeMap::new(),
        snapshot: None,
        distributions,
        talent: talent(stack, &with_user).await?,
    };
    let closed = closed_date(engine).await?;
    let carried = |account: &AccountSequence| {
        closed.as_ref().and_then(|(_, state)| state.account(&Owner::User(account.clone())))
    };
    let today = BusinessDate::at(stack.shared.clock.now(), stack.settings.policy.business_time_zone());
    let policy = &versions.in_force(today.context("the clock shows no business date")?).policy;
    for account in &with_user {
        let nothing = AccountHead::default();
        let stored = heads.accounts.get(&Owner::User(account.clone())).unwrap_or(&nothing);
        export.accounts.insert(account.clone(), exported_account(stored, policy, carried(account))?);
    }
    for (owner, head) in heads.accounts {
        match owner {
            Owner::User(account) if !head.node.rows.is_empty() || head.money.totals != Totals::default() => {
                let exported = exported_account(&head, policy, carried(&account))?;
                export.accounts.insert(account, exported);
            }
            Owner::User(_) => {}
            Owner::System(account) => {
                let total = head.money.totals.total()?;
                // An account whose every leg was taken back is as if it had never had one.
                if !total.is_zero() {
                    export.system.insert(account, total);
                }
            }
        }
    }
    export.snapshot = closed.map(|(manifest, state)| exported_snapshot(&manifest, &state));
    Ok(export)
}

async fn closed_date(engine: &dyn Engine) -> Result<Option<(Manifest, CarriedState)>> {
    let Some(manifest) = snapshots::latest(engine).await? else { return Ok(None) };
    let directory = snapshots::directory(engine, manifest.date).await?;
    let directory = directory.with_context(|| format!("the directory of {} is missing", manifest.date))?;
    let state = snapshots::state(engine, &directory).await?;
    Ok(Some((manifest, state)))
}

fn exported_snapshot(manifest: &Manifest, state: &CarriedState) -> ExportedSnapshot {
    let rows = state.accounts().filter_map(|account| manifest.totals.row_of(account));
    let rows = rows.map(|row| (row.owner, ExportedRow { effective: row.effective, ratio: row.ratio }));
    ExportedSnapshot { date: manifest.date, network_total: manifest.totals.network, rows: rows.collect() }
}

async fn talent(
    stack: &Stack,
    accounts: &BTreeSet<AccountSequence>,
) -> Result<BTreeMap<AccountSequence, ExportedTalent>> {
    let now_ms = stack.shared.clock.now().timestamp_millis();
    let stored = store::talent::read_all(stack.engine(), accounts.iter().cloned().collect()).await?;
    let exported = stored.into_iter().map(|(account, stored)| {
        let team = stored.talent.counted_team(now_ms);
        let exported = ExportedTalent {
            direct_count: team.direct_count(),
            promotion_count: team.promotion_count(),
            talent_level: stored.talent.level,
        };
        (account, exported)
    });
    Ok(exported.collect())
}

fn exported_account(
    head: &AccountHead,
    policy: &domain::Policy,
    carried: Option<&CarriedAccount>,
) -> Result<ExportedAccount> {
    let totals = head.money.totals;
    let unlock = head.node.facts.latest(policy);
    Ok(ExportedAccount {
        personal: totals.personal,
        team_level: totals.team_level,
        team_bonus: totals.team_bonus,
        total: totals.total()?,
        effective: carried.map_or(Amount::ZERO, |account| account.effective),
        has_adopted: unlock.has_adopted,
        direct_referral_adopted_count: head.node.facts.direct_adopter_count(),
        unlocked_level_depth: unlock.level_depth,
        unlocked_bonus_tiers: unlock.bonus_tiers,
        team_trees: carried.map(|account| account.team.levels()).unwrap_or_default(),
    })
}

fn distribution(posting: &Posting, versions: &Versions) -> Result<ExportedDistribution> {
    let version = versions.numbered(posting.version);
    let policy =
        &version.with_context(|| format!("version {} of the rules is not known", posting.version))?.policy;
    let term = posting.term(policy);
    let legs = posting.legs(policy).into_iter().map(|leg| ExportedLeg {
        amount: leg.amount,
        index: leg.index(),
        owner: leg.recipient.owner(),
        r#type: leg.type_name().into_owned(),
        would_be: leg.recipient.would_be().cloned(),
    });
    Ok(ExportedDistribution {
        account: posting.account.clone(),
        total: posting.total,
        effective_date: term.effective_date,
        expire_date: term.expire_date,
        legs: legs.collect(),
    })
}

#[derive(Default)]
struct Heads {
    accounts: BTreeMap<Owner, AccountHead>,
    adoptions: BTreeMap<OrderId, AdoptionHead>,
}

async fn read_heads(engine: &dyn Engine) -> Result<Heads, StoreError> {
    let mut all = Heads::default();
    store::each_item(engine, Table::Ledger, |item| {
        if let Some((owner, head)) = heads::account_of(item)? {
            all.accounts.insert(owner, head);
        } else if let Some((order, head)) = heads::adoption_of(item)? {
            all.adoptions.insert(order, head);
        }
        Ok::<_, StoreError>(())
    })
    .await?;
    Ok(all)
}

async fn accounts_with_user(engine: &dyn Engine) -> Result<BTreeSet<AccountSequence>, StoreError> {
    let mut accounts = BTreeSet::new();
    store::each_item(engine, Table::Source, |item| {
        let with_row = users::rows_of(item)?.filter(|(_, rows)| rows.user().is_some());
        accounts.extend(with_row.map(|(account, _)| account));
        Ok::<_, StoreError>(())
    })
    .await?;
    Ok(accounts)
}
