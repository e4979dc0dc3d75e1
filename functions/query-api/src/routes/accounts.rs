//! `GET /v1/accounts?ids=`: what up to 100 accounts have, in one answer.

use std::collections::BTreeMap;

use domain::Owner;
use serde::Serialize;
use store::{heads, snapshots};

use super::account::AccountView;
use crate::access::Access;
use crate::answer::Answer;
use crate::expected::Expected;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts",
    access: Access::Operator,
    parameters: &["ids"],
    answer: |request| Box::pin(answer(request)),
};

/// How many accounts one answer has at most.
const ACCOUNTS_MAX: usize = 100;

#[derive(Debug, Serialize)]
struct AccountsView {
    accounts: Vec<AccountView>,
    /// Those of which no head is known.
    unknown: Vec<Owner>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let expected = || {
        let english = format!("1 to {ACCOUNTS_MAX} accounts with commas between them");
        Problem::invalid("ids", Expected::new(english, format!("1 至 {ACCOUNTS_MAX} 个账户，以逗号分隔")))
    };
    let ids: String = request.required("ids")?;
    let owners: Vec<Owner> =
        ids.split(',').map(|id| id.trim().parse().map_err(|_| expected())).collect::<Result<_, _>>()?;
    if owners.is_empty() || owners.len() > ACCOUNTS_MAX {
        return Err(expected());
    }
    let engine = request.engine();
    let on_date = async {
        let Some(manifest) = snapshots::latest(engine).await? else { return Ok(BTreeMap::new()) };
        Ok::<_, Problem>(snapshots::accounts(engine, manifest.date, &owners).await?)
    };
    let heads = async { Ok(heads::accounts(engine, owners.clone()).await?) };
    let (mut heads, mut on_date, network) = futures::try_join!(heads, on_date, request.network())?;
    let mut view = AccountsView { accounts: Vec::new(), unknown: Vec::new() };
    for owner in owners {
        match heads.remove(&owner) {
            Some(at) if at.position > 0 => {
                let on_date = on_date.remove(&owner);
                view.accounts.push(AccountView::new(request, &network, owner, &at.head, on_date)?);
            }
            Some(_) => view.unknown.push(owner),
            // Named twice: it is in the answer already.
            None => {}
        }
    }
    // Heads of different shards stand at different positions; all include the lowest mark.
    Ok(Answer::json(&view))
}
