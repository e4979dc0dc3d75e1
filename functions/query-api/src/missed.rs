//! Finds what an account would have received and did not, because it had not unlocked it. `walk` reads
//! the heads for it.
//!
//! Such legs stand with HEADQUARTERS. They are found where they come from: in the adoptions of the accounts below, on
//! a walk through the tree, depth first, that can stop anywhere and go on. What the account's unlocks say of an order
//! number spares the walk the adoptions of which nothing can be missed, so that nearly each that it reads is an answer.

mod walk;

use std::fmt;
use std::str::FromStr;

use domain::heads::{AdoptionHead, Network};
use domain::{AccountSequence, Leg, OrderId, Posting, UnlockFacts, UnlockedLegs, Versions};

use self::walk::Walk;
use crate::problem::Problem;
use crate::request::Request;

/// How many accounts one answer looks at, at most.
const ACCOUNTS_MAX: usize = 400;
/// How many adoptions one answer looks at, at most.
const ADOPTIONS_MAX: usize = 400;

/// Where a walk stands: the number of each account on the way down, and the last order there that was looked at; 0
/// before the first one.
///
/// It names no account, because a member's cursor holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    numbers: Vec<u32>,
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
///
/// An answer may have none and still name a place to go on at: it ends once it has looked at enough.
pub(crate) async fn find(
    request: &Request<'_>,
    network: &Network,
    (root, facts): (&AccountSequence, &UnlockFacts),
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Missed>, Option<Place>), Problem> {
    let versions = &network.versions;
    let numbers = after.as_ref().map(|place| place.numbers.as_slice());
    let mut walk = Walk::begin(request, root, Missable::of(network, facts), numbers).await?;
    let mut passed = after.as_ref().map_or(0, |place| place.order);
    let mut missed: Vec<Missed> = Vec::new();
    let mut adoptions_left = ADOPTIONS_MAX;
    for _ in 0..ACCOUNTS_MAX {
        let Some(orders) = walk.orders(passed, adoptions_left).await? else { return Ok((missed, None)) };
        adoptions_left -= orders.len();
        for order in orders {
            let (account, head) = walk.adoption(order).await?;
            let legs = legs_for(root, account, head, versions)?;
            if !missed.is_empty() && missed.len() + legs.len() > limit {
                return Ok((missed, Some(walk.place(order.get() - 1))));
            }
            if let Some(posting) = head.posting() {
                missed.extend(legs.into_iter().map(|leg| Missed { order, posting: posting.clone(), leg }));
            }
            passed = order.get();
        }
        if adoptions_left == 0 {
            return Ok((missed, Some(walk.place(passed))));
        }
        passed = 0;
        walk.advance().await?;
    }
    let is_at_end = walk.is_at_end();
    Ok((missed, (!is_at_end).then(|| walk.place(0))))
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

/// Of which orders an account can miss a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Missable {
    /// Of adopters one level below, two levels, and so on: of orders before which; `None` stands for all.
    before: Vec<Option<OrderId>>,
}

impl Missable {
    /// Returns of which orders an account with these facts can miss a leg, whatever version of the rules judges them.
    fn of(network: &Network, facts: &UnlockFacts) -> Self {
        let depth_max = network.versions.ancestors_max();
        // While adoptions are compared again, legs may still stand as they were before the facts changed.
        let are_legs_by_facts = network.walks.is_empty();
        let before =
            |level| if are_legs_by_facts { opened_from(&network.versions, facts, level) } else { None };
        let mut before: Vec<Option<OrderId>> = (1..=depth_max).map(before).collect();
        // Below the last level of which anything can be missed, there is nothing to look for.
        let depth =
            before.iter().rposition(|before| *before != Some(OrderId::MIN)).map_or(0, |last| last + 1);
        before.truncate(depth);
        Self { before }
    }

    /// Returns how many levels below the account a missed leg can come from.
    fn depth(&self) -> usize {
        self.before.len()
    }

    /// Returns whether a leg of this order can be missed, if it is of an adopter so many levels below.
    fn contains(&self, depth: usize, order: OrderId) -> bool {
        let before = depth.checked_sub(1).and_then(|index| self.before.get(index));
        before.is_some_and(|before| before.is_none_or(|before| order < before))
    }
}

/// Returns the order from which on an account has all legs it is meant to have of adopters so many levels below, by
/// each version of the rules; `None` if there is no such order.
fn opened_from(versions: &Versions, facts: &UnlockFacts, level: u8) -> Option<OrderId> {
    let mut from = OrderId::MIN;
    for policy in versions.iter().map(|version| &version.policy) {
        if facts.needs_refill(policy) {
            return None;
        }
        for slot in UnlockedLegs::slots_of(level, policy) {
            from = from.max(facts.opened_from(slot, policy)?);
        }
    }
    Some(from)
}

#[cfg(test)]
mod tests {
    use domain::OrderRange;
    use domain::log::{Cause, Entry, Walk, WalkScope};

    use super::{Missable, Network, OrderId, Place, UnlockFacts, Versions};

    fn order(number: u64) -> OrderId {
        OrderId::new(number).expect("an order")
    }

    #[test]
    fn a_place_reads_back_as_written_and_names_no_account() {
        for text in ["0@0", "3.17.0@0", "3@57"] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "a", "3", "3.@0", "3@", "@1", "3@x", "4294967296@0"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }

    #[test]
    fn nothing_is_missed_of_orders_after_all_their_legs_were_unlocked() {
        let versions = Versions::starting("{}").expect("the usual policy");
        let mut network = Network::new(versions);
        let mut facts = UnlockFacts::default();
        facts.set_first_order(Some(order(10)));
        facts.direct_first_order_changed(None, Some(order(20)));
        let missable = Missable::of(&network, &facts);
        assert_eq!(missable.depth(), 15);
        // The own adoption and one direct adopter open five levels, but only the first of three bonuses.
        assert!(missable.contains(1, order(1_000)));
        assert!(missable.contains(2, order(19)) && !missable.contains(2, order(20)));
        assert!(missable.contains(6, order(1_000)) && missable.contains(15, order(1_000)));
        assert!(!missable.contains(16, order(1)) && !missable.contains(0, order(1)));
        for direct in 21..35 {
            facts.direct_first_order_changed(None, Some(order(direct)));
        }
        let missable = Missable::of(&network, &facts);
        assert!((1..=15).all(|depth| !missable.contains(depth, order(35))));
        assert!((1..=15).all(|depth| missable.contains(depth, order(9))));
        let everywhere =
            Walk { id: (1, 0), scope: WalkScope::Everywhere, orders: OrderRange::ALL, cause: Cause::Row };
        network.apply(&Entry::WalkBegan(everywhere), 1, 0);
        assert!(Missable::of(&network, &facts).contains(15, order(35)), "legs may stand as they were");
    }
}
