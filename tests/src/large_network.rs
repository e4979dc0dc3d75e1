//! A large network with accounts that are hard to show: one with very many direct referrals, one at the end of a long
//! chain, one with very many records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::heads::Network;
use domain::{AccountSequence, Owner, RowKey};
use serde_json::{Value, json};
use store::Written;
use store::heads::{AccountHead, put_account, put_child};

use crate::counted_engine::{Counted, CountedEngine};
use crate::source::Source;
use crate::{Client, Harness, Options, Reply, Shuffle};

/// How large a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// All accounts.
    pub accounts: usize,
    /// Direct referrals of the account that has most, each with an adoption.
    pub direct_referrals: usize,
    /// Accounts of the longest chain, each with an adoption.
    pub chain: usize,
    /// Adoptions below the account that has most records.
    pub records: usize,
}

/// What a request took.
#[derive(Debug, Clone)]
pub struct Cost {
    /// What was asked for, without its cursor.
    pub path: String,
    /// How many pages were asked for.
    pub pages: u32,
    /// What the most expensive page asked of the tables.
    pub counted: Counted,
    /// How long pages took: half of them took less.
    pub median: Duration,
    /// How long the slowest page took.
    pub slowest: Duration,
}

/// The account with most direct referrals.
pub const WIDE: &str = "W";
/// The account with most records.
pub const RICH: &str = "R";
/// The account with most adoptions of its own.
pub const BUSY: &str = "R0";
/// How many accounts adopt below the account with most records.
const ADOPTERS: usize = 100;
/// Records that are fed together.
const CHUNK: usize = 20_000;
/// 2026-11-25, in days since 1970: five dates before the harness's clock begins.
const ADOPTION_DATE: i64 = 20_782;
/// The last date that is closed.
pub const LAST_DATE: &str = "2026-11-30";
/// Pages of one list that are asked for at most.
const PAGES_MAX: usize = 20;

/// What answers took so far.
#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    most: Counted,
}

impl Measured {
    async fn measure(&mut self, engine: &CountedEngine, answer: impl Future<Output = Reply>) -> Reply {
        engine.take();
        let started = Instant::now();
        let reply = answer.await;
        self.times.push(started.elapsed());
        let cost = engine.take();
        self.most.calls = self.most.calls.max(cost.calls);
        self.most.read_units = self.most.read_units.max(cost.read_units);
        self.most.writes = self.most.writes.max(cost.writes);
        reply
    }

    fn cost(mut self, path: &str) -> Cost {
        self.times.sort_unstable();
        Cost {
            path: path.to_owned(),
            pages: u32::try_from(self.times.len()).expect("a few"),
            counted: self.most,
            median: self.times[self.times.len() / 2],
            slowest: *self.times.last().expect("at least one"),
        }
    }
}

/// A large network.
pub struct LargeNetwork {
    harness: Harness,
    engine: Arc<CountedEngine>,
    size: Size,
}

impl LargeNetwork {
    /// Makes a network and closes its dates: its difficult accounts through the functions, from records of a source.
    ///
    /// # Panics
    ///
    /// If a function fails.
    pub async fn new(size: Size, told: impl Fn(&str)) -> Self {
        let engine = Arc::new(CountedEngine::default());
        let options =
            Options { records_per_event: 2_000, invocations_take_ms: 100_000_000, ..Options::default() };
        let harness = Harness::over(Arc::clone(&engine) as _, options);
        let mut network = Self { harness, engine, size };
        network.feed_referrals(&told).await;
        network.feed_orders(&told).await;
        network.close(&told).await;
        network.engine.take();
        network
    }

    /// Returns the account of this place in the chain, the root being 0.
    #[must_use]
    pub fn of_chain(place: usize) -> String {
        format!("C{place}")
    }

    /// Returns the last account of the chain.
    #[must_use]
    pub fn bottom(&self) -> String {
        Self::of_chain(self.size.chain - 1)
    }

    async fn feed(&self, source: &mut Source) {
        let records = std::mem::take(&mut source.records);
        self.harness.feed(&records, Shuffle::AsCaptured).await;
    }

    async fn feed_referrals(&mut self, told: &impl Fn(&str)) {
        let started = Instant::now();
        let mut links: Vec<(String, Option<String>)> = vec![(WIDE.to_owned(), None), (RICH.to_owned(), None)];
        links.extend((0..self.size.direct_referrals).map(|n| (format!("W{n}"), Some(WIDE.to_owned()))));
        links.extend((0..ADOPTERS).map(|n| (format!("R{n}"), Some(RICH.to_owned()))));
        links.extend((0..self.size.chain).map(|n| (Self::of_chain(n), n.checked_sub(1).map(Self::of_chain))));
        let others = self.size.accounts.saturating_sub(links.len());
        let mut source = Source::new();
        let total = links.len();
        for (number, (account, referrer)) in links.into_iter().enumerate() {
            let change = source.referral(&account, referrer.as_deref());
            source.write(&change);
            if source.records.len() == CHUNK || number + 1 == total {
                self.feed(&mut source).await;
                told(&format!("{} of {total} referrals, {:.0?}", number + 1, started.elapsed()));
            }
        }
        self.put_others(others).await;
        told(&format!("{others} more accounts, {:.0?}", started.elapsed()));
    }

    /// Puts the accounts that are only many where the projection puts them: a tree in which each refers ten. A million
    /// of them through the functions would take longer than all that is measured.
    async fn put_others(&self, count: usize) {
        let name = |number: usize| -> AccountSequence { format!("D{number}").parse().expect("an account") };
        for first in (0..count).step_by(CHUNK) {
            let mut writes = Vec::new();
            for number in first..count.min(first + CHUNK) {
                let referrer = number.checked_sub(1).map(|before| name(before / 10));
                writes.extend(referrer.iter().map(|referrer| put_child(referrer, &name(number))));
                let mut head = AccountHead::default();
                head.node.rows.insert(RowKey::new(format!("D{number}")), referrer);
                writes.push(put_account(&Owner::User(name(number)), &head, 1, 0));
            }
            for written in self.harness.engine().write_many(writes).await {
                assert_eq!(written, Ok(Written::Done));
            }
        }
    }

    async fn feed_orders(&mut self, told: &impl Fn(&str)) {
        let started = Instant::now();
        let mut adopters: Vec<String> = vec![WIDE.to_owned(), RICH.to_owned()];
        adopters.extend((0..self.size.chain).map(Self::of_chain));
        adopters.extend((0..self.size.direct_referrals).map(|n| format!("W{n}")));
        adopters.extend((0..self.size.records).map(|n| {
            // Half of them are of one account, which so has very many adoptions of its own.
            if n % 2 == 0 { BUSY.to_owned() } else { format!("R{}", n / 2 % ADOPTERS) }
        }));
        let mut source = Source::new();
        let total = adopters.len();
        for (number, account) in adopters.into_iter().enumerate() {
            let order = number as u64 + 1;
            let change = source.order(order, &account, 1).with("adoption_date", ADOPTION_DATE.into());
            source.write(&change);
            if source.records.len() == CHUNK || number + 1 == total {
                self.feed(&mut source).await;
                told(&format!("{} of {total} orders, {:.0?}", number + 1, started.elapsed()));
            }
        }
    }

    async fn close(&self, told: &impl Fn(&str)) {
        let started = Instant::now();
        let close = json!({ "type": "close", "until": LAST_DATE, "source_is_complete": true });
        let body = json!({ "reason": "to be shown", "command": close });
        let sent = self.client().post("/v1/commands", "close-the-dates", &body).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        self.harness.settle().await;
        self.harness.publish().await;
        let latest = self.client().get("/v1/snapshots/latest").await.good();
        assert_eq!(latest["snapshot_date"], LAST_DATE);
        told(&format!("dates up to {LAST_DATE} are closed, {:.0?}", started.elapsed()));
    }

    /// Returns an operator of the network.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        Client::operator(&self.harness, "contribution:operate contribution:approve")
    }

    /// Returns what the log says of the network.
    ///
    /// # Panics
    ///
    /// If there is no log.
    pub async fn network(&self) -> Network {
        store::network::read(self.harness.engine()).await.expect("memory answers").expect("a network")
    }

    /// Asks for a path, and for the pages that follow it.
    ///
    /// # Panics
    ///
    /// If an answer is not a good one.
    pub async fn cost(&self, path: &str) -> Cost {
        let client = self.client();
        let bare = path.split('?').next().expect("a path");
        let mut next = path.to_owned();
        let mut measured = Measured::default();
        while measured.times.len() < PAGES_MAX {
            let reply = measured.measure(&self.engine, client.get(&next)).await;
            assert_eq!(reply.status, 200, "{next}: {}", reply.text);
            let document: Value = serde_json::from_str(&reply.text).unwrap_or_default();
            match document["next_cursor"].as_str() {
                Some(cursor) => next = format!("{bare}?cursor={cursor}"),
                // What has one page is asked for again, so that its time is not that of a single moment.
                None if measured.times.len() < 5 => path.clone_into(&mut next),
                None => break,
            }
        }
        measured.cost(path)
    }

    /// Asks what two trees of this account would change.
    ///
    /// # Panics
    ///
    /// If an answer is not a good one.
    pub async fn cost_of_simulation(&self, account: &str) -> Cost {
        let client = self.client();
        let body = json!({ "adoptions": [{ "account": account, "tree_count": 2, "contribution_per_tree": "22617" }] });
        let mut measured = Measured::default();
        for _ in 0..5 {
            let headers = json!({ "content-type": "application/json" });
            let sent = client.send("POST", "/v1/simulate", &headers, Some(body.to_string()));
            drop(measured.measure(&self.engine, sent).await.good());
        }
        measured.cost(&format!("/v1/simulate: two trees of {account}"))
    }

    /// Returns what to ask for: each route that reads, with the accounts that are hard to show.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = [
            "/v1/status",
            "/v1/sync-status",
            "/v1/held",
            "/v1/quarantine",
            "/v1/waiting",
            "/v1/operations",
            "/v1/log",
            "/v1/log/1",
            "/v1/network",
            "/v1/system-accounts",
            "/v1/system-accounts/HEADQUARTERS/records",
            "/v1/system-accounts/HEADQUARTERS/records?direction=descending&limit=200",
            "/v1/snapshots",
            "/v1/snapshots/latest",
            "/v1/adoptions/1",
            "/v1/adoptions/1/explain",
        ]
        .map(ToOwned::to_owned)
        .into();
        for path in ["", "/manifest", "/rows", "/rows?limit=200", "/restated", "/export"] {
            paths.push(format!("/v1/snapshots/{LAST_DATE}{path}"));
        }
        let bottom = self.bottom();
        for account in [WIDE, RICH, BUSY, &bottom, "D7", "HEADQUARTERS"] {
            paths.push(format!("/v1/accounts/{account}"));
            for path in [
                "/records",
                "/records?limit=200",
                "/records?direction=descending",
                "/records?order_id=7",
                "/balance",
                "/balance?date=2026-11-28&known_at=9",
                "/snapshots",
                "/statement",
                "/statement?limit=200",
            ] {
                paths.push(format!("/v1/accounts/{account}{path}"));
            }
            if account == "HEADQUARTERS" {
                continue;
            }
            for path in ["/unallocated", "/team", "/adoptions", "/adoptions?limit=200"] {
                paths.push(format!("/v1/accounts/{account}{path}"));
            }
        }
        for account in [WIDE, RICH, &bottom] {
            paths.push(format!("/v1/snapshots/{LAST_DATE}/proof/{account}"));
        }
        let hundred: Vec<String> = (0..100).map(|number| format!("W{number}")).collect();
        paths.push(format!("/v1/accounts?ids={}", hundred.join(",")));
        paths.extend(self.steps());
        paths
    }

    /// Returns the steps through the tree.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let (middle, bottom) = (Self::of_chain(self.size.chain / 2), self.bottom());
        let mut steps = Vec::new();
        for account in [WIDE, RICH, "D0", "D7", &Self::of_chain(0), &middle, &bottom] {
            steps.push(format!("/v1/accounts/{account}/referrals"));
            steps.push(format!("/v1/accounts/{account}/referrals?limit=200"));
            steps.push(format!("/v1/accounts/{account}/upline"));
        }
        steps.push(format!("/v1/accounts/{WIDE}/referrals?from=W99"));
        steps.push(format!("/v1/accounts/{bottom}/upline?limit=200"));
        steps
    }
}
