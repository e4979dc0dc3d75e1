//! What the log says of the whole network: versions, work in hand, due times, closes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::adoption::AdoptionHead;
use crate::log::{
    Cause, CloseTerms, Command, Correction, Entry, Held, HoldReason, Page, PageHash, PauseScope, Paused,
    Position, Truncate, Walk, WalkId, WalkPlace,
};
use crate::{AccountSequence, Amount, BusinessDate, OrderId, OrderRange, Posting, Versions};

/// How many commands are remembered by their idempotency keys.
const COMMANDS_REMEMBERED_MAX: usize = 1_000;
/// On how many dates before a close the guard looks for the largest amount that became effective.
const GUARD_WINDOW_DAYS: u16 = 30;
/// Why a sum of totals cannot overflow.
const SUMS_FIT: &str = "a sum has room for ten thousand million totals of the largest size";
/// Withdrawals within this time count for the brake.
const BRAKE_WINDOW_MS: i64 = 3_600_000;
/// Withdrawals within this time are counted together.
const BRAKE_STEP_MS: i64 = 60_000;

/// What the log says of the whole network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The last page.
    pub position: Position,
    /// Its hash.
    pub hash: PageHash,
    /// Its time, in milliseconds since 1970.
    pub time_ms: i64,
    /// The versions of the rules.
    pub versions: Versions,
    /// The rest.
    pub counts: Counts,
    /// Walks that are not over.
    pub walks: BTreeMap<WalkId, WalkProgress>,
    /// What is to be looked at again, and when, in milliseconds since 1970.
    pub due: BTreeSet<(i64, Due)>,
    /// Eligible orders without a price that wait for their turn.
    pub unpriced: BTreeMap<OrderId, UnpricedOrder>,
    /// The latest close.
    pub closed: Option<Closed>,
    /// The closes that were asked for and are not done.
    pub close_asked: Option<AskedClose>,
    /// The date whose close waits, and for what.
    pub close_waits: Option<(BusinessDate, Vec<String>)>,
    /// The last date whose close the guard may not stop any more.
    pub guard_let_go: Option<BusinessDate>,
    /// The orders between which some are held because posting was stopped.
    pub held_back: Option<OrderRange>,
    /// Tables that the source truncated and that wait for an operator, by their keys.
    pub truncates: BTreeMap<String, Truncate>,
    /// The keys of those that an operator let go: their rows go, and they never wait again.
    pub truncates_let_go: BTreeSet<String>,
    /// What was stopped by hand, and since when, in milliseconds since 1970.
    pub paused: BTreeMap<PauseScope, i64>,
    /// The brake.
    pub brake: Brake,
    /// Sources that are no longer waited for.
    pub retired_sources: BTreeSet<String>,
    /// The last commands by their idempotency keys, with the page of each.
    pub commands: BTreeMap<String, Position>,
}

/// Numbers of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Orders that a row ever named.
    pub orders_seen: u64,
    /// Posted adoptions.
    pub posted: u64,
    /// Held adoptions by reason.
    pub held: BTreeMap<String, u64>,
    /// The largest order that was ever posted.
    pub posted_max: Option<OrderId>,
    /// The first date on which anything is or was effective.
    pub effective_first: Option<BusinessDate>,
    /// What becomes or became effective on each date, from thirty dates before the latest close on.
    pub effective_amounts: BTreeMap<BusinessDate, Amount>,
    /// The sum of the totals of the posted adoptions.
    pub posted_total: Amount,
    /// What corrections and withdrawals took back since the latest close.
    pub taken_back_since_close: Amount,
    /// Entries that put something right.
    pub corrections: u64,
    /// Entries that took something back.
    pub withdrawals: u64,
    /// Orders whose row waits.
    pub orders_waiting: u64,
    /// Accounts whose upline waits.
    pub uplines_waiting: u64,
    /// Posted adoptions that those uplines concern, as far as they were counted.
    pub adoptions_below_waiting: u64,
}

/// Something that is looked at again at a certain time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// The date of this order's adoption has come.
    Date(OrderId),
    /// This order's row has waited long enough.
    OrderWait(OrderId),
    /// This account's upline has waited long enough.
    UplineWait(AccountSequence),
}

/// A walk and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkProgress {
    /// The walk.
    pub walk: Walk,
    /// How far it came.
    pub place: WalkPlace,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
}

/// The latest close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The close.
    pub terms: CloseTerms,
    /// Its cut.
    pub cut: Position,
}

/// An eligible order without a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpricedOrder {
    /// The commit of its row, in milliseconds since 1970; `None` where the row was in the log before the order came to wait.
    pub committed_ms: Option<i64>,
    /// Since when it waits, in milliseconds since 1970.
    pub since_ms: i64,
}

impl UnpricedOrder {
    /// Returns an instant that is not before the commit of its row, in milliseconds since 1970.
    #[must_use]
    pub fn committed_by_ms(&self) -> i64 {
        self.committed_ms.unwrap_or(self.since_ms)
    }

    /// Returns whether its row was committed before this instant.
    #[must_use]
    pub fn is_committed_before(&self, instant_ms: i64) -> bool {
        self.committed_ms.is_none_or(|committed_ms| committed_ms < instant_ms)
    }
}

/// Closes that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedClose {
    /// The last date to close.
    pub until: BusinessDate,
    /// The last date for which an operator answers that the source was read, so that no proof is waited for.
    pub complete_until: Option<BusinessDate>,
    /// When that date was asked for first, in milliseconds since 1970.
    pub asked_ms: i64,
}

impl AskedClose {
    /// Returns what is asked for once `later` is asked for as well.
    fn or_further(self, later: Self) -> Self {
        let further = if later.until > self.until { later } else { self };
        Self { complete_until: self.complete_until.max(later.complete_until), ..further }
    }
}

/// The brake: withdrawals let go within the last hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// When how many were let go, in milliseconds since 1970, a minute at a time.
    pub let_go: Vec<(i64, u32)>,
    /// When an operator let everything go that waited by then, in milliseconds since 1970.
    pub released_ms: Option<i64>,
}

impl Brake {
    /// Returns when what was let go at `at_ms` no longer counts, in milliseconds since 1970.
    #[must_use]
    pub fn counts_until(at_ms: i64) -> i64 {
        at_ms.saturating_add(BRAKE_WINDOW_MS)
    }

    fn count(&mut self, time_ms: i64) {
        match self.let_go.last_mut() {
            Some((at_ms, adoptions)) if time_ms - *at_ms < BRAKE_STEP_MS => *adoptions += 1,
            _ => self.let_go.push((time_ms, 1)),
        }
    }

    /// Returns how many withdrawals were let go within the hour before `time_ms`.
    #[must_use]
    pub fn let_go_within_the_hour(&self, time_ms: i64) -> u64 {
        let recent = self.let_go.iter().filter(|(at_ms, _)| *at_ms > time_ms - BRAKE_WINDOW_MS);
        recent.map(|(_, adoptions)| u64::from(*adoptions)).sum()
    }
}

impl Network {
    /// Returns the network before the first page.
    #[must_use]
    pub fn new(versions: Versions) -> Self {
        Self {
            position: 0,
            hash: PageHash::before_first(versions.first_policy()),
            time_ms: i64::MIN,
            versions,
            counts: Counts::default(),
            walks: BTreeMap::new(),
            due: BTreeSet::new(),
            unpriced: BTreeMap::new(),
            closed: None,
            close_asked: None,
            close_waits: None,
            guard_let_go: None,
            held_back: None,
            truncates: BTreeMap::new(),
            truncates_let_go: BTreeSet::new(),
            paused: BTreeMap::new(),
            brake: Brake::default(),
            retired_sources: BTreeSet::new(),
            commands: BTreeMap::new(),
        }
    }

    /// Folds a whole page into the network.
    pub fn apply_page(&mut self, page: &Page, hash: PageHash) {
        assert_eq!(page.position, self.position + 1, "pages are applied in their order");
        for entry in &page.entries {
            self.apply(entry, page.position, page.time_ms);
        }
        self.finish_page(page.position, page.time_ms, hash);
    }

    /// Records that the entries applied so far are those of this page.
    pub fn finish_page(&mut self, position: Position, time_ms: i64, hash: PageHash) {
        self.position = position;
        self.hash = hash;
        self.time_ms = time_ms;
        let horizon_ms = time_ms - BRAKE_WINDOW_MS;
        self.brake.let_go.retain(|(at_ms, _)| *at_ms > horizon_ms);
    }

    /// Folds an entry of the page at `position` into the network.
    pub fn apply(&mut self, entry: &Entry, position: Position, time_ms: i64) {
        self.apply_to_orders(entry, time_ms);
        match entry {
            Entry::UplineWaits(wait) => {
                self.due.insert((wait.until_ms, Due::UplineWait(wait.account.clone())));
                self.counts.uplines_waiting += 1;
                self.counts.adoptions_below_waiting += u64::from(wait.adoptions);
            }
            Entry::UplineWaitEnded { account, until_ms, adoptions } => {
                self.due.remove(&(*until_ms, Due::UplineWait(account.clone())));
                let counts = &mut self.counts;
                counts.uplines_waiting = counts.uplines_waiting.saturating_sub(1);
                counts.adoptions_below_waiting =
                    counts.adoptions_below_waiting.saturating_sub(u64::from(*adoptions));
            }
            Entry::WalkBegan(walk) => {
                let progress =
                    WalkProgress { walk: walk.clone(), place: WalkPlace::Start, began_ms: time_ms };
                self.walks.insert(walk.id, progress);
            }
            Entry::WalkStepped { walk, place } => {
                if let Some(progress) = self.walks.get_mut(walk) {
                    progress.place = place.clone();
                }
            }
            Entry::WalkEnded { walk } => {
                self.walks.remove(walk);
            }
            Entry::VersionIntroduced(terms) => {
                self.versions.introduce((**terms).clone()).expect("the decider introduces valid versions");
            }
            Entry::Adjusted(terms) => {
                let first = self.counts.effective_first;
                self.counts.effective_first =
                    Some(first.map_or(terms.effective_date, |first| first.min(terms.effective_date)));
            }
            Entry::Commanded { idempotency_key, command, outcome, .. } => {
                self.remember_command(idempotency_key, position);
                if outcome.is_done() {
                    self.carry_out(command, time_ms);
                }
            }
            Entry::TruncateWaits(truncate) => {
                self.truncates.insert(truncate.key.clone(), truncate.clone());
            }
            Entry::CloseWaits { date, reasons } => self.close_waits = Some((*date, reasons.clone())),
            Entry::Close(terms) => {
                self.closed = Some(Closed { terms: terms.clone(), cut: position });
                self.close_waits = None;
                self.counts.taken_back_since_close = Amount::ZERO;
                let horizon = terms.date.minus_days(GUARD_WINDOW_DAYS);
                self.counts.effective_amounts = self.counts.effective_amounts.split_off(&horizon);
                self.close_asked = self.close_asked.filter(|asked| asked.until > terms.date);
            }
            _ => {}
        }
    }

    fn apply_to_orders(&mut self, entry: &Entry, time_ms: i64) {
        let Some(order) = AdoptionHead::order_of(entry) else { return };
        match entry {
            Entry::OrderWaits(wait) => {
                self.due.insert((wait.until_ms, Due::OrderWait(order)));
                self.counts.orders_waiting += 1;
            }
            Entry::OrderWaitEnded { until_ms, .. } => {
                self.due.remove(&(*until_ms, Due::OrderWait(order)));
                self.counts.orders_waiting = self.counts.orders_waiting.saturating_sub(1);
            }
            Entry::OrderSeen { .. } => self.counts.orders_seen += 1,
            Entry::Unpriced { committed_ms, .. } => {
                let unpriced = UnpricedOrder { committed_ms: *committed_ms, since_ms: time_ms };
                self.unpriced.insert(order, unpriced);
            }
            Entry::Placed { .. } | Entry::Gone { .. } => {
                self.unpriced.remove(&order);
            }
            Entry::Held(held) => {
                self.unpriced.remove(&order);
                self.begin_hold(held);
            }
            Entry::HoldEnded(held) => self.end_hold(held),
            Entry::Posted { posting, .. } => {
                self.unpriced.remove(&order);
                self.counts.posted += 1;
                self.counts.posted_max = self.counts.posted_max.max(Some(order));
                self.add_posting(posting);
            }
            Entry::Corrected(correction) => {
                self.counts.corrections += 1;
                self.take_back_posting(&correction.was);
                self.add_posting(&correction.is);
                self.count_taken_back(self.moved_by(correction));
                self.count_for_brake(&correction.cause, time_ms);
            }
            Entry::Withdrawn { posting, cause, .. } => {
                self.counts.withdrawals += 1;
                self.counts.posted -= 1;
                self.take_back_posting(posting);
                self.count_taken_back(posting.total);
                self.count_for_brake(cause, time_ms);
            }
            _ => {}
        }
    }

    fn begin_hold(&mut self, held: &Held) {
        *self.counts.held.entry(held.reason.name().to_owned()).or_default() += 1;
        if let Some(at_ms) = held.look_again_ms {
            self.due.insert((at_ms, Due::Date(held.order)));
        }
        if held.reason == HoldReason::PostingPaused {
            let own = OrderRange::only(held.order);
            self.held_back = Some(self.held_back.map_or(own, |others| others.hull(own)));
        }
    }

    fn end_hold(&mut self, held: &Held) {
        let count = self.counts.held.entry(held.reason.name().to_owned()).or_default();
        *count = count.checked_sub(1).expect("a hold that ends has begun");
        if held.reason == HoldReason::PostingPaused && *count == 0 {
            self.held_back = None;
        }
        if let Some(at_ms) = held.look_again_ms {
            self.due.remove(&(at_ms, Due::Date(held.order)));
        }
    }

    /// Counts a withdrawal or a correction because a row changed or went. Corrections because of other adoptions or
    /// of the rules do not count.
    fn count_for_brake(&mut self, cause: &Cause, time_ms: i64) {
        if matches!(cause, Cause::Row | Cause::Upline { .. }) {
            self.brake.count(time_ms);
        }
    }

    /// Returns how much a correction takes from those who had it.
    fn moved_by(&self, correction: &Correction) -> Amount {
        let Correction { was, is, .. } = correction;
        let policy = |posting: &Posting| {
            &self.versions.numbered(posting.version).expect("a posting names a known version").policy
        };
        if (was.version, was.adoption_date, was.total) != (is.version, is.adoption_date, is.total) {
            return was.total;
        }
        let kept = is.legs(policy(is));
        let moved = was.legs(policy(was)).into_iter().filter(|leg| {
            kept.iter()
                .all(|other| other.slot != leg.slot || other.recipient.owner() != leg.recipient.owner())
        });
        Amount::sum(moved.map(|leg| leg.amount)).expect("legs are parts of one total")
    }

    fn count_taken_back(&mut self, amount: Amount) {
        let sum = &mut self.counts.taken_back_since_close;
        *sum = sum.checked_add(amount).expect(SUMS_FIT);
    }

    fn add_posting(&mut self, posting: &Posting) {
        let effective = posting.adoption_date.next();
        let counts = &mut self.counts;
        counts.effective_first = Some(counts.effective_first.map_or(effective, |first| first.min(effective)));
        let sum = counts.effective_amounts.entry(effective).or_default();
        *sum = sum.checked_add(posting.total).expect(SUMS_FIT);
        counts.posted_total = counts.posted_total.checked_add(posting.total).expect(SUMS_FIT);
    }

    fn take_back_posting(&mut self, posting: &Posting) {
        let counts = &mut self.counts;
        let sum = counts.effective_amounts.entry(posting.adoption_date.next()).or_default();
        *sum = sum.checked_sub(posting.total).expect(SUMS_FIT);
        counts.posted_total = counts.posted_total.checked_sub(posting.total).expect(SUMS_FIT);
    }

    fn remember_command(&mut self, key: &str, position: Position) {
        self.commands.insert(key.to_owned(), position);
        if self.commands.len() > COMMANDS_REMEMBERED_MAX {
            let oldest = self.commands.iter().min_by_key(|(_, position)| **position);
            let oldest = oldest.map(|(key, _)| key.clone()).expect("there is one");
            self.commands.remove(&oldest);
        }
    }

    fn carry_out(&mut self, command: &Command, time_ms: i64) {
        match command {
            Command::Close { until, source_is_complete } => {
                let complete_until = source_is_complete.then_some(*until);
                let asked = AskedClose { until: *until, complete_until, asked_ms: time_ms };
                self.close_asked = Some(match self.close_asked {
                    Some(before) => before.or_further(asked),
                    None => asked,
                });
            }
            Command::LetGo { what: Paused::Brake } => self.brake.released_ms = Some(time_ms),
            Command::LetGo { what: Paused::SuspiciousClose { date } } => {
                self.guard_let_go = self.guard_let_go.max(Some(*date));
            }
            Command::LetGo { what: Paused::Truncate { key } } => {
                self.truncates.remove(key);
                self.truncates_let_go.insert(key.clone());
            }
            Command::Pause { scope } => {
                self.paused.insert(*scope, time_ms);
            }
            Command::Resume { scope } => {
                self.paused.remove(scope);
            }
            Command::RetireSource { source } => {
                self.retired_sources.insert(source.clone());
            }
            Command::Introduce(_)
            | Command::Adjust(_)
            | Command::Repair { .. }
            | Command::TakeOverPlaces { .. }
            | Command::Note { .. }
            | Command::Rejected { .. }
            | Command::Webhook { .. } => {}
        }
    }
}
