//! What the entries lead to, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use domain::log::{AdjustmentTerms, Entry};
use domain::{BusinessDate, Link, Posting, VersionTerms};

use crate::legs::legs_of;
use crate::numbers::Numbers;

/// An entry that contradicts those before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It takes back, or corrects, what does not stand.
    #[error("order {order} does not stand as the entry says")]
    NotStanding {
        /// The order.
        order: u64,
    },
    /// It posts what is posted already.
    #[error("order {order} is posted already")]
    PostedTwice {
        /// The order.
        order: u64,
    },
    /// The legs do not sum to the total, or the version is not known.
    #[error("the legs of order {order} do not follow from its terms")]
    Legs {
        /// The order.
        order: u64,
    },
    /// The account does not hang where the entry says it hung.
    #[error("{account} does not hang where the entry says")]
    Upline {
        /// The account.
        account: String,
    },
    /// The order has another place in the price book already.
    #[error("order {order} has a place already")]
    PlacedTwice {
        /// The order.
        order: u64,
    },
    /// A version that cannot follow.
    #[error("version {number} of the rules cannot follow those before")]
    Version {
        /// Its number.
        number: u32,
    },
    /// An adjustment of nothing.
    #[error("an adjustment does not move an amount above zero")]
    Adjustment,
}

/// A version of the rules.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) from: Option<BusinessDate>,
    pub(crate) until: Option<BusinessDate>,
    /// The policy, written anew.
    pub(crate) policy: String,
    pub(crate) numbers: Numbers,
}

/// What became of an order.
#[derive(Debug, Clone, Default)]
pub(crate) enum Outcome {
    #[default]
    Absent,
    Unpriced,
    Held(String),
    Posted(Box<Posting>),
}

/// Everything that the entries so far lead to.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) versions: Vec<Version>,
    pub(crate) orders: BTreeMap<u64, Outcome>,
    pub(crate) places: BTreeMap<u64, u64>,
    pub(crate) links: BTreeMap<String, Link>,
    pub(crate) adjustments: Vec<AdjustmentTerms>,
    uplines_waiting: BTreeSet<String>,
    orders_waiting: BTreeSet<u64>,
}

impl Replay {
    /// Returns the replay before the first page.
    pub(crate) fn starting(first_policy: &str) -> Result<Self, String> {
        let first = version(None, None, first_policy).ok_or("its policy cannot be read")?;
        Ok(Self {
            versions: vec![first],
            orders: BTreeMap::new(),
            places: BTreeMap::new(),
            links: BTreeMap::new(),
            adjustments: Vec::new(),
            uplines_waiting: BTreeSet::new(),
            orders_waiting: BTreeSet::new(),
        })
    }

    /// Returns how many adoptions are posted.
    pub(crate) fn posted(&self) -> u64 {
        self.orders.values().filter(|outcome| matches!(outcome, Outcome::Posted(_))).count() as u64
    }

    /// Returns how many changes wait.
    pub(crate) fn waiting(&self) -> u64 {
        (self.uplines_waiting.len() + self.orders_waiting.len()) as u64
    }

    /// Returns the version in force on a date: the highest number that has begun and has not ended.
    pub(crate) fn in_force(&self, date: BusinessDate) -> &Version {
        let covers = |version: &&Version| {
            version.from.is_none_or(|from| from <= date) && version.until.is_none_or(|until| date < until)
        };
        self.versions.iter().rev().find(covers).unwrap_or(&self.versions[0])
    }

    pub(crate) fn numbers_of(&self, number: u32) -> Option<&Numbers> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.versions.get(index).map(|version| &version.numbers)
    }

    /// Takes the next entry.
    pub(crate) fn take(&mut self, entry: &Entry) -> Result<(), Contradiction> {
        match entry {
            Entry::Upline(change) => {
                self.move_account(change.account.as_str(), &change.before, &change.after)?;
            }
            Entry::Placed { order, trees_before, .. } => self.place(order.get(), *trees_before)?,
            Entry::Posted { order, posting, .. } => self.post(order.get(), posting)?,
            Entry::Withdrawn { order, posting, .. } => {
                self.take_back(order.get(), posting)?;
            }
            Entry::Corrected(correction) => {
                self.take_back(correction.order.get(), &correction.was)?;
                self.post(correction.order.get(), &correction.is)?;
            }
            Entry::Unpriced { order, .. } => self.become_unposted(order.get(), Outcome::Unpriced)?,
            Entry::Held(held) => {
                self.become_unposted(held.order.get(), Outcome::Held(held.reason.to_string()))?;
            }
            Entry::HoldEnded(held) => self.become_unposted(held.order.get(), Outcome::Absent)?,
            Entry::Gone { order } => self.become_unposted(order.get(), Outcome::Absent)?,
            Entry::VersionIntroduced(terms) => self.introduce(terms)?,
            Entry::Adjusted(terms) => {
                if terms.amount.units() <= 0 {
                    return Err(Contradiction::Adjustment);
                }
                self.adjustments.push((**terms).clone());
            }
            Entry::UplineWaits(wait) => drop(self.uplines_waiting.insert(wait.account.to_string())),
            Entry::UplineWaitEnded { account, .. } => drop(self.uplines_waiting.remove(account.as_str())),
            Entry::OrderWaits(wait) => drop(self.orders_waiting.insert(wait.order.get())),
            Entry::OrderWaitEnded { order, .. } => drop(self.orders_waiting.remove(&order.get())),
            _ => {}
        }
        Ok(())
    }

    fn move_account(&mut self, account: &str, before: &Link, after: &Link) -> Result<(), Contradiction> {
        let link = self.links.entry(account.to_owned()).or_default();
        if link != before {
            return Err(Contradiction::Upline { account: account.to_owned() });
        }
        link.clone_from(after);
        Ok(())
    }

    fn place(&mut self, order: u64, trees_before: u64) -> Result<(), Contradiction> {
        match self.places.insert(order, trees_before) {
            Some(_) => Err(Contradiction::PlacedTwice { order }),
            None => Ok(()),
        }
    }

    fn post(&mut self, order: u64, posting: &Posting) -> Result<(), Contradiction> {
        let numbers = self.numbers_of(posting.version).ok_or(Contradiction::Legs { order })?;
        legs_of(posting, numbers).ok_or(Contradiction::Legs { order })?;
        let outcome = self.orders.entry(order).or_default();
        if matches!(outcome, Outcome::Posted(_)) {
            return Err(Contradiction::PostedTwice { order });
        }
        *outcome = Outcome::Posted(Box::new(posting.clone()));
        Ok(())
    }

    fn take_back(&mut self, order: u64, posting: &Posting) -> Result<(), Contradiction> {
        match self.orders.insert(order, Outcome::Absent) {
            Some(Outcome::Posted(standing)) if *standing == *posting => Ok(()),
            _ => Err(Contradiction::NotStanding { order }),
        }
    }

    fn become_unposted(&mut self, order: u64, outcome: Outcome) -> Result<(), Contradiction> {
        match self.orders.insert(order, outcome) {
            Some(Outcome::Posted(_)) => Err(Contradiction::NotStanding { order }),
            _ => Ok(()),
        }
    }

    fn introduce(&mut self, terms: &VersionTerms) -> Result<(), Contradiction> {
        let number = terms.number;
        let follows = usize::try_from(number).is_ok_and(|number| number == self.versions.len() + 1);
        let version = version(terms.from, terms.until, &terms.policy).filter(|_| follows);
        self.versions.push(version.ok_or(Contradiction::Version { number })?);
        Ok(())
    }
}

fn version(from: Option<BusinessDate>, until: Option<BusinessDate>, policy: &str) -> Option<Version> {
    let written: serde_json::Value = serde_json::from_str(policy).ok()?;
    let numbers: Numbers = serde_json::from_value(written.clone()).ok()?;
    Some(Version { from, until, policy: written.to_string(), numbers })
}
