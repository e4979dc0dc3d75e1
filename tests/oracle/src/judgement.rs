//! The ledger that follows from its inputs (rules, section 10).

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::Amount;
use crate::distribution::{self, Leg, LegKind, Posting};
use crate::facts::{Facts, Unlock};
use crate::forest::{Forest, Referrer};
use crate::held::HoldReason;
use crate::in_force::{Shadowed, rows_in_force};
use crate::parties::{Parties, Party};
use crate::policy::{Backfill, Policy, SystemKind, Versions};
use crate::rows::{AdoptionRow, OrderId, ReferralRow, Table, Tables, UserRow};
use crate::terms::Terms;

/// Everything that the ledger is a function of.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The source's tables as they finally are.
    pub tables: Tables,
    /// The places that are decided: per order, the trees before it.
    pub price_book: BTreeMap<OrderId, u64>,
    /// The versions of the rules.
    pub versions: Versions,
    /// The adjustments that were accepted.
    pub adjustments: Vec<Adjustment>,
    /// The business date.
    pub today: NaiveDate,
}

impl Inputs {
    /// Returns inputs with these tables, the rules' own numbers and nothing else.
    #[must_use]
    pub fn new(tables: Tables, today: NaiveDate) -> Self {
        Self {
            tables,
            price_book: BTreeMap::new(),
            versions: Versions::default(),
            adjustments: Vec::new(),
            today,
        }
    }
}

/// An amount that an operator moves from one account to another.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Adjustment {
    /// The giver: an account, or a system account such as `PROVINCE:44`.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// What is moved.
    pub amount: Amount,
    /// The first date on which it counts.
    pub effective_date: NaiveDate,
    /// The first date on which it no longer counts.
    pub expire_date: Option<NaiveDate>,
}

/// The place of an order without a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The trees before it, as decided once.
    pub before: u64,
    /// The trees before it by the rows as they are.
    pub before_today: u64,
}

/// A region that is not a code, so that its leg was booked without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OddRegion {
    /// The adoption.
    pub order_id: OrderId,
    /// [`SystemKind::Province`] or [`SystemKind::City`].
    pub kind: SystemKind,
}

/// What must be in the ledger. [`Judgement::of`] makes it; the other modules ask it.
#[derive(Debug)]
pub struct Judgement {
    /// What holds each adoption that is not posted.
    pub held: BTreeMap<OrderId, HoldReason>,
    /// Rows that another row keeps out of force.
    pub shadowed: Vec<Shadowed>,
    /// The price book: what it was, and the places of orders that had none yet.
    pub price_book: BTreeMap<OrderId, Place>,
    /// Regions of posted adoptions that are not codes.
    pub odd_regions: Vec<OddRegion>,
    pub(crate) today: NaiveDate,
    pub(crate) parties: Parties,
    pub(crate) users: BTreeSet<Party>,
    pub(crate) forest: Forest,
    pub(crate) postings: BTreeMap<OrderId, Posting>,
    pub(crate) facts: Facts,
    pub(crate) versions: Versions,
    adjustment_legs: Vec<Leg>,
}

impl Judgement {
    /// Returns what the ledger must hold.
    ///
    /// One pass over the orders in ascending order decides which are eligible, what they are worth and which
    /// are posted. Who has unlocked what as of an order then follows from the posted ones alone.
    #[must_use]
    pub fn of(inputs: &Inputs) -> Self {
        let mut parties = Parties::new();
        let mut shadowed = Vec::new();
        let users = users(&inputs.tables, &mut parties, &mut shadowed);
        let referrals = referrals(&inputs.tables, &mut parties, &mut shadowed);
        let adjustment_legs =
            inputs.adjustments.iter().flat_map(|made| adjustment_legs(made, &mut parties)).collect();
        let forest = Forest::new(parties.len(), &referrals);

        let orders = rows_in_force(
            Table::Adoptions,
            &inputs.tables.adoptions,
            |row| Some(row.order_id),
            |row| &row.key,
            &mut shadowed,
        );
        let mut pass = Pass { inputs, forest: &forest, parties, trees: 0, outcome: Outcome::default() };
        for row in orders.into_values() {
            pass.take(row);
        }
        let Pass { mut parties, outcome, .. } = pass;
        let Outcome { postings, held, eligible, mut price_book, odd_regions } = outcome;
        for (order_id, before) in &inputs.price_book {
            let earlier = eligible.range(..order_id).next_back();
            let before_today = earlier.map_or(0, |(_, trees_with_it)| *trees_with_it);
            price_book.insert(*order_id, Place { before: *before, before_today });
        }

        parties.system(SystemKind::Operation, None);
        let mut facts = Facts::new(parties.len());
        for posting in postings.values() {
            facts.count(posting.order_id, posting.account, forest.referrer_of(posting.account));
        }
        shadowed.sort_unstable();
        Self {
            held,
            shadowed,
            price_book,
            odd_regions,
            today: inputs.today,
            parties,
            users,
            forest,
            postings,
            facts,
            versions: inputs.versions.clone(),
            adjustment_legs,
        }
    }

    /// Returns the policy that judges an adoption.
    pub(crate) fn policy_of(&self, posting: &Posting) -> &Policy {
        &self.versions.numbered(posting.version).expect("it was judged by one of them").policy
    }

    /// Returns the policy of today, which decides what an account "has unlocked" and its talent level.
    pub(crate) fn policy_today(&self) -> &Policy {
        &self.versions.on(self.today).policy
    }

    /// Returns the legs of a posted adoption, each where it finally is.
    pub(crate) fn legs_of(&self, posting: &Posting) -> Vec<Leg> {
        let policy = self.policy_of(posting);
        let is_open = |ancestor, wanted| self.is_open(posting, policy, ancestor, wanted);
        distribution::legs(posting, policy, is_open, |party| self.parties.kind(party))
    }

    /// Shows every leg of the ledger: those of the adoptions, ascending, then those of the adjustments.
    pub(crate) fn each_leg(&self, mut see: impl FnMut(&Leg)) {
        for posting in self.postings.values() {
            self.legs_of(posting).iter().for_each(&mut see);
        }
        self.adjustment_legs.iter().for_each(see);
    }

    /// Returns whether an ancestor gets a level or tier: at once, or by backfill.
    fn is_open(&self, posting: &Posting, policy: &Policy, ancestor: Party, wanted: LegKind) -> bool {
        let reached = |unlock: Unlock| match wanted {
            LegKind::TeamLevel(level) => unlock.level_depth(policy) >= level,
            LegKind::TeamBonus(tier) => unlock.bonus_tiers(policy) >= tier,
            _ => false,
        };
        if reached(self.facts.as_of(ancestor, posting.order_id)) {
            return true;
        }
        if policy.backfill == Backfill::None {
            return false;
        }
        let unlocking = self.facts.first_order(ancestor, policy, reached);
        unlocking
            .is_some_and(|order_id| self.postings[&order_id].effective_date() < posting.expire_date(policy))
    }
}

/// What the pass over the orders decides.
#[derive(Default)]
struct Outcome {
    postings: BTreeMap<OrderId, Posting>,
    held: BTreeMap<OrderId, HoldReason>,
    /// Per eligible order, the trees of all eligible orders up to it.
    eligible: BTreeMap<OrderId, u64>,
    price_book: BTreeMap<OrderId, Place>,
    odd_regions: Vec<OddRegion>,
}

/// The pass over the orders, in ascending order.
struct Pass<'a> {
    inputs: &'a Inputs,
    forest: &'a Forest,
    parties: Parties,
    /// The trees of the eligible orders so far.
    trees: u64,
    outcome: Outcome,
}

impl Pass<'_> {
    fn take(&mut self, row: &AdoptionRow) {
        let Inputs { price_book, versions, today, .. } = self.inputs;
        let order_id = row.order_id;
        let place = price_book.get(&order_id).copied().unwrap_or(self.trees);
        let terms = match Terms::of(row, place, versions, *today) {
            Ok(terms) => terms,
            Err(reason) => {
                self.outcome.held.insert(order_id, reason);
                return;
            }
        };
        if terms.has_place {
            let place = Place { before: place, before_today: self.trees };
            self.outcome.price_book.insert(order_id, place);
        }
        self.trees = self.trees.checked_add(terms.trees).expect("a network has fewer than 2^64 trees");
        self.outcome.eligible.insert(order_id, self.trees);

        let upline = match self.parties.find_account(terms.account) {
            Some(account) => self.forest.upline(account, terms.version.policy.level_count),
            None => Err(HoldReason::NoReferral),
        };
        match upline {
            Ok(upline) => self.post(row, &terms, upline),
            Err(reason) => drop(self.outcome.held.insert(order_id, reason)),
        }
    }

    fn post(&mut self, row: &AdoptionRow, terms: &Terms<'_>, upline: Vec<Party>) {
        let posting = Posting {
            order_id: row.order_id,
            account: self.parties.account(terms.account),
            trees: terms.trees,
            total: terms.total,
            adoption_date: terms.adoption_date,
            version: terms.version.number,
            operation: self.parties.system(SystemKind::Operation, None),
            province: self.region(row.order_id, SystemKind::Province, row.province.as_deref()),
            city: self.region(row.order_id, SystemKind::City, row.city.as_deref()),
            upline,
        };
        self.outcome.postings.insert(row.order_id, posting);
    }

    /// Returns the system account of a region, which is any text of up to 64 characters.
    fn region(&mut self, order_id: OrderId, kind: SystemKind, written: Option<&str>) -> Party {
        const LENGTH_MAX: usize = 64;

        let code = written.map(str::trim);
        let is_code = |code: &&str| !code.is_empty() && code.chars().count() <= LENGTH_MAX;
        if code.is_some_and(|code| !is_code(&code)) {
            self.outcome.odd_regions.push(OddRegion { order_id, kind });
        }
        self.parties.system(kind, code.filter(is_code))
    }
}

/// Returns an account's name without the blanks at its end, unless nothing is left.
fn account_name(written: &str) -> Option<&str> {
    Some(written.trim_end_matches(' ')).filter(|name| !name.is_empty())
}

fn users(tables: &Tables, parties: &mut Parties, shadowed: &mut Vec<Shadowed>) -> BTreeSet<Party> {
    let name_of = |row: &'_ UserRow| account_name(&row.account).map(str::to_owned);
    let rows = rows_in_force(Table::Users, &tables.users, name_of, |row| &row.key, shadowed);
    rows.into_keys().map(|name| parties.account(&name)).collect()
}

fn referrals(tables: &Tables, parties: &mut Parties, shadowed: &mut Vec<Shadowed>) -> Vec<(Party, Referrer)> {
    let name_of = |row: &'_ ReferralRow| account_name(&row.account).map(str::to_owned);
    let rows = rows_in_force(Table::Referrals, &tables.referrals, name_of, |row| &row.key, shadowed);
    let referral = |(name, row): (String, &ReferralRow)| {
        let referrer = match row.referrer.as_deref().and_then(account_name) {
            Some(referrer) => Referrer::Account(parties.account(referrer)),
            None => Referrer::Root,
        };
        (parties.account(&name), referrer)
    };
    rows.into_iter().map(referral).collect()
}

/// Returns the two legs of an adjustment, which have the same dates even if an owner never expires.
fn adjustment_legs(adjustment: &Adjustment, parties: &mut Parties) -> [Leg; 2] {
    let leg = |owner, amount| Leg {
        kind: LegKind::Adjustment,
        owner,
        would_be: None,
        amount,
        from: adjustment.effective_date,
        until: adjustment.expire_date,
    };
    let (giver, receiver) = (parties.named(&adjustment.from), parties.named(&adjustment.to));
    [leg(giver, -adjustment.amount), leg(receiver, adjustment.amount)]
}
