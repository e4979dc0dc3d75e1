//! Loads what a decision needs, for the decider and for a simulation. It reads `Ledger` and `Log`, and writes
//! nothing.

use domain::Owner;
use domain::decide::{Loaded, Need};
use domain::log::Position;
use futures::future::try_join_all;

use crate::engine::{BoxFuture, Engine, StoreError};
use crate::heads;
use crate::marks::{Marks, Projection};
use crate::shard::Shard;

/// Loads everything that is needed, side by side.
///
/// The marks were read before, so what is read here includes at least the pages up to the mark of its shard.
pub fn load<'a>(
    engine: &'a dyn Engine,
    needs: Vec<Need>,
    marks: &'a Marks,
    shards: u32,
) -> BoxFuture<'a, Result<Vec<Loaded>, StoreError>> {
    Box::pin(load_all(engine, needs, marks, shards))
}

async fn load_all(
    engine: &dyn Engine,
    needs: Vec<Need>,
    marks: &Marks,
    shards: u32,
) -> Result<Vec<Loaded>, StoreError> {
    let (mut owners, mut totals, mut orders, mut sums, mut parents) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for need in needs {
        match need {
            Need::Node(account) => owners.push(account),
            Need::Total(owner) => totals.push(owner),
            Need::Adoption(order) => orders.push(order),
            Need::Sum(key) => sums.push(key),
            Need::Children(account) => parents.push(account),
            Need::FirstOrders(_) => unreachable!("the decider completes first orders from nodes"),
        }
    }
    let mark = |name: &str| marks.of(&Projection::Heads(Shard::of(name, shards)));
    let accounts = owners.iter().cloned().map(Owner::User).chain(totals.iter().cloned()).collect();
    let children = parents.iter().map(|account| heads::children(engine, account));
    let ((accounts, _), adoptions, sum_nodes, children) = futures::try_join!(
        heads::accounts_and_unreadable(engine, accounts),
        heads::adoptions(engine, orders),
        heads::sums(engine, sums),
        try_join_all(children)
    )?;
    let mut loaded = Vec::new();
    for account in owners {
        let Some(at) = accounts.get(&Owner::User(account.clone())) else {
            loaded.push(Loaded::Unreadable { account });
            continue;
        };
        let position = at.position.max(mark(account.as_str()));
        loaded.push(Loaded::Node { account, node: Box::new(at.head.node.clone()), position });
    }
    for owner in totals {
        loaded.push(total(accounts.get(&owner), owner, &mark));
    }
    for (account, children) in parents.into_iter().zip(children) {
        let position = mark(account.as_str());
        loaded.push(Loaded::Children { account, children, position });
    }
    for (order, at) in adoptions {
        let position = at.position.max(mark(&order.to_string()));
        loaded.push(Loaded::Adoption { order, head: Box::new(at.head), position });
    }
    for (key, at) in sum_nodes {
        let position = at.position.max(mark(&format!("{}#{}", key.0, key.1)));
        loaded.push(Loaded::Sum { key, node: at.head, position });
    }
    Ok(loaded)
}

/// Returns what an owner has, unless its head cannot be read or does not add up.
fn total(
    at: Option<&heads::At<heads::AccountHead>>,
    owner: Owner,
    mark: &impl Fn(&str) -> Position,
) -> Loaded {
    let total = at.and_then(|at| at.head.money.totals.total().ok());
    let position = at.map_or(0, |at| at.position).max(mark(&owner.to_string()));
    Loaded::Total { owner, total, position }
}
