//! Reads what the system accounts have, all at one position of the log.
//!
//! Touches: `Log` (reads), `Ledger` (reads).

use std::collections::BTreeMap;

use domain::heads::{Network, lines_of};
use domain::{Amount, Owner, SystemAccount};
use store::heads::{self, At};
use store::{lists, log};

use crate::problem::Problem;
use crate::request::Request;

/// How many pages are laid over heads, at most.
const TAIL_PAGES_MAX: u64 = 64;

/// Returns the total of every system account as of the network's last page.
///
/// Heads stand at different positions, so the pages after each are laid over it.
pub(crate) async fn at_end_of_log(
    request: &Request<'_>,
    network: &Network,
) -> Result<BTreeMap<SystemAccount, Amount>, Problem> {
    let projected = request.position();
    if network.position.saturating_sub(projected) > TAIL_PAGES_MAX {
        return Err(Problem::Behind { at_least: network.position, position: projected });
    }
    let listed = lists::system_accounts(request.engine()).await?;
    let owners = listed.into_iter().map(Owner::System).collect();
    let heads = heads::accounts(request.engine(), owners).await?;
    let mut totals = BTreeMap::new();
    let mut positions = BTreeMap::new();
    for (owner, At { head, position }) in heads {
        positions.insert(owner.clone(), request.position_of(&owner, position));
        if let Owner::System(account) = owner {
            totals.insert(account, head.money.totals.total()?);
        }
    }
    let count = u32::try_from(network.position.saturating_sub(projected)).expect("bounded above");
    let pages = log::read_after(request.engine(), projected, count).await?;
    for page in pages {
        for (index, entry) in (0_u32..).zip(&page.entries) {
            for (owner, line) in lines_of(entry, page.position, index, page.time_ms, &network.versions) {
                let is_included = positions.get(&owner).is_some_and(|position| page.position <= *position);
                let Owner::System(account) = owner else { continue };
                if !is_included {
                    let total = totals.entry(account).or_default();
                    *total = total.checked_add(line.amount())?;
                }
            }
        }
    }
    Ok(totals)
}
