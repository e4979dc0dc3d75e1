//! What must be when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::Line;
use domain::log::{Entry, Position};
use domain::{Amount, BusinessDate, Owner, SystemAccount, VersionTerms};
use oracle::rows::Tables;
use oracle::{Adjustment, Inputs, Judgement};
use runtime::Clock;
use serde_json::{Value, json};
use store::marks::Projection;
use store::talent::{StoredTalent, TalentShards};
use store::truncates::Sweep;
use store::{Engine, Segment, Shard, StoreError, Table};

use super::setting::Setting;
use super::shadow::Shadow;
use crate::bench::{Executor, ModelEngine};

/// Returns what the tables hold now.
pub(super) fn read(executor: &mut Executor, setting: &Setting) -> Result<Read, StoreError> {
    let engine = executor.engine();
    let now_ms = executor.clock().now().timestamp_millis();
    let today = setting.today.try_into().expect("a date of this century");
    executor.run_client(read_all(engine, setting.settings.account_shards, now_ms, today))
}

/// Returns what differs from what must be.
pub(super) fn judge(read: &Read, shadow: &mut Shadow, setting: &Setting, tables: &Tables) -> Vec<String> {
    let mut found = read.waits(shadow, setting.today);
    found.extend(differences(read, shadow, setting, tables));
    found.extend(wrong_snapshots(read, shadow));
    found
}

/// How often an audit is asked for at the end, until one has seen everything.
const AUDITS_MAX: usize = 4;

/// Has the ledger audited, and returns what an audit says that began and ended after everything had happened.
pub(super) fn audit(executor: &mut Executor, position: Position) -> Option<String> {
    // The first may be one that began earlier and was interrupted.
    for _ in 0..AUDITS_MAX {
        let audited = executor.invoke("ledger-audit", &json!({ "repair": false }))?;
        if audited["complete"] == true && audited["position"] == position {
            let engine = executor.engine();
            let reports = executor.run_client(async move { store::audit::reports(&engine, 1).await });
            let differences = reports.ok()?.pop()?.found.differences;
            return (audited["differences"] != 0)
                .then(|| format!("the audit says: {audited} {differences:?}"));
        }
    }
    None
}

/// What the tables hold at the end.
pub(super) struct Read {
    ledger: Value,
    talent: Value,
    /// The date that waits because HEADQUARTERS' row would be below zero.
    negative: Option<BusinessDate>,
    /// Whether the decider says what the next close waits for.
    says_what_close_waits_for: bool,
    price_book: BTreeMap<oracle::rows::OrderId, u64>,
    announced: usize,
    /// Truncates that are not carried out.
    truncates: usize,
    marks: BTreeMap<String, u64>,
    talent_raised: usize,
    dates: BTreeMap<BusinessDate, Date>,
    adjustments: Vec<Adjustment>,
}

/// How many pages of a history's log are shown.
const SHOWN_PAGES_MAX: u32 = 1_000;

/// Returns the rows that the ledger keeps of the source and the entries of its log, a line each.
pub(super) fn shown(executor: &mut Executor) -> Vec<String> {
    let engine = executor.engine();
    let read = executor.run_client(async move {
        let (rows, _) = store::rows::scan::<cdc::RowState>(&engine, Segment::WHOLE, None).await?;
        Ok::<_, StoreError>((rows, store::log::read_after(&engine, 0, SHOWN_PAGES_MAX).await?))
    });
    let Ok((rows, pages)) = read else { return Vec::new() };
    let rows = rows.into_iter().map(|(name, row)| format!("{name:?} {:?}", row.row.image()));
    let entries = pages.iter().flat_map(|page| page.entries.iter().map(move |entry| (page, entry)));
    rows.chain(entries.map(|(page, entry)| format!("{} {entry:?}", page.position))).collect()
}

/// What is published of a date.
struct Date {
    cut: u64,
    carried: BTreeMap<Owner, Amount>,
    headquarters: Amount,
    network: Amount,
    restated: u64,
}

async fn read_all(
    engine: ModelEngine,
    shards: u32,
    now_ms: i64,
    today: BusinessDate,
) -> Result<Read, StoreError> {
    let engine: &dyn Engine = &engine;
    let marks = store::marks::read(engine).await?;
    let truncates = store::truncates::read::<cdc::Truncate>(engine).await?;
    let heads = Shard::all(shards).map(Projection::Heads);
    let projections = heads.chain([Projection::Dates, Projection::Talent]);
    let marks = projections.map(|projection| (format!("{projection:?}"), marks.of(&projection)));
    let marks = marks.collect();
    Ok(Read {
        ledger: end_to_end::ledger_on(engine, today).await,
        talent: talent(engine, now_ms).await?,
        negative: store::snapshots::wait(engine).await?.map(|wait| wait.date),
        says_what_close_waits_for: store::network::read(engine)
            .await?
            .is_some_and(|network| network.close_waits.is_some_and(|(_, reasons)| !reasons.is_empty())),
        price_book: end_to_end::price_book(engine).await,
        announced: store::inbox::read(engine, 10).await?.0.len(),
        truncates: truncates.iter().filter(|truncate| truncate.sweep != Sweep::Done).count(),
        marks,
        talent_raised: store::talent::raised(engine, TalentShards::beside(shards), 10).await?.len(),
        dates: dates(engine).await?,
        adjustments: adjustments(engine).await?,
    })
}

async fn talent(engine: &dyn Engine, now_ms: i64) -> Result<Value, StoreError> {
    let mut levels = serde_json::Map::new();
    store::each_item(engine, Table::Ledger, |item| {
        if let Some((account, StoredTalent { talent, .. })) = store::talent::record_of(item)? {
            // On a ring, each account counts once.
            let team = talent.counted_team(now_ms);
            let shown = json!({
                "direct_count": team.direct_count(),
                "promotion_count": team.promotion_count(),
                "talent_level": talent.published.get(),
            });
            levels.insert(account.to_string(), shown);
        }
        Ok::<_, StoreError>(())
    })
    .await?;
    Ok(Value::Object(levels))
}

async fn dates(engine: &dyn Engine) -> Result<BTreeMap<BusinessDate, Date>, StoreError> {
    let mut dates = BTreeMap::new();
    for manifest in store::snapshots::manifests(engine, None, 100).await? {
        let directory = store::snapshots::directory(engine, manifest.date).await?;
        let directory = directory.expect("a directory is put before its manifest");
        let state = store::snapshots::state(engine, &directory).await?;
        let carried = state.accounts().map(|account| (account.owner.clone(), account.effective));
        let date = Date {
            cut: manifest.cut,
            carried: carried.filter(|(_, amount)| !amount.is_zero()).collect(),
            headquarters: manifest.totals.headquarters,
            network: manifest.totals.network,
            restated: manifest.restated,
        };
        dates.insert(manifest.date, date);
    }
    Ok(dates)
}

async fn adjustments(engine: &dyn Engine) -> Result<Vec<Adjustment>, StoreError> {
    let mut adjustments = Vec::new();
    let mut after = 0;
    loop {
        let pages = store::log::read_after(engine, after, 100).await?;
        let Some(last) = pages.last() else { return Ok(adjustments) };
        after = last.position;
        for entry in pages.iter().flat_map(|page| &page.entries) {
            let Entry::Adjusted(terms) = entry else { continue };
            adjustments.push(Adjustment {
                from: terms.giver.to_string(),
                to: terms.receiver.to_string(),
                amount: oracle::Amount::from_decimal(&terms.amount.to_string())
                    .expect("both have ten digits"),
                effective_date: terms.effective_date.into(),
                expire_date: terms.expire_date.map(Into::into),
            });
        }
    }
}

impl Read {
    /// Returns what still waits although nothing goes wrong any more.
    fn waits(&self, shadow: &Shadow, today: chrono::NaiveDate) -> Vec<String> {
        let mut found = Vec::new();
        if self.truncates > 0 {
            found.push(format!("{} truncates that were let go are not carried out", self.truncates));
        }
        if self.announced > 0 {
            found.push(format!("{} announcements wait for ever", self.announced));
        }
        if self.talent_raised > 0 {
            found.push(format!("{} marks of talent wait for ever", self.talent_raised));
        }
        let end = shadow.position();
        for (projection, mark) in self.marks.iter().filter(|(_, mark)| **mark != end) {
            found.push(format!("{projection} stays at {mark}, and the log ends at {end}"));
        }
        let closed: BTreeSet<BusinessDate> = shadow.closes().iter().map(|(date, _)| *date).collect();
        let may_wait = |date: &BusinessDate| self.negative.is_some_and(|waits| waits <= *date);
        for date in closed.iter().filter(|date| !self.dates.contains_key(date) && !may_wait(date)) {
            found.push(format!("{date} is closed and never published"));
        }
        if closed.last().is_none_or(|last| chrono::NaiveDate::from(*last) != today) {
            let says =
                if self.says_what_close_waits_for { "says what it waits for" } else { "waits for nothing" };
            found.push(format!(
                "{today} has begun, the last closed date is {:?}, and the next {says}",
                closed.last()
            ));
        }
        found
    }
}

/// Returns what differs between the ledger and what the oracle makes of the source's tables.
fn differences(read: &Read, shadow: &Shadow, setting: &Setting, tables: &Tables) -> Vec<String> {
    let versions = versions(shadow);
    let inputs = Inputs {
        price_book: read.price_book.clone(),
        versions,
        adjustments: read.adjustments.clone(),
        ..Inputs::new(tables.clone(), setting.today)
    };
    let expected = Judgement::of(&inputs).golden(setting.today);
    let mut found: Vec<String> = ["orders", "held", "distributed_total", "system", "distributions"]
        .into_iter()
        .filter(|part| read.ledger[part] != expected[part])
        .map(|part| difference(part, &read.ledger[part], &expected[part]))
        .collect();
    found.extend(of_accounts("account", &OF_ACCOUNTS, &read.ledger["accounts"], &expected["accounts"]));
    found.extend(of_accounts("talent", &OF_TALENT, &read.talent, &expected["talent"]));
    if let Some(error) = not_conserved(shadow) {
        found.push(error);
    }
    found
}

/// Returns the versions of the rules that the log has, as the oracle reads them.
fn versions(shadow: &Shadow) -> oracle::Versions {
    let version = |terms: &VersionTerms| {
        let policy: Value = serde_json::from_str(&terms.policy).expect("the log has valid policies");
        let date = |date: Option<BusinessDate>| date.map(chrono::NaiveDate::from);
        json!({
            "number": terms.number,
            "from": date(terms.from),
            "until": date(terms.until),
            "policy": policy,
        })
    };
    let all: Value = shadow.versions.iter().map(|known| version(&known.terms)).collect();
    oracle::Versions::from_json(&all.to_string()).expect("the oracle reads every policy")
}

/// What is compared of accounts, and of their talent.
const OF_ACCOUNTS: [&str; 8] = [
    "personal",
    "team_level",
    "team_bonus",
    "total",
    "has_adopted",
    "direct_referral_adopted_count",
    "unlocked_level_depth",
    "unlocked_bonus_tiers",
];
const OF_TALENT: [&str; 3] = ["direct_count", "promotion_count", "talent_level"];

/// Returns what differs in these members; an account that is not there has nothing.
fn of_accounts(what: &str, names: &[&str], actual: &Value, expected: &Value) -> Vec<String> {
    let zero = Amount::ZERO.to_string();
    let mut found = Vec::new();
    for (account, must_be) in expected.as_object().into_iter().flatten() {
        let is = &actual[account];
        for name in names {
            let must_be = &must_be[name];
            let is_nothing = *must_be == 0 || *must_be == false || *must_be == zero;
            let is_same = if is.is_null() { is_nothing } else { is[name] == *must_be };
            if !is_same {
                found.push(format!("{what} {account}: {name} is {}, and must be {must_be}", is[name]));
            }
        }
    }
    found
}

/// Returns how the ledger breaks conservation: over all of it, the sum of all legs equals the sum of the
/// totals of the posted adoptions.
fn not_conserved(shadow: &Shadow) -> Option<String> {
    let end = shadow.position();
    let of_accounts = shadow.owners().filter_map(|owner| shadow.account(owner, end));
    let of_accounts = Amount::sum(of_accounts.filter_map(|(_, then)| then.totals.total().ok())).ok()?;
    let postings =
        shadow.order_ids().filter_map(|order| shadow.order(order, end)?.1.posting().map(|p| p.total));
    let postings = Amount::sum(postings).ok()?;
    (of_accounts != postings)
        .then(|| format!("accounts have {of_accounts}, and adoptions are worth {postings}"))
}

/// Returns what differs between published dates and the legs active at their cuts.
fn wrong_snapshots(read: &Read, shadow: &mut Shadow) -> Vec<String> {
    let mut found = Vec::new();
    let headquarters = Owner::System(SystemAccount::Headquarters);
    for (date, published) in &read.dates {
        let mut active = shadow.active_on(*date, published.cut);
        active.retain(|_, amount| !amount.is_zero());
        if active != published.carried {
            let must_be: Vec<String> = differing(&active, &published.carried);
            found.push(format!(
                "the snapshot of {date} is not the legs active at its cut: {}",
                must_be.join(", ")
            ));
        }
        let is_owed =
            |(owner, amount): &(&Owner, &Amount)| **owner == headquarters || **amount < Amount::ZERO;
        let row = Amount::sum(active.iter().filter(is_owed).map(|(_, amount)| *amount));
        let network = Amount::sum(active.values().copied());
        if row.as_ref() != Ok(&published.headquarters) || network.as_ref() != Ok(&published.network) {
            found.push(format!("the totals of {date} are not those of its rows"));
        }
        if published.restated > 0 {
            shadow.situations.count("a change below a closed date was listed as restated");
        }
    }
    count_turns(read, shadow);
    found
}

fn differing(must_be: &BTreeMap<Owner, Amount>, is: &BTreeMap<Owner, Amount>) -> Vec<String> {
    let owners: BTreeSet<&Owner> = must_be.keys().chain(is.keys()).collect();
    let of =
        |amounts: &BTreeMap<Owner, Amount>, owner: &Owner| amounts.get(owner).copied().unwrap_or_default();
    let differs = |owner: &&&Owner| of(must_be, owner) != of(is, owner);
    let text = |owner: &Owner| format!("{owner} has {} instead of {}", of(is, owner), of(must_be, owner));
    owners.iter().filter(differs).map(|owner| text(owner)).take(3).collect()
}

/// Counts what became active, and what ended, on a closed date after the first.
fn count_turns(read: &Read, shadow: &mut Shadow) {
    let dates: Vec<(BusinessDate, u64)> = read.dates.iter().map(|(date, at)| (*date, at.cut)).collect();
    for pair in dates.windows(2) {
        let [(_, cut), (date, _)] = pair else { continue };
        let turns = |turn: fn(&Line) -> Option<BusinessDate>| {
            shadow.lines_up_to(*cut).filter(|line| turn(line) == Some(*date)).count() as u64
        };
        let begins = turns(|line| Some(line.effective_date));
        let ends = turns(|line| line.expire_date);
        shadow.situations.add("amounts became active between two closes", begins);
        shadow.situations.add("amounts ended between two closes", ends);
    }
}

fn difference(part: &str, is: &Value, must_be: &Value) -> String {
    match (is.as_object(), must_be.as_object()) {
        (Some(is), Some(must_be)) => {
            let names: BTreeSet<&String> = is.keys().chain(must_be.keys()).collect();
            let differing = names.into_iter().filter(|name| is.get(*name) != must_be.get(*name));
            let text = |name: &String| {
                let of = |members: &serde_json::Map<String, Value>| {
                    members.get(name).map_or("nothing".to_owned(), shortened)
                };
                format!("{name} is {} instead of {}", of(is), of(must_be))
            };
            format!("{part}: {}", differing.take(3).map(text).collect::<Vec<_>>().join("; "))
        }
        _ => format!("{part}: {} instead of {}", shortened(is), shortened(must_be)),
    }
}

fn shortened(value: &Value) -> String {
    const MAX_CHARACTERS: usize = 300;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
