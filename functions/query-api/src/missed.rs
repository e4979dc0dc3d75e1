//! What an account would have received and did not, because it had not unlocked it.
//!
//! Such legs stand with HEADQUARTERS. They are found where they come from: in the adoptions of the accounts below, on
//! a walk through the tree, depth first, that can stop anywhere and go on.
//!
//! Touches: `Ledger` (reads).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use domain::heads::AdoptionHead;
use domain::{AccountSequence, Leg, OrderId, Owner, Posting, Versions};
use store::heads::{self, AccountHead};

use crate::problem::Problem;
use crate::request::Request;

/// How many accounts one answer looks at, at most.
const ACCOUNTS_MAX: usize = 400;
/// How many accounts are loaded together.
const ACCOUNTS_AT_ONCE: usize = 50;

/// Where a walk stands: the number of each account on the way down, and the last order there that was looked at; 0
/// before the first one.
///
/// It names no account, because a member's cursor holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    numbers: Vec<usize>,
    order: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        write!(formatter, "{}@{}", numbers.join("."), self.order)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (numbers, order) = text.split_once('@').ok_or(())?;
        let numbers =
            numbers.split('.').map(|number| number.parse().map_err(drop)).collect::<Result<_, _>>()?;
        Ok(Self { numbers, order: order.parse().map_err(drop)? })
    }
}

/// A leg that an account missed.
#[derive(Debug)]
pub(crate) struct Missed {
    /// The order.
    pub(crate) order: OrderId,
    /// How it is posted.
    pub(crate) posting: Posting,
    /// The leg.
    pub(crate) leg: Leg,
}

/// Returns the legs below `root` that it missed, at most `limit`, and where to go on.
pub(crate) async fn find(
    request: &Request<'_>,
    versions: &Versions,
    root: &AccountSequence,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Missed>, Option<Place>), Problem> {
    let mut walk = Walk::begin(request, root, usize::from(versions.level_count_max())).await?;
    let mut passed = 0;
    if let Some(place) = after {
        walk.go_to(&place.numbers).await?;
        passed = place.order;
    }
    let mut missed: Vec<Missed> = Vec::new();
    for _ in 0..ACCOUNTS_MAX {
        let Some(node) = walk.node().await? else { return Ok((missed, None)) };
        for (order, head) in node.adoptions.iter().filter(|(order, _)| order.get() > passed) {
            let legs = legs_for(root, &node.account, head, versions)?;
            if !missed.is_empty() && missed.len() + legs.len() > limit {
                return Ok((missed, Some(Place { numbers: walk.numbers(), order: order.get() - 1 })));
            }
            if let Some(posting) = head.posting() {
                missed.extend(legs.into_iter().map(|leg| Missed {
                    order: *order,
                    posting: posting.clone(),
                    leg,
                }));
            }
        }
        passed = 0;
        walk.advance().await?;
    }
    let numbers = walk.numbers();
    Ok((missed, (!numbers.is_empty()).then_some(Place { numbers, order: 0 })))
}

/// Returns the legs of an account's adoption that were meant for `root`.
fn legs_for(
    root: &AccountSequence,
    account: &AccountSequence,
    head: &AdoptionHead,
    versions: &Versions,
) -> Result<Vec<Leg>, Problem> {
    let Some(posting) = head.posting().filter(|posting| posting.account == *account) else {
        return Ok(Vec::new());
    };
    let version = versions.numbered(posting.version);
    let version = version.ok_or_else(|| Problem::inconsistent("a posting names an unknown version"))?;
    let legs = posting.legs(&version.policy).into_iter();
    Ok(legs.filter(|leg| leg.recipient.would_be() == Some(root)).collect())
}

/// An account below, with its adoptions in ascending order.
#[derive(Debug, Clone)]
struct Node {
    account: AccountSequence,
    adoptions: Vec<(OrderId, AdoptionHead)>,
}

/// Accounts directly below one account, and which of them the walk is at.
struct Level {
    above: AccountSequence,
    children: Vec<AccountSequence>,
    index: usize,
    loaded: BTreeMap<AccountSequence, (AccountHead, Node)>,
}

struct Walk<'a> {
    request: &'a Request<'a>,
    depth_max: usize,
    levels: Vec<Level>,
}

impl<'a> Walk<'a> {
    async fn begin(
        request: &'a Request<'a>,
        root: &AccountSequence,
        depth_max: usize,
    ) -> Result<Self, Problem> {
        let mut walk = Self { request, depth_max, levels: Vec::new() };
        walk.descend(root.clone()).await?;
        Ok(walk)
    }

    /// Goes one level down, if there is anything below.
    async fn descend(&mut self, above: AccountSequence) -> Result<bool, Problem> {
        let children = heads::children(self.request.engine(), &above).await?;
        if children.is_empty() || self.levels.len() == self.depth_max {
            return Ok(false);
        }
        let children = children.into_iter().collect();
        self.levels.push(Level { above, children, index: 0, loaded: BTreeMap::new() });
        Ok(true)
    }

    /// Goes to the account that these numbers lead to.
    async fn go_to(&mut self, numbers: &[usize]) -> Result<(), Problem> {
        for (depth, number) in numbers.iter().enumerate() {
            if depth > 0 {
                let above = self.levels.last().and_then(|level| level.children.get(level.index).cloned());
                let above = above.ok_or(Problem::InvalidCursor)?;
                if !self.descend(above).await? {
                    return Err(Problem::InvalidCursor);
                }
            }
            let level = self.levels.last_mut().ok_or(Problem::InvalidCursor)?;
            level.index = *number;
            if *number >= level.children.len() {
                return Err(Problem::InvalidCursor);
            }
        }
        Ok(())
    }

    fn numbers(&self) -> Vec<usize> {
        self.levels.iter().map(|level| level.index).collect()
    }

    /// Returns the account the walk is at; `None` at its end. Accounts that hang elsewhere now have no adoptions here.
    async fn node(&mut self) -> Result<Option<Node>, Problem> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        level.load(self.request).await?;
        let (head, node) = &level.loaded[&level.children[level.index]];
        let is_below = head.node.link().referrer() == Some(&level.above);
        let adoptions = if is_below { node.adoptions.clone() } else { Vec::new() };
        Ok(Some(Node { account: node.account.clone(), adoptions }))
    }

    /// Goes to the next account, depth first.
    async fn advance(&mut self) -> Result<(), Problem> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        level.load(self.request).await?;
        let account = level.children[level.index].clone();
        let is_below = level.loaded[&account].0.node.link().referrer() == Some(&level.above);
        if is_below && self.descend(account).await? {
            return Ok(());
        }
        while let Some(level) = self.levels.last_mut() {
            level.index += 1;
            if level.index < level.children.len() {
                return Ok(());
            }
            self.levels.pop();
        }
        Ok(())
    }
}

impl Level {
    /// Loads the account the walk is at, with those that come next.
    async fn load(&mut self, request: &Request<'_>) -> Result<(), Problem> {
        if self.loaded.contains_key(&self.children[self.index]) {
            return Ok(());
        }
        self.loaded.clear();
        let next = self.children[self.index..].iter().take(ACCOUNTS_AT_ONCE);
        let owners = next.cloned().map(Owner::User).collect();
        let accounts = heads::accounts(request.engine(), owners).await?;
        let orders = accounts.values().flat_map(|at| at.head.node.orders.iter().copied()).collect();
        let adoptions = heads::adoptions(request.engine(), orders).await?;
        for (owner, at) in accounts {
            let Owner::User(account) = owner else { continue };
            let own = at.head.node.orders.iter().map(|order| (*order, adoptions[order].head.clone()));
            let node = Node { account: account.clone(), adoptions: own.collect() };
            self.loaded.insert(account, (at.head, node));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written_and_names_no_account() {
        for text in ["0@0", "3.17.0@0", "3@57"] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "a", "3", "3.@0", "3@", "@1", "3@x"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
