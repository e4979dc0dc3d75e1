//! `GET /v1/accounts/{account}/balance`: what an account has on any business date, as known at any moment.

use chrono::{DateTime, Utc};
use domain::heads::{Line, Moment, Totals};
use domain::log::Position;
use domain::{Amount, AmountOverflow, BusinessDate, Owner};
use serde::Serialize;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::expected::Expected;
use crate::parts::Parts;
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
    record_count: u64,
}

/// Up to when lines count.
enum KnownAt {
    Position(Position),
    Instant(DateTime<Utc>),
}

impl KnownAt {
    fn includes(&self, moment: Moment) -> bool {
        match self {
            Self::Position(position) => moment.position <= *position,
            Self::Instant(instant) => moment.time_ms <= instant.timestamp_millis(),
        }
    }
}

/// What lines add up to.
#[derive(Debug, Default)]
struct Balance {
    totals: Totals,
    effective: Amount,
    lines: u64,
}

impl Balance {
    fn add(&mut self, totals: &Totals, lines: u64, is_active: bool) -> Result<(), AmountOverflow> {
        self.totals = self.totals.plus(totals)?;
        self.lines += lines;
        if is_active {
            self.effective = self.effective.checked_add(totals.total()?)?;
        }
        Ok(())
    }

    /// Returns what the parts of an account's lines add up to on a date, as known at a moment.
    async fn of(
        mut parts: Parts<'_>,
        date: BusinessDate,
        known_at: Option<&KnownAt>,
    ) -> Result<Self, Problem> {
        let includes = |moment: Moment| known_at.is_none_or(|known_at| known_at.includes(moment));
        // Lines are in the order of time, so at most one book of each level holds the moment.
        loop {
            let mut books = parts.books.iter();
            let divided = books.find(|(_, book)| includes(book.first) && !includes(book.last));
            let Some((node, _)) = divided else { break };
            let node = *node;
            parts.open(&[node]).await?;
        }
        let mut balance = Self::default();
        for book in parts.books.values().filter(|book| includes(book.last)) {
            for (dates, sum) in &book.sums {
                let is_active = dates.effective <= date && dates.expire.is_none_or(|expire| date < expire);
                balance.add(&sum.totals, sum.lines, is_active)?;
            }
        }
        let is_known = |line: &&Line| includes(Moment { position: line.position, time_ms: line.time_ms });
        for line in parts.pages.values().flatten().filter(is_known) {
            let mut totals = Totals::default();
            totals.add(line)?;
            balance.add(&totals, 1, line.is_active_on(date))?;
        }
        Ok(balance)
    }
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let owner: Owner = request.path("account")?;
    let date = request.query::<BusinessDate>("date")?.unwrap_or_else(|| request.today());
    let text: Option<String> = request.query("known_at")?;
    let known_at = text.as_deref().map(known_at).transpose()?;
    let (head, position) = account::known(request, &owner).await?;
    let parts = Parts::read(request.engine(), &owner, &head).await?;
    let Balance { totals, effective, lines } = Balance::of(parts, date, known_at.as_ref()).await?;
    Ok(Answer::json(&BalanceView {
        account: owner,
        date,
        known_at: text,
        effective,
        personal: totals.personal,
        team_level: totals.team_level,
        team_bonus: totals.team_bonus,
        adjusted: totals.adjusted,
        total: totals.total()?,
        record_count: lines,
    })
    .at(position))
}

fn known_at(text: &str) -> Result<KnownAt, Problem> {
    if let Ok(position) = text.parse() {
        return Ok(KnownAt::Position(position));
    }
    let instant = DateTime::parse_from_rfc3339(text).map(|instant| KnownAt::Instant(instant.to_utc()));
    instant.map_err(|_| {
        let english = "a position of the log, or an instant such as 2026-02-01T08:00:00+08:00";
        let chinese = "日志位置，或时刻（如 2026-02-01T08:00:00+08:00）";
        Problem::invalid("known_at", Expected::new(english, chinese))
    })
}
