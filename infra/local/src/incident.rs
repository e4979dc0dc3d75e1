//! What it would have cost to share orders out in the order they were read.
//!
//! The ledger posts by order numbers. A service that asks "what is unlocked now?" whenever an order arrives gives other
//! legs where a later order was read first. Both are computed here from the capture and the ledger, and the
//! summary names the account that would have lost most.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use cdc::{Decoded, RowImage};
use domain::{
    AccountSequence, Amount, AmountOverflow, OrderId, Policy, Posting, UnlockState, UnlockedLegs, Versions,
};
use serde_json::{Value, json};
use store::{heads, network};

use crate::capture::Capture;
use crate::language::Language;
use crate::screen::width;
use crate::stack::Stack;

/// Captures with more orders than this are not looked at: the comparison is a story, not part of the work.
const ORDERS_MAX: usize = 20_000;
/// Orders that are named one by one.
const NAMED_MAX: usize = 5;
/// Columns of the name of a link.
const LINK_WIDTH: usize = 17;

/// The account that would have lost most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The account.
    pub account: AccountSequence,
    /// The orders of which it would have received less, in the order of their numbers.
    pub orders: Vec<OrderId>,
    /// The order that was read after all of them and would have unlocked what they pay.
    pub read_late: Option<OrderId>,
    /// What it would have received of these orders.
    would_have: Amount,
    /// What it did receive of them.
    received: Amount,
    /// Where it can be looked at.
    console: Option<String>,
}

impl Incident {
    /// Compares the ledger with what the order of arrival would have given; `None` where no account would have
    /// received less.
    pub async fn read(stack: &Stack, captures: &[Capture]) -> Result<Option<Self>> {
        let Some(network) = network::read(stack.engine()).await? else { return Ok(None) };
        let arrived = arrivals(stack, captures, &network.versions);
        if arrived.len() > ORDERS_MAX {
            return Ok(None);
        }
        let adoptions = heads::adoptions(stack.engine(), arrived.clone()).await?;
        let posting = |order: OrderId| Some((order, adoptions.get(&order)?.head.posting()?.clone()));
        let posted: Vec<(OrderId, Posting)> = arrived.into_iter().filter_map(posting).collect();
        Ok(of_arrivals(&posted, &network.versions)?)
    }

    /// Returns the same incident, with where the console of this address shows it.
    #[must_use]
    pub fn shown_at(self, address: &str) -> Self {
        Self { console: Some(address.to_owned()), ..self }
    }
}

/// Returns the orders of the captures as a service would have first counted each.
fn arrivals(stack: &Stack, captures: &[Capture], versions: &Versions) -> Vec<OrderId> {
    let counts = |status: &str| versions.iter().any(|version| version.policy.is_distributable(status));
    let mut seen = BTreeSet::new();
    let records = captures.iter().flat_map(|capture| &capture.records);
    let orders = records.filter_map(|record| {
        let Ok(Decoded::Change(change)) = cdc::decode(&stack.settings.profile, record.as_kafka()) else {
            return None;
        };
        match cdc::fold(None, &change).state.image()? {
            RowImage::Adoption(adoption) if adoption.status.value().is_some_and(|status| counts(status)) => {
                adoption.order.value().copied()
            }
            _ => None,
        }
    });
    orders.filter(|order| seen.insert(*order)).collect()
}

/// Finds the account that would have lost most if these orders had been shared out in this sequence.
fn of_arrivals(
    arrived: &[(OrderId, Posting)],
    versions: &Versions,
) -> Result<Option<Incident>, AmountOverflow> {
    let mut so_far = SoFar::default();
    let mut losses: BTreeMap<&AccountSequence, Loss> = BTreeMap::new();
    for (order, posting) in arrived {
        let Some(version) = versions.numbered(posting.version) else { continue };
        so_far.add(posting);
        let unlocks = posting.chain.iter().map(|ancestor| so_far.unlocks(ancestor, &version.policy));
        let unlocked = UnlockedLegs::of_upline(unlocks, &version.policy);
        let naive = Posting { unlocked, ..posting.clone() };
        for ancestor in &posting.chain {
            let due = received(posting, ancestor, &version.policy)?;
            let would_have = received(&naive, ancestor, &version.policy)?;
            if would_have < due {
                losses.entry(ancestor).or_default().add(*order, due, would_have)?;
            }
        }
    }
    let worst = losses.into_iter().max_by_key(|(_, loss)| loss.received.units() - loss.would_have.units());
    Ok(worst.map(|(account, loss)| Incident {
        read_late: read_late(arrived, account, &loss.orders),
        account: account.clone(),
        orders: loss.orders.into_iter().collect(),
        would_have: loss.would_have,
        received: loss.received,
        console: None,
    }))
}

/// What is unlocked by the orders that were counted already.
#[derive(Default)]
struct SoFar {
    adopted: BTreeSet<AccountSequence>,
    direct: BTreeMap<AccountSequence, BTreeSet<AccountSequence>>,
}

impl SoFar {
    fn add(&mut self, posting: &Posting) {
        self.adopted.insert(posting.account.clone());
        if let Some(referrer) = posting.chain.first() {
            self.direct.entry(referrer.clone()).or_default().insert(posting.account.clone());
        }
    }

    fn unlocks(&self, account: &AccountSequence, policy: &Policy) -> UnlockState {
        let direct = self.direct.get(account).map_or(0, BTreeSet::len);
        let direct = u32::try_from(direct).unwrap_or(u32::MAX);
        UnlockState::new(self.adopted.contains(account), direct, policy)
    }
}

/// What an account would not have received.
#[derive(Default)]
struct Loss {
    orders: BTreeSet<OrderId>,
    received: Amount,
    would_have: Amount,
}

impl Loss {
    fn add(&mut self, order: OrderId, received: Amount, would_have: Amount) -> Result<(), AmountOverflow> {
        self.orders.insert(order);
        self.received = self.received.checked_add(received)?;
        self.would_have = self.would_have.checked_add(would_have)?;
        Ok(())
    }
}

fn received(posting: &Posting, account: &AccountSequence, policy: &Policy) -> Result<Amount, AmountOverflow> {
    let legs = posting.legs(policy);
    Amount::sum(legs.iter().filter(|leg| leg.recipient.is_allocated_to(account)).map(|leg| leg.amount))
}

/// Returns the lowest order of the account or of a direct referral that has a lower number than all of `orders` and
/// arrived after all of them.
fn read_late(
    arrived: &[(OrderId, Posting)],
    account: &AccountSequence,
    orders: &BTreeSet<OrderId>,
) -> Option<OrderId> {
    let last = arrived.iter().rposition(|(order, _)| orders.contains(order))?;
    let unlocks = |posting: &Posting| posting.account == *account || posting.chain.first() == Some(account);
    let later = arrived[last + 1..]
        .iter()
        .filter(|(order, posting)| orders.first().is_some_and(|first| order < first) && unlocks(posting));
    later.map(|(order, _)| *order).min()
}

impl Incident {
    /// Returns it for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let order = ToString::to_string;
        json!({
            "account": self.account,
            "orders": self.orders.iter().map(order).collect::<Vec<_>>(),
            "read_late": self.read_late.as_ref().map(order),
            "would_have_received": self.would_have,
            "received": self.received,
        })
    }

    /// Returns which orders were read too early, and before which.
    fn read_how(&self, language: Language) -> String {
        let named: Vec<String> = self.orders.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let more = match self.orders.len() - named.len() {
            0 => String::new(),
            more => language.say(format!(" and {more} more"), format!(" 等另外 {more} 笔")),
        };
        let named = format!("{}{more}", named.join(", "));
        let orders = if self.orders.len() == 1 { "order" } else { "orders" };
        match self.read_late {
            Some(late) => language.say(
                format!("{orders} {named} read before {late}:"),
                format!("订单 {named} 先于订单 {late} 被读到："),
            ),
            None => language.say(
                format!("{orders} {named} read in another order than their numbers:"),
                format!("订单 {named} 未按订单号顺序被读到："),
            ),
        }
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = Language::of_environment();
        let Self { account, received, would_have, .. } = self;
        let would_have =
            if would_have.is_zero() { language.say("nothing", "0").to_owned() } else { short(*would_have) };
        let received = short(*received);
        writeln!(formatter, "{}", language.say("the ordering incident", "乱序事件"))?;
        writeln!(formatter, "  {}", self.read_how(language))?;
        let told = language.say(
            format!("{account} would have received {would_have} instead of {received}, had they been shared out as they arrived"),
            format!("若按到达顺序分配，{account} 只会得到 {would_have}，而不是应得的 {received}"),
        );
        writeln!(formatter, "  {told}")?;
        if let Some(console) = &self.console {
            let place = |name: &str, path: String| {
                let space = LINK_WIDTH.saturating_sub(width(name)).max(1);
                format!("  {name}{:space$}{console}/#/{path}", "")
            };
            writeln!(
                formatter,
                "{}",
                place(language.say("the account", "账户"), format!("account/{account}"))
            )?;
            for order in self.read_late.iter().chain(self.orders.iter().take(NAMED_MAX)) {
                let name = language.say(format!("order {order}"), format!("订单 {order}"));
                writeln!(formatter, "{}", place(&name, format!("order/{order}")))?;
            }
        }
        Ok(())
    }
}

/// Returns an amount with commas between thousands and without the zeros that say nothing; cents stay.
fn short(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = whole.len();
    let grouped: String = whole
        .char_indices()
        .flat_map(|(place, digit)| {
            let comma = (place > 0 && (digits - place).is_multiple_of(3)).then_some(',');
            comma.into_iter().chain([digit])
        })
        .collect();
    format!("{grouped}.{fraction:0<2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_in_a_sentence_has_commas_and_cents() {
        let short = |text: &str| short(text.parse().unwrap());
        assert_eq!(short("11534.67"), "11,534.67");
        assert_eq!(short("1234567.1234500000"), "1,234,567.12345");
        assert_eq!(short("7"), "7.00");
    }

    /// Returns the ledger of orders that were posted by their numbers: D1 at the top, D2 below.
    fn posted(orders: &[(u64, &str)]) -> Vec<(OrderId, Posting)> {
        let account = |text: &str| text.parse::<AccountSequence>().unwrap();
        let policy = Policy::default();
        let is_before =
            |order: u64, who: &str| orders.iter().any(|(other, account)| *other <= order && *account == who);
        let posting = |(order, adopter): &(u64, &str)| {
            let chain: Vec<AccountSequence> = if *adopter == "D2" { vec![account("D1")] } else { Vec::new() };
            let unlocks = chain.iter().map(|_| {
                UnlockState::new(is_before(*order, "D1"), u32::from(is_before(*order, "D2")), &policy)
            });
            let posting = Posting {
                account: account(adopter),
                trees: 1,
                total: "22617".parse().unwrap(),
                adoption_date: "2026-01-09".parse().unwrap(),
                version: 1,
                province: None,
                city: None,
                unlocked: UnlockedLegs::of_upline(unlocks, &policy),
                chain: chain.clone(),
            };
            (OrderId::new(*order).unwrap(), posting)
        };
        orders.iter().map(posting).collect()
    }

    #[test]
    fn who_would_have_lost_most_is_told_with_the_order_that_came_too_late() {
        let versions = Versions::starting("{}").unwrap();
        let in_order = posted(&[(1, "D1"), (2, "D2"), (3, "D2")]);
        assert_eq!(of_arrivals(&in_order, &versions), Ok(None));
        let arrived: Vec<_> = [2, 0, 1].map(|place: usize| in_order[place].clone()).into();
        let incident = of_arrivals(&arrived, &versions).unwrap().unwrap();
        assert_eq!(incident.read_late, OrderId::new(1));
        let told = incident.shown_at("http://127.0.0.1:8787").to_string();
        assert!(told.contains("order 3 read before 1:"), "{told}");
        assert!(told.contains("http://127.0.0.1:8787/#/order/1"), "{told}");
        assert!(told.contains("D1 would have received") && told.contains("instead of"), "{told}");
    }
}
