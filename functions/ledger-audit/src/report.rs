//! What an audit found.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use ledger::rules::{AccountSequence, OrderId, Owner};
use ledger::store::TreeId;
use serde::{Deserialize, Serialize};

/// Differences of one kind listed one by one; more are only counted.
pub const LISTED_PER_KIND_MAX: usize = 1_000;
/// Differences shown one by one in the readable summary; the JSON has more.
const SHOWN_MAX: usize = 50;

/// What an audit found, and what it did about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When the audit began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Whether it got to the end: if not, what is not reported is not known to be right.
    pub complete: bool,
    /// How many there are of each kind of difference, listed or not.
    pub counts: BTreeMap<Kind, u64>,
    /// The differences, the first of each kind.
    pub differences: Vec<Difference>,
    /// What was looked at.
    pub examined: Examined,
    /// What is not done yet, and so cannot differ yet.
    pub in_progress: InProgress,
    /// Adoptions held, by reason.
    pub held: BTreeMap<String, u64>,
    /// Refused records, by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// Order numbers that no adoption has, although a greater one exists.
    pub absent_orders: AbsentOrders,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Adoptions' rows.
    pub adoptions: u64,
    /// Journal entries.
    pub entries: u64,
    /// Users' accounts.
    pub accounts: u64,
    /// Referral rows.
    pub referrals: u64,
    /// In how many parts the accounts were summed, for want of memory.
    pub parts: u32,
}

/// What is not done yet: no difference, but a reason to look again later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgress {
    /// Adoptions that wait for their turn in the sequence.
    pub staged: u64,
    /// Pieces of released work.
    pub released: u64,
    /// Trees with work outstanding.
    pub trees: u64,
    /// Reassessments to do.
    pub reassessments: u64,
    /// Legs whose owner is not right yet, and which a reassessment that is to do covers.
    pub legs_to_reassess: u64,
}

impl InProgress {
    /// Whether nothing is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Order numbers that no adoption has. A sequence may skip numbers, so these are no differences; but
/// one that is also in quarantine, or that the source has, is an adoption the ledger does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentOrders {
    /// How many.
    pub count: u64,
    /// The first of them, as ranges whose ends belong to them.
    pub first_ranges: Vec<(OrderId, OrderId)>,
}

/// One thing that is not as the source's rows and the journal say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: Kind,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// What was done about it, if repair was asked for and possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
}

/// What a difference is about; as much of it as applies.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The adoption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The number of the adoption's entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u32>,
    /// The share of the adoption, as journal entries write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// The account: for a leg, whose unlocks decide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Owner>,
    /// The referral tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeId>,
    /// The item or list, as the storage names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
}

impl Subject {
    /// An adoption.
    #[must_use]
    pub fn order(order: OrderId) -> Self {
        Self { order: Some(order), ..Self::default() }
    }

    /// A user's account.
    #[must_use]
    pub fn account(account: &AccountSequence) -> Self {
        Self { account: Some(Owner::User(account.clone())), ..Self::default() }
    }

    /// A referral tree.
    #[must_use]
    pub fn tree(tree: &TreeId) -> Self {
        Self { tree: Some(tree.clone()), ..Self::default() }
    }

    /// An item.
    #[must_use]
    pub fn item(item: impl fmt::Display) -> Self {
        Self { item: Some(item.to_string()), ..Self::default() }
    }
}

/// The kinds of difference. Their names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// An adoption takes part, and its journal does not say so.
    EntryMissing,
    /// An adoption does not take part, and its journal says that it does.
    EntryUnexpected,
    /// Entries of an adoption that was never handed to the ledger.
    EntryOfUnknownAdoption,
    /// The entries of an adoption are not numbered 0, 1, 2 and so on.
    EntryNumberGap,
    /// A second distribution without a reversal between, or a reversal of nothing.
    EntryDoubled,
    /// A leg's amount is not its share of the total.
    EntryAmountWrong,
    /// A correction does not sum to what it should.
    EntryUnbalanced,
    /// An entry's dates are not those of its adoption.
    EntryTermWrong,
    /// An entry names another adopter, number of trees or price than the source's row.
    EntryFactsWrong,
    /// An entry cannot be read.
    EntryUnreadable,
    /// A share of an adoption is held by more than one recipient.
    ShareSplit,
    /// The entries of an adoption sum neither to its total nor, where it was reversed, to nothing.
    ConservationBroken,
    /// A leg is booked to another account than the rules give it as of its order.
    OwnerWrong,
    /// An unallocated leg names another would-be account or reason than the rules.
    WouldBeWrong,
    /// An account's total is not the sum of its legs.
    TotalWrong,
    /// What an account has pending after the closed date is not the sum of its legs by effective date.
    PendingWrong,
    /// A system account's total is not the sum of its legs.
    SystemTotalWrong,
    /// What a system account has pending after the closed date is not the sum of its legs by effective
    /// date.
    SystemPendingWrong,
    /// What is noted of all users together is not the sum of their legs.
    UsersTotalWrong,
    /// What an account has effective, and what the next close will take, is not what is active.
    EffectiveWrong,
    /// What a system account has effective, and what the next close will take, is not what is active.
    SystemEffectiveWrong,
    /// The stored unlock facts are not those of the posted adoptions.
    UnlockFactsWrong,
    /// A tree's cursor is behind an adoption posted to the tree, or missing.
    CursorStale,
    /// A tree's distribution stopped for a lasting reason.
    TreeStopped,
    /// A tree has released work and is not on the list of those with work outstanding.
    WorkNotOutstanding,
    /// A tree has reassessments to do and is not on the list of those with work outstanding.
    TaskNotOutstanding,
    /// The network's running number of trees is not the sum of the trees counted.
    LadderWrong,
    /// An adoption is counted with another number of trees than it has.
    CountedTreesWrong,
    /// An adoption is held for a reason that is not true any more.
    HoldReasonGone,
    /// An item of a list is missing.
    ListItemMissing,
    /// An item is on a list it does not belong on.
    ListItemOrphan,
    /// The stored ancestors of an account are not those the referral rows say.
    LineageWrong,
    /// An item cannot be read.
    ItemUnreadable,
}

impl Kind {
    /// What to do about it.
    #[must_use]
    pub fn next_step(self) -> &'static str {
        match self {
            Self::OwnerWrong | Self::WouldBeWrong => {
                "audit with repair: the adoption is reassessed if the totals agree with the legs; if they \
                 do not, the entry was altered and is to be restored from a backup"
            }
            Self::EntryMissing | Self::EntryUnexpected => {
                "audit with repair: the adoption is released again if the adopter's totals agree with the \
                 legs; if they do not, restore the journal from a backup"
            }
            Self::UnlockFactsWrong => {
                "audit with repair: the facts are recomputed, and what follows reassessed"
            }
            Self::CursorStale => "audit with repair: the cursor is moved on",
            Self::WorkNotOutstanding | Self::TaskNotOutstanding => "audit with repair: the tree is woken",
            Self::HoldReasonGone | Self::ListItemMissing => {
                "audit with repair: the adoption goes back to the list it belongs on"
            }
            Self::ListItemOrphan => "audit with repair: the item is removed",
            Self::EntryOfUnknownAdoption
            | Self::EntryNumberGap
            | Self::EntryDoubled
            | Self::EntryAmountWrong
            | Self::EntryUnbalanced
            | Self::EntryTermWrong
            | Self::EntryFactsWrong
            | Self::EntryUnreadable
            | Self::ShareSplit
            | Self::ConservationBroken => {
                "entries never change: find out who wrote this one, and restore it from a backup"
            }
            Self::TotalWrong
            | Self::PendingWrong
            | Self::EffectiveWrong
            | Self::SystemTotalWrong
            | Self::SystemPendingWrong
            | Self::UsersTotalWrong
            | Self::SystemEffectiveWrong => {
                "the legs are the truth if the journal has no difference: set the amount under the \
                 tree's fence, after finding out who else writes accounts"
            }
            Self::TreeStopped => "remove the cause it names, then wake the tree",
            Self::LadderWrong => {
                "prices derived since then stay; correct the number before the next adoption without a \
                 price is released"
            }
            Self::CountedTreesWrong => {
                "audit with repair: the adoption goes through the sequence again if the network's number \
                 and the adopter's totals are right; prices derived meanwhile stay"
            }
            Self::LineageWrong => {
                "compare with the source's referral rows; correct the record, then audit again"
            }
            Self::ItemUnreadable => "restore the item from a backup",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

impl Report {
    /// Whether everything was looked at and nothing differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.complete && self.difference_count() == 0
    }

    /// How many differences there are, listed or not.
    #[must_use]
    pub fn difference_count(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.order.map(|order| format!("order {order}")));
        parts.extend(self.entry.map(|entry| format!("entry {entry}")));
        parts.extend(self.share.clone());
        parts.extend(self.account.as_ref().map(ToString::to_string));
        parts.extend(self.tree.as_ref().map(|tree| format!("tree {tree}")));
        parts.extend(self.item.clone());
        formatter.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, subject, expected, found, repair } = self;
        write!(formatter, "{kind}: {subject}: expected {expected}, found {found}")?;
        match repair {
            Some(repair) => write!(formatter, " (repair: {repair})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Examined { adoptions, entries, accounts, referrals, parts } = self.examined;
        let took_ms = (self.finished_at - self.started_at).num_milliseconds();
        writeln!(
            formatter,
            "audit: {adoptions} adoptions, {entries} entries, {accounts} accounts, {referrals} referrals \
             in {took_ms} ms, {parts} part(s)"
        )?;
        if !self.complete {
            writeln!(formatter, "NOT COMPLETE: time ran out, and the rest was not looked at")?;
        }
        let InProgress { staged, released, trees, reassessments, legs_to_reassess } = self.in_progress;
        if !self.in_progress.is_nothing() {
            writeln!(
                formatter,
                "in progress: {staged} staged, {released} released, {reassessments} reassessments with \
                 {legs_to_reassess} legs, in {trees} trees"
            )?;
        }
        for (name, counts) in [("held", &self.held), ("quarantined", &self.quarantined)] {
            for (reason, count) in counts {
                writeln!(formatter, "{name}: {count} {reason}")?;
            }
        }
        if self.absent_orders.count > 0 {
            let range = |(from, to): &(OrderId, OrderId)| {
                if from == to { from.to_string() } else { format!("{from} to {to}") }
            };
            let ranges: Vec<String> = self.absent_orders.first_ranges.iter().map(range).collect();
            writeln!(
                formatter,
                "order numbers without an adoption: {} ({})",
                self.absent_orders.count,
                ranges.join(", ")
            )?;
        }
        if self.difference_count() == 0 {
            return writeln!(formatter, "no differences");
        }
        writeln!(formatter, "{} DIFFERENCES", self.difference_count())?;
        for (kind, count) in &self.counts {
            writeln!(formatter, "  {count:>6} {kind}: {}", kind.next_step())?;
        }
        for difference in self.differences.iter().take(SHOWN_MAX) {
            writeln!(formatter, "  {difference}")?;
        }
        match self.difference_count().checked_sub(SHOWN_MAX as u64).filter(|more| *more > 0) {
            Some(more) => {
                writeln!(formatter, "  and {more} more; as JSON, up to {LISTED_PER_KIND_MAX} of each kind")
            }
            None => Ok(()),
        }
    }
}
