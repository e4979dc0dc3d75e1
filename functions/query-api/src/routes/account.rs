//! `GET /v1/accounts/{account}`: what an account has. One storage call, whatever there is.

use futures::FutureExt;
use ledger::rules::{AccountSequence, Amount, BusinessDate, OrderId};
use ledger::store::KnownAccount;
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/accounts/{account}",
    access: Access::Account,
    parameters: &[],
    answer: |request| answer(request).boxed(),
};

#[derive(Debug, Serialize)]
struct AccountView {
    account: AccountSequence,
    personal: Amount,
    team_level: Amount,
    team_bonus: Amount,
    total: Amount,
    effective: Amount,
    /// The closed date that `effective` is as of; none if none was closed.
    as_of: Option<BusinessDate>,
    pending: Vec<PendingView>,
    unlock: UnlockView,
}

#[derive(Debug, Serialize)]
pub(super) struct PendingView {
    pub(super) date: BusinessDate,
    pub(super) amount: Amount,
}

#[derive(Debug, Serialize)]
struct UnlockView {
    has_adopted: bool,
    direct_referral_adopted_count: u32,
    unlocked_level_depth: u8,
    unlocked_bonus_tiers: u8,
    first_order_id: Option<OrderId>,
    direct_referral_first_order_ids: Vec<OrderId>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let known = request.store().known_account(&account).await?.ok_or(Problem::NotFound)?;
    let KnownAccount { account: state, closed } = known;
    let unlock = state.unlock.latest(request.policy());
    Ok(Answer::json(&AccountView {
        account,
        personal: state.personal,
        team_level: state.team_level,
        team_bonus: state.team_bonus,
        total: state.total()?,
        effective: state.effective,
        as_of: closed.map(|dates| dates.last),
        pending: pending(state.pending),
        unlock: UnlockView {
            has_adopted: unlock.has_adopted,
            direct_referral_adopted_count: state.unlock.direct_adopter_count(),
            unlocked_level_depth: unlock.level_depth,
            unlocked_bonus_tiers: unlock.bonus_tiers,
            first_order_id: state.unlock.first_order(),
            direct_referral_first_order_ids: state.unlock.direct_first_orders().to_vec(),
        },
    }))
}

/// What takes effect when, without dates on which nothing is left to.
pub(super) fn pending(pending: impl IntoIterator<Item = (BusinessDate, Amount)>) -> Vec<PendingView> {
    let pending = pending.into_iter().filter(|(_, amount)| !amount.is_zero());
    pending.map(|(date, amount)| PendingView { date, amount }).collect()
}
