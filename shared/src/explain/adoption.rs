//! An adoption explained: what became of it, its legs with what decided each, and its corrections.

use serde::{Deserialize, Serialize};

use super::{ExplainError, Known};
use crate::rules::{
    AccountSequence, Amount, Backfill, BusinessDate, Leg, OrderId, Owner, Policy, Recipient, Slot, Term,
    TreeCount, Unallocated, UnlockFacts, UnlockState,
};
use crate::store::{Chain, EntryCause, HoldReason, JournalEntry, Position, Stage};

/// An adoption, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionExplanation {
    /// The adoption.
    pub order: OrderId,
    /// The adopter; unknown if only the deletion of the row ever arrived.
    pub account: Option<AccountSequence>,
    /// The trees adopted.
    pub tree_count: Option<TreeCount>,
    /// The contribution of each tree, once it is known.
    pub contribution_per_tree: Option<Amount>,
    /// When it was adopted.
    pub adoption_date: Option<BusinessDate>,
    /// The status, as the source has it now.
    pub status: Option<String>,
    /// What became of it.
    pub standing: Standing,
    /// When it counts, if it was ever posted.
    pub term: Option<Term>,
    /// What is posted of it now.
    pub total: Amount,
    /// The ancestors that take part, the referrer first, with what they had unlocked.
    pub ancestors: Vec<AncestorExplanation>,
    /// Who has each share now, and why.
    pub legs: Vec<LegExplanation>,
    /// Everything that was posted of it: the distribution, and what corrected it.
    pub entries: Vec<EntryExplanation>,
}

/// What became of an adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// It is posted.
    Distributed,
    /// It was posted, and taken back.
    Reversed {
        /// Whether the source deleted it, rather than changed its status.
        deleted: bool,
    },
    /// Its status is not one that counts.
    HeldForStatus,
    /// This account, the adopter or an ancestor within the levels, has no referral row yet.
    HeldForReferral {
        /// Whose row is missing.
        missing: AccountSequence,
    },
    /// The price that the rules derive makes its total too large.
    HeldForAmount,
    /// It waits for its turn in the sequence.
    Staged,
    /// It was handed to the distribution of its tree, which has not posted it yet.
    Released,
    /// It was deleted before it was ever posted.
    Removed,
}

/// An ancestor, with what it had unlocked for the adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AncestorExplanation {
    /// How many levels above the adopter.
    pub level: u8,
    /// The ancestor.
    pub account: AccountSequence,
    /// What it had unlocked, the adoption itself counted in.
    pub unlock: UnlockState,
    /// Its own first adoption, if that counted.
    pub first_order: Option<OrderId>,
    /// Its direct referrals that counted, in the order of their first adoptions; no more than any
    /// threshold asks for.
    pub direct_adopters: Vec<DirectAdopter>,
}

/// A direct referral whose first adoption counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectAdopter {
    /// Its first adoption.
    pub order: OrderId,
    /// Who; unknown if the adoption's row is not there any more.
    pub account: Option<AccountSequence>,
}

/// A share of an adoption: who has it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegExplanation {
    /// The leg's type, as on every wire.
    pub r#type: String,
    /// The team level or bonus tier.
    pub index: Option<u8>,
    /// Whose it is.
    pub owner: Owner,
    /// Whose it would be, if it is unallocated and there is such an ancestor.
    pub would_be: Option<AccountSequence>,
    /// How much.
    pub amount: Amount,
    /// Why.
    pub reason: LegReason,
    /// Whether the facts known now give it to somebody else: then a reassessment is on its way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

/// Why a share is with whom it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LegReason {
    /// It is the adopter's own share.
    OwnAdoption,
    /// It is a system account's fixed share.
    SystemShare,
    /// The ancestor had unlocked it.
    Unlocked {
        /// How many levels above the adopter.
        level: u8,
        /// How many levels or tiers it had unlocked.
        unlocked: u8,
    },
    /// The chain of ancestors ends below it.
    NoAncestor {
        /// How many ancestors there are.
        ancestors: u8,
    },
    /// The ancestor had not unlocked it.
    Locked {
        /// How many levels or tiers it had unlocked.
        unlocked: u8,
        /// What it would have taken.
        missing: Vec<Requirement>,
    },
    /// Rounding left it over.
    Rounding,
}

/// What an ancestor lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "requirement", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Requirement {
    /// An adoption of its own.
    OwnAdoption,
    /// More direct referrals with an adoption.
    DirectAdopters {
        /// How many there had to be.
        needed: u32,
        /// How many there were.
        found: u32,
    },
}

/// An entry: why it was posted, and what it moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryExplanation {
    /// Its number among the adoption's.
    pub number: u32,
    /// Why it was posted, as on every wire.
    pub cause: String,
    /// The adoption that caused a correction, if another one did.
    pub cause_order: Option<OrderId>,
    /// Whose unlocks that adoption changed.
    pub cause_account: Option<AccountSequence>,
    /// When it was posted. Milliseconds since 1970.
    pub posted_at_ms: i64,
    /// What it posted in sum.
    pub sum: Amount,
    /// What a reassessment moved; distributions and reversals post every share.
    pub moves: Vec<LegMove>,
}

/// A share that a correction moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegMove {
    /// Which share, as entries write it: `L1`, `B2`.
    pub share: String,
    /// Who had it.
    pub from: Option<Recipient>,
    /// Who has it since.
    pub to: Option<Recipient>,
    /// How much.
    pub amount: Amount,
}

impl AdoptionExplanation {
    pub(super) fn new(known: &Known, policy: &Policy) -> Result<Self, ExplainError> {
        let Known { record, chain, entries, .. } = known;
        let order = record.order;
        let position = Position::after(entries).ok_or(ExplainError::Inconsistent { order })?;
        let accounts: &[AccountSequence] = match chain {
            Some(Chain::Known { ancestors, .. }) => ancestors,
            _ => &[],
        };
        let ancestors: Vec<AncestorExplanation> = (1..)
            .zip(accounts)
            .map(|(level, account)| ancestor(known, policy, level, account))
            .collect::<Result<_, _>>()?;
        let legs: Vec<LegExplanation> = position
            .legs
            .iter()
            .map(|(slot, (recipient, amount))| {
                let leg = Leg { slot: *slot, recipient: recipient.clone(), amount: *amount };
                explained(&leg, &ancestors, policy)
            })
            .collect();
        let row = record.row.as_ref();
        let total = legs.iter().map(|leg| leg.amount.units()).sum();
        Ok(Self {
            order,
            account: row.map(|row| row.account.clone()),
            tree_count: row.map(|row| row.tree_count),
            contribution_per_tree: row.and_then(|row| row.contribution_per_tree),
            adoption_date: row.map(|row| row.adoption_date),
            status: row.map(|row| row.status.as_str().to_owned()),
            standing: standing(known, &position),
            term: entries.first().map(|entry| entry.term),
            total: Amount::from_units(total).unwrap_or_default(),
            ancestors,
            legs,
            entries: entries.iter().map(entry).collect(),
        })
    }
}

fn standing(known: &Known, position: &Position) -> Standing {
    let record = &known.record;
    if position.is_live() {
        return Standing::Distributed;
    }
    match &record.stage {
        Stage::Staged => Standing::Staged,
        Stage::Released => Standing::Released,
        _ if !known.entries.is_empty() => Standing::Reversed { deleted: record.deleted },
        Stage::Held(HoldReason::Status) => Standing::HeldForStatus,
        Stage::Held(HoldReason::NoReferral(missing)) => {
            Standing::HeldForReferral { missing: missing.clone() }
        }
        Stage::Held(HoldReason::AmountOverflow) => Standing::HeldForAmount,
        Stage::Removed => Standing::Removed,
    }
}

fn ancestor(
    known: &Known,
    policy: &Policy,
    level: u8,
    account: &AccountSequence,
) -> Result<AncestorExplanation, ExplainError> {
    let facts: UnlockFacts = known.facts.get(account).cloned().unwrap_or_default();
    if facts.needs_refill(policy) {
        return Err(ExplainError::FactsIncomplete { account: account.clone() });
    }
    let order = known.record.order;
    // With backfill an unlock counts for earlier orders too.
    let counts = |unlocking: &OrderId| *unlocking <= order || policy.backfill() == Backfill::OnUnlock;
    let direct_adopters = facts.direct_first_orders().iter().copied().filter(counts);
    Ok(AncestorExplanation {
        level,
        account: account.clone(),
        unlock: facts.evaluated_for(order, policy),
        first_order: facts.first_order().filter(counts),
        direct_adopters: direct_adopters
            .map(|order| DirectAdopter { order, account: known.adopters.get(&order).cloned() })
            .collect(),
    })
}

fn explained(leg: &Leg, ancestors: &[AncestorExplanation], policy: &Policy) -> LegExplanation {
    let decider = leg.slot.decider(ancestors);
    let unlocked = decider.map_or(0, |ancestor| match leg.slot {
        Slot::TeamLevel(_) => ancestor.unlock.level_depth,
        _ => ancestor.unlock.bonus_tiers,
    });
    let reason = match (leg.slot, &leg.recipient) {
        (Slot::Personal, _) => LegReason::OwnAdoption,
        (Slot::Rounding, _) => LegReason::Rounding,
        (Slot::Operation | Slot::Province | Slot::City, _) => LegReason::SystemShare,
        (_, Recipient::Allocated(_)) => {
            LegReason::Unlocked { level: decider.map_or(0, |ancestor| ancestor.level), unlocked }
        }
        (_, Recipient::Unallocated(Unallocated::NoAncestor)) => {
            LegReason::NoAncestor { ancestors: u8::try_from(ancestors.len()).unwrap_or(u8::MAX) }
        }
        (slot, Recipient::Unallocated(Unallocated::Locked(_))) => {
            let missing = decider.map(|ancestor| missing(slot, ancestor.unlock, policy)).unwrap_or_default();
            LegReason::Locked { unlocked, missing }
        }
    };
    let due = match (leg.slot, decider) {
        (Slot::TeamLevel(index) | Slot::TeamBonus(index), Some(ancestor)) if index <= unlocked => {
            Some(Recipient::Allocated(Owner::User(ancestor.account.clone())))
        }
        (Slot::TeamLevel(_) | Slot::TeamBonus(_), Some(ancestor)) => {
            Some(Recipient::Unallocated(Unallocated::Locked(ancestor.account.clone())))
        }
        (Slot::TeamLevel(_) | Slot::TeamBonus(_), None) => {
            Some(Recipient::Unallocated(Unallocated::NoAncestor))
        }
        _ => None,
    };
    LegExplanation {
        r#type: leg.type_name().into_owned(),
        index: leg.index(),
        owner: leg.recipient.owner(),
        would_be: leg.recipient.would_be().cloned(),
        amount: leg.amount,
        reason,
        outdated: due.is_some_and(|due| due != leg.recipient),
    }
}

/// What an account in this state lacks for a level or tier.
fn missing(slot: Slot, unlock: UnlockState, policy: &Policy) -> Vec<Requirement> {
    let (needs_own, needed) = match slot {
        Slot::TeamLevel(level) => {
            let step = policy.depth_steps().iter().find(|step| step.depth >= level);
            (policy.team_requires_own_adoption(), step.map_or(0, |step| step.direct_adopters))
        }
        // The own adoption opens one tier, and each step one more.
        Slot::TeamBonus(tier) => {
            let step = usize::from(tier).checked_sub(2).and_then(|step| policy.bonus_tier_steps().get(step));
            (true, step.copied().unwrap_or(0))
        }
        _ => (false, 0),
    };
    let mut missing = Vec::new();
    if needs_own && !unlock.has_adopted {
        missing.push(Requirement::OwnAdoption);
    }
    if unlock.direct_adopters < needed {
        missing.push(Requirement::DirectAdopters { needed, found: unlock.direct_adopters });
    }
    missing
}

fn entry(entry: &JournalEntry) -> EntryExplanation {
    let (cause_order, cause_account) = match &entry.cause {
        EntryCause::Reassessment { order, account } => (Some(*order), Some(account.clone())),
        _ => (None, None),
    };
    let mut moves: Vec<LegMove> = Vec::new();
    if cause_order.is_some() {
        for leg in &entry.legs {
            let share = leg.slot.to_string();
            let place = moves.iter().position(|known| known.share == share).unwrap_or_else(|| {
                moves.push(LegMove { share, from: None, to: None, amount: Amount::ZERO });
                moves.len() - 1
            });
            if leg.amount < Amount::ZERO {
                moves[place].from = Some(leg.recipient.clone());
            } else {
                moves[place].to = Some(leg.recipient.clone());
                moves[place].amount = leg.amount;
            }
        }
    }
    EntryExplanation {
        number: entry.number,
        cause: entry.cause.name().to_owned(),
        cause_order,
        cause_account,
        posted_at_ms: entry.posted_at_ms,
        sum: entry.sum().unwrap_or_default(),
        moves,
    }
}
