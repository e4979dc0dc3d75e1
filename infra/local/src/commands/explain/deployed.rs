//! Explains an adoption of a deployment, by what its API says.

use anyhow::{Context as _, Result};
use domain::log::Cause;
use domain::{AccountSequence, Amount, OrderId};
use serde_json::Value;

use super::{Decision, Explanation, PriceSource, Terms, cause_text};
use crate::arguments::Asked;
use crate::client::Client;
use crate::language::Language;

/// Returns why the adoption is what it is, and what the API says of legs and chain in words.
pub(super) async fn explanation(
    asked: &Asked,
    order: OrderId,
    language: Language,
) -> Result<(Explanation, String)> {
    let client = Client::of(asked)?;
    let answer = client.json(&format!("/v1/adoptions/{order}/explain")).await?;
    let adoption = client.json(&format!("/v1/adoptions/{order}")).await?;
    let explanation = Explanation {
        order_id: order.to_string(),
        terms: terms(&adoption).context("the API does not say by what the adoption was judged")?,
        trees_before: adoption["trees_before"].as_u64(),
        distribution: answer["explanation"].clone(),
        history: decision(&adoption, language).into_iter().collect(),
        history_is_complete: false,
    };
    Ok((explanation, answer["text"].as_str().unwrap_or_default().to_owned()))
}

/// Returns what the adoption was judged by, if it is posted.
fn terms(adoption: &Value) -> Result<Option<Terms>> {
    let posted = &adoption["distribution"];
    if posted.is_null() {
        return Ok(None);
    }
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text is missing");
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let waits = !adoption["in_force"].is_null();
    let row = &adoption[if waits { "in_force" } else { "source" }];
    let trees = number(&posted["tree_count"]).context("the count of trees is missing")?;
    let total: Amount = text(&posted["total"])?.parse()?;
    let (contribution_per_tree, price_from) = match row["contribution_per_tree"].as_str() {
        Some(price) => (price.parse()?, PriceSource::Source),
        None => (per_tree(total, trees)?, PriceSource::PriceBook),
    };
    Ok(Some(Terms {
        account: text(&posted["account"])?,
        trees,
        contribution_per_tree,
        price_from,
        total,
        adoption_date: text(&row["adoption_date"])?.parse()?,
        effective_date: text(&posted["effective_date"])?.parse()?,
        expire_date: text(&posted["expire_date"])?.parse()?,
        version: number(&posted["version"]).context("the version of the rules is missing")?,
    }))
}

/// Returns what one of so many equal trees contributes.
fn per_tree(total: Amount, trees: u32) -> Result<Amount> {
    let units = total.units().checked_div(trees.into()).context("an adoption has a tree at least")?;
    Ok(Amount::from_units(units)?)
}

/// Returns the last entry of the log about the adoption.
fn decision(adoption: &Value, language: Language) -> Option<Decision> {
    let entry = &adoption["last_entry"];
    Some(Decision {
        page: entry["page"].as_u64()?,
        decided_at: entry["decided_at"].as_str()?.to_owned(),
        what: what(entry["kind"].as_str()?, adoption, language),
        cause: cause(&entry["cause"]).map(|cause| cause_text(&cause, language)),
    })
}

/// Returns what the last entry says of the adoption.
fn what(kind: &str, adoption: &Value, language: Language) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let total = text(&adoption["distribution"]["total"]);
    let reason = text(&adoption["hold"]["reason"]);
    match kind {
        "POSTED" => language.say(format!("posted: {total}"), format!("分配：{total}")),
        "CORRECTED" => language.say(format!("corrected: {total}"), format!("更正：{total}")),
        "HELD" => language.say(format!("held: {reason}"), format!("暂挂：{reason}")),
        "WITHDRAWN" => language.say("withdrawn", "撤销").to_owned(),
        "HOLD_ENDED" => language.say("hold ended", "暂挂解除").to_owned(),
        "UNPRICED" => language.say("waits for its place in the price book", "等待价格位次").to_owned(),
        "PLACED" => language.say("placed in the price book", "价格位次已定").to_owned(),
        "GONE" => language.say("no row names it any more", "已无记录").to_owned(),
        "WAITS" => language.say("a change of its row waits", "记录变更等待中").to_owned(),
        "WAIT_ENDED" => language.say("the change no longer waits", "变更不再等待").to_owned(),
        "ROW_CHANGED" => language.say("its row was taken in", "读入记录").to_owned(),
        other => other.to_owned(),
    }
}

/// Returns why the last entry was decided, if it says so.
fn cause(cause: &Value) -> Option<Cause> {
    let order = || cause["order_id"].as_str()?.parse::<OrderId>().ok();
    let account = || cause["account"].as_str()?.parse::<AccountSequence>().ok();
    Some(match cause["kind"].as_str()? {
        "ROW" => Cause::Row,
        "PRICE" => Cause::Price,
        "DATE" => Cause::Date,
        "UNLOCK" => Cause::Unlock { order: order()? },
        "UPLINE" => Cause::Upline { account: account()? },
        "VERSION" => Cause::Version { number: u32::try_from(cause["version"].as_u64()?).ok()? },
        "REPAIR" => Cause::Repair,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn posted(price: &Value) -> Value {
        json!({
            "distribution": {
                "account": "D1", "tree_count": 3, "total": "67853.0000000003", "version": 1,
                "effective_date": "2026-01-11", "expire_date": "2028-01-11"
            },
            "source": { "contribution_per_tree": price, "adoption_date": "2026-01-10" },
            "in_force": null
        })
    }

    #[test]
    fn the_price_of_a_tree_is_the_sources_or_follows_from_the_total() {
        let terms = |price: Value| terms(&posted(&price)).expect("readable").expect("it is posted");
        let book = terms(Value::Null);
        assert_eq!(book.price_from, PriceSource::PriceBook);
        assert_eq!(book.contribution_per_tree.to_string(), "22617.6666666667");
        let source = terms(json!("22617.0000000000"));
        assert_eq!(source.price_from, PriceSource::Source);
        assert_eq!(source.contribution_per_tree.to_string(), "22617.0000000000");
    }

    #[test]
    fn an_adoption_that_is_not_posted_has_no_terms() {
        assert!(terms(&json!({ "distribution": null })).expect("readable").is_none());
        assert!(terms(&json!({ "distribution": { "account": "D1" } })).is_err());
    }

    #[test]
    fn every_kind_of_entry_is_said_in_both_languages() {
        let kinds = [
            "POSTED",
            "CORRECTED",
            "HELD",
            "WITHDRAWN",
            "HOLD_ENDED",
            "UNPRICED",
            "PLACED",
            "GONE",
            "WAITS",
            "WAIT_ENDED",
            "ROW_CHANGED",
        ];
        for kind in kinds {
            let adoption = posted(&Value::Null);
            let english = what(kind, &adoption, Language::English);
            let chinese = what(kind, &adoption, Language::Chinese);
            assert!(english != kind && english != chinese, "{kind}: {english}, {chinese}");
        }
    }
}
