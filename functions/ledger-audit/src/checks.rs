//! One adoption's entries against its row and the rules: pure comparisons.

use std::collections::BTreeMap;
use std::fmt::Display;

use ledger::cdc::AdoptionRow;
use ledger::rules::{
    AccountSequence, Adoption, Amount, Ancestor, ContributionPerTree, Distribution, Leg, OrderId, Owner,
    Policy, Recipient, Slot, distribute,
};
use ledger::store::{EntryCause, JournalEntry, Position};

use crate::report::{Difference, Kind, Subject};

/// How the rules share an adoption out among these ancestors; `None` if the row has no price or the
/// total is too large, which no adoption has that was handed to the ledger.
pub(crate) fn shared_out(row: &AdoptionRow, ancestors: &[Ancestor], policy: &Policy) -> Option<Distribution> {
    let adoption = Adoption {
        order: row.order,
        account: row.account.clone(),
        tree_count: row.tree_count,
        contribution_per_tree: ContributionPerTree::try_from(row.contribution_per_tree?).ok()?,
        adoption_date: row.adoption_date,
        province: row.province.clone(),
        city: row.city.clone(),
    };
    distribute(&adoption, ancestors, policy).ok()
}

/// The entries of one adoption, followed one after another.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Where the adoption stands; `None` if its entries contradict each other.
    pub(crate) position: Option<Position>,
    /// Whether the last of distributions and reversals was a distribution.
    pub(crate) is_live: bool,
    /// What is wrong with the entries by themselves.
    pub(crate) differences: Vec<Difference>,
}

/// Follows the entries of an adoption whose legs should be these, owners left aside.
pub(crate) fn follow(row: &AdoptionRow, due: &Distribution, entries: &[JournalEntry]) -> Followed {
    let mut following =
        Following { row, due, held: BTreeMap::new(), is_live: false, differences: Vec::new() };
    for (index, entry) in entries.iter().enumerate() {
        following.check_facts(index, entry);
        following.check_amounts(entry);
        following.post(entry);
    }
    following.check_conservation();
    let Following { is_live, mut differences, .. } = following;
    let position = Position::after(entries);
    if position.is_none() {
        differences.push(Difference {
            kind: Kind::ShareSplit,
            subject: Subject::order(row.order),
            expected: "one recipient for each share".to_owned(),
            found: "a share with several".to_owned(),
            repair: None,
        });
    }
    Followed { position, is_live, differences }
}

struct Following<'a> {
    row: &'a AdoptionRow,
    due: &'a Distribution,
    held: BTreeMap<(Slot, Recipient), i128>,
    is_live: bool,
    differences: Vec<Difference>,
}

impl Following<'_> {
    fn differs(&mut self, kind: Kind, subject: Subject, expected: impl Display, found: impl Display) {
        self.differences.push(Difference {
            kind,
            subject,
            expected: format!("{expected}"),
            found: format!("{found}"),
            repair: None,
        });
    }

    /// What an entry says of its adoption, whatever it posts.
    fn check_facts(&mut self, index: usize, entry: &JournalEntry) {
        let subject = Subject { entry: Some(entry.number), ..Subject::order(self.row.order) };
        if usize::try_from(entry.number) != Ok(index) {
            self.differs(Kind::EntryNumberGap, subject.clone(), index, entry.number);
        }
        let facts = |order: OrderId, account: &AccountSequence, trees: String, price: Amount| {
            format!("order {order}, {account}, {trees} trees at {price}")
        };
        let row = self.row;
        let expected = facts(
            row.order,
            &row.account,
            row.tree_count.to_string(),
            row.contribution_per_tree.unwrap_or_default(),
        );
        let found = facts(
            entry.order,
            &entry.account,
            entry.tree_count.to_string(),
            entry.contribution_per_tree.amount(),
        );
        if expected != found {
            self.differs(Kind::EntryFactsWrong, subject.clone(), expected, found);
        }
        if entry.term != self.due.term {
            let text = |term: ledger::rules::Term| format!("{} to {}", term.effective_date, term.expire_date);
            self.differs(Kind::EntryTermWrong, subject, text(self.due.term), text(entry.term));
        }
    }

    /// What an entry posts, owners left aside.
    fn check_amounts(&mut self, entry: &JournalEntry) {
        let subject = Subject { entry: Some(entry.number), ..Subject::order(self.row.order) };
        let mut posted: BTreeMap<Slot, i128> = BTreeMap::new();
        for leg in &entry.legs {
            *posted.entry(leg.slot).or_default() += leg.amount.units();
        }
        match &entry.cause {
            EntryCause::Distribution | EntryCause::Redistribution => {
                if self.is_live {
                    self.differs(Kind::EntryDoubled, subject.clone(), "no second one", entry.cause.name());
                }
                self.compare_shares(&subject, &shares(&self.due.legs), &posted);
            }
            EntryCause::Reversal => {
                if !self.is_live {
                    self.differs(Kind::EntryDoubled, subject.clone(), "no reversal", entry.cause.name());
                }
                let mut expected: BTreeMap<Slot, i128> = BTreeMap::new();
                for ((slot, _), units) in &self.held {
                    *expected.entry(*slot).or_default() -= units;
                }
                self.compare_shares(&subject, &expected, &posted);
            }
            EntryCause::Reassessment { .. } => {
                for (slot, units) in posted.into_iter().filter(|(_, units)| *units != 0) {
                    let subject = Subject { share: Some(slot.to_string()), ..subject.clone() };
                    self.differs(Kind::EntryUnbalanced, subject, "nothing in sum", crate::sums::text(units));
                }
            }
        }
    }

    fn compare_shares(
        &mut self,
        subject: &Subject,
        expected: &BTreeMap<Slot, i128>,
        posted: &BTreeMap<Slot, i128>,
    ) {
        let slots: std::collections::BTreeSet<Slot> = expected.keys().chain(posted.keys()).copied().collect();
        for slot in slots {
            let amount = |shares: &BTreeMap<Slot, i128>| shares.get(&slot).copied().unwrap_or(0);
            let (expected, found) = (amount(expected), amount(posted));
            if expected != found {
                let subject = Subject { share: Some(slot.to_string()), ..subject.clone() };
                let text = crate::sums::text;
                self.differs(Kind::EntryAmountWrong, subject, text(expected), text(found));
            }
        }
    }

    fn post(&mut self, entry: &JournalEntry) {
        for leg in &entry.legs {
            *self.held.entry((leg.slot, leg.recipient.clone())).or_default() += leg.amount.units();
        }
        self.held.retain(|_, units| *units != 0);
        match entry.cause {
            EntryCause::Distribution | EntryCause::Redistribution => self.is_live = true,
            EntryCause::Reversal => self.is_live = false,
            EntryCause::Reassessment { .. } => {}
        }
    }

    fn check_conservation(&mut self) {
        let expected = if self.is_live { self.due.total.units() } else { 0 };
        let found: i128 = self.held.values().sum();
        if found != expected {
            let text = crate::sums::text;
            self.differs(
                Kind::ConservationBroken,
                Subject::order(self.row.order),
                text(expected),
                text(found),
            );
        }
    }
}

fn shares(legs: &[Leg]) -> BTreeMap<Slot, i128> {
    legs.iter().map(|leg| (leg.slot, leg.amount.units())).collect()
}

/// Compares who holds each share with whom the rules give it. Only shares that `is_ours` are looked
/// at: those whose decider's unlocks are known here.
pub(crate) fn compare_owners(
    row: &AdoptionRow,
    ancestors: &[AccountSequence],
    due: &Distribution,
    position: &Position,
    is_ours: impl Fn(Option<&AccountSequence>) -> bool,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for leg in due.legs.iter().filter(|leg| !leg.amount.is_zero()) {
        let decider = leg.slot.decider(ancestors);
        let Some((recipient, _)) = position.legs.get(&leg.slot).filter(|_| is_ours(decider)) else {
            continue;
        };
        if *recipient == leg.recipient {
            continue;
        }
        let same_owner = recipient.owner() == leg.recipient.owner();
        let kind = if same_owner { Kind::WouldBeWrong } else { Kind::OwnerWrong };
        let account = decider.cloned().map(Owner::User);
        let subject = Subject { share: Some(leg.slot.to_string()), account, ..Subject::order(row.order) };
        let (expected, found) = (leg.recipient.to_string(), recipient.to_string());
        differences.push(Difference { kind, subject, expected, found, repair: None });
    }
    differences
}
