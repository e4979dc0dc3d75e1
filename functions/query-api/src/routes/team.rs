//! `GET /v1/accounts/{account}/team`: what an account's descendants adopted, by level, as of a date.

use futures::FutureExt;
use ledger::rules::{AccountSequence, BusinessDate};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/accounts/{account}/team",
    access: Access::Account,
    parameters: &["date"],
    answer: |request| answer(request).boxed(),
};

#[derive(Debug, Serialize)]
struct TeamView {
    account: AccountSequence,
    date: BusinessDate,
    levels: Vec<LevelView>,
    total_team_trees: u64,
    direct_adopted_referrals: u64,
}

#[derive(Debug, Serialize)]
struct LevelView {
    level: u8,
    trees: u64,
}

/// A date that is not closed has no statistics yet.
async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let wanted = request.query::<BusinessDate>("date")?;
    let last = request.store().closed_dates().await?.ok_or(Problem::NotFound)?.last;
    let date = wanted.unwrap_or(last);
    if date > last {
        return Err(Problem::NotFound);
    }
    let level_count = request.policy().level_count();
    let team = request.store().team_statistics(&account, date, level_count).await?;
    let levels = (1..=level_count).zip(team.trees_at_level);
    Ok(Answer::json(&TeamView {
        account,
        date,
        levels: levels.map(|(level, trees)| LevelView { level, trees }).collect(),
        total_team_trees: team.total_team_trees,
        direct_adopted_referrals: team.direct_adopted_referrals,
    }))
}
