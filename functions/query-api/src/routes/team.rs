//! `GET /v1/accounts/{account}/team`: what an account's descendants adopted, by level, as of a closed date.

use domain::{AccountSequence, Amount, BusinessDate, Owner};
use serde::Serialize;
use store::snapshots;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::days;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/team",
    access: Access::Account,
    parameters: &["date"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct TeamView {
    account: AccountSequence,
    date: BusinessDate,
    levels: Vec<LevelView>,
    total_team_trees: u64,
    direct_adopted_referrals: u32,
    /// The contribution of these trees, when they were adopted; absent for a member, who sees amounts of no other.
    total_team_contribution: Option<Amount>,
    /// The account's own trees.
    own_trees: u64,
    /// The contribution of these, when they were adopted.
    own_contribution: Amount,
}

#[derive(Debug, Serialize)]
struct LevelView {
    level: u8,
    trees: u64,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let date = days::closed(request, request.query("date")?).await?.date;
    let owner = Owner::User(account.clone());
    let found = snapshots::account(request.engine(), date, &owner).await?;
    let carried = found.and_then(|found| found.carried);
    if carried.is_none() {
        account::known(request, &owner).await?;
    }
    let team = carried.as_ref().map(|carried| carried.team.clone()).unwrap_or_default();
    let levels = (1..).zip(team.levels()).map(|(level, trees)| LevelView { level, trees });
    Ok(Answer::json(&TeamView {
        account,
        date,
        levels: levels.collect(),
        total_team_trees: team.total(),
        direct_adopted_referrals: team.direct_adopters,
        total_team_contribution: request.sees_amounts().then_some(team.contribution),
        own_trees: carried.as_ref().map_or(0, |carried| carried.trees),
        own_contribution: carried.map_or(Amount::ZERO, |carried| carried.contribution),
    }))
}
