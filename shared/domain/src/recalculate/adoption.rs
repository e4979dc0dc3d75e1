//! An adoption in the compact form that a million of them take little room in.

use std::collections::BTreeMap;

use super::people::{People, Person};
use crate::heads::{AdoptionHead, AdoptionState};
use crate::log::{Entry, HoldReason};
use crate::{
    AdoptionRow, Amount, BusinessDate, Column, OrderId, Posting, RegionCode, RowKey, TermsFault,
    UnlockedLegs, VersionNumber,
};

/// An adoption as it stands: its rows, its place, and what became of it.
#[derive(Debug)]
pub(super) struct StoredAdoption {
    pub(super) order: OrderId,
    /// The live rows that name the order; hardly ever more than one.
    rows: Vec<(RowKey, CompactRow)>,
    /// What stays in force while a change waits.
    waiting: Option<Box<CompactRow>>,
    pub(super) trees_before: Option<u64>,
    pub(super) eligible_trees: u32,
    pub(super) stands: Stands,
}

/// The row of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompactRow {
    pub(super) account: Column<Person>,
    pub(super) trees: Column<i64>,
    pub(super) price: Column<Option<Amount>>,
    pub(super) date: Column<BusinessDate>,
    pub(super) status: TextNumber,
    pub(super) province: Option<TextNumber>,
    pub(super) city: Option<TextNumber>,
}

/// What stands of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stands {
    Absent,
    Unpriced,
    Held(Hold),
    Posted(CompactPosting),
}

/// Why an adoption is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Status,
    InvalidTerms(TermsFault),
    NotYet,
    NoReferral(Person),
    ReferralCycle(Person),
    /// Nothing calculated here says that, because nothing here is read from storage.
    AccountUnreadable(Person),
    /// Nothing calculated here says that: it is for as long as an operator wants.
    PostingPaused,
}

/// A posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompactPosting {
    pub(super) account: Person,
    pub(super) trees: u32,
    pub(super) total: Amount,
    pub(super) date: BusinessDate,
    pub(super) version: VersionNumber,
    pub(super) province: Option<TextNumber>,
    pub(super) city: Option<TextNumber>,
    pub(super) chain: ChainPlace,
    pub(super) unlocked: UnlockedLegs,
}

impl StoredAdoption {
    /// Returns an order that nothing is known of.
    pub(super) fn unknown(order: OrderId) -> Self {
        Self {
            order,
            rows: Vec::new(),
            waiting: None,
            trees_before: None,
            eligible_trees: 0,
            stands: Stands::Absent,
        }
    }

    /// Returns what a head says.
    pub(super) fn of(order: OrderId, head: &AdoptionHead, names: &mut Names) -> Self {
        let stands = match &head.state {
            AdoptionState::Absent => Stands::Absent,
            AdoptionState::Unpriced => Stands::Unpriced,
            AdoptionState::Held(reason) => Stands::Held(hold(reason, names)),
            AdoptionState::Posted(posting) => Stands::Posted(compact(posting, names)),
        };
        let rows = head.rows.iter().map(|(key, row)| (key.clone(), CompactRow::of(row, names)));
        Self {
            order,
            rows: rows.collect(),
            waiting: head.waiting.as_ref().map(|waiting| Box::new(CompactRow::of(&waiting.in_force, names))),
            trees_before: head.trees_before,
            eligible_trees: head.eligible_trees,
            stands,
        }
    }

    /// Folds an entry that is about this order.
    pub(super) fn apply(&mut self, entry: &Entry, names: &mut Names) {
        match entry {
            Entry::AdoptionRow { key, row, .. } => {
                self.rows.retain(|(known, _)| known != key);
                self.rows.extend(row.as_ref().map(|row| (key.clone(), CompactRow::of(row, names))));
            }
            Entry::OrderWaits(wait) => self.waiting = Some(Box::new(CompactRow::of(&wait.in_force, names))),
            Entry::OrderWaitEnded { .. } => self.waiting = None,
            Entry::Eligible { after, .. } => self.eligible_trees = *after,
            Entry::Placed { trees_before, .. } => self.trees_before = Some(*trees_before),
            Entry::Unpriced { .. } => self.stands = Stands::Unpriced,
            Entry::Posted { posting, .. } => self.stands = Stands::Posted(compact(posting, names)),
            Entry::Corrected(correction) => self.stands = Stands::Posted(compact(&correction.is, names)),
            Entry::Held(held) => self.stands = Stands::Held(hold(&held.reason, names)),
            Entry::HoldEnded(_) | Entry::Withdrawn { .. } | Entry::Gone { .. } => {
                self.stands = Stands::Absent;
            }
            _ => {}
        }
    }

    /// Returns the row that counts, as far as decisions are concerned.
    pub(super) fn row(&self) -> Option<&CompactRow> {
        match &self.waiting {
            Some(in_force) => Some(in_force),
            None => self.rows.iter().max_by_key(|(key, _)| key).map(|(_, row)| row),
        }
    }

    pub(super) fn posting(&self) -> Option<&CompactPosting> {
        match &self.stands {
            Stands::Posted(posting) => Some(posting),
            Stands::Absent | Stands::Unpriced | Stands::Held(_) => None,
        }
    }
}

/// The names behind the numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) people: People,
    pub(super) texts: Texts,
    pub(super) chains: Chains,
}

impl CompactRow {
    fn of(row: &AdoptionRow, names: &mut Names) -> Self {
        let account = match &row.account {
            Column::Value(account) => Column::Value(names.people.find_or_add(account)),
            Column::Missing => Column::Missing,
            Column::Unreadable => Column::Unreadable,
        };
        Self {
            account,
            trees: row.trees.clone(),
            price: row.price.clone(),
            date: row.date.clone(),
            status: names.texts.number(&row.status),
            province: names.texts.region(row.province.as_ref()),
            city: names.texts.region(row.city.as_ref()),
        }
    }
}

fn hold(reason: &HoldReason, names: &mut Names) -> Hold {
    match reason {
        HoldReason::Status => Hold::Status,
        HoldReason::InvalidTerms(fault) => Hold::InvalidTerms(*fault),
        HoldReason::NotYet => Hold::NotYet,
        HoldReason::NoReferral(account) => Hold::NoReferral(names.people.find_or_add(account)),
        HoldReason::ReferralCycle(account) => Hold::ReferralCycle(names.people.find_or_add(account)),
        HoldReason::AccountUnreadable(account) => Hold::AccountUnreadable(names.people.find_or_add(account)),
        HoldReason::PostingPaused => Hold::PostingPaused,
    }
}

fn compact(posting: &Posting, names: &mut Names) -> CompactPosting {
    let Names { people, texts, chains } = names;
    CompactPosting {
        account: people.find_or_add(&posting.account),
        trees: posting.trees,
        total: posting.total,
        date: posting.adoption_date,
        version: posting.version,
        province: texts.region(posting.province.as_ref()),
        city: texts.region(posting.city.as_ref()),
        chain: chains.add(posting.chain.iter().map(|ancestor| people.find_or_add(ancestor))),
        unlocked: posting.unlocked,
    }
}

/// The number of a text that many adoptions have.
pub(super) type TextNumber = u32;

/// Statuses and regions by number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: BTreeMap<String, TextNumber>,
    texts: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> TextNumber {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = TextNumber::try_from(self.texts.len()).expect("fewer texts than u32 counts");
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    fn region(&mut self, code: Option<&RegionCode>) -> Option<TextNumber> {
        code.map(|code| self.number(code.as_str()))
    }

    pub(super) fn text(&self, number: TextNumber) -> &str {
        &self.texts[number as usize]
    }

    pub(super) fn code(&self, number: Option<TextNumber>) -> Option<RegionCode> {
        number.map(|number| self.text(number).parse().expect("it was a code"))
    }
}

/// Where a chain is among the chains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChainPlace {
    from: usize,
    length: u8,
}

/// The chains of all postings, one after the other.
#[derive(Debug, Default)]
pub(super) struct Chains(Vec<Person>);

impl Chains {
    fn add(&mut self, chain: impl Iterator<Item = Person>) -> ChainPlace {
        let from = self.0.len();
        self.0.extend(chain);
        ChainPlace { from, length: u8::try_from(self.0.len() - from).expect("a chain has few accounts") }
    }

    pub(super) fn at(&self, place: ChainPlace) -> &[Person] {
        &self.0[place.from..place.from + usize::from(place.length)]
    }
}
