//! A judgement in the form of the golden `*.expected.json`.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use crate::accounts::Account;
use crate::judgement::Judgement;
use crate::policy::SystemKind;
use crate::posted::{Distribution, DistributionLeg};
use crate::rows::KeyPart;
use crate::snapshot::{Snapshot, SnapshotRow};

/// The parts of the golden form.
pub const GOLDEN_PARTS: [&str; 8] =
    ["orders", "held", "distributed_total", "system", "accounts", "distributions", "snapshot", "talent"];

impl Judgement {
    /// Returns the ledger in the golden form, with `effective` and `snapshot` of this date.
    ///
    /// What the golden files leave open is decided so: `accounts` lists every account that has a user row, a
    /// referral row or anything in the ledger; `talent` lists those with a user row, `system` those that have
    /// an amount; `distributions` shows each leg where it finally is; the ratio that rounding leaves over is in
    /// headquarters' row. A date that cannot be closed has a `snapshot` of null.
    #[must_use]
    pub fn golden(&self, date: NaiveDate) -> Value {
        let held: Vec<Value> =
            self.held.iter().map(|(order_id, reason)| json!([order_id.0, reason.name()])).collect();
        let mut system = self.system_accounts();
        system.retain(|_, account| account.balance != crate::Amount::ZERO);
        json!({
            "orders": self.postings.len(),
            "held": held,
            "distributed_total": self.distributed_total().to_string(),
            "accounts": self.golden_accounts(date),
            "system": named(system, |account| account.balance.to_string().into()),
            "distributions": self.by_order(golden_distribution),
            "snapshot": self.snapshot(date).map_or(Value::Null, |snapshot| golden_snapshot(&snapshot)),
            "talent": self.golden_talent(),
        })
    }

    /// Returns the golden form with everything else that the inputs decide.
    ///
    /// - `shadowed`: `[table, business key, primary key]` of rows that are not in force
    /// - `price_book`: per order without a price `before`, as decided, and `before_today`
    /// - `odd_regions`: `[order, "PROVINCE" or "CITY"]` of legs booked without a code
    /// - `adjusted`: per account what adjustments changed, system accounts included
    /// - `unlock_facts`: per account its first adoption and those of its direct referrals
    /// - `teams`: per account what its team had adopted as of the date
    /// - `versions`: per posted adoption the version that judges it
    /// - `unallocated`: per posted adoption `[type, index, reason]` of the legs that no ancestor got
    #[must_use]
    pub fn full(&self, date: NaiveDate) -> Value {
        let mut full = self.golden(date);
        let accounts = self.accounts();
        let adjusted_accounts = accounts.iter().map(|(name, account)| (name, account.adjusted));
        let system = self.system_accounts();
        let adjusted_system = system.iter().map(|(name, account)| (name, account.adjusted));
        let adjusted = adjusted_accounts
            .chain(adjusted_system)
            .filter(|(_, amount)| amount.units() != 0)
            .map(|(name, amount)| (name.to_string(), Value::from(amount.to_string())));
        full["adjusted"] = adjusted.collect::<Map<_, _>>().into();
        full["shadowed"] = self.golden_shadowed();
        full["price_book"] = self.golden_price_book();
        full["odd_regions"] = self.golden_odd_regions();
        full["unlock_facts"] = named(accounts, |account| {
            let directs: Vec<u64> = account.direct_adoptions.iter().map(|order_id| order_id.0).collect();
            json!({ "first_adoption": account.first_adoption.map(|order_id| order_id.0), "direct_adoptions": directs })
        });
        full["teams"] = named(self.teams_on(date), |team| {
            json!({
                "trees": team.trees,
                "total_team_trees": team.trees.iter().sum::<u64>(),
                "direct_adopted_referrals": team.direct_adopters,
            })
        });
        full["versions"] = self.by_order(|distribution| distribution.version.into());
        full["unallocated"] = self.by_order(|distribution| {
            let reasons = distribution
                .legs
                .iter()
                .filter_map(|leg| Some(json!([leg.kind.name(), leg.kind.index(), leg.unallocated?.name()])));
            reasons.collect::<Vec<_>>().into()
        });
        full
    }

    fn golden_accounts(&self, date: NaiveDate) -> Value {
        let effective = self.effective_accounts_on(date);
        let row = |(name, account): (Arc<str>, Account)| {
            let row = json!({
                "personal": account.personal.to_string(),
                "team_level": account.team_level.to_string(),
                "team_bonus": account.team_bonus.to_string(),
                "total": account.total().to_string(),
                "effective": effective.get(&name).copied().unwrap_or_default().to_string(),
                "has_adopted": account.first_adoption.is_some(),
                "direct_referral_adopted_count": account.direct_adoptions.len(),
                "unlocked_level_depth": account.unlocked_level_depth,
                "unlocked_bonus_tiers": account.unlocked_bonus_tiers,
                "team_trees": account.team.trees,
            });
            (name.to_string(), row)
        };
        Value::Object(self.accounts().into_iter().map(row).collect())
    }

    fn golden_talent(&self) -> Value {
        let published = self.talents().into_iter().filter(|(_, talent)| talent.is_published);
        named(published, |talent| {
            json!({
                "direct_count": talent.direct_count,
                "promotion_count": talent.promotion_count,
                "talent_level": talent.level,
            })
        })
    }

    fn golden_shadowed(&self) -> Value {
        let part = |part: &KeyPart| match part {
            KeyPart::Number(number) => number.to_string(),
            KeyPart::Text(text) => text.clone(),
        };
        let shadowed = self.shadowed.iter().map(|row| {
            let key = row.key.0.iter().map(part).collect::<Vec<_>>().join(",");
            json!([row.table.name(), row.name, key])
        });
        shadowed.collect::<Vec<_>>().into()
    }

    fn golden_price_book(&self) -> Value {
        let places = self.price_book.iter().map(|(order_id, place)| {
            let place = json!({ "before": place.before, "before_today": place.before_today });
            (order_id.to_string(), place)
        });
        Value::Object(places.collect())
    }

    fn golden_odd_regions(&self) -> Value {
        let regions = self.odd_regions.iter().map(|region| {
            let kind = if region.kind == SystemKind::Province { "PROVINCE" } else { "CITY" };
            json!([region.order_id.0, kind])
        });
        regions.collect::<Vec<_>>().into()
    }

    fn by_order(&self, show: impl Fn(&Distribution) -> Value) -> Value {
        let shown = self.posted().filter_map(|order_id| {
            let distribution = self.distribution(order_id)?;
            Some((order_id.to_string(), show(&distribution)))
        });
        Value::Object(shown.collect())
    }
}

fn golden_distribution(distribution: &Distribution) -> Value {
    let leg = |leg: &DistributionLeg| {
        json!({
            "type": leg.kind.name(),
            "index": leg.kind.index(),
            "owner": &*leg.owner,
            "would_be": leg.would_be.as_deref(),
            "amount": leg.amount.to_string(),
        })
    };
    json!({
        "account": &*distribution.account,
        "total": distribution.total.to_string(),
        "effective_date": distribution.effective_date.to_string(),
        "expire_date": distribution.expire_date.to_string(),
        "legs": distribution.legs.iter().map(leg).collect::<Vec<_>>(),
    })
}

fn golden_snapshot(snapshot: &Snapshot) -> Value {
    let row = |(name, row): (&Arc<str>, &SnapshotRow)| {
        let row = json!({ "effective": row.effective.to_string(), "ratio": row.ratio.to_string() });
        (name.to_string(), row)
    };
    json!({
        "date": snapshot.date.to_string(),
        "network_total": snapshot.network_total.to_string(),
        "rows": snapshot.rows.iter().map(row).collect::<Map<_, _>>(),
    })
}

fn named<State>(states: impl IntoIterator<Item = (Arc<str>, State)>, show: impl Fn(State) -> Value) -> Value {
    Value::Object(states.into_iter().map(|(name, state)| (name.to_string(), show(state))).collect())
}
