//! Explanations as a person reads them, in English and in Chinese.

use std::fmt::Write as _;

use super::{
    AccountExplanation, AdoptionExplanation, AncestorExplanation, Because, LegExplanation, Relation,
};
use crate::language::Language;
use crate::view::MissingView;

impl AdoptionExplanation {
    /// Returns the explanation as lines of text.
    pub(crate) fn text(&self, language: Language) -> String {
        let mut text =
            language.choose(format!("order {}: ", self.order_id), format!("订单 {}：", self.order_id));
        text.push_str(&self.standing(language));
        text.push('\n');
        for leg in &self.legs {
            let _ = writeln!(text, "  {}", leg_text(leg, language));
        }
        if !self.ancestors.is_empty() {
            let _ = writeln!(
                text,
                "{}",
                language.choose(
                    format!("ancestors as of order {}", self.order_id),
                    format!("截至订单 {} 的上线", self.order_id)
                )
            );
        }
        for ancestor in &self.ancestors {
            let _ = writeln!(text, "  {}", ancestor_text(ancestor, language));
        }
        text
    }

    fn standing(&self, language: Language) -> String {
        match (self.state, self.total) {
            (_, Some(total)) => {
                let adopter = self.adopter.as_ref().map(ToString::to_string).unwrap_or_default();
                language.choose(
                    format!("{adopter} adopted, {total} are shared out"),
                    format!("{adopter} 认种，共分配 {total}"),
                )
            }
            ("HELD", _) => language.choose("held, nothing is shared out", "暂挂，未分配").to_owned(),
            ("UNPRICED", _) => {
                language.choose("it waits for its place in the price book", "等待确定价格").to_owned()
            }
            _ => language.choose("no row of it is left", "来源中已无此订单").to_owned(),
        }
    }
}

impl AccountExplanation {
    /// Returns the explanation as lines of text.
    pub(crate) fn text(&self, adoption: &AdoptionExplanation, language: Language) -> String {
        let Self { order_id, account, .. } = self;
        let relation = relation_text(&self.relation, language);
        let mut text = language.choose(
            format!("order {order_id} and {account}: {relation}\n"),
            format!("订单 {order_id} 与 {account}：{relation}\n"),
        );
        if adoption.total.is_none() {
            let _ = writeln!(text, "{}", adoption.standing(language));
        }
        if let Some(ancestor) = &self.ancestor {
            let _ = writeln!(text, "{}", ancestor_text(ancestor, language));
        }
        let received = if self.received.is_empty() {
            language.choose("received nothing".to_owned(), "没有获得".to_owned())
        } else {
            language.choose(format!("received {}", self.total), format!("获得 {}", self.total))
        };
        let _ = writeln!(text, "{received}");
        for leg in &self.received {
            let _ = writeln!(text, "  {}", leg_text(leg, language));
        }
        if !self.missed.is_empty() {
            let _ = writeln!(text, "{}", language.choose("did not receive", "未获得"));
        }
        for leg in &self.missed {
            let _ = writeln!(text, "  {}", leg_text(leg, language));
        }
        text
    }
}

fn relation_text(relation: &Relation, language: Language) -> String {
    match relation {
        Relation::Adopter => language.choose("the adopter", "认种人本人").to_owned(),
        Relation::Ancestor { level } => {
            language.choose(format!("ancestor {level} of the adopter"), format!("认种人的第 {level} 级上线"))
        }
        Relation::BeyondLevels { level, levels } => language.choose(
            format!("ancestor {level} of the adopter, beyond the {levels} levels that take part"),
            format!("认种人的第 {level} 级上线，超出参与分配的 {levels} 级"),
        ),
        Relation::NotAnAncestor => {
            language.choose("not an ancestor of the adopter", "不是认种人的上线").to_owned()
        }
        Relation::NotAmong { levels } => language.choose(
            format!("not among the first {levels} ancestors of the adopter"),
            format!("不在认种人的前 {levels} 级上线之中"),
        ),
        Relation::ChainUnknown { missing } => language.choose(
            format!("not known, because {missing} has no referral row"),
            format!("未知：{missing} 没有推荐关系记录"),
        ),
        Relation::Unknown => {
            language.choose("not known, because the adopter is not", "未知：认种人未知").to_owned()
        }
    }
}

fn leg_text(leg: &LegExplanation, language: Language) -> String {
    let view = &leg.leg;
    let name = match view.index {
        // The tier is in the name already where the leg is unallocated.
        Some(index) if !view.r#type.starts_with("BONUS_TIER") => format!("{} {index}", view.r#type),
        _ => view.r#type.to_string(),
    };
    let because = because_text(leg, language);
    let mut text =
        format!("{name:<17} {:>20} {:<13} {because}", view.amount.to_string(), view.owner.to_string());
    if leg.outdated {
        text.push_str(language.choose(" (a correction is on its way)", "（正在更正）"));
    }
    text
}

fn because_text(leg: &LegExplanation, language: Language) -> String {
    let is_level = leg.leg.r#type.contains("LEVEL");
    match &leg.because {
        Because::OwnAdoption => language.choose("the adopter's own share", "认种人本人份额").to_owned(),
        Because::SystemShare => language.choose("a fixed share", "固定份额").to_owned(),
        Because::Rounding => language.choose("what rounding left over", "舍入余数").to_owned(),
        Because::Unlocked { unlocked } => {
            language.choose("unlocked: it had ", "已解锁：有 ").to_owned()
                + &count(*unlocked, is_level, language)
        }
        Because::NoAncestor { ancestors } => language.choose(
            format!("NO_ANCESTOR: the adopter has {ancestors} ancestors"),
            format!("NO_ANCESTOR：认种人只有 {ancestors} 级上线"),
        ),
        Because::Locked { unlocked, missing } => {
            let account = leg.leg.would_be_account.as_ref().map(ToString::to_string).unwrap_or_default();
            let had = count(*unlocked, is_level, language);
            let needs: Vec<String> = missing.iter().map(|missing| missing_text(*missing, language)).collect();
            let mut text = language.choose(
                format!("LOCKED: {account} had unlocked {had}"),
                format!("LOCKED：{account} 只解锁了 {had}"),
            );
            if !needs.is_empty() {
                let needs = needs.join(language.choose(" and ", "，"));
                text += &language.choose(format!("; it needed {needs}"), format!("；还需 {needs}"));
            }
            text
        }
    }
}

fn count(number: u8, is_level: bool, language: Language) -> String {
    let plural = if number == 1 { "" } else { "s" };
    let (english, chinese) = if is_level { ("level", "级") } else { ("bonus tier", "档奖励") };
    language.choose(format!("{number} {english}{plural}"), format!("{number} {chinese}"))
}

fn missing_text(missing: MissingView, language: Language) -> String {
    match missing {
        MissingView::OwnAdoption => language.choose("an adoption of its own", "本人认种").to_owned(),
        MissingView::DirectAdopters { needed, found } => language.choose(
            format!(
                "{needed} direct {} where it had {found}",
                if needed == 1 { "adopter" } else { "adopters" }
            ),
            format!("{needed} 名直推认种（当时 {found} 名）"),
        ),
    }
}

fn ancestor_text(ancestor: &AncestorExplanation, language: Language) -> String {
    let AncestorExplanation { level, account, unlock, first_order_id, direct_adopters } = ancestor;
    let Some(unlock) = unlock else {
        return language.choose(
            format!(
                "ancestor {level} {account}: its facts are incomplete; they are completed when they decide"
            ),
            format!("第 {level} 级上线 {account}：解锁数据不完整，用到时补全"),
        );
    };
    let (depth, tiers) = (unlock.level_depth, unlock.bonus_tiers);
    let first = match first_order_id {
        Some(order) => {
            language.choose(format!("first adopted with order {order}"), format!("首次认种为订单 {order}"))
        }
        None => language.choose("had not adopted", "尚未认种").to_owned(),
    };
    let named: Vec<String> = direct_adopters
        .iter()
        .map(|adopter| {
            let account = adopter.account.as_ref().map(ToString::to_string).unwrap_or_default();
            let order = &adopter.order_id;
            language.choose(format!("{account} with order {order}"), format!("{account}（订单 {order}）"))
        })
        .collect();
    let direct = unlock.direct_adopters;
    language.choose(
        format!(
            "ancestor {level} {account}: levels {depth}, bonus tiers {tiers}; {first}; direct adopters {direct}{}",
            if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) }
        ),
        format!(
            "第 {level} 级上线 {account}：解锁 {depth} 级、{tiers} 档；{first}；直推认种 {direct} 名{}",
            if named.is_empty() { String::new() } else { format!("：{}", named.join("、")) }
        ),
    )
}
