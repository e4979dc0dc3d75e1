//! `GET /v1/accounts/{account}/talent`: an account's talent level, what it counts, what is missing for the next
//! level, and how the level came to be.

use chrono::{DateTime, Utc};
use domain::{AccountSequence, Missing, NextLevel, TalentLevel, Team};
use serde::Serialize;
use store::talent::{self, LevelChange};
use store::users;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::instant;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/talent",
    access: Access::Account,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct TalentView {
    account: AccountSequence,
    talent_level: TalentLevel,
    /// The level its counts give, as long as another is published: until its user arrives, or for the moment that a
    /// change takes to be propagated.
    due_level: Option<TalentLevel>,
    has_user: bool,
    direct_count: u64,
    promotion_count: u64,
    /// Direct referrals by their level.
    direct_by_level: Vec<LevelCountView>,
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
    /// Where it began; kept from a member whose account it is not.
    account: Option<AccountSequence>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let (before, limit) = (request.place::<u32>()?, request.limit()?);
    let (stored, users, mut changes) = futures::try_join!(
        talent::read(request.engine(), &account),
        users::read(request.engine(), vec![account.clone()]),
        talent::changes(request.engine(), &account, before, limit + 1)
    )?;
    let has_user = users.values().any(|rows| rows.user().is_some());
    if stored.revision == 0 && !has_user {
        return Err(Problem::Unknown(Subject::Account, account.to_string()));
    }
    let more = changes.len() > limit;
    changes.truncate(limit);
    let talent = stored.talent;
    let network = request.network().await?;
    let table = request.policy_today(&network).talent();
    let knows_activity = request.settings().profile.knows_activity();
    let team = talent.counted_team(request.now().timestamp_millis());
    let assessment = table.assess(&team, knows_activity);
    let last = changes.last().map(|change| change.number);
    Ok(Answer::json(&TalentView {
        account,
        talent_level: talent.published,
        due_level: Some(assessment.level).filter(|due| *due != talent.published),
        has_user,
        direct_count: team.direct_count(),
        promotion_count: team.promotion_count(),
        direct_by_level: by_level(&team),
        activity: (table.asks_for_activity() && knows_activity).then(|| ActivityView {
            active_direct_count: team.active_direct_count(),
            active_promotion_count: team.active_promotion_count(),
        }),
        next: assessment.next.map(NextView::from),
        activity_ignored: assessment.activity_ignored,
        changes: changes.iter().map(|change| view(change, request)).collect(),
        next_cursor: last.filter(|_| more).map(|number| request.cursor(number)),
    }))
}

/// Returns the levels that any direct referral has; level 1 first.
fn by_level(team: &Team) -> Vec<LevelCountView> {
    let levels = (1..).map(TalentLevel::new).zip(&team.levels);
    let counts = levels.map(|(level, count)| LevelCountView { level, count: *count });
    counts.filter(|view| view.count > 0).collect()
}

fn view(change: &LevelChange, request: &Request<'_>) -> ChangeView {
    let account = change.cause.account();
    ChangeView {
        number: change.number,
        old_level: change.old_level,
        new_level: change.new_level,
        direct_count: change.direct_count,
        promotion_count: change.promotion_count,
        cause: CauseView {
            kind: change.cause.name(),
            account: account.filter(|account| request.may_name(account)).cloned(),
        },
        changed_at: instant(change.changed_at_ms),
    }
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
