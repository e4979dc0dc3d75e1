//! What the ledger must hold once it has seen a whole capture.
//!
//! The rules say that the ledger is what processing all distributable adoptions in ascending order
//! gives, whatever the arrival order. So the oracle forgets arrival: it takes the last version of
//! every row of the source, sorts the adoptions and goes through them once. It is slow where the
//! ledger must be fast and has no state where the ledger has much, which is why it can be trusted.
//!
//! It does not judge what the ledger refuses. A capture whose rows change the trees, the price or the
//! account of a distributed adoption, or a referrer, has no answer here: the oracle takes the last row.

mod source;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use self::source::{OrderRow, Source};
use crate::calendar::Date;
use crate::capture::CaptureRecord;

/// The ledger that must come of these records, in the form of the golden `*.expected.json`.
///
/// Their order does not matter, and neither do duplicates. Topics are known by the table they end in;
/// others hold no rows. What the golden captures leave open is decided like this:
///
/// - `accounts` lists whoever has a user row or a referral row, `talent` whoever has a user row;
/// - `system` lists the accounts that any leg went to;
/// - a total beyond 18 integer digits holds its adoption with the reason `AMOUNT_OVERFLOW`;
/// - with [`Backfill::OnUnlock`], `distributions` shows each leg where it ended;
/// - the ratio that rounding leaves over gives HEADQUARTERS a row even if nothing of it is effective.
///
/// # Panics
///
/// On a change of one of the three tables that is not readable: a test that feeds such must keep it
/// from the oracle, because what cannot be read must not count.
#[must_use]
pub fn expected(records: &[CaptureRecord], options: &Options) -> Value {
    let source = Source::last_rows(records);
    let (adoptions, held) = source.adoptions(options);

    let mut unlocks = Unlocks::default();
    if options.backfill == Backfill::OnUnlock {
        // An unlock is never lost, so a leg ends where the state after the last adoption puts it.
        for adoption in &adoptions {
            unlocks.count(adoption);
        }
    }
    let mut ledger = Ledger::opened(&source, options.as_of);
    for adoption in &adoptions {
        unlocks.count(adoption);
        let legs = adoption.legs(&unlocks);
        ledger.post(adoption, &legs);
        if options.lists_distributions {
            ledger.distributions.insert(adoption.row.order_id.to_string(), adoption.to_json(&legs));
        }
    }

    let mut expected = json!({
        "orders": adoptions.len(),
        "held": held,
        "distributed_total": amount(adoptions.iter().map(|adoption| adoption.total).sum()),
        "accounts": ledger.accounts_to_json(&unlocks),
        "system": ledger.system_to_json(),
        "snapshot": ledger.snapshot_to_json(),
        "talent": source.talent_to_json(),
    });
    if options.lists_distributions {
        expected["distributions"] = Value::Object(ledger.distributions);
    }
    expected
}

/// What the configuration of the ledger under test says, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The business date of `effective` and `snapshot`.
    pub as_of: Date,
    /// What becomes of unallocated legs.
    pub backfill: Backfill,
    /// The statuses of adoptions that count.
    pub distributable_statuses: BTreeSet<String>,
    /// Whether `distributions` is there at all. A large capture needs 20 KB of memory for each.
    pub lists_distributions: bool,
}

impl Default for Options {
    /// What the golden captures were made with.
    fn default() -> Self {
        Self {
            as_of: Date::new(2026, 2, 10).expect("a day of the calendar"),
            backfill: Backfill::None,
            distributable_statuses: ["MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE"]
                .map(str::to_owned)
                .into(),
            lists_distributions: true,
        }
    }
}

/// What becomes of an unallocated leg once its would-be account's unlock reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backfill {
    /// It stays with HEADQUARTERS.
    None,
    /// It moves to the account, with its own dates.
    OnUnlock,
}

const LEVELS: usize = 15;
const HEADQUARTERS: &str = "HEADQUARTERS";
/// One of an amount's smallest units is 10⁻¹⁰.
const AMOUNT_SCALE: u32 = 10;
/// The first number of units that needs 19 integer digits.
const AMOUNT_LIMIT: i128 = 10_i128.pow(18 + AMOUNT_SCALE);
const RATIO_SCALE: u32 = 18;
const RATIO_ONE: i128 = 10_i128.pow(RATIO_SCALE);

/// An adoption that is distributed.
struct Adoption<'a> {
    row: &'a OrderRow,
    /// Its account's ancestors, the referrer first, at most fifteen.
    upline: Vec<&'a str>,
    total: i128,
}

/// A part of an adoption, and whose it is.
struct Leg<'a> {
    kind: &'static str,
    index: Option<usize>,
    owner: String,
    /// Who would own it had they unlocked it; only if they have not.
    would_be: Option<&'a str>,
    units: i128,
}

impl<'a> Adoption<'a> {
    /// From here on it counts.
    fn effective_date(&self) -> Date {
        Date::of_epoch_day(self.row.adoption_date).next_day()
    }

    /// From here on it no longer counts.
    fn expire_date(&self) -> Date {
        self.effective_date().years_later(2)
    }

    fn legs(&self, unlocks: &Unlocks<'_>) -> Vec<Leg<'a>> {
        const BONUSES: [&str; 3] = ["BONUS_TIER_1", "BONUS_TIER_2", "BONUS_TIER_3"];

        let fixed = |kind, owner, rate| Leg {
            kind,
            index: None,
            owner,
            would_be: None,
            units: share(self.total, rate),
        };
        let mut legs = vec![
            fixed("PERSONAL", self.row.account_sequence.clone(), 700_000),
            fixed("OPERATION", "OPERATION".to_owned(), 120_000),
            fixed("PROVINCE", regional("PROVINCE", self.row.selected_province.as_deref()), 10_000),
            fixed("CITY", regional("CITY", self.row.selected_city.as_deref()), 20_000),
        ];
        // A leg to the upline goes to `ancestor`, or as `otherwise` to headquarters.
        let mut upwards = |kind, otherwise, index, ancestor: Option<&'a str>, is_unlocked, rate| {
            let units = share(self.total, rate);
            let (kind, owner, would_be) = match ancestor {
                Some(ancestor) if is_unlocked => (kind, ancestor, None),
                _ => (otherwise, HEADQUARTERS, ancestor),
            };
            legs.push(Leg { kind, index: Some(index), owner: owner.to_owned(), would_be, units });
        };
        for level in 1..=LEVELS {
            let ancestor = self.upline.get(level - 1).copied();
            let is_unlocked = ancestor.is_some_and(|ancestor| unlocks.level_depth(ancestor) >= level);
            upwards("TEAM_LEVEL", "LEVEL_OVERFLOW", level, ancestor, is_unlocked, 5_000);
        }
        for (otherwise, tier) in BONUSES.into_iter().zip(1..) {
            let ancestor = self.upline.first().copied();
            let is_unlocked = ancestor.is_some_and(|ancestor| unlocks.bonus_tiers(ancestor) >= tier);
            upwards("TEAM_BONUS", otherwise, tier, ancestor, is_unlocked, 25_000);
        }
        let rounding = self.total - legs.iter().map(|leg| leg.units).sum::<i128>();
        if rounding != 0 {
            legs.push(Leg { units: rounding, ..fixed("ROUNDING", HEADQUARTERS.to_owned(), 0) });
        }
        legs
    }

    fn to_json(&self, legs: &[Leg<'_>]) -> Value {
        let leg = |leg: &Leg<'_>| {
            json!({
                "type": leg.kind,
                "index": leg.index,
                "owner": leg.owner,
                "would_be": leg.would_be,
                "amount": amount(leg.units),
            })
        };
        json!({
            "account": self.row.account_sequence,
            "total": amount(self.total),
            "effective_date": self.effective_date().to_string(),
            "expire_date": self.expire_date().to_string(),
            "legs": legs.iter().map(leg).collect::<Vec<_>>(),
        })
    }
}

/// A share in millionths, rounded down to a whole unit. A total has at most 28 digits, so it fits.
fn share(total: i128, millionths: i128) -> i128 {
    total * millionths / 1_000_000
}

fn regional(name: &str, code: Option<&str>) -> String {
    match code {
        Some(code) if !code.is_empty() => format!("{name}:{code}"),
        _ => name.to_owned(),
    }
}

/// What the adoptions counted so far have unlocked.
#[derive(Default)]
struct Unlocks<'a> {
    adopters: HashSet<&'a str>,
    /// How many direct referrals of an account are among the adopters.
    direct_adopters: HashMap<&'a str, usize>,
}

impl<'a> Unlocks<'a> {
    /// Counts an adoption; counting one again changes nothing.
    fn count(&mut self, adoption: &Adoption<'a>) {
        let is_first = self.adopters.insert(&adoption.row.account_sequence);
        if let Some(referrer) = adoption.upline.first().filter(|_| is_first) {
            *self.direct_adopters.entry(referrer).or_default() += 1;
        }
    }

    fn has_adopted(&self, account: &str) -> bool {
        self.adopters.contains(account)
    }

    fn direct_adopters(&self, account: &str) -> usize {
        self.direct_adopters.get(account).copied().unwrap_or(0)
    }

    fn level_depth(&self, account: &str) -> usize {
        match self.direct_adopters(account) {
            _ if !self.has_adopted(account) => 0,
            5.. => 15,
            3.. => 10,
            1.. => 5,
            0 => 0,
        }
    }

    fn bonus_tiers(&self, account: &str) -> usize {
        let direct = self.direct_adopters(account);
        usize::from(self.has_adopted(account)) + usize::from(direct >= 2) + usize::from(direct >= 4)
    }
}

/// What all legs add up to.
struct Ledger {
    as_of: Date,
    accounts: BTreeMap<String, Account>,
    system: BTreeMap<String, SystemAccount>,
    distributions: Map<String, Value>,
}

#[derive(Default)]
struct Account {
    personal: i128,
    team_level: i128,
    team_bonus: i128,
    effective: i128,
    team_trees: [u64; LEVELS],
}

#[derive(Default)]
struct SystemAccount {
    balance: i128,
    effective: i128,
}

impl Ledger {
    fn opened(source: &Source, as_of: Date) -> Self {
        let accounts = source.users.iter().chain(source.referrers.keys());
        Self {
            as_of,
            accounts: accounts.map(|account| (account.clone(), Account::default())).collect(),
            system: BTreeMap::new(),
            distributions: Map::new(),
        }
    }

    fn post(&mut self, adoption: &Adoption<'_>, legs: &[Leg<'_>]) {
        let has_begun = adoption.effective_date() <= self.as_of;
        let is_active = has_begun && self.as_of < adoption.expire_date();
        for leg in legs {
            let effective = match (leg.owner.as_str(), has_begun, is_active) {
                (HEADQUARTERS, true, _) | (_, _, true) => leg.units,
                _ => 0,
            };
            if matches!(leg.kind, "PERSONAL" | "TEAM_LEVEL" | "TEAM_BONUS") {
                let account = self.user(&leg.owner);
                account.effective += effective;
                match leg.kind {
                    "PERSONAL" => account.personal += leg.units,
                    "TEAM_LEVEL" => account.team_level += leg.units,
                    _ => account.team_bonus += leg.units,
                }
            } else {
                let account = self.system.entry(leg.owner.clone()).or_default();
                account.balance += leg.units;
                account.effective += effective;
            }
        }
        for (level, ancestor) in adoption.upline.iter().enumerate() {
            self.user(ancestor).team_trees[level] += adoption.row.tree_count;
        }
    }

    fn user(&mut self, account: &str) -> &mut Account {
        self.accounts.get_mut(account).expect("whoever takes part has a referral row, so is listed")
    }

    fn accounts_to_json(&self, unlocks: &Unlocks<'_>) -> Value {
        let row = |(name, account): (&String, &Account)| {
            let row = json!({
                "personal": amount(account.personal),
                "team_level": amount(account.team_level),
                "team_bonus": amount(account.team_bonus),
                "total": amount(account.personal + account.team_level + account.team_bonus),
                "effective": amount(account.effective),
                "has_adopted": unlocks.has_adopted(name),
                "direct_referral_adopted_count": unlocks.direct_adopters(name),
                "unlocked_level_depth": unlocks.level_depth(name),
                "unlocked_bonus_tiers": unlocks.bonus_tiers(name),
                "team_trees": account.team_trees,
            });
            (name.clone(), row)
        };
        Value::Object(self.accounts.iter().map(row).collect())
    }

    fn system_to_json(&self) -> Value {
        let row = |(name, account): (&String, &SystemAccount)| (name.clone(), amount(account.balance).into());
        Value::Object(self.system.iter().map(row).collect())
    }

    fn snapshot_to_json(&self) -> Value {
        let users = self.accounts.iter().map(|(name, account)| (name.as_str(), account.effective));
        let system = self.system.iter().map(|(name, account)| (name.as_str(), account.effective));
        let effective: BTreeMap<&str, i128> = users.chain(system).filter(|(_, units)| *units > 0).collect();
        let network: i128 = effective.values().sum();

        let mut ratios: BTreeMap<&str, i128> =
            effective.iter().map(|(account, units)| (*account, ratio(*units, network))).collect();
        if network > 0 {
            let remainder = RATIO_ONE - ratios.values().sum::<i128>();
            if remainder > 0 {
                *ratios.entry(HEADQUARTERS).or_default() += remainder;
            }
        }
        let row = |(account, ratio): (&str, i128)| {
            let units = effective.get(account).copied().unwrap_or(0);
            let row = json!({ "effective": amount(units), "ratio": decimal(ratio, RATIO_SCALE) });
            (account.to_owned(), row)
        };
        json!({
            "date": self.as_of.to_string(),
            "network_total": amount(network),
            "rows": ratios.into_iter().map(row).collect::<Map<_, _>>(),
        })
    }
}

/// What part of `whole` is `part`, in 10⁻¹⁸, rounded down: long division, a digit at a time, because
/// the product of an amount and 10¹⁸ fits no integer.
fn ratio(part: i128, whole: i128) -> i128 {
    let mut quotient = part / whole;
    let mut remainder = part % whole;
    for _ in 0..RATIO_SCALE {
        remainder *= 10;
        quotient = quotient * 10 + remainder / whole;
        remainder %= whole;
    }
    quotient
}

fn amount(units: i128) -> String {
    decimal(units, AMOUNT_SCALE)
}

fn decimal(units: i128, scale: u32) -> String {
    assert!(units >= 0, "nothing in a ledger sums to less than nothing");
    let one = 10_i128.pow(scale);
    format!("{}.{:0width$}", units / one, units % one, width = scale as usize)
}

#[cfg(test)]
mod tests;
