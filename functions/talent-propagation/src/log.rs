//! Reads the log and reports every change of a referral to the referrer, in the same invocation.
//!
//! Touches: `Log` (reads), `Ledger` (reads, writes), the clock.

use std::collections::{BTreeMap, BTreeSet};

use domain::log::{Entry, Page, Position};
use domain::{AccountSequence, VersionTerms};
use runtime::Context;
use store::marks::{self, Projection};
use store::talent::{self, Mark, MarkKind, TalentCause};
use store::{Engine, StoreError, Written};

use crate::forest::{Forest, Work};
use crate::propagate::Propagated;
use crate::{PropagationError, TalentPropagation};

/// How many pages are read at once.
const PAGES_READ: u32 = 32;
/// Pages are taken together until they change so many referrals.
const CHANGES_TOGETHER: usize = 1_000;
/// Pages are begun only while more than this is left of the invocation, in milliseconds.
const PAGES_TAKE_MS: i64 = 2_000;

/// What some pages say about referrals.
#[derive(Debug, Default)]
struct Batch {
    /// The last page.
    position: Position,
    /// The referrer of each account that moved, and the last page that moved it.
    referrers: BTreeMap<AccountSequence, (Position, Option<AccountSequence>)>,
    /// The referrers that accounts had before.
    left: BTreeMap<AccountSequence, BTreeSet<AccountSequence>>,
    /// All referrers that accounts came to, also where they left again.
    joined: BTreeSet<AccountSequence>,
    /// Versions of the rules.
    versions: Vec<VersionTerms>,
}

impl Batch {
    /// Returns what the first of these pages say.
    fn of(pages: &[Page]) -> Self {
        let mut batch = Self::default();
        for page in pages {
            for entry in &page.entries {
                batch.add(entry, page.position);
            }
            batch.position = page.position;
            if batch.referrers.len() >= CHANGES_TOGETHER {
                break;
            }
        }
        batch
    }

    fn add(&mut self, entry: &Entry, position: Position) {
        match entry {
            Entry::Upline(change) => {
                let account = &change.account;
                if let Some(before) = change.before.referrer() {
                    self.left.entry(account.clone()).or_default().insert(before.clone());
                }
                self.joined.extend(change.after.referrer().cloned());
                let after = change.after.referrer().cloned();
                self.referrers.insert(account.clone(), (position, after));
            }
            Entry::VersionIntroduced(terms) => self.versions.push((**terms).clone()),
            _ => {}
        }
    }
}

impl TalentPropagation {
    /// Reads the log up to its end, or as far as the time of the invocation goes.
    pub(crate) async fn read_log(
        &self,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        let engine = &*context.engine;
        while (context.deadline - context.clock.now()).num_milliseconds() > PAGES_TAKE_MS {
            let mark = marks::read(engine).await?.of(&Projection::Talent);
            let pages = store::log::read_after(engine, mark, PAGES_READ).await?;
            if pages.is_empty() {
                return Ok(());
            }
            let batch = Batch::of(&pages);
            introduce(engine, &batch.versions).await?;
            let marked = self.settle_referrers(&batch, context, propagated).await?;
            marks::advance(engine, vec![Projection::Talent], batch.position).await?;
            crate::wake(context, marked).await?;
        }
        Ok(())
    }

    /// Settles the referrers that a batch changes, and marks them, so that the change is propagated from there. Returns
    /// the marked accounts.
    async fn settle_referrers(
        &self,
        batch: &Batch,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<BTreeSet<AccountSequence>, PropagationError> {
        if batch.referrers.is_empty() {
            return Ok(BTreeSet::new());
        }
        let engine = &*context.engine;
        put_referrers(engine, &batch.referrers).await?;
        let cause = |account: &AccountSequence| TalentCause::ReferralChanged { account: account.clone() };
        let work = Work {
            starts: batch.referrers.keys().map(|account| (account.clone(), cause(account))).collect(),
            users: batch.referrers.keys().cloned().collect(),
            left: batch.left.clone(),
            // A referrer that was left is written at any rate, so that no write can still take the account's report in.
            fenced: batch.left.values().flatten().cloned().collect(),
            ..Work::default()
        };
        let forest = self.propagate(work, context, propagated).await?;
        let marks = marks_after(batch, &forest);
        let marked = marks.keys().map(|(account, _)| account.clone()).collect();
        let raised = marks.into_iter().map(|((account, kind), cause)| Mark {
            account,
            kind,
            raised_by: self.unique.next(context),
            cause,
        });
        talent::raise(engine, self.shards, raised.collect()).await?;
        Ok(marked)
    }
}

/// Returns the marks from which the changes of a batch are propagated.
///
/// A ring can only come about, or end, where an account moves that had a referrer or has direct referrals.
fn marks_after(batch: &Batch, forest: &Forest) -> BTreeMap<(AccountSequence, MarkKind), TalentCause> {
    let mut marks = BTreeMap::new();
    for (account, (_, referrer)) in &batch.referrers {
        let cause = TalentCause::ReferralChanged { account: account.clone() };
        let before = batch.left.get(account);
        let has_team = batch.joined.contains(account)
            || forest.now(account).is_none_or(|talent| talent.team.direct_count() > 0);
        let kind = if before.is_some() || has_team { MarkKind::Rings } else { MarkKind::Report };
        for above in referrer.iter().chain(before.into_iter().flatten()) {
            marks.insert((above.clone(), kind), cause.clone());
        }
        if kind == MarkKind::Rings {
            marks.insert((account.clone(), kind), cause);
        }
    }
    // A referrer that only a later page names may have taken a report in, or one further up: where another table came
    // into force meanwhile, what was written by the former one has reported as well.
    for account in batch.referrers.keys().chain(forest.written()) {
        let Some(referrer) = forest.now(account).and_then(|talent| talent.referrer.clone()) else { continue };
        if forest.written().contains(&referrer) {
            let cause = TalentCause::ReferralChanged { account: account.clone() };
            marks.entry((referrer, MarkKind::Report)).or_insert(cause);
        }
    }
    marks
}

/// Records who refers these accounts now. What a later page said stays.
async fn put_referrers(
    engine: &dyn Engine,
    referrers: &BTreeMap<AccountSequence, (Position, Option<AccountSequence>)>,
) -> Result<(), StoreError> {
    let mut remaining: Vec<AccountSequence> = referrers.keys().cloned().collect();
    while !remaining.is_empty() {
        let mut writes = Vec::new();
        let mut written = Vec::new();
        for (account, mut stored) in talent::read_all(engine, remaining).await? {
            let (position, referrer) = &referrers[&account];
            if stored.talent.link_at < *position {
                stored.talent.link_at = *position;
                stored.talent.referrer.clone_from(referrer);
                writes.push(talent::put(&account, &stored.talent, stored.revision));
                written.push(account);
            }
        }
        let outcomes = engine.write_many(writes).await;
        remaining = Vec::new();
        for (account, outcome) in written.into_iter().zip(outcomes) {
            if let Written::ConditionFailed(_) = outcome? {
                remaining.push(account);
            }
        }
    }
    Ok(())
}

/// Records versions of the rules that the log introduces.
async fn introduce(engine: &dyn Engine, versions: &[VersionTerms]) -> Result<(), StoreError> {
    loop {
        let mut state = talent::state(engine).await?;
        let known = state.versions.last().map_or(1, |terms| terms.number);
        let new: Vec<VersionTerms> = versions.iter().filter(|terms| terms.number > known).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        state.versions.extend(new);
        if talent::put_state(engine, &state).await? {
            return Ok(());
        }
    }
}
