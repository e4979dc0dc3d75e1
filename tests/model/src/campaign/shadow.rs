//! The log, folded beside the functions: what every head must be that stands at a position.

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::{AdoptionHead, AdoptionState, Line, Node, Totals, lines_of};
use domain::log::{Entry, Page, PageHash, Position};
use domain::{Amount, BusinessDate, OrderId, Owner, Posting, Versions};

use super::situations::Situations;
use crate::bench::entry_kind;

/// What the log says, at every position.
pub(super) struct Shadow {
    pub(super) versions: Versions,
    pub(super) situations: Situations,
    /// How many entries of each kind there are.
    pub(super) entry_kinds: BTreeMap<String, u64>,
    last: (Position, PageHash, i64),
    orders: BTreeMap<OrderId, Vec<(Position, AdoptionHead)>>,
    accounts: BTreeMap<Owner, Vec<(Position, AccountThen)>>,
    lines: Vec<(Position, Owner, Line)>,
    closes: Vec<(BusinessDate, Position)>,
    /// The accounts and orders that the last page changed.
    touched: (Vec<Owner>, BTreeSet<OrderId>),
}

/// What the log says of an account at a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AccountThen {
    pub(super) node: Node,
    pub(super) totals: Totals,
    pub(super) lines: u64,
}

impl Shadow {
    pub(super) fn new(versions: Versions) -> Self {
        Self {
            last: (0, PageHash::before_first(versions.first_policy()), i64::MIN),
            versions,
            situations: Situations::default(),
            entry_kinds: BTreeMap::new(),
            orders: BTreeMap::new(),
            accounts: BTreeMap::new(),
            lines: Vec::new(),
            closes: Vec::new(),
            touched: (Vec::new(), BTreeSet::new()),
        }
    }

    /// Returns the position of the last page.
    pub(super) fn position(&self) -> Position {
        self.last.0
    }

    /// Returns the closed dates with their cuts.
    pub(super) fn closes(&self) -> &[(BusinessDate, Position)] {
        &self.closes
    }

    /// Returns what an account is by the pages up to a position, and the last page of them that changed it.
    pub(super) fn account(&self, owner: &Owner, position: Position) -> Option<(Position, &AccountThen)> {
        let then = self.accounts.get(owner)?.iter().rev().find(|(at, _)| *at <= position)?;
        Some((then.0, &then.1))
    }

    /// Returns what an adoption is by the pages up to a position, and the last page of them that changed it.
    pub(super) fn order(&self, order: OrderId, position: Position) -> Option<(Position, &AdoptionHead)> {
        let then = self.orders.get(&order)?.iter().rev().find(|(at, _)| *at <= position)?;
        Some((then.0, &then.1))
    }

    /// Returns every account that the log names.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.accounts.keys()
    }

    /// Returns every order that the log names.
    pub(super) fn order_ids(&self) -> impl Iterator<Item = OrderId> + '_ {
        self.orders.keys().copied()
    }

    /// Returns the lines of the pages up to a position.
    pub(super) fn lines_up_to(&self, position: Position) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |(at, ..)| *at <= position).map(|(_, _, line)| line)
    }

    /// Returns what each account has that is active on a date, by the pages up to a cut.
    pub(super) fn active_on(&self, date: BusinessDate, cut: Position) -> BTreeMap<Owner, Amount> {
        let mut active: BTreeMap<Owner, Amount> = BTreeMap::new();
        let counts = |(at, _, line): &&(Position, Owner, Line)| *at <= cut && line.is_active_on(date);
        for (_, owner, line) in self.lines.iter().filter(counts) {
            let sum = active.entry(owner.clone()).or_default();
            *sum = sum.checked_add(line.amount()).expect("a history moves small amounts");
        }
        active
    }

    /// Returns the accounts and the orders that the last page changed.
    pub(super) fn touched_by_last(&self) -> (&[Owner], &BTreeSet<OrderId>) {
        (&self.touched.0, &self.touched.1)
    }

    /// Folds a page in, and returns what is wrong with it.
    pub(super) fn see(&mut self, page: &Page) -> Vec<String> {
        let mut wrong = Vec::new();
        let (position, hash, time_ms) = self.last;
        if page.position != position + 1 {
            wrong.push(format!("page {} follows page {position}", page.position));
        }
        if page.previous != hash {
            wrong.push(format!("page {} does not carry the hash of the page before", page.position));
        }
        if page.time_ms < time_ms {
            wrong.push(format!("page {} is earlier than the page before", page.position));
        }
        self.last = (page.position, page.hash(), page.time_ms);
        let mut touched = Touched::default();
        self.touched.1.clear();
        for (index, entry) in (0..).zip(&page.entries) {
            wrong.extend(self.check(page, index, entry));
            self.apply(page, index, entry, &mut touched);
            *self.entry_kinds.entry(entry_kind(entry)).or_default() += 1;
        }
        self.situations.see_page(page);
        touched.finish(self, page.position);
        wrong.into_iter().map(|message| format!("the log: {message}")).collect()
    }

    /// Returns what is wrong with an entry, by what the entries before it say.
    fn check(&self, page: &Page, index: usize, entry: &Entry) -> Vec<String> {
        let now = |order: OrderId| self.orders.get(&order).and_then(|then| then.last());
        let state = |order| now(order).map_or(&AdoptionState::Absent, |(_, head)| &head.state);
        let posting = |order| now(order).and_then(|(_, head)| head.posting());
        let mut wrong = Vec::new();
        match entry {
            Entry::Posted { order, posting: new, .. } => {
                if let AdoptionState::Posted(_) | AdoptionState::Held(_) = state(*order) {
                    wrong.push(format!("order {order} is posted while it is posted or held"));
                }
                wrong.extend(self.check_sum(*order, new));
            }
            Entry::Withdrawn { order, posting: was, .. } if posting(*order) != Some(was) => {
                wrong.push(format!("order {order} is withdrawn, and what is taken back was not posted"));
            }
            Entry::Corrected(correction) => {
                let order = correction.order;
                if posting(order) != Some(&correction.was) {
                    wrong.push(format!("order {order} is corrected, and what is taken back was not posted"));
                }
                wrong.extend(self.check_sum(order, &correction.is));
            }
            Entry::Held(held) if matches!(state(held.order), AdoptionState::Posted(_)) => {
                wrong.push(format!("order {} is held while it is posted", held.order));
            }
            Entry::HoldEnded(held) if !matches!(state(held.order), AdoptionState::Held(_)) => {
                wrong.push(format!("the hold of order {} ends, and it is not held", held.order));
            }
            Entry::Placed { order, .. }
                if now(*order).is_some_and(|(_, head)| head.trees_before.is_some()) =>
            {
                wrong.push(format!("order {order} gets a second place in the price book"));
            }
            Entry::Close(terms) => {
                if index + 1 != page.entries.len() {
                    wrong.push(format!("the close of {} is not the last of its page", terms.date));
                }
                let previous = self.closes.last().copied();
                let said = terms.previous.map(|date| (date, terms.previous_cut));
                if previous != said || previous.is_some_and(|(date, _)| date.next() != terms.date) {
                    wrong.push(format!("the close of {} does not follow the one before", terms.date));
                }
            }
            _ => {}
        }
        wrong
    }

    fn check_sum(&self, order: OrderId, posting: &Posting) -> Option<String> {
        let version = self.versions.numbered(posting.version);
        let Some(version) = version else { return Some(format!("order {order} is of an unknown version")) };
        let sum = Amount::sum(posting.legs(&version.policy).into_iter().map(|leg| leg.amount));
        let is_whole = sum.is_ok_and(|sum| sum == posting.total);
        (!is_whole).then(|| format!("the legs of order {order} do not sum to its total"))
    }

    fn apply(&mut self, page: &Page, index: usize, entry: &Entry, touched: &mut Touched) {
        if let Entry::VersionIntroduced(terms) = entry {
            self.versions.introduce((**terms).clone()).expect("the log introduces versions in their order");
        }
        if let Entry::Close(terms) = entry {
            self.closes.push((terms.date, page.position));
        }
        for account in Node::accounts_of(entry) {
            let owner = Owner::User(account.clone());
            touched.account(self, owner).node.apply(account, entry);
        }
        let number = u32::try_from(index).expect("a page has few entries");
        for (owner, line) in lines_of(entry, page.position, number, page.time_ms, &self.versions) {
            let then = touched.account(self, owner.clone());
            then.totals.add(&line).expect("a history moves small amounts");
            then.lines += 1;
            self.lines.push((page.position, owner, line));
        }
        if let Some(order) = AdoptionHead::order_of(entry) {
            let mut head = self.orders.get(&order).and_then(|then| then.last()).map(|(_, head)| head.clone());
            head.get_or_insert_default().apply(order, entry);
            self.touched.1.insert(order);
            let then = self.orders.entry(order).or_default();
            if then.last().is_some_and(|(at, _)| *at == page.position) {
                then.pop();
            }
            then.push((page.position, head.expect("it was put there")));
        }
    }
}

/// The accounts that a page touches, as they are while it is folded in.
#[derive(Default)]
struct Touched(BTreeMap<Owner, AccountThen>);

impl Touched {
    fn account(&mut self, shadow: &Shadow, owner: Owner) -> &mut AccountThen {
        let before = shadow.accounts.get(&owner).and_then(|then| then.last());
        self.0.entry(owner).or_insert_with(|| before.map(|(_, then)| then.clone()).unwrap_or_default())
    }

    fn finish(self, shadow: &mut Shadow, position: Position) {
        shadow.touched.0 = self.0.keys().cloned().collect();
        for (owner, then) in self.0 {
            shadow.accounts.entry(owner).or_default().push((position, then));
        }
    }
}
