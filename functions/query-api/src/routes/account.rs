//! `GET /v1/accounts/{account}`: what an account has, and what it has unlocked.

use domain::heads::Network;
use domain::{Amount, BusinessDate, Owner, Ratio};
use serde::Serialize;
use store::heads::AccountHead;
use store::snapshots::{self, AccountOnDate};

use crate::access::Access;
use crate::account::{self, LinkView};
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::UnlockView;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}",
    access: Access::Account,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

/// What an account has.
#[derive(Debug, Serialize)]
pub(super) struct AccountView {
    account: Owner,
    personal: Amount,
    team_level: Amount,
    team_bonus: Amount,
    adjusted: Amount,
    total: Amount,
    /// What was active on the last closed date, as of its cut; absent while no date is closed.
    effective: Option<Amount>,
    as_of: Option<BusinessDate>,
    contribution_ratio: Option<Ratio>,
    record_count: u64,
    /// Orders that a row ever gave to the account.
    order_count: usize,
    /// Absent for system accounts, which have no place in the forest and unlock nothing.
    link: Option<LinkView>,
    unlock: Option<UnlockView>,
    /// The version of the rules that `unlock` is by: today's.
    version: u32,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let owner: Owner = request.path("account")?;
    let (head, position) = account::known(request, &owner).await?;
    let on_date = match snapshots::latest(request.engine()).await? {
        Some(manifest) => snapshots::account(request.engine(), manifest.date, &owner).await?,
        None => None,
    };
    let network = request.network().await?;
    let view = AccountView::new(request, &network, owner, &head, on_date)?;
    Ok(Answer::json(&view).at(position))
}

impl AccountView {
    /// Returns what the account of this head has.
    pub(super) fn new(
        request: &Request<'_>,
        network: &Network,
        owner: Owner,
        head: &AccountHead,
        on_date: Option<AccountOnDate>,
    ) -> Result<Self, Problem> {
        let version = network.versions.in_force(request.today());
        let is_user = matches!(owner, Owner::User(_));
        let totals = head.money.totals;
        Ok(Self {
            account: owner,
            personal: totals.personal,
            team_level: totals.team_level,
            team_bonus: totals.team_bonus,
            adjusted: totals.adjusted,
            total: totals.total()?,
            as_of: on_date.as_ref().map(|on_date| on_date.manifest.date),
            // Below zero it has no row, and is said as it is.
            effective: on_date.as_ref().map(|on_date| {
                let row = on_date.row.as_ref().map(|row| row.effective);
                row.or(on_date.carried.as_ref().map(|carried| carried.effective)).unwrap_or_default()
            }),
            contribution_ratio: on_date.map(|on_date| on_date.row.map_or(Ratio::ZERO, |row| row.ratio)),
            record_count: head.money.lines.count,
            order_count: head.node.orders.len(),
            link: is_user.then(|| LinkView::new(head, |account| request.name(account))),
            unlock: is_user.then(|| UnlockView::new(&head.node.facts, &version.policy)),
            version: version.terms.number,
        })
    }
}
