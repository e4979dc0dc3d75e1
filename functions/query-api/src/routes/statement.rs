//! `GET /v1/accounts/{account}/statement?from=&to=`: what an account had, every line with its cause, what it has.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::heads::{Line, LineKind};
use domain::log::{Cause, Entry as LogEntry, Position};
use domain::{AccountSequence, Amount, BusinessDate, Owner};
use serde::Serialize;

use super::adoption::CauseView;
use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::csv::{Csv, number_cell, text_cell};
use crate::days;
use crate::expected::Expected;
use crate::parts::Parts;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::statement::{self, Entry, Movement, Period, Place, Sums};
use crate::view::{instant, order_text};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/statement",
    access: Access::Account,
    parameters: &["from", "to", "format", "cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

/// The longest period, in days.
const DAYS_MAX: u32 = 1_830;
/// Lines in one file of comma-separated values.
const CSV_LINES_MAX: usize = 20_000;
/// How many pages of the log are read for causes, at most.
const CAUSE_PAGES_MAX: usize = 50;

#[derive(Debug, Serialize)]
struct StatementView {
    account: Owner,
    from: BusinessDate,
    to: BusinessDate,
    opening_balance: Amount,
    closing_balance: Amount,
    became_effective: Amount,
    late_corrections: Amount,
    expired: Amount,
    line_count: u64,
    lines: Vec<LineView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct LineView {
    date: BusinessDate,
    movement: Movement,
    amount: Amount,
    order_id: Option<String>,
    kind: LineKind,
    /// Why, where it is not the order's own arrival.
    cause: Option<CauseView>,
    adopter: Option<AccountSequence>,
    effective_date: BusinessDate,
    expire_date: Option<BusinessDate>,
    /// The closed dates that a late line would have changed.
    would_have_changed: Option<DatesView>,
    page: Position,
    posted_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct DatesView {
    first_date: BusinessDate,
    last_date: BusinessDate,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let owner: Owner = request.path("account")?;
    let (limit, after) = (request.limit()?, request.place::<Place>()?);
    let is_csv = match request.query::<String>("format")?.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Problem::invalid("format", Expected::one_of(&["json", "csv"]))),
    };
    let (head, position) = account::known(request, &owner).await?;
    let period = period(request).await?;
    let mut parts = Parts::read(request.engine(), &owner, &head).await?;
    let sums = Sums::of(&parts, &period)?;
    let limit = if is_csv { CSV_LINES_MAX } else { limit };
    let (entries, next) = statement::entries(&mut parts, &period, after, limit).await?;
    let next_cursor = next.map(|place| request.cursor(place));
    if is_csv {
        let shown = Shown { owner: &owner, period: &period, sums: &sums, entries: &entries };
        return Ok(csv(&shown, after.is_none(), next_cursor)?.at(position));
    }
    let causes = causes(request, &entries).await?;
    Ok(Answer::json(&StatementView {
        account: owner,
        from: period.from,
        to: period.to,
        opening_balance: sums.opening,
        closing_balance: sums.closing()?,
        became_effective: sums.became_effective,
        late_corrections: sums.late,
        expired: sums.expired,
        line_count: sums.entries,
        lines: entries.iter().map(|entry| line_view(request, entry, &causes)).collect(),
        next_cursor,
    })
    .at(position))
}

/// Returns the period that is asked for: closed dates; the last thirty where none is named.
async fn period(request: &Request<'_>) -> Result<Period, Problem> {
    let (from, to) = (request.query::<BusinessDate>("from")?, request.query::<BusinessDate>("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        let english = format!("a date up to `to`, which is {to}");
        return Err(Problem::invalid("from", Expected::new(english, format!("不晚于 `to`（{to}）的日期"))));
    }
    let last = days::closed(request, to).await?;
    let to = last.date;
    let from = from.unwrap_or_else(|| to.minus_days(29).max(last.first_date));
    if from > to {
        let expected = Expected::new(format!("a date up to {to}"), format!("不晚于 {to} 的日期"));
        return Err(Problem::invalid("from", expected));
    }
    if to.days_since_epoch() - from.days_since_epoch() + 1 > DAYS_MAX {
        let english = format!("within {DAYS_MAX} days before {to}");
        return Err(Problem::invalid("from", Expected::new(english, format!("{to} 之前 {DAYS_MAX} 天以内"))));
    }
    let closes = store::dates::closes_between(request.engine(), from.previous(), to).await?;
    let cuts = closes.into_iter().map(|close| (close.position, close.date)).collect();
    Ok(Period { from, to, first_closed: last.first_date, cuts })
}

/// Returns the causes of the corrections among these entries, by page and place in it.
async fn causes(
    request: &Request<'_>,
    entries: &[Entry],
) -> Result<BTreeMap<(Position, u32), Cause>, Problem> {
    let corrections = entries.iter().filter(|entry| entry.line.kind != LineKind::Posted);
    let positions: BTreeSet<Position> = corrections.map(|entry| entry.line.position).collect();
    let positions = positions.into_iter().take(CAUSE_PAGES_MAX).collect();
    let pages = store::log::read_at(request.engine(), positions).await?;
    let mut causes = BTreeMap::new();
    for page in pages {
        for (index, entry) in (0_u32..).zip(page.entries) {
            let cause = match entry {
                LogEntry::Corrected(correction) => correction.cause,
                LogEntry::Posted { cause, .. } | LogEntry::Withdrawn { cause, .. } => cause,
                _ => continue,
            };
            causes.insert((page.position, index), cause);
        }
    }
    Ok(causes)
}

fn line_view(request: &Request<'_>, entry: &Entry, causes: &BTreeMap<(Position, u32), Cause>) -> LineView {
    let line: &Line = &entry.line;
    let cause = causes.get(&(line.position, line.index));
    let cause = cause.map(|cause| CauseView::for_caller(cause, request));
    LineView {
        date: entry.date,
        movement: entry.movement,
        amount: entry.amount,
        order_id: line.order.map(order_text),
        kind: line.kind,
        cause,
        adopter: line.adopter.clone().filter(|adopter| request.may_name(adopter)),
        effective_date: line.effective_date,
        expire_date: line.expire_date,
        would_have_changed: entry.missed.map(|(first_date, last_date)| DatesView { first_date, last_date }),
        page: line.position,
        posted_at: instant(line.time_ms),
    }
}

/// What a file shows.
struct Shown<'a> {
    owner: &'a Owner,
    period: &'a Period,
    sums: &'a Sums,
    entries: &'a [Entry],
}

fn csv(shown: &Shown<'_>, is_first: bool, next_cursor: Option<String>) -> Result<Answer, Problem> {
    let Shown { owner, period, sums, entries } = shown;
    let mut csv = Csv::default();
    if is_first {
        csv.texts(["date", "movement", "order_id", "effective_date", "expire_date", "amount", "account"]);
        let opening = [number_cell(period.from.previous()), "OPENING_BALANCE".to_owned()];
        let rest = [String::new(), String::new(), String::new(), number_cell(sums.opening)];
        csv.row(opening.into_iter().chain(rest).chain([text_cell(&owner.to_string())]));
    }
    for entry in *entries {
        csv.row([
            number_cell(entry.date),
            entry.movement.name().to_owned(),
            entry.line.order.map(order_text).unwrap_or_default(),
            number_cell(entry.line.effective_date),
            entry.line.expire_date.map(number_cell).unwrap_or_default(),
            number_cell(entry.amount),
            text_cell(&owner.to_string()),
        ]);
    }
    if next_cursor.is_none() {
        let closing = [number_cell(period.to), "CLOSING_BALANCE".to_owned()];
        let rest = [String::new(), String::new(), String::new(), number_cell(sums.closing()?)];
        csv.row(closing.into_iter().chain(rest).chain([text_cell(&owner.to_string())]));
    }
    let name = format!("attachment; filename=\"statement-{}-{}.csv\"", period.from, period.to);
    let answer = Answer::text("text/csv; charset=utf-8", csv.finish());
    let answer = answer.with_header("content-disposition", name);
    Ok(match next_cursor {
        Some(cursor) => answer.with_header("link", format!("<statement?cursor={cursor}>; rel=\"next\"")),
        None => answer,
    })
}
