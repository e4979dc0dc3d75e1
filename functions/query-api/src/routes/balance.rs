//! `GET /v1/accounts/{account}/balance`: what an account has on any business date, as known at any moment.

use chrono::{DateTime, Utc};
use domain::heads::{Line, Totals};
use domain::log::Position;
use domain::{Amount, BusinessDate, Owner};
use serde::Serialize;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::lines;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/balance",
    access: Access::Account,
    parameters: &["date", "known_at"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct BalanceView {
    account: Owner,
    /// The business date; today, where none is asked for.
    date: BusinessDate,
    /// What was asked for: a position of the log, or an instant.
    known_at: Option<String>,
    /// What is active on the date.
    effective: Amount,
    personal: Amount,
    team_level: Amount,
    team_bonus: Amount,
    adjusted: Amount,
    /// All of it, whenever it is active.
    total: Amount,
    record_count: usize,
}

/// Up to when lines count.
enum KnownAt {
    Position(Position),
    Instant(DateTime<Utc>),
}

impl KnownAt {
    fn includes(&self, line: &Line) -> bool {
        match self {
            Self::Position(position) => line.position <= *position,
            Self::Instant(instant) => line.time_ms <= instant.timestamp_millis(),
        }
    }
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let owner: Owner = request.path("account")?;
    let date = request.query::<BusinessDate>("date")?.unwrap_or_else(|| request.today());
    let text: Option<String> = request.query("known_at")?;
    let known_at = text.as_deref().map(known_at).transpose()?;
    let (head, position) = account::known(request, &owner).await?;
    let mut lines = lines::all(request.engine(), &owner, &head).await?;
    if let Some(known_at) = &known_at {
        lines.retain(|line| known_at.includes(line));
    }
    let mut totals = Totals::default();
    for line in &lines {
        totals.add(line)?;
    }
    let active = lines.iter().filter(|line| line.is_active_on(date)).map(Line::amount);
    Ok(Answer::json(&BalanceView {
        account: owner,
        date,
        known_at: text,
        effective: Amount::sum(active)?,
        personal: totals.personal,
        team_level: totals.team_level,
        team_bonus: totals.team_bonus,
        adjusted: totals.adjusted,
        total: totals.total()?,
        record_count: lines.len(),
    })
    .at(position))
}

fn known_at(text: &str) -> Result<KnownAt, Problem> {
    if let Ok(position) = text.parse() {
        return Ok(KnownAt::Position(position));
    }
    let instant = DateTime::parse_from_rfc3339(text).map(|instant| KnownAt::Instant(instant.to_utc()));
    instant.map_err(|_| {
        Problem::invalid("known_at", "a position of the log, or an instant such as 2026-02-01T08:00:00+08:00")
    })
}
