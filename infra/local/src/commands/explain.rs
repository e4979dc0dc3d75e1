//! `contribution explain`: reads a kept ledger, or asks the API of a deployment, and writes nothing.

mod deployed;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::DateTime;
use domain::heads::{AdoptionHead, AdoptionState};
use domain::log::{Cause, Entry, Page, Position};
use domain::{Amount, BusinessDate, Column, OrderId, Versions, contribution_per_tree};
use serde::Serialize;
use serde_json::Value;
use store::heads;

use super::kept::Kept;
use super::{show, unless_stopped};
use crate::arguments::{Asked, Explain, kept_options};
use crate::gateway::{Gateway, Request};
use crate::language::{Language, accept_language, say};
use crate::progress_line::ProgressLine;
use crate::token::{AUDIENCE, Authorizer, DevelopmentKey, Grant, ISSUER};

/// Why an adoption is what it is.
#[derive(Debug, Serialize)]
struct Explanation {
    order_id: String,
    terms: Option<Terms>,
    /// The trees before it in the whole network, where its place in the price book was decided.
    trees_before: Option<u64>,
    /// What the API says: legs with their reasons, and the chain with what it had unlocked.
    distribution: Value,
    /// What the log decided about it, in order; of a deployment the last of it alone.
    history: Vec<Decision>,
    /// Whether that is all of it.
    history_is_complete: bool,
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

/// Explains an adoption of a kept ledger, or of a deployment.
pub(super) async fn explain(arguments: Explain) -> Result<()> {
    let asked = &arguments.asked;
    // What programs read is the same everywhere.
    let language = if asked.json { Language::English } else { Language::of_environment() };
    let Some(data) = &asked.data else {
        let (explanation, text) = deployed::explanation(asked, arguments.order, language).await?;
        return explanation.show(&text, asked, language);
    };
    unless_stopped(Some(data), async {
        let kept = Kept::open(&kept_options(data, &asked.parameters)?, data).await?;
        let order = arguments.order;
        let mut heads = heads::adoptions(kept.stack.engine(), vec![order]).await?;
        let at = heads.remove(&order).unwrap_or_default();
        let shown = data.display();
        ensure!(
            at.position > 0,
            say(
                format!(
                    "the ledger in {shown} knows no order {order}: check the number, or replay the capture that it is in"
                ),
                format!("{shown} 中的账本没有订单 {order}：请核对订单号，或重放含有它的捕获文件"),
            )
        );
        let network = store::network::read(kept.stack.engine()).await?;
        let no_checkpoint =
            say("the decider has no checkpoint; run the same command again", "尚无检查点；请再次运行同一命令");
        let versions = network.context(no_checkpoint)?.versions;
        let (distribution, text) = of_api(&kept, data, order).await?;
        let explanation = Explanation {
            order_id: order.to_string(),
            terms: terms(&at.head, &versions)?,
            trees_before: at.head.trees_before,
            distribution,
            history: history(&kept, order, language).await?,
            history_is_complete: true,
        };
        explanation.show(&text, asked, language)
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
        headers: [
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("accept-language".to_owned(), accept_language().to_owned()),
        ]
        .into(),
        ..Request::default()
    };
    let response = gateway.answer(request).await;
    let body: Value = serde_json::from_slice(&response.body).context("the API answers with JSON")?;
    if response.status != 200 {
        let why = body["detail"].as_str().or(body["title"].as_str()).unwrap_or_default();
        bail!(say(
            format!("the API does not explain order {order}: {why}"),
            format!("接口无法说明订单 {order}：{why}")
        ));
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
            bail!(say(
                "a posted order has neither a price nor a place in the price book: audit the ledger",
                "已分配的订单既无价格也无价格位次：请审计账本"
            ))
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
async fn history(kept: &Kept, order: OrderId, language: Language) -> Result<Vec<Decision>> {
    let engine = kept.stack.engine();
    let end = store::network::read(engine).await?.map_or(0, |network| network.position);
    let mut progress = ProgressLine::new("explain", say("pages read", "页已读"), end);
    let mut history = Vec::new();
    store::log::each_page(engine, 0, Position::MAX, |page| {
        progress.set(page.position, end.max(page.position));
        let about = page.entries.iter().filter(|entry| AdoptionHead::order_of(entry) == Some(order));
        history.extend(about.filter_map(|entry| Decision::of(entry, &page, language)));
        anyhow::Ok(())
    })
    .await?;
    progress.finish();
    Ok(history)
}

impl Decision {
    fn of(entry: &Entry, page: &Page, language: Language) -> Option<Self> {
        let (what, cause) = what(entry, language)?;
        let decided_at = DateTime::from_timestamp_millis(page.time_ms).map(|at| at.to_rfc3339());
        Some(Self {
            page: page.position,
            decided_at: decided_at.unwrap_or_default(),
            what,
            cause: cause.map(|cause| cause_text(cause, language)),
        })
    }
}

/// Returns what an entry says of an adoption, and why.
fn what(entry: &Entry, language: Language) -> Option<(String, Option<&Cause>)> {
    let say = |english: &str, chinese: &str| language.say(english, chinese).to_owned();
    Some(match entry {
        Entry::AdoptionRow { row: Some(row), .. } => {
            let status = &row.status;
            (language.say(format!("row taken in, status {status}"), format!("读入记录，状态 {status}")), None)
        }
        Entry::AdoptionRow { row: None, .. } => (say("row went", "记录消失"), None),
        Entry::Placed { trees_before, .. } => (
            language.say(
                format!("placed: {trees_before} trees before it"),
                format!("定价：此前 {trees_before} 棵"),
            ),
            None,
        ),
        Entry::Unpriced { .. } => (say("waits for its place in the price book", "等待价格位次"), None),
        Entry::Held(held) => {
            let reason = &held.reason;
            (language.say(format!("held: {reason}"), format!("暂挂：{reason}")), None)
        }
        Entry::HoldEnded(_) => (say("hold ended", "暂挂解除"), None),
        Entry::OrderWaits(_) => (say("a change of its row waits", "记录变更等待中"), None),
        Entry::OrderWaitEnded { .. } => (say("the change no longer waits", "变更不再等待"), None),
        Entry::Gone { .. } => (say("no row names it any more", "已无记录"), None),
        Entry::Posted { posting, cause, .. } => {
            let total = posting.total;
            (language.say(format!("posted: {total}"), format!("分配：{total}")), Some(cause))
        }
        Entry::Withdrawn { posting, cause, .. } => {
            let total = posting.total;
            (language.say(format!("withdrawn: {total}"), format!("撤销：{total}")), Some(cause))
        }
        Entry::Corrected(correction) => {
            let (was, is) = (correction.was.total, correction.is.total);
            let what = if was == is {
                language.say(format!("legs corrected: {is}"), format!("更正份额：{is}"))
            } else {
                language.say(format!("corrected: {was} to {is}"), format!("更正：{was} 改为 {is}"))
            };
            (what, Some(&correction.cause))
        }
        _ => return None,
    })
}

fn cause_text(cause: &Cause, language: Language) -> String {
    let say = |english: &str, chinese: &str| language.say(english, chinese).to_owned();
    match cause {
        Cause::Row => say("its own row", "本订单记录"),
        Cause::Price => say("its place in the price book was decided", "价格位次已定"),
        Cause::Date => say("its date came", "日期已到"),
        Cause::Unlock { order } => language.say(
            format!("order {order} changed what its upline had unlocked"),
            format!("订单 {order} 改变了上线的解锁"),
        ),
        Cause::Upline { account } => language.say(
            format!("the referrer of {account} changed, or became known"),
            format!("{account} 的推荐人已变更或刚获知"),
        ),
        Cause::Version { number } => language.say(
            format!("version {number} of the rules was introduced"),
            format!("启用了第 {number} 版规则"),
        ),
        Cause::Repair => say("an operator asked for a repair", "运维人员要求修复"),
    }
}

impl Explanation {
    /// Prints the explanation, with what the API says of legs and chain.
    fn show(&self, of_api: &str, asked: &Asked, language: Language) -> Result<()> {
        if asked.json {
            return show(&serde_json::to_string_pretty(self)?);
        }
        show(&self.text(of_api, language))
    }

    /// Returns the explanation as lines of text, with what the API says of legs and chain.
    fn text(&self, of_api: &str, language: Language) -> String {
        let mut text = of_api.to_owned();
        text.extend(self.terms.as_ref().map(|terms| self.terms_text(terms, language)));
        let place = match (self.trees_before, &self.terms) {
            (Some(before), _) => {
                language.say(format!("{before} trees before it"), format!("此前 {before} 棵"))
            }
            (None, None) => language.say("none yet", "暂无").to_owned(),
            (None, Some(_)) => {
                language.say("it has none, because the source has its price", "无，来源已有价格").to_owned()
            }
        };
        let (title, history) =
            (language.say("place in the price book", "价格位次"), language.say("history", "经过"));
        let _ = writeln!(text, "{title}\n  {place}\n{history}");
        for Decision { page, decided_at, what, cause } in &self.history {
            let because = language.say(", because ", "，缘由：");
            let cause = cause.as_ref().map(|cause| format!("{because}{cause}")).unwrap_or_default();
            let page = language.say(format!("page {page}"), format!("第 {page} 页"));
            let _ = writeln!(text, "  {page}, {decided_at}: {what}{cause}");
        }
        if !self.history_is_complete {
            let more = "  what came before it is shown of a kept ledger (see --data)";
            let _ =
                writeln!(text, "{}", language.say(more, "  更早的经过须在保存的账本中查看（参见 --data）"));
        }
        text
    }

    fn terms_text(&self, terms: &Terms, language: Language) -> String {
        let before = self.trees_before.unwrap_or_default();
        let from = match terms.price_from {
            PriceSource::Source => language.say("the price is the source's", "价格来自来源").to_owned(),
            PriceSource::PriceBook => language.say(
                format!("the price follows from {before} trees before it"),
                format!("价格由此前 {before} 棵得出"),
            ),
        };
        let Terms { trees, contribution_per_tree: price, total, version, .. } = terms;
        let (adopted, active, until) = (terms.adoption_date, terms.effective_date, terms.expire_date);
        language.say(
            format!(
                "terms\n  {trees} trees of {price} are {total}; {from}\n  adopted on {adopted}, active from {active} to \
                 before {until}, by version {version} of the rules\n"
            ),
            format!(
                "条款\n  {trees} 棵，每棵 {price}，合计 {total}；{from}\n  认种日 {adopted}，自 {active} 生效至 {until} \
                 之前，按第 {version} 版规则\n"
            ),
        )
    }
}
