//! A ledger in memory, fed with a capture, to look at and to damage.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::{TimeDelta, Utc};
use contribution::capture::Capture;
use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use ledger::rules::{AccountSequence, Amount, BusinessDate, OrderId, Owner, Slot, UnlockFacts};
use ledger::store::{
    AccountChange, AccountsItem, Action, AdoptionRecord, BatchWrite, Chain, Chains, Item, JournalEntry, Key,
    Lineage, ReferralRecord, Shard, Store, SystemShareChange, Table, Transacted, TreeCursor, TreeId,
};
use ledger_audit::{Auditor, Kind, Report, Request};
use tokio::sync::OnceCell;

/// The golden captures.
pub(crate) const CAPTURES: [&str; 4] = [
    "ordering-incident.jsonl",
    "ordering-incident.snapshot.jsonl",
    "flattened-regions.jsonl",
    "flattened-regions.snapshot.jsonl",
];

/// The tables that each capture leads to.
static IMAGES: [OnceCell<Vec<Item>>; 4] = [const { OnceCell::const_new() }; 4];

/// A running stack that was fed with a capture.
pub(crate) struct Ledger {
    stack: Stack,
}

impl Ledger {
    /// Everything a capture leads to. Each capture is replayed once; who asks again gets a copy of its
    /// tables.
    pub(crate) async fn of(capture: &str) -> Result<Self> {
        Self::under(capture, "{}").await
    }

    /// Everything a capture led to, under a policy that differs from then.
    pub(crate) async fn under(capture: &str, policy: &str) -> Result<Self> {
        let position = CAPTURES.iter().position(|name| *name == capture).context("a golden capture")?;
        let replay = async || {
            let ledger = Self::start(capture, Options::new(Storage::Ephemeral)).await?;
            ledger.settle().await?;
            let mut items = Vec::new();
            for table in Table::ALL {
                let (page, next) = ledger.store().scan(table, (0, 1), None).await?;
                ensure!(next.is_none(), "a golden capture's tables fit a page each");
                items.extend(page);
            }
            Ok::<_, anyhow::Error>(items)
        };
        let items = IMAGES[position].get_or_try_init(replay).await?;
        let mut options = Options::new(Storage::Ephemeral);
        // A tree that a test stops must stay so, however slow the machine is.
        set(&mut options, "WakeAgainAfterMs", "3600000")?;
        options.parameters.push(("ContributionPolicy".to_owned(), policy.to_owned()));
        let stack = Stack::start(&options).await?;
        stack.store().batch_write(items.iter().cloned().map(BatchWrite::Put).collect()).await?;
        Ok(Self { stack })
    }

    /// A capture whose snapshot was worked through before its streamed part came, so that what came
    /// late had to be corrected.
    pub(crate) async fn corrected() -> Result<Self> {
        let snapshot = read("ordering-incident.snapshot.jsonl")?;
        let mut whole = read("ordering-incident.jsonl")?;
        whole.source.clone_from(&snapshot.source);
        let stack = Stack::start(&Options::new(Storage::Ephemeral)).await?;
        for capture in [snapshot, whole] {
            stack.feed(&capture, |_| {}).await?;
            stack.settle(|_| {}).await?;
        }
        Ok(Self { stack })
    }

    /// Everything a capture leads to where legs follow later unlocks.
    pub(crate) async fn backfilled(capture: &str) -> Result<Self> {
        let mut options = Options::new(Storage::Ephemeral);
        options.parameters.push(("ContributionPolicy".to_owned(), r#"{"backfill": "on_unlock"}"#.to_owned()));
        let ledger = Self::start(capture, options).await?;
        ledger.settle().await?;
        Ok(ledger)
    }

    /// A capture that was read, and of which nothing was released.
    pub(crate) async fn stopped_after_feeding(capture: &str) -> Result<Self> {
        let mut options = Options::new(Storage::Ephemeral);
        set(&mut options, "ReorderWindowMs", "3600000")?;
        Self::start(capture, options).await
    }

    async fn start(capture: &str, options: Options) -> Result<Self> {
        let stack = Stack::start(&options).await?;
        stack.feed(&read(capture)?, |_| {}).await?;
        Ok(Self { stack })
    }

    pub(crate) async fn settle(&self) -> Result<()> {
        self.stack.settle(|_| {}).await
    }

    /// Lets what repairs led to be done, after which an audit must find nothing.
    pub(crate) async fn settles_clean(&self) -> Result<()> {
        self.settle().await?;
        let report = self.audit(false).await?;
        ensure!(report.is_clean(), "{report}");
        Ok(())
    }

    pub(crate) fn store(&self) -> &Store {
        self.stack.store()
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Audits through the function's own event and answer.
    pub(crate) async fn audit(&self, repair: bool) -> Result<Report> {
        let event = serde_json::json!({ "repair": repair });
        Ok(serde_json::from_value(self.stack.functions.audit.invoke(event).await?)?)
    }

    /// Audits with hardly any memory.
    pub(crate) async fn audit_in_parts(&self) -> Result<Report> {
        let auditor = Auditor::new(self.stack.environment().clone())?.with_memory_budget(4096);
        let deadline = Utc::now() + TimeDelta::minutes(5);
        Ok(auditor.handle(Request::default(), Utc::now, deadline).await?)
    }

    pub(crate) async fn apply(&self, action: Action) -> Result<()> {
        ensure!(self.store().apply(action).await?, "a condition failed");
        Ok(())
    }

    pub(crate) async fn transact(&self, actions: Vec<Action>) -> Result<()> {
        ensure!(self.store().transact(actions).await? == Transacted::Committed, "a condition failed");
        Ok(())
    }

    pub(crate) async fn add_to_total(&self, name: &str, total: &str, more: &str) -> Result<()> {
        self.apply(Action::update(Key::account(&account(name))).add(total, more)).await
    }

    pub(crate) async fn entries(&self, number: u64) -> Result<Vec<JournalEntry>> {
        Ok(self.store().entries(order(number)).await?)
    }

    pub(crate) async fn entry(&self, number: u64) -> Result<JournalEntry> {
        self.entries(number).await?.into_iter().next().context("the adoption has an entry")
    }

    /// Changes an entry where it is.
    pub(crate) async fn change_entry(
        &self,
        number: u64,
        change: impl FnOnce(&mut JournalEntry),
    ) -> Result<()> {
        let mut entry = self.entry(number).await?;
        change(&mut entry);
        self.apply(Action::put(Item::encode(&Key::entry(order(number), 0), &entry))?).await
    }

    /// Moves a team level's leg to headquarters, in the entry and in the totals. Its amount.
    pub(crate) async fn move_leg(&self, number: u64, slot: Slot, to: &str) -> Result<Amount> {
        let entry = self.entry(number).await?;
        let leg = entry.legs.iter().find(|leg| leg.slot == slot).context("a leg")?.clone();
        let Owner::User(from) = leg.recipient.owner() else { anyhow::bail!("not a user's leg") };
        let effective = entry.term.effective_date;
        let change = AccountChange {
            team_level: -leg.amount,
            pending: [(effective, -leg.amount)].into(),
            ..AccountChange::default()
        };
        let (_, _, trees) = self.adoption_with_chain(number).await?;
        let share = SystemShareChange {
            total: leg.amount,
            users: -leg.amount,
            pending: [(effective, leg.amount)].into(),
        };
        let share = share.write(Shard::of_tree(&trees[0]), &ledger::rules::SystemAccount::Headquarters);
        self.transact(vec![change.write(&from), share]).await?;
        self.change_entry(number, |entry| {
            let leg = entry.legs.iter_mut().find(|leg| leg.slot == slot).expect("found above");
            leg.recipient = to.parse().expect("a recipient");
        })
        .await?;
        Ok(leg.amount)
    }

    pub(crate) async fn adoption(&self, number: u64) -> Result<AdoptionRecord> {
        let found = self.store().adoptions([order(number)]).await?;
        found.into_values().next().context("the adoption exists")
    }

    pub(crate) async fn adoption_with_chain(
        &self,
        number: u64,
    ) -> Result<(AdoptionRecord, Vec<AccountSequence>, Vec<TreeId>)> {
        let record = self.adoption(number).await?;
        let account = record.row.as_ref().context("a row")?.account.clone();
        let mut chains = Chains::new(self.store(), 15);
        chains.load([account.clone()]).await?;
        match chains.peek(&account) {
            Chain::Known { ancestors, trees } => Ok((record, ancestors, trees)),
            Chain::Missing(missing) => anyhow::bail!("{missing} is missing"),
        }
    }

    pub(crate) async fn referral(&self, name: &str) -> Result<ReferralRecord> {
        let found = self.store().referrals([account(name)]).await?;
        found.into_iter().next().context("a referral")
    }

    /// Adds accounts `CHAIN-0` to `CHAIN-<length>`, each referred by the one before, and an adoption of
    /// the last one that is held for its status.
    pub(crate) async fn add_held_adoption_below_a_chain(&self, number: u64, length: usize) -> Result<()> {
        let held = self.adoption(26).await?;
        let mut above: Option<(AccountSequence, Lineage)> = None;
        for position in 0..=length {
            let account = account(&format!("CHAIN-{position}"));
            let lineage = match &above {
                None => Lineage::root(account.clone(), None),
                Some((referrer, lineage)) => lineage.of_child(referrer, None),
            };
            let record = ReferralRecord {
                version: Some(held.version.clone()),
                referrer: above.map(|(referrer, _)| referrer),
                lineage: Some(lineage.clone()),
                ..ReferralRecord::unknown(account.clone())
            };
            self.apply(record.write_next()?).await?;
            above = Some((account, lineage));
        }
        let mut record = AdoptionRecord { order: order(number), released: false, ..held };
        let row = record.row.as_mut().context("a row")?;
        row.order = order(number);
        row.account = account(&format!("CHAIN-{length}"));
        self.transact(record.replace(None, Utc::now())?).await
    }

    pub(crate) async fn trees(&self) -> Result<Vec<(TreeId, TreeCursor)>> {
        let (items, _) = self.store().scan_accounts((0, 1), None).await?;
        let mut trees = Vec::new();
        for item in items {
            if let AccountsItem::Cursor { tree, cursor } = item? {
                trees.push((tree, cursor));
            }
        }
        trees.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(trees)
    }
}

/// A file of the captures.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/captures").join(name)
}

fn read(capture: &str) -> Result<Capture> {
    Capture::read(&path(capture))
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<()> {
    let parameter = options.parameters.iter_mut().find(|(known, _)| *known == name);
    value.clone_into(&mut parameter.context("a parameter")?.1);
    Ok(())
}

/// The report has a difference of this kind that is about this.
pub(crate) fn assert_finds(report: &Report, kind: Kind, about: &str) {
    let is_about = |text: String| text.split([' ', ',']).any(|word| word == about) || text.contains(about);
    let found =
        report.differences.iter().any(|found| found.kind == kind && is_about(found.subject.to_string()));
    assert!(found, "no {kind} about {about} in {report}");
}

/// The report has differences of these kinds, and of no others.
pub(crate) fn assert_only(report: &Report, kinds: &[Kind]) {
    let mut kinds = kinds.to_vec();
    kinds.sort_unstable();
    assert_eq!(report.counts.keys().copied().collect::<Vec<_>>(), kinds, "{report}");
}

pub(crate) fn account(name: &str) -> AccountSequence {
    name.parse().expect("an account")
}

pub(crate) fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order number")
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().expect("an amount")
}

pub(crate) fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

pub(crate) fn facts(first: Option<u64>, direct: impl IntoIterator<Item = u64>) -> UnlockFacts {
    let mut facts = UnlockFacts::default();
    facts.set_first_order(first.map(order));
    facts.refill(direct.into_iter().map(order));
    facts
}
