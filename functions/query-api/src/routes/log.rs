//! `GET /v1/log` and `GET /v1/log/{page}`: the pages of the log, and what each holds.
//!
//! The log is what everything else follows from, so that these two routes show why anything is as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::heads::AdoptionHead;
use domain::log::{Entry, Page, PageHash, Position};
use domain::{Column, OrderId};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::expected::Expected;
use crate::language::Language;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::{instant, order_text};

pub(crate) const PAGES: Route = Route {
    method: Method::Get,
    path: "/v1/log",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(pages(request)),
};

pub(crate) const PAGE: Route = Route {
    method: Method::Get,
    path: "/v1/log/{page}",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(page(request)),
};

/// How many pages one answer lists at most.
const PAGES_MAX: usize = 20;
/// How many pages are read together.
const PAGES_AT_ONCE: u64 = 5;
/// After so many entries an answer reads no more pages: one page may have thousands, in hundreds of kilobytes.
const ENTRIES_ENOUGH: usize = 10_000;

#[derive(Debug, Serialize)]
struct PagesView {
    /// The last page first.
    pages: Vec<PageView>,
    next_cursor: Option<String>,
}

/// A page, without its entries.
#[derive(Debug, Serialize)]
struct PageView {
    page: Position,
    decided_at: DateTime<Utc>,
    hash: PageHash,
    previous_hash: PageHash,
    entry_count: usize,
    /// How many entries there are of each kind.
    kinds: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct WholePageView {
    #[serde(flatten)]
    page: PageView,
    entries: Vec<EntryView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    /// Its place in the page, from 0.
    entry: usize,
    kind: &'static str,
    order_id: Option<String>,
    account: Option<String>,
    /// What else there is to say in a few words.
    detail: Option<String>,
}

async fn pages(request: &Request<'_>) -> Result<Answer, Problem> {
    let limit = request.limit()?.min(PAGES_MAX);
    let end = request.network().await?.position;
    let last = request.place::<Position>()?.map_or(end, |before| before.saturating_sub(1).min(end));
    let pages = read_before(request, last, limit).await?;
    let first = pages.last().map_or(1, |page| page.position);
    Ok(Answer::json(&PagesView {
        next_cursor: (first > 1).then(|| request.cursor(first)),
        pages: pages.iter().map(PageView::from).collect(),
    })
    .at(end))
}

/// Returns the pages up to this one, the last page first, at most `limit`; fewer once they have enough entries.
async fn read_before(request: &Request<'_>, mut last: Position, limit: usize) -> Result<Vec<Page>, Problem> {
    let mut pages: Vec<Page> = Vec::new();
    let mut entries = 0;
    while last > 0 && pages.len() < limit && entries < ENTRIES_ENOUGH {
        let count = PAGES_AT_ONCE.min((limit - pages.len()) as u64);
        let positions: Vec<Position> = (last.saturating_sub(count) + 1..=last).collect();
        let wanted = positions.len();
        let mut read = store::log::read_at(request.engine(), positions).await?;
        if read.len() != wanted {
            return Err(Problem::inconsistent("the log has a gap"));
        }
        last -= wanted as u64;
        entries += read.iter().map(|page| page.entries.len()).sum::<usize>();
        read.reverse();
        pages.extend(read);
    }
    Ok(pages)
}

async fn page(request: &Request<'_>) -> Result<Answer, Problem> {
    let number: Position = request
        .path("page")
        .map_err(|_| Problem::invalid("page", Expected::new("the number of a page", "页号")))?;
    let (limit, skipped) = (request.limit()?, request.place::<usize>()?.unwrap_or(0));
    let end = request.network().await?.position;
    let pages = store::log::read_at(request.engine(), vec![number]).await?;
    let page = pages.first().ok_or_else(|| Problem::Unknown(Subject::Page, number.to_string()))?;
    let entries = page.entries.iter().enumerate().skip(skipped).take(limit);
    let next = skipped.saturating_add(limit);
    Ok(Answer::json(&WholePageView {
        page: PageView::from(page),
        entries: entries.map(|(place, entry)| EntryView::new(place, entry, request.language)).collect(),
        next_cursor: (next < page.entries.len()).then(|| request.cursor(next)),
    })
    .at(end))
}

impl From<&Page> for PageView {
    fn from(page: &Page) -> Self {
        let mut kinds = BTreeMap::new();
        for entry in &page.entries {
            *kinds.entry(kind(entry)).or_default() += 1;
        }
        Self {
            page: page.position,
            decided_at: instant(page.time_ms),
            hash: page.hash(),
            previous_hash: page.previous,
            entry_count: page.entries.len(),
            kinds,
        }
    }
}

impl EntryView {
    fn new(entry: usize, of: &Entry, language: Language) -> Self {
        Self {
            entry,
            kind: kind(of),
            order_id: order(of).map(order_text),
            account: account(of),
            detail: detail(of, language),
        }
    }
}

fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::ReferralRow { .. } => "REFERRAL_ROW",
        Entry::AdoptionRow { .. } => "ADOPTION_ROW",
        Entry::Upline(_) => "UPLINE",
        Entry::UplineWaits(_) => "UPLINE_WAITS",
        Entry::UplineWaitEnded { .. } => "UPLINE_WAIT_ENDED",
        Entry::OrderWaits(_) => "ORDER_WAITS",
        Entry::OrderWaitEnded { .. } => "ORDER_WAIT_ENDED",
        Entry::OrderSeen { .. } => "ORDER_SEEN",
        Entry::Eligible { .. } => "ELIGIBLE",
        Entry::Placed { .. } => "PLACED",
        Entry::Unpriced { .. } => "UNPRICED",
        Entry::Posted { .. } => "POSTED",
        Entry::Corrected(_) => "CORRECTED",
        Entry::Withdrawn { .. } => "WITHDRAWN",
        Entry::Held(_) => "HELD",
        Entry::HoldEnded(_) => "HOLD_ENDED",
        Entry::Gone { .. } => "GONE",
        Entry::WalkBegan(_) => "WALK_BEGAN",
        Entry::WalkStepped { .. } => "WALK_STEPPED",
        Entry::WalkEnded { .. } => "WALK_ENDED",
        Entry::VersionIntroduced(_) => "VERSION_INTRODUCED",
        Entry::Adjusted(_) => "ADJUSTED",
        Entry::Commanded { .. } => "COMMANDED",
        Entry::CloseWaits { .. } => "CLOSE_WAITS",
        Entry::Close(_) => "CLOSE",
        Entry::TruncateWaits(_) => "TRUNCATE_WAITS",
    }
}

fn order(entry: &Entry) -> Option<OrderId> {
    match entry {
        Entry::OrderSeen { order } | Entry::Eligible { order, .. } => Some(*order),
        _ => AdoptionHead::order_of(entry),
    }
}

fn account(entry: &Entry) -> Option<String> {
    let account = match entry {
        Entry::ReferralRow { account, .. } | Entry::UplineWaitEnded { account, .. } => account,
        Entry::Upline(change) => &change.account,
        Entry::UplineWaits(wait) => &wait.account,
        Entry::Posted { posting, .. } | Entry::Withdrawn { posting, .. } => &posting.account,
        Entry::Corrected(correction) => &correction.is.account,
        Entry::Held(held) | Entry::HoldEnded(held) => held.reason.account()?,
        Entry::AdoptionRow { row: Some(row), .. } => match &row.account {
            Column::Value(account) => account,
            Column::Missing | Column::Unreadable => return None,
        },
        Entry::Adjusted(terms) => return Some(terms.receiver.to_string()),
        _ => return None,
    };
    Some(account.to_string())
}

/// Returns what else there is to say of an entry: in the caller's language, but for what a person wrote.
fn detail(entry: &Entry, language: Language) -> Option<String> {
    let referrer = |referrer: Option<&domain::AccountSequence>| {
        referrer.map_or_else(|| "ROOT".to_owned(), |referrer| format!("UNDER {referrer}"))
    };
    let colon = language.choose(": ", "：");
    Some(match entry {
        Entry::ReferralRow { row: Some(named), .. } => referrer(named.as_ref()),
        Entry::ReferralRow { row: None, .. } | Entry::AdoptionRow { row: None, .. } => "GONE".to_owned(),
        Entry::AdoptionRow { row: Some(row), .. } => row.status.clone(),
        Entry::Upline(change) => referrer(change.after.referrer()),
        Entry::Placed { trees_before, .. } => format!("trees_before {trees_before}"),
        Entry::Posted { posting, .. } => posting.total.to_string(),
        Entry::Withdrawn { posting, .. } => format!("-{}", posting.total),
        Entry::Held(held) | Entry::HoldEnded(held) => held.reason.name().to_owned(),
        Entry::VersionIntroduced(terms) => format!("{} {}", language.choose("version", "版本"), terms.number),
        Entry::Adjusted(terms) => {
            let (amount, giver) = (&terms.amount, &terms.giver);
            language.choose(format!("{amount} from {giver}"), format!("{amount}，来自 {giver}"))
        }
        Entry::Commanded { by, reason, .. } => {
            format!("{by}{colon}{}", language.translate_unless_by_hand(reason))
        }
        Entry::CloseWaits { date, reasons } => {
            let reasons: Vec<String> = reasons.iter().map(|reason| language.translate(reason)).collect();
            format!("{date}{colon}{}", reasons.join(language.choose("; ", "；")))
        }
        Entry::Close(terms) => terms.date.to_string(),
        Entry::TruncateWaits(truncate) => truncate.table.clone(),
        _ => return None,
    })
}
