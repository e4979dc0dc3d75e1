//! Random adoptions and referrals are supposed, and then they arrive: the same comes of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::OrderId;
use domain::heads::AdoptionHead;
use domain::log::Entry;
use end_to_end::source::{Source, paid};
use end_to_end::{Client, CountedEngine, Harness, Options, Shuffle, captured, ledger};
use oracle::generate::{Plan, history};
use serde_json::{Value, json};

use crate::ledger::{operator, units};
use crate::random::Random;

/// How many cases are tried; `SIMULATIONS` asks for another number.
const SIMULATIONS: usize = 200;
/// Cases on one ledger, one after the other.
const PER_LEDGER: usize = 25;
/// Keys of rows that are invented begin above those of every history.
const FIRST_INVENTED_KEY: u64 = 1_000_000;

/// Rows that do not exist yet.
struct Case {
    referrals: Vec<(String, Option<String>)>,
    adoptions: Vec<Adoption>,
}

struct Adoption {
    order: u64,
    account: String,
    trees: i64,
    price: Option<&'static str>,
    date: &'static str,
    status: &'static str,
    regions: Option<(&'static str, &'static str)>,
}

/// A ledger, and the source that goes on writing to it.
struct Ledger {
    harness: Harness,
    engine: Arc<CountedEngine>,
    source: Source,
    random: Random,
    /// Accounts with a referral row.
    accounts: Vec<String>,
    orders: BTreeSet<u64>,
    invented: usize,
}

impl Ledger {
    async fn new(seed: u64) -> Self {
        let plan = if seed.is_multiple_of(2) { Plan::small(seed) } else { Plan::deep(seed) };
        let history = history(&plan);
        let engine = Arc::new(CountedEngine::default());
        let harness = Harness::over(Arc::clone(&engine) as _, Options::default());
        let records = captured(&history);
        harness.feed(&records, Shuffle::AsCaptured).await;
        let accounts = history.tables.referrals.iter().map(|row| row.account.clone()).collect();
        let orders = store_orders(&harness).await;
        let random = Random::new(seed + 1);
        Self { harness, engine, source: Source::new(), random, accounts, orders, invented: 0 }
    }

    /// Returns up to two new accounts and up to three adoptions, of old and new accounts, with old and new numbers.
    fn case(&mut self) -> Case {
        let mut case = Case { referrals: Vec::new(), adoptions: Vec::new() };
        for _ in 0..self.random.below(3) {
            self.invented += 1;
            let account = format!("N{}", self.invented);
            let referrer = (!self.random.percent(10)).then(|| self.random.choose(&self.accounts).clone());
            case.referrals.push((account.clone(), referrer));
            self.accounts.push(account);
        }
        let mut taken = BTreeSet::new();
        let least = usize::from(case.referrals.is_empty());
        for _ in 0..least + self.random.below(3) {
            let order = self.free_order(&taken);
            taken.insert(order);
            case.adoptions.push(self.adoption(order));
        }
        case
    }

    /// Returns an order number that no row ever had: between others, or the next.
    fn free_order(&mut self, taken: &BTreeSet<u64>) -> u64 {
        let last = self.orders.last().copied().unwrap_or_default();
        let is_free = |order: &u64| !self.orders.contains(order) && !taken.contains(order);
        let gaps: Vec<u64> = (1..last).filter(is_free).collect();
        if gaps.is_empty() || self.random.percent(50) {
            return (last + 1..=u64::MAX).find(is_free).expect("numbers go on");
        }
        *self.random.choose(&gaps)
    }

    fn adoption(&mut self, order: u64) -> Adoption {
        let random = &mut self.random;
        let account =
            if random.percent(5) { "NOBODY".to_owned() } else { random.choose(&self.accounts).clone() };
        Adoption {
            order,
            account,
            trees: *random.choose(&[1, 1, 2, 3, 10, 40, 0]),
            price: *random.choose(&[
                Some("22617"),
                Some("22617.0000000001"),
                Some("0.0000000007"),
                None,
                None,
            ]),
            date: random.choose::<&'static str>(&["2026-11-25", "2026-11-30", "2024-02-29"]),
            status: random.choose::<&'static str>(&["PAID", "PAID", "PAID", "MINING_ENABLED", "CANCELLED"]),
            regions: random.percent(30).then_some(("440000", "440100")),
        }
    }

    /// Has the rows of a case arrive, all at once.
    async fn arrive(&mut self, case: &Case) {
        let mut records = Vec::new();
        for (account, referrer) in &case.referrals {
            let change = self.source.referral(account, referrer.as_deref()).in_partition(1);
            records.push(self.source.write(&change));
        }
        for adoption in &case.adoptions {
            let mut row = paid(adoption.order, &adoption.account, adoption.trees);
            row["contribution_per_tree"] = json!(adoption.price);
            row["adoption_date"] = json!(days(adoption.date));
            row["status"] = json!(adoption.status);
            row["selected_province"] = json!(adoption.regions.map(|regions| regions.0));
            row["selected_city"] = json!(adoption.regions.map(|regions| regions.1));
            let change = self.source.order(adoption.order, &adoption.account, 1).in_partition(1);
            // A row of the history may have the number as its key, and another order in it.
            let key = json!({ "order_id": FIRST_INVENTED_KEY + adoption.order });
            records.push(self.source.write(&end_to_end::source::Change { after: row, key, ..change }));
        }
        let answer = self.harness.ingest(end_to_end::kafka_event(&records)).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
        self.harness.reach_ends(&records).await;
        self.harness.settle().await;
        self.orders.extend(case.adoptions.iter().map(|adoption| adoption.order));
    }
}

/// Returns the numbers of every order that any row named.
async fn store_orders(harness: &Harness) -> BTreeSet<u64> {
    let items = end_to_end::everything(harness.engine()).await;
    let heads = items.iter().filter_map(|item| store::heads::adoption_of(item).expect("a head"));
    heads.map(|(order, _)| order.get()).collect()
}

/// Returns a date as days since 1970.
fn days(date: &str) -> u32 {
    let date: domain::BusinessDate = date.parse().expect("a date");
    date.days_since_epoch()
}

impl Case {
    fn body(&self) -> Value {
        let referral = |(account, referrer): &(String, Option<String>)| json!({ "account": account, "referrer": referrer });
        let adoption = |adoption: &Adoption| {
            json!({
                "order_id": adoption.order.to_string(),
                "account": adoption.account,
                "tree_count": adoption.trees,
                "contribution_per_tree": adoption.price,
                "adoption_date": adoption.date,
                "status": adoption.status,
                "province_code": adoption.regions.map(|regions| regions.0),
                "city_code": adoption.regions.map(|regions| regions.1),
            })
        };
        json!({
            "referrals": self.referrals.iter().map(referral).collect::<Vec<_>>(),
            "adoptions": self.adoptions.iter().map(adoption).collect::<Vec<_>>(),
        })
    }
}

/// Returns what each account has in all.
async fn totals(harness: &Harness) -> BTreeMap<String, i128> {
    let known = ledger(harness.engine()).await;
    let users = known["accounts"].as_object().expect("accounts").iter();
    let users = users.map(|(account, head)| (account.clone(), units(&head["total"])));
    let system = known["system"].as_object().expect("accounts").iter();
    users.chain(system.map(|(account, total)| (account.clone(), units(total)))).collect()
}

/// Returns what became of an order, in the form of a simulation.
async fn became(client: &Client<'_>, order: u64) -> Value {
    let real = client.get(&format!("/v1/adoptions/{order}")).await.good();
    let distribution = &real["distribution"];
    json!({
        "order_id": real["order_id"],
        "state": real["state"],
        "hold": real["hold"],
        "total": distribution["total"],
        "effective_date": distribution["effective_date"],
        "expire_date": distribution["expire_date"],
        "legs": distribution["legs"].as_array().cloned().unwrap_or_default(),
    })
}

/// Returns which adoptions, but these, were corrected in the pages after a position, and how.
async fn corrected(harness: &Harness, after: u64, but: &BTreeSet<u64>) -> BTreeSet<(String, &'static str)> {
    let pages = store::log::read_after(harness.engine(), after, 1_000).await.expect("memory answers");
    let entries = pages.iter().flat_map(|page| &page.entries);
    let others = entries.filter_map(|entry| {
        let kind = match entry {
            Entry::Corrected(_) => "CORRECTED",
            Entry::Posted { .. } => "POSTED",
            Entry::Withdrawn { .. } => "WITHDRAWN",
            _ => return None,
        };
        let order: OrderId = AdoptionHead::order_of(entry)?;
        (!but.contains(&order.get())).then(|| (order.to_string(), kind))
    });
    others.collect()
}

async fn check(ledger: &mut Ledger, name: &str) -> usize {
    let case = ledger.case();
    let body = case.body();
    let before = totals(&ledger.harness).await;
    let last_page = ledger.harness.last_page().await;
    ledger.engine.take();
    let supposed = operator(&ledger.harness).post("/v1/simulate", "", &body).await;
    assert_eq!(ledger.engine.take().writes, 0, "{name}: a simulation writes nothing");
    let supposed = supposed.good();
    assert_eq!(supposed["complete"], true, "{name}: {body}");

    ledger.arrive(&case).await;

    let client = operator(&ledger.harness);
    for (number, adoption) in case.adoptions.iter().enumerate() {
        let real = became(&client, adoption.order).await;
        assert_eq!(supposed["adoptions"][number], real, "{name}: {body}");
    }
    let mut changed = totals(&ledger.harness).await;
    for (account, total) in before {
        *changed.entry(account).or_default() -= total;
    }
    changed.retain(|_, difference| *difference != 0);
    let differences = supposed["accounts"].as_array().expect("accounts").iter();
    let differences: BTreeMap<String, i128> = differences
        .map(|one| (one["account"].as_str().expect("an account").to_owned(), units(&one["difference"])))
        .collect();
    assert_eq!(differences, changed, "{name}: {body}");
    let own = case.adoptions.iter().map(|adoption| adoption.order).collect();
    let real = corrected(&ledger.harness, last_page, &own).await;
    let corrections = supposed["corrections"].as_array().expect("corrections").iter();
    let corrections: BTreeSet<(String, String)> = corrections
        .map(|one| {
            (
                one["order_id"].as_str().expect("an order").to_owned(),
                one["kind"].as_str().expect("a kind").to_owned(),
            )
        })
        .collect();
    let real: BTreeSet<(String, String)> =
        real.into_iter().map(|(order, kind)| (order, kind.to_owned())).collect();
    assert_eq!(corrections, real, "{name}: {body}");
    corrections.len()
}

#[tokio::test]
async fn a_simulation_predicts_what_happens_to_the_last_digit() {
    let wanted = std::env::var("SIMULATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(SIMULATIONS);
    let mut corrections = 0;
    for seed in 0..wanted.div_ceil(PER_LEDGER) as u64 {
        let mut ledger = Ledger::new(seed).await;
        for number in 0..PER_LEDGER {
            corrections += check(&mut ledger, &format!("seed {seed}, case {number}")).await;
        }
    }
    assert!(corrections > 0, "some cases put other adoptions right");
}
