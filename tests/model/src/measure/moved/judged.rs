//! Compares a ledger with what the oracle makes of the source's tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::heads::{AdoptionHead, AdoptionState};
use domain::{Amount, BusinessDate, LegType, Owner, Policy, Posting};
use oracle::rows::{OrderId, Tables};
use oracle::{Inputs, Judgement};
use runtime::Clock;
use serde_json::{Value, json};
use store::heads::AccountHead;
use store::talent::StoredTalent;
use store::{StoreError, Table};

use crate::bench::{Executor, ModelEngine};

/// How many differences are kept.
const DIFFERENCES_MAX: usize = 10;

/// What was compared with the oracle, and what differs.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    accounts: usize,
    adoptions: usize,
    talents: usize,
    /// The dates that were published, each with the sum of its rows.
    dates: BTreeMap<BusinessDate, Amount>,
    /// The first few things that differ.
    pub(super) differences: Vec<String>,
}

/// Compares what the tables hold with what follows from the source's tables.
pub(super) fn judge(executor: &mut Executor, tables: &Tables, shards: u32) -> Judged {
    let today = executor.clock().now().naive_utc() + chrono::TimeDelta::hours(8);
    let now_ms = executor.clock().now().timestamp_millis();
    let judgement = Judgement::of(&Inputs::new(tables.clone(), today.date()));
    let engine = executor.engine();
    let judged = executor.run_client(async move {
        let mut judged = Judged::default();
        judged.ledger(&engine, &judgement).await?;
        judged.talent(&engine, &judgement, now_ms).await?;
        judged.dates(&engine, &judgement).await?;
        judged.marks(&engine, shards).await?;
        Ok::<_, StoreError>(judged)
    });
    judged.expect("no fault for the bench")
}

impl Judged {
    /// Compares the legs of every adoption, and the totals and unlock facts of every account.
    async fn ledger(&mut self, engine: &ModelEngine, judgement: &Judgement) -> Result<(), StoreError> {
        let policy = Policy::default();
        let accounts = judgement.accounts();
        let system = judgement.system_accounts();
        store::each_item(engine, Table::Ledger, |item| {
            if let Some((owner, head)) = store::heads::account_of(item)? {
                self.accounts += 1;
                let is_same = match &owner {
                    Owner::User(account) => accounts
                        .get(account.as_str())
                        .is_some_and(|expected| is_same_account(&head, expected, &policy)),
                    Owner::System(account) => {
                        let balance = system.get(account.to_string().as_str()).map(|account| account.balance);
                        units(head.money.totals.total().ok())
                            == balance.map_or(Some(0), |sum| Some(sum.units()))
                    }
                };
                self.expect(is_same, || format!("the account {owner}"));
            } else if let Some((order, head)) = store::heads::adoption_of(item)? {
                self.adoptions += 1;
                let theirs = OrderId::new(order.get()).expect("positive");
                let expected = judgement.distribution(theirs);
                let is_same = expected.is_some_and(|expected| is_same_adoption(&head, &expected, &policy));
                self.expect(is_same, || format!("the adoption {order}"));
            }
            Ok::<_, StoreError>(())
        })
        .await?;
        let posted = judgement.posted().count();
        self.expect(self.adoptions == posted, || format!("{posted} adoptions must be posted"));
        Ok(())
    }

    /// Compares the team counts and the level of every account with a user.
    async fn talent(
        &mut self,
        engine: &ModelEngine,
        judgement: &Judgement,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut expected = judgement.talents();
        store::each_item(engine, Table::Ledger, |item| {
            let Some((account, StoredTalent { talent, .. })) = store::talent::record_of(item)? else {
                return Ok(());
            };
            let Some(must_be) = expected.remove(account.as_str()) else { return Ok(()) };
            self.talents += 1;
            let team = talent.counted_team(now_ms);
            let is = (team.direct_count(), team.promotion_count(), u64::from(talent.published.get()));
            let must_be = (must_be.direct_count as u64, must_be.promotion_count as u64, must_be.level as u64);
            self.expect(is == must_be, || format!("the talent of {account}: {is:?}, not {must_be:?}"));
            Ok::<_, StoreError>(())
        })
        .await?;
        expected.retain(|_, talent| talent.direct_count > 0);
        self.expect(expected.is_empty(), || format!("{} accounts have no talent", expected.len()));
        Ok(())
    }

    /// Compares rows and teams of the last date, and the sums of each.
    async fn dates(&mut self, engine: &ModelEngine, judgement: &Judgement) -> Result<(), StoreError> {
        let mut manifests = store::snapshots::manifests(engine, None, 100).await?;
        manifests.sort_by_key(|manifest| manifest.date);
        let last = manifests.last().map(|manifest| manifest.date);
        for manifest in manifests {
            let directory = store::snapshots::directory(engine, manifest.date).await?;
            let directory = directory.expect("a directory is put before its manifest");
            let state = store::snapshots::state(engine, &directory).await?;
            let sum = Amount::sum(state.accounts().map(|account| account.effective)).unwrap_or_default();
            let totals = &manifest.totals;
            let parts = totals.users.checked_add(totals.system).unwrap_or_default();
            self.expect(sum == totals.network && parts == sum, || format!("the sums of {}", manifest.date));
            self.dates.insert(manifest.date, sum);
            let active = active_at(engine, manifest.date, manifest.cut).await?;
            self.expect(active == sum, || {
                format!("{} has {sum}, and {active} is active at its cut", manifest.date)
            });
            if Some(manifest.date) == last {
                self.rows(&state, judgement, manifest.date.into());
            }
        }
        let published = self.dates.len();
        self.expect(published == 2, || format!("{published} dates are published"));
        Ok(())
    }

    fn rows(
        &mut self,
        state: &domain::snapshot::CarriedState,
        judgement: &Judgement,
        date: chrono::NaiveDate,
    ) {
        let effective = judgement.effective_on(date);
        let teams = judgement.teams_on(date);
        let mut rows = 0;
        for account in state.accounts() {
            let name: Arc<str> = account.owner.to_string().into();
            let must_be = effective.get(&name).map_or(0, |amount| amount.units());
            rows += usize::from(must_be != 0);
            let same = account.effective.units() == must_be;
            self.expect(same, || format!("{name} on {date}: {} is active", account.effective));
            let team = teams.get(&name).cloned().unwrap_or_default();
            let same = account.team.levels() == team.trees
                && account.team.direct_adopters as usize == team.direct_adopters;
            self.expect(same, || format!("the team of {name} on {date}"));
        }
        self.expect(rows == effective.len(), || {
            format!("{} accounts have something on {date}", effective.len())
        });
    }

    /// Looks whether everything that follows from the log includes all of it.
    async fn marks(&mut self, engine: &ModelEngine, shards: u32) -> Result<(), StoreError> {
        let network = store::network::read(engine).await?;
        let end = network.map_or(0, |network| network.position);
        let heads = store::marks::read(engine).await?.heads(shards);
        self.expect(heads >= end, || format!("the heads stay at {heads}, and the log ends at {end}"));
        Ok(())
    }

    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(what());
        }
    }

    /// Returns what was compared as JSON.
    pub(super) fn to_json(&self) -> Value {
        let dates = self.dates.iter().map(|(date, sum)| (date.to_string(), json!(sum.to_string())));
        json!({
            "accounts": self.accounts,
            "adoptions": self.adoptions,
            "talents": self.talents,
            "dates": dates.collect::<serde_json::Map<_, _>>(),
            "differences": self.differences,
        })
    }
}

/// Returns what is active on a date of all lines of the log up to its cut.
async fn active_at(engine: &ModelEngine, date: BusinessDate, cut: u64) -> Result<Amount, StoreError> {
    let versions = domain::Versions::starting("{}").expect("the default policy");
    let (mut after, mut active) = (0, Amount::ZERO);
    while after < cut {
        let pages = store::log::read_after(engine, after, 64).await?;
        let Some(last) = pages.last().map(|page| page.position) else { break };
        for page in pages.iter().filter(|page| page.position <= cut) {
            for (index, entry) in (0..).zip(&page.entries) {
                for (_, line) in domain::heads::lines_of(entry, page.position, index, page.time_ms, &versions)
                {
                    let has_begun = line.effective_date <= date;
                    if has_begun && line.expire_date.is_none_or(|expire| date < expire) {
                        active = active.checked_add(line.amount()).expect("a sum of totals");
                    }
                }
            }
        }
        after = last;
    }
    Ok(active)
}

fn is_same_account(head: &AccountHead, expected: &oracle::Account, policy: &Policy) -> bool {
    let totals = head.money.totals;
    let unlock = head.node.facts.latest(policy);
    let is = [totals.personal, totals.team_level, totals.team_bonus].map(Amount::units);
    let must_be = [expected.personal, expected.team_level, expected.team_bonus].map(oracle::Amount::units);
    is == must_be
        && head.node.facts.first_order().map(domain::OrderId::get)
            == expected.first_adoption.map(OrderId::get)
        && head.node.facts.direct_adopter_count() as usize == expected.direct_adoptions.len()
        && usize::from(unlock.level_depth) == expected.unlocked_level_depth
        && usize::from(unlock.bonus_tiers) == expected.unlocked_bonus_tiers
}

fn is_same_adoption(head: &AdoptionHead, expected: &oracle::Distribution, policy: &Policy) -> bool {
    let AdoptionState::Posted(posting) = &head.state else { return false };
    is_same_posting(posting, expected, policy)
}

fn is_same_posting(posting: &Posting, expected: &oracle::Distribution, policy: &Policy) -> bool {
    let legs = posting.legs(policy);
    let term = posting.term(policy);
    posting.total.units() == expected.total.units()
        && chrono::NaiveDate::from(term.effective_date) == expected.effective_date
        && legs.len() == expected.legs.len()
        && legs.into_iter().zip(&expected.legs).all(|(leg, must_be)| {
            let kind = match leg.leg_type() {
                LegType::LevelOverflow => "LEVEL_OVERFLOW".to_owned(),
                _ => leg.type_name().into_owned(),
            };
            kind == must_be.kind.name()
                && leg.amount.units() == must_be.amount.units()
                && *leg.recipient.owner().to_string() == *must_be.owner
        })
}

fn units(amount: Option<Amount>) -> Option<i128> {
    amount.map(Amount::units)
}
