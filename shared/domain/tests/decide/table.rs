//! What tests of single cases say of the source and ask of the ledger.

use domain::decide::Parameters;
use domain::heads::{AdoptionHead, AdoptionState};
use domain::log::{Cause, Command, Entry};
use domain::{AdoptionRow, Amount, BusinessDate, Column, OrderId, Owner, ReferralRow, RowKey};

use crate::bench::{Bench, user};

/// Noon of 2026-02-10 in Shanghai.
pub(crate) const NOON_MS: i64 = 1_770_696_000_000;

/// Returns a bench with the rules' own numbers, without waits, brakes and guards.
pub(crate) fn bench() -> Bench {
    bench_with("{}", |_| {})
}

pub(crate) fn bench_with(policy: &str, change: impl FnOnce(&mut Parameters)) -> Bench {
    let mut parameters =
        Parameters { settle_ms: 0, brake_adoptions: u64::MAX, guard_factor: None, ..Parameters::default() };
    change(&mut parameters);
    Bench::new(1, policy, parameters, NOON_MS)
}

pub(crate) fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order number")
}

pub(crate) fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().expect("an amount")
}

/// Returns a row of one tree at 1,000 on 2026-01-09.
pub(crate) fn row(account: &str) -> AdoptionRow {
    AdoptionRow {
        account: Column::Value(user(account)),
        trees: Column::Value(1),
        price: Column::Value(Some(amount("1000"))),
        date: Column::Value(date("2026-01-09")),
        status: "PAID".to_owned(),
        province: None,
        city: None,
    }
}

/// What the source does. A referral has its account as key, an adoption its order number.
impl Bench {
    pub(crate) fn refer(&mut self, account: &str, referrer: Option<&str>) {
        let row = ReferralRow { account: user(account), referrer: referrer.map(user) };
        let announced = self.source.put_referral(RowKey::new(account), Some(row));
        self.announce(announced);
    }

    /// Refers each account by the one before it; the first is a root.
    pub(crate) fn refer_chain(&mut self, accounts: &[&str]) {
        self.refer(accounts[0], None);
        for pair in accounts.windows(2) {
            self.refer(pair[1], Some(pair[0]));
        }
    }

    pub(crate) fn unrefer(&mut self, account: &str) {
        let announced = self.source.put_referral(RowKey::new(account), None);
        self.announce(announced);
    }

    pub(crate) fn adopt(&mut self, number: u64, account: &str) {
        self.adopt_with(number, account, |_| {});
    }

    pub(crate) fn adopt_with(&mut self, number: u64, account: &str, change: impl FnOnce(&mut AdoptionRow)) {
        let mut row = row(account);
        change(&mut row);
        self.put_row(&number.to_string(), Some((number, row)));
    }

    pub(crate) fn put_row(&mut self, key: &str, row: Option<(u64, AdoptionRow)>) {
        let row = row.map(|(number, row)| (order(number), row));
        let announced = self.source.put_adoption(RowKey::new(key), row, self.now_ms);
        self.announce(announced);
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.put_row(&number.to_string(), None);
    }

    /// Lets time pass, and has the decider look.
    pub(crate) fn wait(&mut self, milliseconds: i64) {
        self.now_ms += milliseconds;
        self.run();
    }

    /// Hands in a command and returns why it was refused, if it was.
    pub(crate) fn ask(&mut self, command: Command) -> Option<String> {
        self.command(command);
        self.run();
        self.last_outcome().expect("a command was carried out").refusal().map(str::to_owned)
    }
}

/// What the ledger says.
impl Bench {
    pub(crate) fn head(&self, number: u64) -> AdoptionHead {
        self.adoption_at(order(number), self.last_position())
    }

    /// Returns what became of an order, in a word or two.
    pub(crate) fn state(&self, number: u64) -> String {
        match self.head(number).state {
            AdoptionState::Absent => "ABSENT".to_owned(),
            AdoptionState::Unpriced => "UNPRICED".to_owned(),
            AdoptionState::Held(reason) => reason.to_string(),
            AdoptionState::Posted(_) => "POSTED".to_owned(),
        }
    }

    /// Returns what an account has of an order, leg by leg.
    pub(crate) fn legs_of(&self, owner: &str, number: u64) -> Vec<String> {
        let head = self.head(number);
        let Some(posting) = head.posting() else { return Vec::new() };
        let policy = &self.network().versions.numbered(posting.version).expect("a version").policy;
        let owner: Owner = owner.parse().expect("an owner");
        let legs = posting.legs(policy).into_iter().filter(|leg| leg.recipient.owner() == owner);
        legs.map(|leg| leg.slot.to_string()).collect()
    }

    pub(crate) fn total_of(&self, owner: &str) -> Amount {
        let owner: Owner = owner.parse().expect("an owner");
        self.totals_at(self.last_position()).get(&owner).copied().unwrap_or_default()
    }

    /// Returns the names of the entries of the pages after `position`, in their order.
    pub(crate) fn entries_after(&self, position: u64) -> Vec<String> {
        let pages = self.pages.iter().filter(|page| page.position > position);
        pages.flat_map(|page| &page.entries).map(name).collect()
    }

    /// Returns why each entry after `position` corrects or takes back an adoption.
    pub(crate) fn causes_after(&self, position: u64) -> Vec<(u64, Cause)> {
        let pages = self.pages.iter().filter(|page| page.position > position);
        let causes = pages.flat_map(|page| &page.entries).filter_map(|entry| match entry {
            Entry::Corrected(correction) => Some((correction.order.get(), correction.cause.clone())),
            Entry::Withdrawn { order, cause, .. } => Some((order.get(), cause.clone())),
            _ => None,
        });
        causes.collect()
    }
}

fn name(entry: &Entry) -> String {
    let text = format!("{entry:?}");
    text.split([' ', '(', '{']).next().expect("an entry has a name").to_owned()
}
