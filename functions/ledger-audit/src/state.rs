//! Reads the state of a ledger that stands still.
//!
//! Touches: `Log` (reads), `Ledger` (reads).

use std::collections::BTreeMap;

use domain::digest::{State, StateAdoption, StateOutcome, StateTalent};
use domain::heads::{AdoptionState, Network};
use domain::log::{AdjustmentTerms, Command, Position};
use domain::{BusinessDate, Owner, Versions};
use store::marks::{self, Projection};
use store::talent::{self, TalentShards};
use store::{Engine, StoreError, Table, heads, lists};

/// How many operations are read at once.
const OPERATIONS_READ: usize = 256;

/// Why the state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something is still being worked on, so that what is stored is of no one position.
    #[error("the ledger does not stand still: {what}. Stop what feeds it, wait for a minute and try again")]
    Moving {
        /// What is being worked on.
        what: String,
    },
}

/// Returns the state of a ledger on a business date, as it stands at the end of its log.
///
/// `versions` begin with the deployment's policy.
///
/// # Errors
///
/// [`StateError::Moving`] where the log goes on, or something that follows from it has not caught up.
pub async fn read_state(
    engine: &dyn Engine,
    versions: &Versions,
    shards: u32,
    date: BusinessDate,
) -> Result<State, StateError> {
    let network = network_at_the_end(engine, versions).await?;
    check_caught_up(engine, network.position, shards).await?;
    let mut state = State {
        date,
        waiting: network.counts.orders_waiting + network.counts.uplines_waiting,
        versions: network.versions,
        adoptions: BTreeMap::new(),
        accounts: BTreeMap::new(),
        totals: BTreeMap::new(),
        adjustments: adjustments(engine).await?,
    };
    read_items(engine, &mut state).await?;
    if store::log::read_after(engine, network.position, 1).await?.is_empty() {
        Ok(state)
    } else {
        Err(StateError::Moving { what: "a page was put while the state was read".to_owned() })
    }
}

async fn network_at_the_end(engine: &dyn Engine, versions: &Versions) -> Result<Network, StoreError> {
    let stored = store::network::read(engine).await?;
    let mut network = stored.unwrap_or_else(|| Network::new(versions.clone()));
    store::log::each_page(engine, network.position, Position::MAX, |page| {
        network.apply_page(&page, page.hash());
        Ok::<_, StoreError>(())
    })
    .await?;
    Ok(network)
}

async fn check_caught_up(engine: &dyn Engine, position: Position, shards: u32) -> Result<(), StateError> {
    let marks = marks::read(engine).await?;
    let moving = |what: &str| Err(StateError::Moving { what: what.to_owned() });
    if marks.heads(shards) != position {
        return moving("the heads have not caught up with the log");
    }
    if marks.of(&Projection::Talent) != position {
        return moving("talent has not caught up with the log");
    }
    if !talent::is_settled(engine, TalentShards::beside(shards)).await? {
        return moving("changes of talent are still being propagated");
    }
    if talent::state(engine).await?.pass.is_some() {
        return moving("accounts are still being compared with another table of talent levels");
    }
    Ok(())
}

async fn read_items(engine: &dyn Engine, state: &mut State) -> Result<(), StoreError> {
    store::each_item(engine, Table::Ledger, |item| {
        if let Some((owner, head)) = heads::account_of(item)? {
            if let Owner::User(account) = &owner {
                let known = state.accounts.entry(account.clone()).or_default();
                known.referrer = head.node.link().referrer().cloned();
                known.first_order = head.node.facts.first_order();
                known.direct_adopters = head.node.facts.direct_adopter_count();
            }
            state.totals.insert(owner, head.money.totals);
        } else if let Some((order, head)) = heads::adoption_of(item)? {
            let outcome = match head.state {
                AdoptionState::Absent => StateOutcome::Absent,
                AdoptionState::Unpriced => StateOutcome::Unpriced,
                AdoptionState::Held(reason) => StateOutcome::Held(reason),
                AdoptionState::Posted(posting) => StateOutcome::Posted(posting),
            };
            state.adoptions.insert(order, StateAdoption { trees_before: head.trees_before, outcome });
        } else if let Some((account, stored)) = talent::record_of(item)? {
            // Activity is not part of the state: only the counts of people are read.
            let team = stored.talent.counted_team(0);
            state.accounts.entry(account).or_default().talent = StateTalent {
                level: stored.talent.level,
                direct_count: team.direct_count(),
                promotion_count: team.promotion_count(),
            };
        }
        Ok(())
    })
    .await
}

async fn adjustments(engine: &dyn Engine) -> Result<Vec<AdjustmentTerms>, StoreError> {
    let mut adjustments = Vec::new();
    let mut before: Option<(Position, u32)> = None;
    loop {
        let operations = lists::operations(engine, before, OPERATIONS_READ).await?;
        let Some(last) = operations.last() else { return Ok(adjustments) };
        before = Some((last.position, last.index));
        for operation in operations {
            if let Command::Adjust(terms) = operation.command
                && operation.outcome.is_done()
            {
                adjustments.push(*terms);
            }
        }
    }
}
