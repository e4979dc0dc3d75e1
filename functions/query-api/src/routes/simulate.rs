//! `POST /v1/simulate`: what would be decided if these referrals and adoptions arrived now. Nothing is written.

use domain::log::Cause;
use domain::{
    AccountSequence, AdoptionRow, Amount, BusinessDate, Column, OrderId, Owner, Policy, ReferralRow,
    RegionCode,
};
use serde::{Deserialize, Serialize};
use store::heads;

use super::adoption::CauseView;
use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::simulate::{self, Simulated, Supposed};
use crate::view::{HoldView, LegView, order_text};

pub(crate) const ROUTE: Route = Route {
    method: Method::Post,
    path: "/v1/simulate",
    access: Access::Member,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

/// How many rows one request may suppose.
const ROWS_MAX: usize = 100;
/// The statuses that are tried where a row names none, in this order.
const USUAL_STATUSES: [&str; 4] = ["MINING_ENABLED", "PAID", "CONFIRMED", "ACTIVE"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SimulateBody {
    #[serde(default)]
    referrals: Vec<ReferralBody>,
    #[serde(default)]
    adoptions: Vec<AdoptionBody>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferralBody {
    account: AccountSequence,
    referrer: Option<AccountSequence>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptionBody {
    account: AccountSequence,
    tree_count: i64,
    /// The next number after the largest posted one, where it is left out.
    order_id: Option<String>,
    contribution_per_tree: Option<Amount>,
    /// Today, where it is left out.
    adoption_date: Option<BusinessDate>,
    status: Option<String>,
    province_code: Option<RegionCode>,
    city_code: Option<RegionCode>,
}

#[derive(Debug, Serialize)]
struct SimulatedView {
    adoptions: Vec<AdoptionView>,
    /// What would be corrected of adoptions that are there.
    corrections: Vec<CorrectionView>,
    /// What each account would get or lose.
    accounts: Vec<DifferenceView>,
    /// Whether everything that follows was looked at; a change that concerns thousands is cut off.
    complete: bool,
}

#[derive(Debug, Serialize)]
struct AdoptionView {
    order_id: String,
    /// `POSTED`, `HELD`, or `UNPRICED`.
    state: &'static str,
    hold: Option<HoldView>,
    total: Option<Amount>,
    effective_date: Option<BusinessDate>,
    expire_date: Option<BusinessDate>,
    legs: Vec<SimulatedLegView>,
}

#[derive(Debug, Serialize)]
struct SimulatedLegView {
    r#type: String,
    index: Option<u8>,
    owner: String,
    amount: Amount,
    would_be_account: Option<String>,
    reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct CorrectionView {
    order_id: String,
    kind: &'static str,
    cause: CauseView,
}

#[derive(Debug, Serialize)]
struct DifferenceView {
    account: String,
    difference: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let body: SimulateBody = request.body()?;
    if body.referrals.len() + body.adoptions.len() > ROWS_MAX {
        return Err(invalid(format!("at most {ROWS_MAX} rows can be supposed at once")));
    }
    check_own(request, &body)?;
    let network = request.network().await?;
    let supposed = supposed(request, body, &network).await?;
    let orders: Vec<OrderId> = supposed.adoptions.iter().map(|(order, _)| *order).collect();
    let simulated = simulate::simulate(request, supposed).await?;
    let view = view(request, &network.versions, &orders, &simulated)?;
    Ok(Answer::momentary_json(&view).at(network.position))
}

/// Checks that a member supposes adoptions of the own account only.
fn check_own(request: &Request<'_>, body: &SimulateBody) -> Result<(), Problem> {
    let Some(own) = request.member() else { return Ok(()) };
    let is_own = body.referrals.is_empty() && body.adoptions.iter().all(|adoption| adoption.account == *own);
    if is_own { Ok(()) } else { Err(Problem::Forbidden) }
}

fn invalid(message: String) -> Problem {
    Problem::InvalidBody { message }
}

async fn supposed(
    request: &Request<'_>,
    body: SimulateBody,
    network: &domain::heads::Network,
) -> Result<Supposed, Problem> {
    let referrals = body.referrals.into_iter();
    let mut supposed = Supposed {
        referrals: referrals
            .map(|row| ReferralRow { account: row.account, referrer: row.referrer })
            .collect(),
        adoptions: Vec::new(),
    };
    let mut free = FreeOrders { next: network.counts.posted_max.map_or(1, |order| order.get() + 1) };
    for row in body.adoptions {
        let order = match &row.order_id {
            Some(text) => {
                let order: OrderId = text.parse().map_err(|error| invalid(format!("{error}")))?;
                if !is_free(request, order).await? {
                    return Err(invalid(format!("order {order} is there already; leave `order_id` out")));
                }
                order
            }
            None => free.take(request).await?,
        };
        let date = row.adoption_date.unwrap_or_else(|| request.today());
        let policy = &network.versions.in_force(date).policy;
        supposed.adoptions.push((order, adoption_row(row, date, policy)?));
    }
    Ok(supposed)
}

/// Order numbers that no row has.
struct FreeOrders {
    next: u64,
}

impl FreeOrders {
    async fn take(&mut self, request: &Request<'_>) -> Result<OrderId, Problem> {
        loop {
            let order = OrderId::new(self.next)
                .ok_or_else(|| invalid("no order number is left; give one as `order_id`".to_owned()))?;
            self.next += 1;
            if is_free(request, order).await? {
                return Ok(order);
            }
        }
    }
}

async fn is_free(request: &Request<'_>, order: OrderId) -> Result<bool, Problem> {
    let heads = heads::adoptions(request.engine(), vec![order]).await?;
    Ok(heads.values().all(|at| at.position == 0))
}

fn adoption_row(row: AdoptionBody, date: BusinessDate, policy: &Policy) -> Result<AdoptionRow, Problem> {
    let usual = || USUAL_STATUSES.into_iter().find(|status| policy.is_distributable(status));
    let status = row.status.or_else(|| usual().map(ToOwned::to_owned));
    Ok(AdoptionRow {
        account: Column::Value(row.account),
        trees: Column::Value(row.tree_count),
        price: Column::Value(row.contribution_per_tree),
        date: Column::Value(date),
        status: status.ok_or_else(|| invalid("give a `status` that the policy distributes".to_owned()))?,
        province: row.province_code,
        city: row.city_code,
    })
}

fn view(
    request: &Request<'_>,
    versions: &domain::Versions,
    orders: &[OrderId],
    simulated: &Simulated,
) -> Result<SimulatedView, Problem> {
    let adoptions = orders.iter().map(|order| adoption(request, versions, *order, simulated));
    let correction = |order, kind, cause: &Cause| CorrectionView {
        order_id: order_text(order),
        kind,
        cause: CauseView::from(cause),
    };
    let corrected = simulated.corrected.iter();
    let corrected = corrected.map(|corrected| correction(corrected.order, "CORRECTED", &corrected.cause));
    let changed = simulated.changed.iter().map(|(order, kind, cause)| correction(*order, kind, cause));
    // A member does not see what it would change for others.
    let is_shown = |owner: &Owner| match (request.member(), owner) {
        (None, _) => true,
        (Some(own), Owner::User(account)) => own == account,
        (Some(_), Owner::System(_)) => false,
    };
    Ok(SimulatedView {
        adoptions: adoptions.collect::<Result<_, _>>()?,
        corrections: if request.member().is_none() { corrected.chain(changed).collect() } else { Vec::new() },
        accounts: simulated
            .differences
            .iter()
            .filter(|(owner, _)| is_shown(owner))
            .map(|(owner, difference)| DifferenceView { account: owner.to_string(), difference: *difference })
            .collect(),
        complete: simulated.is_complete,
    })
}

fn adoption(
    request: &Request<'_>,
    versions: &domain::Versions,
    order: OrderId,
    simulated: &Simulated,
) -> Result<AdoptionView, Problem> {
    let name = |account: &AccountSequence| request.name(account);
    let profile = &request.settings().profile;
    let hold = simulated.held.get(&order);
    let hold = hold.map(|held| HoldView::new(&held.reason, profile, request.language, name));
    let mut view = AdoptionView {
        order_id: order_text(order),
        state: if hold.is_some() { "HELD" } else { "UNPRICED" },
        hold,
        total: None,
        effective_date: None,
        expire_date: None,
        legs: Vec::new(),
    };
    if let Some(posting) = simulated.posted.get(&order) {
        let policy = super::adoption::policy_of(versions, posting)?;
        let term = posting.term(policy);
        view.state = "POSTED";
        view.total = Some(posting.total);
        view.effective_date = Some(term.effective_date);
        view.expire_date = Some(term.expire_date);
        view.legs = posting.legs(policy).iter().map(|leg| simulated_leg(request, leg)).collect();
    }
    Ok(view)
}

fn simulated_leg(request: &Request<'_>, leg: &domain::Leg) -> SimulatedLegView {
    let view = LegView::from(leg);
    SimulatedLegView {
        r#type: view.r#type.into_owned(),
        index: view.index,
        owner: match &view.owner {
            Owner::User(account) => request.name(account),
            Owner::System(account) => account.to_string(),
        },
        amount: view.amount,
        would_be_account: view.would_be_account.as_ref().map(|account| request.name(account)),
        reason: view.reason,
    }
}
