//! Why an adoption is shared out as it is, and why an account did or did not receive something.
//!
//! The adoption's head has what is posted. The unlock facts of its chain have what decided it: they say for every order
//! what was unlocked as of it.
//!
//! Touches: `Ledger` (reads).

mod text;

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::{AdoptionHead, AdoptionState};
use domain::{
    AccountSequence, Amount, Backfill, Leg, Link, OrderId, Owner, Policy, Posting, Recipient, Slot,
    UnlockFacts, UnlockState,
};
use serde::Serialize;
use store::heads::{self, At};

use crate::adoption::{self, SourceView};
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::view::{HoldView, LegView, MissingView, missing_for, order_text};

/// How far up an account is looked for among the ancestors of an adopter.
const STEPS_UP_MAX: u32 = 256;

/// An adoption, explained.
#[derive(Debug, Serialize)]
pub(crate) struct AdoptionExplanation {
    order_id: String,
    state: &'static str,
    hold: Option<HoldView>,
    source: Option<SourceView>,
    /// The version of the rules that judges it, if it is posted.
    version: Option<u32>,
    total: Option<Amount>,
    /// The ancestors that take part, the referrer first, with what they had unlocked.
    ancestors: Vec<AncestorExplanation>,
    legs: Vec<LegExplanation>,
    #[serde(skip)]
    adopter: Option<AccountSequence>,
    #[serde(skip)]
    level_count: u8,
}

/// An ancestor, with what it had unlocked for the adoption.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AncestorExplanation {
    level: u8,
    account: AccountSequence,
    /// What it had unlocked, the adoption itself counted in; absent while its facts are incomplete.
    unlock: Option<UnlockState>,
    /// Its own first adoption, if that counted.
    first_order_id: Option<String>,
    /// Its direct referrals that counted, in the order of their first adoptions.
    direct_adopters: Vec<DirectAdopter>,
}

/// A direct referral whose first adoption counted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DirectAdopter {
    order_id: String,
    account: Option<AccountSequence>,
}

/// A leg, and why it is with whom it is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LegExplanation {
    #[serde(flatten)]
    leg: LegView,
    because: Because,
    /// Whether the facts known now give it to another account: then a correction is on its way.
    outdated: bool,
}

/// Why a leg is with whom it is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Because {
    /// It is the adopter's own share.
    OwnAdoption,
    /// It is a system account's fixed share.
    SystemShare,
    /// The ancestor had unlocked it.
    Unlocked {
        /// How many levels or tiers it had unlocked.
        unlocked: u8,
    },
    /// The chain of ancestors ends below it.
    NoAncestor {
        /// How many ancestors there are.
        ancestors: usize,
    },
    /// The ancestor had not unlocked it.
    Locked {
        /// How many levels or tiers it had unlocked.
        unlocked: u8,
        /// What it would have taken.
        missing: Vec<MissingView>,
    },
    /// Rounding left it over.
    Rounding,
}

/// Why an account received something of an adoption, or did not.
#[derive(Debug, Serialize)]
pub(crate) struct AccountExplanation {
    order_id: String,
    account: AccountSequence,
    state: &'static str,
    #[serde(flatten)]
    relation: Relation,
    ancestor: Option<AncestorExplanation>,
    /// What it received, in sum.
    total: Amount,
    received: Vec<LegExplanation>,
    /// What would have been its own, and went to headquarters.
    missed: Vec<LegExplanation>,
}

/// What an account has to do with an adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "relation", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Relation {
    /// It adopted.
    Adopter,
    /// It is an ancestor of the adopter, within the levels.
    Ancestor {
        /// How many levels above the adopter.
        level: u8,
    },
    /// It is an ancestor of the adopter, too far above.
    BeyondLevels {
        /// How many levels above the adopter.
        level: u32,
        /// How many take part.
        levels: u8,
    },
    /// It is not an ancestor of the adopter.
    NotAnAncestor,
    /// It is not among so many ancestors, and there are more.
    NotAmong {
        /// How many ancestors were looked at.
        levels: u32,
    },
    /// Whether it is an ancestor is not known, because this account's referral row is missing.
    ChainUnknown {
        /// Whose row is missing.
        missing: AccountSequence,
    },
    /// The adopter is not known.
    Unknown,
}

/// Explains an adoption.
pub(crate) async fn adoption(request: &Request<'_>, order: OrderId) -> Result<AdoptionExplanation, Problem> {
    let mut heads = heads::adoptions(request.engine(), vec![order]).await?;
    let At { head, position } = heads.remove(&order).unwrap_or_default();
    if position == 0 {
        return Err(Problem::Unknown(Subject::Adoption, order.to_string()));
    }
    let mut explanation = AdoptionExplanation {
        order_id: order_text(order),
        state: adoption::state(&head),
        hold: adoption::hold(request, &head),
        source: head.latest_row().map(SourceView::from),
        version: None,
        total: None,
        ancestors: Vec::new(),
        legs: Vec::new(),
        adopter: adopter(&head),
        level_count: 0,
    };
    if let AdoptionState::Posted(posting) = &head.state {
        let network = request.network().await?;
        let version = network.versions.numbered(posting.version);
        let version = version.ok_or_else(|| Problem::inconsistent("a posting names an unknown version"))?;
        let policy = &version.policy;
        let ancestors = ancestors(request, order, posting, policy).await?;
        explanation.version = Some(posting.version);
        explanation.total = Some(posting.total);
        explanation.legs = posting.legs(policy).iter().map(|leg| leg_of(leg, &ancestors, policy)).collect();
        explanation.ancestors = ancestors;
        explanation.level_count = policy.level_count();
    }
    Ok(explanation)
}

fn adopter(head: &AdoptionHead) -> Option<AccountSequence> {
    let posted = head.posting().map(|posting| posting.account.clone());
    posted.or_else(|| match &head.row()?.account {
        domain::Column::Value(account) => Some(account.clone()),
        domain::Column::Missing | domain::Column::Unreadable => None,
    })
}

/// Returns the ancestors of a posting, with what each had unlocked as of the order.
async fn ancestors(
    request: &Request<'_>,
    order: OrderId,
    posting: &Posting,
    policy: &Policy,
) -> Result<Vec<AncestorExplanation>, Problem> {
    let owners = posting.chain.iter().cloned().map(Owner::User).collect();
    let heads = heads::accounts(request.engine(), owners).await?;
    let facts = |account: &AccountSequence| &heads[&Owner::User(account.clone())].head.node.facts;
    let counted: BTreeSet<OrderId> =
        posting.chain.iter().flat_map(|account| first_orders(facts(account), order)).collect();
    let adoptions = heads::adoptions(request.engine(), counted.into_iter().collect()).await?;
    let adopters: BTreeMap<OrderId, AccountSequence> =
        adoptions.iter().filter_map(|(order, at)| Some((*order, adopter(&at.head)?))).collect();
    let ancestor = |(level, account): (u8, &AccountSequence)| {
        let facts = facts(account);
        AncestorExplanation {
            level,
            account: account.clone(),
            unlock: (!facts.needs_refill(policy)).then(|| facts.evaluated_for(order, policy)),
            first_order_id: facts.first_order().filter(|first| *first <= order).map(order_text),
            direct_adopters: first_orders(facts, order)
                .map(|first| DirectAdopter {
                    order_id: order_text(first),
                    account: adopters.get(&first).cloned(),
                })
                .collect(),
        }
    };
    Ok((1..).zip(&posting.chain).map(ancestor).collect())
}

fn first_orders(facts: &UnlockFacts, order: OrderId) -> impl Iterator<Item = OrderId> {
    facts.direct_first_orders().iter().copied().filter(move |first| *first <= order)
}

fn leg_of(leg: &Leg, ancestors: &[AncestorExplanation], policy: &Policy) -> LegExplanation {
    let decider = leg.slot.decider(ancestors);
    let unlock = decider.and_then(|ancestor| ancestor.unlock);
    let unlocked = unlock.map_or(0, |unlock| match leg.slot {
        Slot::TeamLevel(_) => unlock.level_depth,
        _ => unlock.bonus_tiers,
    });
    let because = match (leg.slot, &leg.recipient) {
        (Slot::Personal, _) => Because::OwnAdoption,
        (Slot::Rounding, _) => Because::Rounding,
        (Slot::Operation | Slot::Province | Slot::City, _) => Because::SystemShare,
        (_, Recipient::Allocated(_)) => Because::Unlocked { unlocked },
        (_, Recipient::Unallocated(domain::Unallocated::NoAncestor)) => {
            Because::NoAncestor { ancestors: ancestors.len() }
        }
        (slot, Recipient::Unallocated(domain::Unallocated::Locked(_))) => {
            let missing = unlock.map(|unlock| missing_for(slot, unlock, policy)).unwrap_or_default();
            Because::Locked { unlocked, missing }
        }
    };
    let due = match leg.slot {
        Slot::TeamLevel(index) | Slot::TeamBonus(index) => unlock.map(|_| index <= unlocked),
        _ => None,
    };
    let is_allocated = matches!(leg.recipient, Recipient::Allocated(_));
    let outdated = policy.backfill() == Backfill::None && due.is_some_and(|due| due != is_allocated);
    LegExplanation { leg: LegView::from(leg), because, outdated }
}

/// Explains what an account has to do with an adoption.
pub(crate) async fn account(
    request: &Request<'_>,
    adoption: &AdoptionExplanation,
    account: &AccountSequence,
) -> Result<AccountExplanation, Problem> {
    let relation = match &adoption.adopter {
        Some(adopter) if adopter == account => Relation::Adopter,
        Some(adopter) => relation(request, adoption, adopter, account).await?,
        None => Relation::Unknown,
    };
    let owner = Owner::User(account.clone());
    if matches!(relation, Relation::NotAnAncestor | Relation::NotAmong { .. }) {
        // A name with a typing error is no ancestor, either.
        crate::account::known(request, &owner).await?;
    }
    let legs = |is_wanted: &dyn Fn(&LegView) -> bool| -> Vec<LegExplanation> {
        adoption.legs.iter().filter(|leg| is_wanted(&leg.leg)).cloned().collect()
    };
    let received = legs(&|leg| leg.owner == owner);
    Ok(AccountExplanation {
        order_id: adoption.order_id.clone(),
        account: account.clone(),
        state: adoption.state,
        relation,
        ancestor: adoption.ancestors.iter().find(|ancestor| ancestor.account == *account).cloned(),
        total: Amount::sum(received.iter().map(|leg| leg.leg.amount))?,
        missed: legs(&|leg| leg.would_be_account.as_ref() == Some(account)),
        received,
    })
}

/// Returns how far above the adopter an account is.
async fn relation(
    request: &Request<'_>,
    adoption: &AdoptionExplanation,
    adopter: &AccountSequence,
    account: &AccountSequence,
) -> Result<Relation, Problem> {
    let in_chain = adoption.ancestors.iter().find(|ancestor| ancestor.account == *account);
    if let Some(ancestor) = in_chain {
        return Ok(Relation::Ancestor { level: ancestor.level });
    }
    let mut current = adopter.clone();
    let mut seen = BTreeSet::from([adopter.clone()]);
    for level in 1..=STEPS_UP_MAX {
        let head = crate::account::head(request, &Owner::User(current.clone())).await?.head;
        current = match head.node.link() {
            Link::Missing => return Ok(Relation::ChainUnknown { missing: current }),
            Link::Root => return Ok(Relation::NotAnAncestor),
            Link::Under(referrer) => referrer,
        };
        if current == *account {
            let levels = adoption.level_count;
            return Ok(match u8::try_from(level).ok().filter(|level| *level <= levels) {
                Some(level) => Relation::Ancestor { level },
                None => Relation::BeyondLevels { level, levels },
            });
        }
        if !seen.insert(current.clone()) {
            return Ok(Relation::NotAnAncestor);
        }
    }
    Ok(Relation::NotAmong { levels: STEPS_UP_MAX })
}
