//! One segment of all accounts: what is due enters `effective`.

use std::collections::BTreeMap;

use ledger::closing::CloseError;
use ledger::rules::{AccountSequence, Amount, AmountOverflow, CloseStep, Policy};
use ledger::store::{
    Action, Chain, Chains, CloseState, Holder, Holding, SegmentState, Store, TRANSACTION_ACTIONS_MAX, Taking,
    TeamChange, Transacted,
};

/// How often a page is looked at again because postings came in between.
const ATTEMPTS_MAX: usize = 20;

/// One segment's activation.
pub(crate) struct Activating<'a> {
    store: &'a Store,
    policy: &'a Policy,
    state: &'a CloseState,
    segment: u32,
    progress: SegmentState,
}

/// How a segment's work ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All of it is done.
    Done(SegmentState),
    /// There was no time for the rest.
    OutOfTime(SegmentState),
    /// Somebody else works on it, or finished it first.
    LeftToOthers,
}

/// Takings that fit one transaction, with what they add to teams: takings of neighbours often share
/// ancestors, and an item may be in a transaction once.
#[derive(Default)]
struct Pack {
    takings: Vec<Taking>,
    actions: Vec<Action>,
    teams: BTreeMap<AccountSequence, TeamChange>,
}

type Teams = Vec<(AccountSequence, TeamChange)>;

impl<'a> Activating<'a> {
    pub(crate) fn new(
        store: &'a Store,
        policy: &'a Policy,
        state: &'a CloseState,
        segment: u32,
        progress: SegmentState,
    ) -> Self {
        Self { store, policy, state, segment, progress }
    }

    /// Goes through the segment page by page, from where an earlier attempt ran out of time.
    pub(crate) async fn run(mut self, is_time_up: impl Fn() -> bool) -> Result<Outcome, CloseError> {
        loop {
            let segment = (self.segment, self.state.segments);
            let (holdings, next) = self.store.holdings_page(segment, self.progress.start()).await?;
            let Some(settled) = self.activate(holdings).await? else { return Ok(Outcome::LeftToOthers) };
            for holding in &settled {
                let is_user = matches!(holding.holder, Holder::User(_));
                if is_user && holding.effective > Amount::ZERO {
                    self.progress.accounts += 1;
                    self.progress.effective = self.progress.effective.checked_add(holding.effective)?;
                }
            }
            let Some(next) = next else { return Ok(Outcome::Done(self.progress)) };
            self.progress.after = Some((next.partition().to_owned(), next.sort().to_owned()));
            if is_time_up() {
                return Ok(Outcome::OutOfTime(self.progress));
            }
            // Noted after each page, so that whoever takes over does not begin anew.
            let noted = self.progress.write_next(self.state.date, CloseStep::Activating, self.segment)?;
            if !self.store.apply(noted).await? {
                return Ok(Outcome::LeftToOthers);
            }
            self.progress.revision += 1;
        }
    }

    /// Takes everything that is due of these holdings, and answers them as they are then; `None` if
    /// somebody else works on the segment, or finished it.
    async fn activate(&mut self, holdings: Vec<Holding>) -> Result<Option<Vec<Holding>>, CloseError> {
        let mut settled = Vec::with_capacity(holdings.len());
        let mut open = holdings;
        for _ in 0..ATTEMPTS_MAX {
            let (due, done): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|holding| holding.due(self.state.date).is_some());
            settled.extend(done);
            if due.is_empty() {
                return Ok(Some(settled));
            }
            let Some(again) = self.take(due).await? else { return Ok(None) };
            open = again;
        }
        Err(CloseError::Contended)
    }

    /// Takes what one transaction may take of each holding, and answers all of them as they are then.
    async fn take(&mut self, holdings: Vec<Holding>) -> Result<Option<Vec<Holding>>, CloseError> {
        let teams = self.teams(&holdings).await?;
        let mut looked_at = Vec::with_capacity(holdings.len());
        let mut pack = Pack::default();
        for (holding, teams) in holdings.into_iter().zip(teams) {
            let taking = self.taking(holding)?;
            let actions = taking.actions(self.state.closing());
            if !pack.has_room_for(&actions, &teams) {
                let Some(after) = self.commit(std::mem::take(&mut pack)).await? else { return Ok(None) };
                looked_at.extend(after);
            }
            pack.add(taking, actions, teams);
        }
        let Some(after) = self.commit(pack).await? else { return Ok(None) };
        looked_at.extend(after);
        Ok(Some(looked_at))
    }

    fn taking(&self, holding: Holding) -> Result<Taking, AmountOverflow> {
        let due = holding.due(self.state.date).expect("only what is due is taken");
        let never_expires = holding.holder.system_kind().is_some_and(|kind| self.policy.never_expires(kind));
        let term_years = (!never_expires).then_some(self.policy.term_years());
        let activation = self.state.closing().activate(&due.amounts, term_years)?;
        Ok(Taking { holding, due, activation })
    }

    /// What the due trees of each holding add to the teams of its ancestors.
    async fn teams(&self, holdings: &[Holding]) -> Result<Vec<Teams>, CloseError> {
        let adopter = |holding: &Holding| match &holding.holder {
            Holder::User(account) if holding.pending_trees.range(..=self.state.date).next().is_some() => {
                Some(account.clone())
            }
            _ => None,
        };
        let mut chains = Chains::new(self.store, self.policy.level_count());
        let adopters: Vec<AccountSequence> = holdings.iter().filter_map(adopter).collect();
        chains.load(adopters).await?;
        let mut teams = Vec::with_capacity(holdings.len());
        for holding in holdings {
            let chain = match adopter(holding) {
                Some(account) => chains.of(&account).await?,
                None => Chain::Known { ancestors: Vec::new(), trees: Vec::new() },
            };
            // Whoever was posted to had a chain, and a chain is never taken back.
            let Chain::Known { ancestors, .. } = chain else {
                tracing::error!(holder = %holding.holder, "an adopter's ancestors are not known any more");
                teams.push(Teams::new());
                continue;
            };
            let trees = holding.due(self.state.date).map_or(0, |due| due.tree_count());
            let before = holding.trees.unwrap_or(0);
            let became_adopter = i64::from(before + trees > 0) - i64::from(before > 0);
            let change = |(level, account): (u8, AccountSequence)| {
                let change = TeamChange {
                    trees_at_level: BTreeMap::from([(level, trees)]),
                    direct_adopted_referrals: if level == 1 { became_adopter } else { 0 },
                };
                (account, change)
            };
            let is_changed = trees != 0 || became_adopter != 0;
            let changed = (1..).zip(ancestors).map(change).filter(|_| is_changed);
            teams.push(changed.collect());
        }
        Ok(teams)
    }

    /// Commits a pack and answers its holdings as they are then; `None` if somebody else works on the
    /// segment, or finished it: what one of them takes, the other's sum would not know of.
    async fn commit(&mut self, pack: Pack) -> Result<Option<Vec<Holding>>, CloseError> {
        if pack.takings.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let fence = self.progress.fence(self.state.date, CloseStep::Activating, self.segment);
        let mut actions = vec![fence];
        actions.extend(pack.actions);
        actions.extend(pack.teams.iter().map(|(account, change)| change.write(account, self.state.date)));
        match self.store.transact(actions).await? {
            Transacted::Committed => {
                self.progress.revision += 1;
                let taken = pack.takings.into_iter().map(Taking::after);
                Ok(Some(taken.collect::<Result<_, _>>()?))
            }
            Transacted::ConditionsFailed(positions) if positions.contains(&0) => Ok(None),
            // Postings came in between.
            Transacted::ConditionsFailed(_) => {
                let holders = pack.takings.into_iter().map(|taking| taking.holding.holder);
                Ok(Some(self.store.holdings(&holders.collect::<Vec<_>>()).await?))
            }
        }
    }
}

impl Pack {
    fn has_room_for(&self, actions: &[Action], teams: &Teams) -> bool {
        let new_teams = teams.iter().filter(|(account, _)| !self.teams.contains_key(account)).count();
        // One action is the fence.
        1 + self.actions.len() + self.teams.len() + actions.len() + new_teams <= TRANSACTION_ACTIONS_MAX
    }

    fn add(&mut self, taking: Taking, actions: Vec<Action>, teams: Teams) {
        self.takings.push(taking);
        self.actions.extend(actions);
        for (account, change) in teams {
            self.teams.entry(account).or_default().merge(&change);
        }
    }
}
