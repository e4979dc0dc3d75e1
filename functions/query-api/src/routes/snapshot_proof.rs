//! `GET /v1/snapshots/{date}/proof/{account}`: that an account's row is in the snapshot whose root was published.
//!
//! It is checked without trusting this service: `docs/proof` has the verifiers.

use domain::proof::{RowProof, Secret};
use domain::{BusinessDate, Owner};
use serde::Serialize;
use store::snapshots::{self, ProofError};

use crate::access::Access;
use crate::answer::Answer;
use crate::days;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/snapshots/{date}/proof/{account}",
    access: Access::Account,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct ProofView {
    /// The root that the proof leads to. A verifier takes it from where it was published, not from here.
    root: String,
    proof: RowProof,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (date, owner) = (request.path::<BusinessDate>("date")?, request.path::<Owner>("account")?);
    let manifest = days::closed(request, Some(date)).await?;
    let secret = request.settings().proof_secret.clone().unwrap_or_else(|| Secret::new(Vec::new()));
    match snapshots::proof(request.engine(), date, &owner, &secret).await {
        Ok(proof) => Ok(Answer::json(&ProofView { root: manifest.root.to_string(), proof })),
        Err(ProofError::NoRow) => Err(Problem::Unknown(Subject::SnapshotRow, format!("{owner} {date}"))),
        Err(ProofError::NotClosed) => Err(days::not_closed(request, Some(date)).await?),
        Err(ProofError::Store(error)) => Err(error.into()),
        Err(error @ (ProofError::OtherSecret { .. } | ProofError::Overflow(_))) => {
            Err(Problem::inconsistent(error.to_string()))
        }
    }
}
