//! `contribution explain`: reads a kept ledger, and writes nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::DateTime;
use domain::heads::{AdoptionHead, AdoptionState};
use domain::log::{Cause, Entry, Page};
use domain::{Amount, BusinessDate, Column, OrderId, Versions, contribution_per_tree};
use serde::Serialize;
use serde_json::Value;
use store::heads;

use super::kept::Kept;
use super::{show, unless_stopped};
use crate::arguments::Explain;
use crate::gateway::{Gateway, Request};
use crate::progress_line::ProgressLine;
use crate::token::{AUDIENCE, Authorizer, DevelopmentKey, Grant, ISSUER};

/// How many pages of the log are read at once.
const PAGES_READ: u32 = 64;

/// Why an adoption is what it is.
#[derive(Debug, Serialize)]
struct Explanation {
    order_id: String,
    terms: Option<Terms>,
    /// The trees before it in the whole network, where its place in the price book was decided.
    trees_before: Option<u64>,
    /// What the API says: legs with their reasons, and the chain with what it had unlocked.
    distribution: Value,
    /// What the log decided about it, in order.
    history: Vec<Decision>,
}

/// What an adoption was judged by.
#[derive(Debug, Serialize)]
struct Terms {
    account: String,
    trees: u32,
    contribution_per_tree: Amount,
    price_from: PriceSource,
    total: Amount,
    adoption_date: BusinessDate,
    effective_date: BusinessDate,
    expire_date: BusinessDate,
    /// The version of the rules that judges it.
    version: u32,
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PriceSource {
    Source,
    PriceBook,
}

/// An entry of the log about an adoption.
#[derive(Debug, Serialize)]
struct Decision {
    page: u64,
    decided_at: String,
    what: String,
    cause: Option<String>,
}

/// Explains an adoption of a kept ledger.
pub(super) async fn explain(arguments: Explain) -> Result<()> {
    let data = &arguments.kept.data;
    unless_stopped(Some(data), async {
        let kept = Kept::open(&arguments.kept.options()?, data).await?;
        let order = arguments.order;
        let mut heads = heads::adoptions(kept.stack.engine(), vec![order]).await?;
        let at = heads.remove(&order).unwrap_or_default();
        ensure!(
            at.position > 0,
            "the ledger in {} knows no order {order}: check the number, or replay the capture that it is in",
            data.display()
        );
        let network = store::network::read(kept.stack.engine()).await?;
        let versions = network.context("the decider has no checkpoint; run the same command again")?.versions;
        let (distribution, text) = of_api(&kept, data, order).await?;
        let explanation = Explanation {
            order_id: order.to_string(),
            terms: terms(&at.head, &versions)?,
            trees_before: at.head.trees_before,
            distribution,
            history: history(&kept, order).await?,
        };
        if arguments.json {
            return show(&serde_json::to_string_pretty(&explanation)?);
        }
        show(&explanation.text(&text))
    })
    .await
}

/// Returns what the API explains, for programs and for people.
async fn of_api(kept: &Kept, data: &Path, order: OrderId) -> Result<(Value, String)> {
    let key = DevelopmentKey::kept_in(Some(data))?;
    let gateway = Gateway {
        routes: kept.stack.routes.clone(),
        authorizer: Authorizer::new(key.clone(), ISSUER, AUDIENCE),
        shared: Arc::clone(&kept.stack.shared),
    };
    let token = key.issue(&Grant::Operate, kept.stack.shared.clock.now());
    let request = Request {
        method: "GET".to_owned(),
        path: format!("/v1/adoptions/{order}/explain"),
        headers: [("authorization".to_owned(), format!("Bearer {token}"))].into(),
        ..Request::default()
    };
    let response = gateway.answer(request).await;
    let body: Value = serde_json::from_slice(&response.body).context("the API answers with JSON")?;
    if response.status != 200 {
        bail!(
            "the API does not explain order {order}: {}",
            body["detail"].as_str().unwrap_or("no reason given")
        );
    }
    Ok((body["explanation"].clone(), body["text"].as_str().unwrap_or_default().to_owned()))
}

fn terms(head: &AdoptionHead, versions: &Versions) -> Result<Option<Terms>> {
    let AdoptionState::Posted(posting) = &head.state else { return Ok(None) };
    let version = versions.numbered(posting.version);
    let policy =
        &version.with_context(|| format!("version {} of the rules is not known", posting.version))?.policy;
    let term = posting.term(policy);
    let of_source = head.row().and_then(|row| match &row.price {
        Column::Value(price) => *price,
        Column::Missing | Column::Unreadable => None,
    });
    let (contribution_per_tree, price_from) = match (of_source, head.trees_before) {
        (Some(price), _) => (price, PriceSource::Source),
        (None, Some(before)) => (contribution_per_tree(before, policy)?.amount(), PriceSource::PriceBook),
        (None, None) => {
            bail!("a posted order has neither a price nor a place in the price book: audit the ledger")
        }
    };
    Ok(Some(Terms {
        account: posting.account.to_string(),
        trees: posting.trees,
        contribution_per_tree,
        price_from,
        total: posting.total,
        adoption_date: posting.adoption_date,
        effective_date: term.effective_date,
        expire_date: term.expire_date,
        version: posting.version,
    }))
}

/// Returns everything that the log decided about an order.
async fn history(kept: &Kept, order: OrderId) -> Result<Vec<Decision>> {
    let engine = kept.stack.engine();
    let end = store::network::read(engine).await?.map_or(0, |network| network.position);
    let mut progress = ProgressLine::new("explain", "pages read", end);
    let (mut after, mut history) = (0, Vec::new());
    loop {
        let pages = store::log::read_after(engine, after, PAGES_READ).await?;
        let Some(last) = pages.last() else { break };
        after = last.position;
        progress.set(after, end.max(after));
        for page in &pages {
            let about = page.entries.iter().filter(|entry| AdoptionHead::order_of(entry) == Some(order));
            history.extend(about.filter_map(|entry| Decision::of(entry, page)));
        }
    }
    progress.finish();
    Ok(history)
}

impl Decision {
    fn of(entry: &Entry, page: &Page) -> Option<Self> {
        let (what, cause) = match entry {
            Entry::AdoptionRow { row: Some(row), .. } => {
                (format!("row taken in, status {}", row.status), None)
            }
            Entry::AdoptionRow { row: None, .. } => ("row went".to_owned(), None),
            Entry::Placed { trees_before, .. } => (format!("placed: {trees_before} trees before it"), None),
            Entry::Unpriced { .. } => ("waits for its place in the price book".to_owned(), None),
            Entry::Held(held) => (format!("held: {}", held.reason), None),
            Entry::HoldEnded(_) => ("hold ended".to_owned(), None),
            Entry::OrderWaits(_) => ("a change of its row waits".to_owned(), None),
            Entry::OrderWaitEnded { .. } => ("the change no longer waits".to_owned(), None),
            Entry::Gone { .. } => ("no row names it any more".to_owned(), None),
            Entry::Posted { posting, cause, .. } => (format!("posted: {}", posting.total), Some(cause)),
            Entry::Withdrawn { posting, cause, .. } => (format!("withdrawn: {}", posting.total), Some(cause)),
            Entry::Corrected(correction) => {
                let (was, is) = (correction.was.total, correction.is.total);
                let what = if was == is {
                    format!("legs corrected: {is}")
                } else {
                    format!("corrected: {was} to {is}")
                };
                (what, Some(&correction.cause))
            }
            _ => return None,
        };
        let decided_at = DateTime::from_timestamp_millis(page.time_ms).map(|at| at.to_rfc3339());
        Some(Self {
            page: page.position,
            decided_at: decided_at.unwrap_or_default(),
            what,
            cause: cause.map(cause_text),
        })
    }
}

fn cause_text(cause: &Cause) -> String {
    match cause {
        Cause::Row => "its own row".to_owned(),
        Cause::Price => "its place in the price book was decided".to_owned(),
        Cause::Date => "its date came".to_owned(),
        Cause::Unlock { order } => format!("order {order} changed what its upline had unlocked"),
        Cause::Upline { account } => format!("{account} has another referrer"),
        Cause::Version { number } => format!("version {number} of the rules was introduced"),
        Cause::Repair => "an operator asked for a repair".to_owned(),
    }
}

impl Explanation {
    /// Returns the explanation as lines of text, with what the API says of legs and chain.
    fn text(&self, of_api: &str) -> String {
        let mut text = of_api.to_owned();
        if let Some(terms) = &self.terms {
            let from = match terms.price_from {
                PriceSource::Source => "the price is the source's".to_owned(),
                PriceSource::PriceBook => {
                    format!(
                        "the price follows from {} trees before it",
                        self.trees_before.unwrap_or_default()
                    )
                }
            };
            let _ = writeln!(
                text,
                "terms\n  {} trees of {} are {}; {from}\n  adopted on {}, active from {} to before {}, by version {} of \
                 the rules",
                terms.trees,
                terms.contribution_per_tree,
                terms.total,
                terms.adoption_date,
                terms.effective_date,
                terms.expire_date,
                terms.version
            );
        }
        let place = self.trees_before.map_or_else(
            || "it has none, because the source has its price".to_owned(),
            |before| format!("{before} trees before it"),
        );
        let place =
            if self.terms.is_none() && self.trees_before.is_none() { "none yet".to_owned() } else { place };
        let _ = writeln!(text, "place in the price book\n  {place}\nhistory");
        for Decision { page, decided_at, what, cause } in &self.history {
            let cause = cause.as_ref().map(|cause| format!(", because {cause}")).unwrap_or_default();
            let _ = writeln!(text, "  page {page}, {decided_at}: {what}{cause}");
        }
        text
    }
}
