//! The ledger as stored, in the form of the golden expectations.

use std::collections::BTreeMap;

use domain::heads::{AdoptionHead, AdoptionState, Totals};
use domain::{Amount, BusinessDate, Leg, Owner, Policy, Posting, Versions};
use serde_json::{Map, Value, json};
use store::heads::AccountHead;
use store::{Engine, Item, Segment, Table};

/// Returns what the ledger's tables hold, in the form of the golden expectations, without snapshot and talent.
///
/// # Panics
///
/// If an item cannot be read.
pub async fn ledger(engine: &dyn Engine) -> Value {
    ledger_by(engine, |versions| versions.iter().next().expect("version 1").policy.clone()).await
}

/// Returns the same; what accounts have unlocked is by the rules that judge orders of a date.
pub async fn ledger_on(engine: &dyn Engine, date: BusinessDate) -> Value {
    ledger_by(engine, |versions| versions.in_force(date).policy.clone()).await
}

async fn ledger_by(engine: &dyn Engine, policy_of: impl Fn(&Versions) -> Policy + Send) -> Value {
    let network = store::network::read(engine).await.expect("memory answers");
    let versions = match network {
        Some(network) => network.versions,
        None => Versions::starting("{}").expect("the default policy"),
    };
    let mut accounts: BTreeMap<Owner, AccountHead> = BTreeMap::new();
    let mut adoptions: BTreeMap<u64, AdoptionHead> = BTreeMap::new();
    for item in everything(engine).await {
        if let Some((owner, head)) = store::heads::account_of(&item).expect("a head") {
            accounts.insert(owner, head);
        } else if let Some((order, head)) = store::heads::adoption_of(&item).expect("a head") {
            adoptions.insert(order.get(), head);
        }
    }
    let mut held = Vec::new();
    let mut distributions = Map::new();
    let mut distributed_total = Amount::ZERO;
    for (order, head) in &adoptions {
        match &head.state {
            AdoptionState::Held(reason) => held.push(json!([order, reason.name()])),
            AdoptionState::Posted(posting) => {
                let policy = &versions.numbered(posting.version).expect("a known version").policy;
                distributed_total = distributed_total.checked_add(posting.total).expect("a sum");
                distributions.insert(order.to_string(), distribution(posting, policy));
            }
            AdoptionState::Absent | AdoptionState::Unpriced => {}
        }
    }
    let policy = policy_of(&versions);
    let mut users = Map::new();
    let mut system = Map::new();
    for (owner, head) in &accounts {
        match owner {
            Owner::System(account) => {
                let total = head.money.totals.total().expect("a sum");
                if !total.is_zero() {
                    system.insert(account.to_string(), json!(total));
                }
            }
            // As the export has it: an account of which neither a row nor an amount is left is none.
            Owner::User(account) if !head.node.rows.is_empty() || head.money.totals != Totals::default() => {
                users.insert(account.to_string(), user(head, &policy));
            }
            Owner::User(_) => {}
        }
    }
    json!({
        "orders": distributions.len(),
        "held": held,
        "distributed_total": distributed_total,
        "accounts": users,
        "system": system,
        "distributions": distributions,
    })
}

fn distribution(posting: &Posting, policy: &Policy) -> Value {
    let term = posting.term(policy);
    let leg = |leg: Leg| {
        json!({
            "amount": leg.amount,
            "index": leg.index(),
            "owner": leg.recipient.owner(),
            "type": leg.type_name(),
            "would_be": leg.recipient.would_be(),
        })
    };
    json!({
        "account": posting.account,
        "total": posting.total,
        "effective_date": term.effective_date,
        "expire_date": term.expire_date,
        "legs": posting.legs(policy).into_iter().map(leg).collect::<Vec<_>>(),
    })
}

fn user(head: &AccountHead, policy: &Policy) -> Value {
    let totals = head.money.totals;
    let unlock = head.node.facts.latest(policy);
    json!({
        "personal": totals.personal,
        "team_level": totals.team_level,
        "team_bonus": totals.team_bonus,
        "total": totals.total().expect("a sum"),
        "has_adopted": unlock.has_adopted,
        "direct_referral_adopted_count": head.node.facts.direct_adopter_count(),
        "unlocked_level_depth": unlock.level_depth,
        "unlocked_bonus_tiers": unlock.bonus_tiers,
    })
}

/// Returns the places of the price book, as the oracle takes them.
///
/// # Panics
///
/// If an item cannot be read.
pub async fn price_book(engine: &dyn Engine) -> BTreeMap<oracle::rows::OrderId, u64> {
    let items = everything(engine).await;
    let heads = items.iter().filter_map(|item| store::heads::adoption_of(item).expect("a head"));
    let places = heads.filter_map(|(order, head)| Some((order.get(), head.trees_before?)));
    places.map(|(order, before)| (oracle::rows::OrderId::new(order).expect("positive"), before)).collect()
}

/// Returns every item of the ledger's table, in the order of keys.
///
/// # Panics
///
/// If the table does not answer.
pub async fn everything(engine: &dyn Engine) -> Vec<Item> {
    everything_in(engine, Table::Ledger).await
}

/// Returns every item of a table, in the order of keys.
///
/// # Panics
///
/// If the table does not answer.
pub async fn everything_in(engine: &dyn Engine, table: Table) -> Vec<Item> {
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let page = engine.scan(table, Segment::WHOLE, start).await.expect("memory answers");
        items.extend(page.items);
        match page.next {
            Some(next) => start = Some(next),
            None => return items,
        }
    }
}
