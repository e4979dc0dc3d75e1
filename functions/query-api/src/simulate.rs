//! Works out what would happen: the decider's own code over the ledger as it is, and nothing is written.
//!
//! Touches: `Log` (reads), `Ledger` (reads).

use std::collections::{BTreeMap, BTreeSet};

use domain::decide::{AdoptionInput, Decider, Inputs, Overtaken, Parameters, Progress, ReferralInput, Step};
use domain::heads::{Network, lines_of};
use domain::log::{Cause, Correction, Entry, Held, Page, PartitionProgress};
use domain::{AdoptionRow, Amount, OrderId, Owner, Posting, ReferralRow, RowKey};
use store::{log, needs};

use crate::problem::Problem;
use crate::request::Request;

/// How many pages a simulation writes down and throws away, at most.
const PAGES_MAX: usize = 64;
/// How many steps it makes, at most, so that what it loads is bounded.
const STEPS_MAX: usize = 2_000;
/// How often it begins again because the log went on.
const ATTEMPTS_MAX: usize = 4;
/// How many pages it lays over heads, at most.
const TAIL_PAGES_MAX: u64 = 1_024;
/// What a simulated row is called: it comes after every key of a source.
const KEY_PREFIX: &str = "\u{10FFFF}simulated-";

/// What is supposed to arrive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Supposed {
    /// Rows of referrals.
    pub(crate) referrals: Vec<ReferralRow>,
    /// Rows of adoptions.
    pub(crate) adoptions: Vec<(OrderId, AdoptionRow)>,
}

/// What would be decided.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    /// What would be posted of the supposed adoptions.
    pub(crate) posted: BTreeMap<OrderId, Posting>,
    /// Which of them would be held, and why.
    pub(crate) held: BTreeMap<OrderId, Held>,
    /// What would be corrected of adoptions that are there.
    pub(crate) corrected: Vec<Correction>,
    /// Adoptions that are there and would be posted or taken back, with why.
    pub(crate) changed: Vec<(OrderId, &'static str, Cause)>,
    /// What each account would get or lose.
    pub(crate) differences: BTreeMap<Owner, Amount>,
    /// Whether everything that follows was looked at.
    pub(crate) is_complete: bool,
}

/// Returns what would be decided if these rows arrived now.
pub(crate) async fn simulate(request: &Request<'_>, supposed: Supposed) -> Result<Simulated, Problem> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(simulated) = try_to_simulate(request, supposed.clone()).await? {
            return Ok(simulated);
        }
    }
    Err(Problem::Unavailable { message: Overtaken.to_string() })
}

/// Returns what would be decided; `None` where the log went on meanwhile.
async fn try_to_simulate(request: &Request<'_>, supposed: Supposed) -> Result<Option<Simulated>, Problem> {
    let network = request.network().await?;
    let mut decider = decider(request, &network).await?;
    let orders: BTreeSet<OrderId> = supposed.adoptions.iter().map(|(order, _)| *order).collect();
    let time_ms = request.now().timestamp_millis();
    decider.begin(inputs(supposed, time_ms), time_ms);
    let mut simulated = Simulated::default();
    let mut pages = 0;
    for _ in 0..STEPS_MAX {
        match decider.step() {
            Step::Load(needed) => {
                let shards = request.settings().account_shards;
                let loaded = needs::load(request.engine(), needed, request.marks(), shards).await?;
                if decider.provide(loaded).is_err() {
                    return Ok(None);
                }
            }
            Step::Put(page) => {
                simulated.take_in(&page, &orders, decider.network())?;
                pages += 1;
                if pages == PAGES_MAX {
                    break;
                }
            }
            Step::Idle { .. } => {
                simulated.is_complete = true;
                break;
            }
        }
    }
    simulated.differences.retain(|_, difference| !difference.is_zero());
    Ok(Some(simulated))
}

/// Returns a decider over the ledger as it is, with nothing else in hand.
async fn decider(request: &Request<'_>, network: &Network) -> Result<Decider, Problem> {
    let mut alone = network.clone();
    alone.walks.clear();
    alone.due.clear();
    alone.unpriced.clear();
    alone.paused.clear();
    alone.close_asked = None;
    let parameters = Parameters {
        zone: request.zone(),
        settle_ms: 0,
        brake_adoptions: u64::MAX,
        guard_factor: None,
        ..Parameters::default()
    };
    let end = alone.position;
    let mut decider = Decider::new(alone, parameters);
    let mut after = request.position();
    if end.saturating_sub(after) > TAIL_PAGES_MAX {
        return Err(Problem::Behind { at_least: end, position: after });
    }
    while after < end {
        let pages = log::read_after(request.engine(), after, 16).await?;
        if pages.is_empty() {
            return Err(Problem::inconsistent("the log has a gap"));
        }
        for page in pages.into_iter().filter(|page| page.position <= end) {
            after = page.position;
            decider.read_page(page, true).map_err(|error| Problem::inconsistent(error.to_string()))?;
        }
    }
    Ok(decider)
}

/// Returns the supposed rows as inputs, with everything before them read.
fn inputs(supposed: Supposed, time_ms: i64) -> Inputs {
    let partition = "simulated".to_owned();
    let read = PartitionProgress { partition, offset: 0, read_through_ms: i64::MAX };
    let progress = Some(Progress { orders: vec![read], unread: Vec::new() });
    let mut inputs = Inputs { progress, ..Inputs::default() };
    for (number, row) in supposed.referrals.into_iter().enumerate() {
        let accounts = vec![row.account.clone()];
        let key = RowKey::new(format!("{KEY_PREFIX}{number}"));
        inputs.referrals.insert(key, ReferralInput { row: Some(row), accounts });
    }
    for (number, (order, row)) in supposed.adoptions.into_iter().enumerate() {
        let key = RowKey::new(format!("{KEY_PREFIX}{number}"));
        let input = AdoptionInput { row: Some((order, row)), orders: vec![order], committed_ms: time_ms };
        inputs.add_adoption(key, input);
    }
    inputs
}

impl Simulated {
    fn take_in(&mut self, page: &Page, orders: &BTreeSet<OrderId>, network: &Network) -> Result<(), Problem> {
        for (index, entry) in (0_u32..).zip(&page.entries) {
            for (owner, line) in lines_of(entry, page.position, index, page.time_ms, &network.versions) {
                let difference = self.differences.entry(owner).or_default();
                *difference = difference.checked_add(line.amount())?;
            }
            match entry {
                Entry::Posted { order, posting, .. } if orders.contains(order) => {
                    self.posted.insert(*order, (**posting).clone());
                }
                Entry::Corrected(correction) if orders.contains(&correction.order) => {
                    self.posted.insert(correction.order, correction.is.clone());
                }
                Entry::Held(held) if orders.contains(&held.order) => {
                    self.held.insert(held.order, held.clone());
                }
                Entry::HoldEnded(held) => {
                    self.held.remove(&held.order);
                }
                Entry::Corrected(correction) => self.corrected.push((**correction).clone()),
                Entry::Posted { order, cause, .. } => self.changed.push((*order, "POSTED", cause.clone())),
                Entry::Withdrawn { order, cause, .. } => {
                    self.posted.remove(order);
                    self.changed.push((*order, "WITHDRAWN", cause.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
