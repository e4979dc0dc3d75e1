//! Invented captures: large ones, and random histories.
//!
//! What a seed makes is the same on every machine. Everything in a capture could have come from a real
//! source, and nothing in it breaks a rule: no referrer changes, no distributed adoption gets other
//! trees, and only orders are deleted.

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::calendar::{self, MILLISECONDS_OF_DAY};
use crate::capture::CaptureRecord;
use crate::connector::{Change as RowChange, Connector, OrderRow, Price, ReferralRow, Row, UserRow};

/// The snapshot of a large source: all users, then all orders and all referrals in no order, on one
/// partition each, and the heartbeats after.
///
/// There is a tree for every 400 accounts, and some small ones. Referrals tend to come from recent
/// accounts, so that chains are far longer than the fifteen levels that count, and from a few that
/// refer many. Accounts adopt from never to many times.
///
/// # Panics
///
/// If there are adoptions but nobody to adopt.
#[must_use]
pub fn bulk(accounts: usize, adoptions: usize, seed: u64) -> Vec<CaptureRecord> {
    let mut invention = Invention::new(seed, accounts, 5, adoptions);
    let (users, mut referrals): (Vec<Row>, Vec<Row>) =
        (0..accounts).map(|_| invention.registration()).unzip();
    let mut orders: Vec<Row> = (0..adoptions).map(|_| Row::Order(invention.order())).collect();
    orders.shuffle(&mut invention.random);
    referrals.shuffle(&mut invention.random);

    let mut connector = Connector::new(1);
    connector.snapshot(&[users, orders, referrals]);
    for _ in 0..3 {
        connector.heartbeat();
    }
    connector.finish()
}

/// A random history of about `accounts` accounts with every kind of change: see [`history_of`].
#[must_use]
pub fn history(seed: u64, accounts: usize) -> Vec<CaptureRecord> {
    history_of(seed, accounts, &Change::ALL)
}

/// A random history of about `accounts` accounts, with only these kinds of changes: a snapshot, and
/// about six changes per account streamed after it, on three partitions per topic.
///
/// What the changes do not bring is in the snapshot: without [`Change::Registration`] all accounts,
/// and without [`Change::Adoption`] and [`Change::LateAdoption`] all orders. Once all changes are
/// through, every late order has arrived, and most of the late referrals.
#[must_use]
pub fn history_of(seed: u64, accounts: usize, changes: &[Change]) -> Vec<CaptureRecord> {
    let mut history = History::new(seed, accounts.max(2), changes);
    history.snapshot();
    for step in 1..=history.accounts_planned * CHANGES_PER_ACCOUNT {
        if let Ok(change) = changes.choose_weighted(&mut history.invention.random, |change| change.weight()) {
            history.step(*change);
        }
        if step % 25 == 0 {
            history.connector.heartbeat();
        }
    }
    history.finish()
}

/// A kind of change in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A new account, with its referral in the same transaction.
    Registration,
    /// One to three new orders.
    Adoption,
    /// A new order whose number was drawn long before it was committed.
    LateAdoption,
    /// An order's status goes from one to another, distributable or not.
    StatusFlip,
    /// An order goes away.
    Deletion,
    /// Some accounts' referrals arrive long after the accounts and their orders, and a few never do.
    LateReferral,
    /// Records that were streamed before arrive again, at new offsets.
    Resend,
}

impl Change {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Registration,
        Self::Adoption,
        Self::LateAdoption,
        Self::StatusFlip,
        Self::Deletion,
        Self::LateReferral,
        Self::Resend,
    ];

    /// How often it happens, compared with the others.
    fn weight(self) -> u32 {
        match self {
            Self::StatusFlip => 30,
            Self::Adoption => 25,
            Self::LateAdoption => 12,
            Self::Registration => 10,
            Self::Deletion | Self::Resend => 4,
            Self::LateReferral => 1,
        }
    }
}

/// The same capture from a source that has no prices: orders without their `contribution_per_tree`.
///
/// The price of an adoption then depends on the trees distributed before it *when it is released*, so
/// only a capture without changes of orders has one right outcome: that of [`bulk`].
#[must_use]
pub fn without_prices(records: &[CaptureRecord]) -> Vec<CaptureRecord> {
    let without = |record: &CaptureRecord| {
        let mut record = record.clone();
        let value = record.value.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(mut value) = value {
            for row in ["before", "after"] {
                if let Some(row) = value.get_mut(row).and_then(Value::as_object_mut) {
                    row.remove("contribution_per_tree");
                }
            }
            record.value = Some(value.to_string());
        }
        record
    };
    records.iter().map(without).collect()
}

/// The capture with the first account above everybody who had nobody above.
///
/// That account's adoptions, and what it earns, then meet in one tree with everybody else's.
#[must_use]
pub fn below_one_root(records: &[CaptureRecord]) -> Vec<CaptureRecord> {
    let referrer_of = |value: &Value| value["after"]["referrer_account_sequence"].clone();
    let parsed = |record: &CaptureRecord| {
        let referrals = record.topic.ends_with("referral_relations");
        record
            .value
            .as_deref()
            .filter(|_| referrals)
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    let roots = records.iter().filter_map(parsed).filter(|value| referrer_of(value).is_null());
    let top =
        roots.filter_map(|value| value["after"]["account_sequence"].as_str().map(ToOwned::to_owned)).min();
    let below = |record: &CaptureRecord| {
        let mut record = record.clone();
        if let Some(mut value) = parsed(&record)
            && referrer_of(&value).is_null()
            && value["after"]["account_sequence"].as_str() != top.as_deref()
        {
            value["after"]["referrer_account_sequence"] = top.clone().into();
            record.value = Some(value.to_string());
        }
        record
    };
    records.iter().map(below).collect()
}

const CHANGES_PER_ACCOUNT: usize = 6;
const ORDERS_PER_ACCOUNT: usize = 2;
/// Of accounts and orders in a history, how many percent are in its snapshot.
const PERCENT_IN_SNAPSHOT: usize = 60;

/// A source while it changes, and the connector that watches it.
struct History {
    invention: Invention,
    connector: Connector,
    changes: Vec<Change>,
    accounts_planned: usize,
    /// Committed orders by number.
    orders: BTreeMap<u64, OrderRow>,
    /// Orders that have a number and are not committed yet.
    late_orders: Vec<OrderRow>,
    late_referrals: Vec<Row>,
}

impl History {
    fn new(seed: u64, accounts: usize, changes: &[Change]) -> Self {
        Self {
            // Of every kind of change, that comes to five orders per account, snapshot included.
            invention: Invention::new(seed, accounts, 2, accounts * 5),
            connector: Connector::new(3),
            changes: changes.to_vec(),
            accounts_planned: accounts,
            orders: BTreeMap::new(),
            late_orders: Vec::new(),
            late_referrals: Vec::new(),
        }
    }

    fn snapshot(&mut self) {
        let share = |all: usize, is_streamed| if is_streamed { all * PERCENT_IN_SNAPSHOT / 100 } else { all };
        let accounts = share(self.accounts_planned, self.has(Change::Registration)).max(2);
        let streams_orders = self.has(Change::Adoption) || self.has(Change::LateAdoption);
        let orders = share(self.accounts_planned * ORDERS_PER_ACCOUNT, streams_orders);

        let mut users = Vec::new();
        let mut referrals = Vec::new();
        for _ in 0..accounts {
            let (user, referral) = self.invention.registration();
            users.push(user);
            referrals.extend(self.on_time(referral));
        }
        for _ in 0..orders {
            let order = self.invention.order();
            self.orders.insert(order.order_id, order);
        }
        let mut heap: Vec<Row> = self.orders.values().cloned().map(Row::Order).collect();
        heap.shuffle(&mut self.invention.random);
        referrals.shuffle(&mut self.invention.random);
        self.connector.snapshot(&[users, heap, referrals]);
        self.connector.heartbeat();
    }

    fn step(&mut self, change: Change) {
        match change {
            Change::Registration => self.register(),
            Change::Adoption => self.adopt(),
            Change::LateAdoption => self.adopt_late(),
            Change::StatusFlip => self.flip_status(),
            Change::Deletion => self.delete(),
            Change::LateReferral => self.refer_late(),
            Change::Resend => self.resend(),
        }
    }

    fn finish(mut self) -> Vec<CaptureRecord> {
        while !self.late_orders.is_empty() {
            self.commit_late_order();
        }
        for referral in std::mem::take(&mut self.late_referrals) {
            if self.invention.chance(3, 4) {
                self.connector.transaction(&[RowChange::Insert(referral)]);
            }
        }
        self.connector.heartbeat();
        self.connector.finish()
    }

    fn register(&mut self) {
        let (user, referral) = self.invention.registration();
        let rows = [Some(user), self.on_time(referral)];
        let changes: Vec<_> = rows.into_iter().flatten().map(RowChange::Insert).collect();
        self.connector.transaction(&changes);
    }

    fn adopt(&mut self) {
        let count = self.invention.random.random_range(1..=3);
        let orders: Vec<OrderRow> = (0..count).map(|_| self.invention.order()).collect();
        let changes: Vec<_> =
            orders.iter().cloned().map(|order| RowChange::Insert(Row::Order(order))).collect();
        self.connector.transaction(&changes);
        self.orders.extend(orders.into_iter().map(|order| (order.order_id, order)));
    }

    fn adopt_late(&mut self) {
        if self.late_orders.is_empty() || self.invention.chance(1, 2) {
            let order = self.invention.order();
            self.late_orders.push(order);
        } else {
            self.commit_late_order();
        }
    }

    fn commit_late_order(&mut self) {
        let index = self.invention.random.random_range(..self.late_orders.len());
        let order = self.late_orders.swap_remove(index);
        self.connector.transaction(&[RowChange::Insert(Row::Order(order.clone()))]);
        self.orders.insert(order.order_id, order);
    }

    fn flip_status(&mut self) {
        let Some(mut order) = self.some_order() else { return };
        let next: &[&str] = match order.status {
            "CREATED" => &["MINING_ENABLED", "MINING_ENABLED", "PAID", "CANCELLED"],
            "CANCELLED" => &["MINING_ENABLED", "MINING_ENABLED", "CREATED"],
            "PAID" => &["MINING_ENABLED", "CONFIRMED", "CANCELLED"],
            _ => &["CANCELLED", "CANCELLED", "CREATED", "ACTIVE"],
        };
        if let Some(status) = next.choose(&mut self.invention.random) {
            order.status = status;
        }
        self.connector.transaction(&[RowChange::Update(Row::Order(order.clone()))]);
        self.orders.insert(order.order_id, order);
    }

    fn delete(&mut self) {
        let Some(order) = self.some_order() else { return };
        self.orders.remove(&order.order_id);
        self.connector.transaction(&[RowChange::Delete(Row::Order(order))]);
    }

    fn refer_late(&mut self) {
        if !self.late_referrals.is_empty() {
            let index = self.invention.random.random_range(..self.late_referrals.len());
            let referral = self.late_referrals.swap_remove(index);
            self.connector.transaction(&[RowChange::Insert(referral)]);
        }
    }

    fn resend(&mut self) {
        let streamed = self.connector.streamed();
        if streamed > 0 {
            let first = self.invention.random.random_range(..streamed);
            let count = self.invention.random.random_range(1..=8);
            self.connector.resend(first, count);
        }
    }

    /// The referral, unless it is one to come late.
    fn on_time(&mut self, referral: Row) -> Option<Row> {
        if self.has(Change::LateReferral) && self.invention.chance(1, 12) {
            self.late_referrals.push(referral);
            None
        } else {
            Some(referral)
        }
    }

    fn some_order(&mut self) -> Option<OrderRow> {
        let orders: Vec<&OrderRow> = self.orders.values().collect();
        orders.choose(&mut self.invention.random).map(|order| (*order).clone())
    }

    fn has(&self, change: Change) -> bool {
        self.changes.contains(&change)
    }
}

/// Invents accounts and orders.
struct Invention {
    random: ChaCha8Rng,
    accounts: Vec<Account>,
    accounts_planned: usize,
    /// Most accounts are referred by one of so many before them: the fewer, the longer the chains.
    recent_accounts: usize,
    orders_planned: u64,
    last_order: u64,
    /// All trees ordered so far, which prices follow.
    trees: u64,
}

struct Account {
    sequence: String,
    /// Its ancestors, and itself, from the top.
    path: String,
    depth: usize,
}

/// 1 January 2026 in days since 1970: nothing is adopted before.
const FIRST_DAY: i64 = 20_454;
/// Adoptions are spread over so many days, the last two of them too late to be effective on
/// 10 February 2026.
const DAYS: u64 = 42;
/// When the users registered, in milliseconds since 1970: on 27 December 2025.
const REGISTERED_MS: i64 = 1_766_800_000_000;

impl Invention {
    fn new(seed: u64, accounts_planned: usize, recent_accounts: usize, orders_planned: usize) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            accounts: Vec::new(),
            accounts_planned,
            recent_accounts,
            orders_planned: orders_planned as u64,
            last_order: 0,
            trees: 0,
        }
    }

    /// The next account: its user and its referral.
    fn registration(&mut self) -> (Row, Row) {
        let number = self.accounts.len() + 1;
        let referrer = self.referrer().map(|index| &self.accounts[index]);
        let sequence = format!("D251227{number:05}");
        let (above, depth) =
            referrer.map_or(("/", 0), |referrer| (referrer.path.as_str(), referrer.depth + 1));
        let ancestor_path = above.to_owned();
        let path = format!("{above}{sequence}/");
        let referrer_account_sequence = referrer.map(|referrer| referrer.sequence.clone());
        let created_at =
            calendar::timestamp(REGISTERED_MS + 1000 * i64::try_from(number).expect("few accounts"));
        let user = UserRow {
            id: self.uuid(),
            account_sequence: sequence.clone(),
            phone: format!("139{number:08}"),
            status: "ACTIVE",
            created_at: created_at.clone(),
        };
        let referral = ReferralRow {
            id: self.uuid(),
            account_sequence: sequence.clone(),
            referrer_account_sequence,
            ancestor_path,
            depth,
            created_at,
        };
        self.accounts.push(Account { sequence, path, depth });
        (Row::User(user), Row::Referral(referral))
    }

    /// Who referred the next account: nobody, one of the last before it in its tree, anybody in
    /// the tree, or one of its few that refer many.
    fn referrer(&mut self) -> Option<usize> {
        const ACCOUNTS_PER_TREE: usize = 400;
        const ACCOUNTS_PER_PROMOTER: usize = 64;

        // Accounts join the trees in turn. Were they free to choose, one tree would soon have them all.
        let trees = (self.accounts_planned / ACCOUNTS_PER_TREE).max(1);
        let (joined, tree) = (self.accounts.len() / trees, self.accounts.len() % trees);
        if joined == 0 || self.chance(1, 300) {
            return None;
        }
        let place = if self.chance(3, 4) {
            self.random.random_range(joined.saturating_sub(self.recent_accounts)..joined)
        } else {
            let anybody = self.random.random_range(..joined);
            if self.chance(1, 2) { anybody } else { anybody - anybody % ACCOUNTS_PER_PROMOTER }
        };
        Some(place * trees + tree)
    }

    /// The next order.
    fn order(&mut self) -> OrderRow {
        const TREES: [u64; 10] = [1, 1, 1, 1, 2, 2, 2, 3, 5, 10];
        const STATUSES: [&str; 10] = [
            "MINING_ENABLED",
            "MINING_ENABLED",
            "MINING_ENABLED",
            "MINING_ENABLED",
            "MINING_ENABLED",
            "MINING_ENABLED",
            "MINING_ENABLED",
            "PAID",
            "CREATED",
            "CANCELLED",
        ];
        const PROVINCES: [&str; 4] = ["110000", "310000", "430000", "440000"];
        const CITIES: [&str; 6] = ["110100", "310100", "430100", "430200", "440100", "440300"];

        // Accounts that came early adopt more often.
        let count = self.accounts.len();
        let index = self.random.random_range(..count).min(self.random.random_range(..2 * count));
        let account_sequence = self.accounts[index].sequence.clone();
        let tree_count = self.one_of(TREES);
        let selected_province = self.chance(3, 5).then(|| self.one_of(PROVINCES));
        // A city comes with its province, and sometimes only the province was chosen.
        let has_city = selected_province.is_some() && self.chance(9, 10);
        let selected_city = has_city.then(|| self.one_of(CITIES));

        // Sequences have gaps, where a transaction was rolled back.
        self.last_order += if self.chance(1, 30) { 2 } else { 1 };
        let day = (self.last_order * DAYS / (self.orders_planned + 1)).min(DAYS - 1);
        let adoption_date = FIRST_DAY + i64::try_from(day).expect("few days");
        // Sometime on that day in Shanghai, eight hours ahead.
        let minute = i64::from(self.random.random_range(0..24_u32 * 60));
        let created_at = adoption_date * MILLISECONDS_OF_DAY + (minute - 8 * 60) * 60_000;
        let contribution_per_tree = Some(self.price());
        self.trees += tree_count;
        OrderRow {
            order_id: self.last_order,
            adoption_id: self.uuid(),
            account_sequence,
            tree_count,
            contribution_per_tree,
            adoption_date,
            status: self.one_of(STATUSES),
            selected_province,
            selected_city,
            created_at: calendar::timestamp(created_at),
        }
    }

    /// What a tree costs: more with every hundred sold, and sometimes a price that leaves a rest when
    /// it is shared.
    fn price(&mut self) -> Price {
        let unit = i128::from(self.trees.saturating_sub(900) / 100);
        let odd = i128::from(self.chance(1, 10));
        Price(226_170_000_000_000 * (1000 + 3 * unit) / 1000 + odd)
    }

    fn uuid(&mut self) -> String {
        let bits: u128 = self.random.random();
        // Version 4, variant 1.
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let digits = format!("{bits:032x}");
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        parts.join("-")
    }

    fn one_of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.random.random_range(..N)]
    }

    fn chance(&mut self, times: u32, of: u32) -> bool {
        self.random.random_ratio(times, of)
    }
}

#[cfg(test)]
mod tests;
