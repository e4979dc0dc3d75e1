//! `GET /v1/accounts/{account}/talent`: an account's talent level, what it counts, what is missing for the
//! next level, and how the level came to be.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ledger::rules::{AccountSequence, Missing, NextLevel, TalentLevel, Team};
use ledger::store::{KnownTalent, TalentLevelChange};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::cursor;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/accounts/{account}/talent",
    access: Access::Account,
    parameters: &["cursor", "limit"],
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "talent-changes";

#[derive(Debug, Serialize)]
struct TalentView {
    account: AccountSequence,
    talent_level: TalentLevel,
    /// The level its counts give, as long as another is recorded: until its user arrives, for the moment
    /// that a change takes to be carried up, or, after the policy changed, until something changes below.
    due_level: Option<TalentLevel>,
    has_user: bool,
    direct_count: u64,
    promotion_count: u64,
    /// Direct referrals by their level, where the policy asks for levels of direct referrals.
    direct_by_level: Option<Vec<LevelCountView>>,
    /// Absent where the policy does not ask who was active, or the source does not say.
    activity: Option<ActivityView>,
    next: Option<NextView>,
    activity_ignored: bool,
    changes: Vec<ChangeView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct LevelCountView {
    level: TalentLevel,
    count: u64,
}

#[derive(Debug, Serialize)]
struct ActivityView {
    active_direct_count: u64,
    active_promotion_count: u64,
}

#[derive(Debug, Serialize)]
struct NextView {
    level: TalentLevel,
    missing: Vec<MissingView>,
}

#[derive(Debug, Serialize)]
struct MissingView {
    condition: &'static str,
    /// The level that direct referrals are to have, where that is asked for.
    level: Option<TalentLevel>,
    needed: u64,
    found: u64,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    number: u32,
    old_level: TalentLevel,
    new_level: TalentLevel,
    direct_count: u64,
    promotion_count: u64,
    cause: CauseView,
    changed_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct CauseView {
    kind: &'static str,
    /// Where it began; kept from a user whose account it is not.
    account: Option<AccountSequence>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let (before, limit) = (request.cursor::<u32>(LIST)?, request.limit()?);
    let store = request.store();
    let (known, changes) = futures::future::try_join(
        store.known_talent(&account),
        store.talent_level_changes_page(&account, before, limit),
    )
    .await?;
    let KnownTalent { talent, has_user } = known.ok_or(Problem::NotFound)?;
    let table = request.policy().talent();
    let assessment = table.assess(&talent.team, request.knows_activity());
    let team = &talent.team;
    Ok(Answer::json(&TalentView {
        account,
        talent_level: talent.level,
        due_level: Some(assessment.level).filter(|due| *due != talent.level),
        has_user,
        direct_count: team.direct_count(),
        promotion_count: team.promotion_count(),
        direct_by_level: table.asks_for_levels().then(|| by_level(team)),
        activity: (table.asks_for_activity() && request.knows_activity()).then(|| ActivityView {
            active_direct_count: team.active_direct_count(),
            active_promotion_count: team.active_promotion_count(),
        }),
        next: assessment.next.map(NextView::from),
        activity_ignored: assessment.activity_ignored,
        changes: changes.entries.iter().map(|change| view(change, request)).collect::<Result<_, _>>()?,
        next_cursor: changes.next.map(|number| cursor::encode(LIST, number)),
    }))
}

/// Levels that somebody has; level 1 first.
fn by_level(team: &Team) -> Vec<LevelCountView> {
    let levels = (1..).map(TalentLevel::new).zip(&team.levels);
    let counts = levels.map(|(level, count)| LevelCountView { level, count: *count });
    counts.filter(|view| view.count > 0).collect()
}

fn view(change: &TalentLevelChange, request: &Request<'_>) -> Result<ChangeView, Problem> {
    let changed_at = DateTime::from_timestamp_millis(change.changed_at_ms);
    let account = change.cause.account();
    Ok(ChangeView {
        number: change.number,
        old_level: change.old_level,
        new_level: change.new_level,
        direct_count: change.direct_count,
        promotion_count: change.promotion_count,
        cause: CauseView {
            kind: change.cause.name(),
            account: request.may_name(account).then(|| account.clone()),
        },
        changed_at: changed_at.ok_or_else(|| Problem::inconsistent("a change of a level has no time"))?,
    })
}

impl From<NextLevel> for NextView {
    fn from(next: NextLevel) -> Self {
        Self { level: next.level, missing: next.missing.into_iter().map(MissingView::from).collect() }
    }
}

impl From<Missing> for MissingView {
    fn from(Missing { condition, present }: Missing) -> Self {
        Self {
            condition: condition.name(),
            level: condition.at_level(),
            needed: condition.needed(),
            found: present,
        }
    }
}
