//! The decider: from the log so far, what was announced, and the time, to the next page.
//!
//! Everything here is pure. What a decision has to know and is not in memory comes back as a [`Need`]; the caller
//! loads it and calls again. The caller puts the finished page on condition that its number is free. If it is
//! not, the caller throws the decider away and reads the log again.

mod close;
mod commands;
mod correct;
mod desired;
mod draft;
mod due;
mod effect;
mod first_orders;
mod inputs;
mod prices;
mod state;
mod tail;
mod take_in;
mod take_in_referral;
mod walk;
mod word_map;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono_tz::Tz;

pub use close::WaitReason;
pub use inputs::{AdoptionInput, CommandInput, Inputs, Progress, ReferralInput};
pub use state::{Loaded, Need};

use self::correct::Begun;
use self::draft::Draft;
use self::state::State;
use self::tail::Tail;
use crate::heads::{Due, Network};
use crate::log::{Cause, Entry, Page, Position, WalkId};
use crate::{BusinessDate, OrderId, RowKey};

/// Numbers of a deployment that say when something happens, never what stands in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The business time zone.
    pub zone: Tz,
    /// How long a withdrawal waits for a later version of its rows, in milliseconds.
    pub settle_ms: i64,
    /// More withdrawals than this, waiting or let go within an hour, wait for an operator.
    pub brake_adoptions: u64,
    /// What becomes effective on a date may be this many times the largest amount of the thirty dates before.
    pub guard_factor: Option<u32>,
    /// How long after an order's commit its turn in the price book comes, in milliseconds.
    pub reorder_window_ms: i64,
    /// The first date that is closed; without it, the first on which anything is effective.
    pub first_date: Option<BusinessDate>,
    /// A page is finished once it has this many bytes.
    pub page_bytes_max: usize,
    /// A close does not wait longer than this for a walk, in milliseconds.
    pub walk_patience_ms: i64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            zone: Tz::Asia__Shanghai,
            settle_ms: 60_000,
            brake_adoptions: 1_000,
            guard_factor: Some(10),
            reorder_window_ms: 1_000,
            first_date: None,
            page_bytes_max: 64 * 1_024,
            walk_patience_ms: 60_000,
        }
    }
}

/// What the decider wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Load these and call again.
    Load(Vec<Need>),
    /// Put this page.
    Put(Box<Page>),
    /// Nothing is left to do at this time.
    Idle {
        /// When the next thing is due, in milliseconds since 1970; `None` if nothing is.
        due_ms: Option<i64>,
    },
}

/// Another decider has put pages since this one read the log: the next page of this one would be lost.
///
/// Drop the decider and read the log again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another decider has put pages that this one has not read")]
pub struct Overtaken;

/// A page of the log does not follow the one before: one of the two was changed after it was put.
///
/// Nothing can be decided on such a log. Verify it, and restore the table from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("page {position} of the log does not follow the one before")]
pub struct DoesNotFollow {
    /// The position of the page.
    pub position: Position,
}

/// The decider.
#[derive(Debug)]
pub struct Decider {
    parameters: Parameters,
    state: State,
    tail: Tail,
    draft: Draft,
    inputs: Inputs,
    /// Whether everything was loaded that the inputs need first.
    gathered: bool,
    /// Rows of referrals that wait until an account can be read.
    set_aside: BTreeMap<RowKey, ReferralInput>,
    /// Orders that are to be compared because of inputs, and why. The inputs count as open until they are.
    to_compare: BTreeMap<OrderId, Cause>,
    /// When the orders to compare were committed at the source, in milliseconds since 1970.
    committed: BTreeMap<OrderId, i64>,
    /// The order that this page has begun to correct.
    begun: Option<Begun>,
    /// The walks that this call goes on with, one after the other.
    walks_to_do: VecDeque<WalkId>,
    /// What closes were found to wait for at this time, so that it is found once.
    close_looked_at: bool,
    /// Whether everything due at this time was looked at.
    due_looked_at: bool,
    /// What is due and cannot go on, because an account cannot be read.
    blocked: BTreeSet<Due>,
    /// Walks that came further in this page.
    stepped: BTreeSet<WalkId>,
    /// Through how many places walks went in this page.
    places_in_page: u32,
}

impl Decider {
    /// Returns a decider that goes on after `network`'s last page.
    #[must_use]
    pub fn new(network: Network, parameters: Parameters) -> Self {
        Self {
            parameters,
            state: State::new(network),
            tail: Tail::default(),
            draft: Draft::default(),
            inputs: Inputs::default(),
            gathered: false,
            set_aside: BTreeMap::new(),
            to_compare: BTreeMap::new(),
            committed: BTreeMap::new(),
            begun: None,
            walks_to_do: VecDeque::new(),
            close_looked_at: false,
            due_looked_at: false,
            blocked: BTreeSet::new(),
            stepped: BTreeSet::new(),
            places_in_page: 0,
        }
    }

    /// Returns what the log says of the whole network, up to the last page.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.state.network
    }

    /// Takes in a page of the log that is there already.
    ///
    /// `is_in_network` says that the network already includes it, so that it is only kept to be laid over heads.
    ///
    /// # Errors
    ///
    /// [`DoesNotFollow`] where the page names another one before it than the last of this log.
    pub fn read_page(&mut self, page: Page, is_in_network: bool) -> Result<(), DoesNotFollow> {
        if !is_in_network {
            let network = &self.state.network;
            if page.position != network.position + 1 || page.previous != network.hash {
                return Err(DoesNotFollow { position: page.position });
            }
            let hash = page.hash();
            self.state.apply_page(&page, hash);
        }
        self.tail.push(page);
        Ok(())
    }

    /// Forgets the pages up to `position`, which every head in storage includes.
    pub fn forget_tail_through(&mut self, position: Position) {
        self.tail.forget_through(position);
    }

    /// Returns how many pages are kept to be laid over heads.
    #[must_use]
    pub fn tail_pages(&self) -> usize {
        self.tail.len()
    }

    /// Returns how many heads are in memory.
    #[must_use]
    pub fn heads_in_memory(&self) -> usize {
        self.state.heads()
    }

    /// Forgets the heads in memory, to make room. They are loaded again when they are needed.
    pub fn forget_heads(&mut self) {
        self.state.forget_heads();
        self.gathered = false;
    }

    /// Begins to work on announced rows and commands, at this time.
    ///
    /// What is left of earlier inputs stays.
    pub fn begin(&mut self, inputs: Inputs, time_ms: i64) {
        let time_ms = time_ms.max(self.state.network.time_ms);
        self.draft.begin(self.state.network.position + 1, self.state.network.hash, time_ms);
        self.inputs.append(inputs);
        self.inputs.take_back(std::mem::take(&mut self.set_aside));
        self.state.forget_unreadable();
        self.blocked.clear();
        self.gathered = false;
        self.close_looked_at = false;
        self.due_looked_at = false;
        self.walks_to_do = self.state.network.walks.keys().copied().collect();
    }

    /// Returns whether everything that was announced is in the log.
    #[must_use]
    pub fn is_done_with_inputs(&self) -> bool {
        self.inputs.is_empty()
            && self.set_aside.is_empty()
            && self.to_compare.is_empty()
            && self.draft.is_empty()
    }

    /// Forgets what was announced and is not in the log yet. It has to be announced still.
    ///
    /// A decider that rests must not keep rows: by the time it goes on, another one may have taken in newer
    /// versions of them.
    pub fn forget_inputs(&mut self) {
        self.inputs = Inputs::default();
        self.set_aside.clear();
        self.to_compare.clear();
        self.committed.clear();
        self.gathered = false;
    }

    /// Returns the rows of referrals that wait until an account can be read. They are not in the log.
    pub fn rows_set_aside(&self) -> impl Iterator<Item = &RowKey> {
        self.set_aside.keys()
    }

    /// Hands in what was asked for by [`Step::Load`].
    ///
    /// # Errors
    ///
    /// [`Overtaken`] where storage includes pages that this decider has not read.
    pub fn provide(&mut self, loaded: Vec<Loaded>) -> Result<(), Overtaken> {
        let last = self.state.network.position;
        if loaded.iter().filter_map(Loaded::position).any(|position| position > last) {
            return Err(Overtaken);
        }
        for one in loaded {
            self.state.provide(one, &self.tail, &self.draft);
        }
        Ok(())
    }

    /// Works on until something has to be loaded, a page is finished, or nothing is left to do.
    pub fn step(&mut self) -> Step {
        while let Err(needs) = self.work() {
            if let Err(needs) = self.resolve_in_memory(needs) {
                return Step::Load(needs);
            }
        }
        if self.has_walked_enough() {
            self.note_walks();
        }
        if self.draft.is_empty() {
            Step::Idle { due_ms: self.next_due_ms() }
        } else {
            Step::Put(Box::new(self.finish_page()))
        }
    }

    /// Works through everything there is, until the page is full.
    fn work(&mut self) -> Result<(), Vec<Need>> {
        self.gather_needs()?;
        // What this page has begun is completed in it, so that a page is true by itself.
        while self.complete_begun()? || !self.draft.is_full(self.parameters.page_bytes_max) {
            let progressed = self.take_in_command()?
                || self.take_in_truncate()
                || self.take_in_referral()?
                || self.take_in_adoption()?
                || self.compare_next()?
                || self.look_at_due()?
                || self.place_next()?
                || self.walk_on()?
                || self.close_next()?;
            if !progressed || self.draft.is_closed() {
                break;
            }
        }
        Ok(())
    }

    /// Compares the next order whose row changed.
    fn compare_next(&mut self) -> Result<bool, Vec<Need>> {
        let Some((order, cause)) = self.to_compare.first_key_value() else { return Ok(false) };
        let (order, cause) = (*order, cause.clone());
        self.correct_order(order, &cause)?;
        self.to_compare.remove(&order);
        Ok(true)
    }

    /// Records that the source truncated a table. It waits for an operator.
    fn take_in_truncate(&mut self) -> bool {
        let Some(truncate) = self.inputs.truncates.pop_front() else { return false };
        let network = &self.state.network;
        let is_known =
            network.truncates.contains_key(&truncate.key) || network.truncates_let_go.contains(&truncate.key);
        if !is_known {
            self.push(Entry::TruncateWaits(truncate));
        }
        true
    }

    /// Returns the page as far as it has come, for a caller whose time is over while something is to be loaded.
    ///
    /// `None` where nothing is in it, or where what it has begun is not complete: then the caller loads on.
    pub fn cut(&mut self) -> Option<Page> {
        (self.begun.is_none() && !self.draft.is_empty()).then(|| self.finish_page())
    }

    /// Returns a page without entries, for announcements that change nothing.
    ///
    /// Another decider may have read the same rows before they changed, and stand still before it puts its page. Once
    /// this page is put, that one cannot be: so announcements may go.
    pub fn fence(&mut self) -> Page {
        self.finish_page()
    }

    /// Returns whether nothing is decided that is not in a finished page.
    #[must_use]
    pub fn is_between_pages(&self) -> bool {
        self.draft.is_empty()
    }

    /// Completes everything for which the heads are in memory. Returns the heads that have to be loaded for the rest.
    fn resolve_in_memory(&mut self, needs: Vec<Need>) -> Result<(), Vec<Need>> {
        let mut missing = BTreeSet::new();
        for need in needs {
            let Need::FirstOrders(account) = need else {
                missing.insert(need);
                continue;
            };
            let Err(needs) = self.refill(&account) else { continue };
            if self.state.unreadable_among(&needs).is_some() {
                // Facts that cannot be completed decide nothing.
                self.state.set_unreadable(account);
            } else {
                missing.extend(needs);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing.into_iter().collect()) }
    }

    fn finish_page(&mut self) -> Page {
        self.note_walks();
        let page = self.draft.finish();
        let hash = page.hash();
        self.state.network.finish_page(page.position, page.time_ms, hash);
        self.tail.push(page.clone());
        self.draft.begin(page.position + 1, hash, page.time_ms);
        self.places_in_page = 0;
        if self.is_done_with_inputs() {
            self.committed.clear();
        }
        page
    }

    /// Returns the business date at this time.
    fn today(&self) -> BusinessDate {
        self.parameters.date_at(self.draft.time_ms())
    }
}

impl Parameters {
    /// Returns the business date at this instant, in milliseconds since 1970.
    #[must_use]
    pub fn date_at(&self, time_ms: i64) -> BusinessDate {
        chrono::DateTime::from_timestamp_millis(time_ms)
            .and_then(|instant| BusinessDate::at(instant, self.zone))
            .expect("a clock that shows a date of the calendar")
    }
}
