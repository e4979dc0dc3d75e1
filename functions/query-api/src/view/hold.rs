//! Why an adoption is held, and what would help.

use cdc::{Profile, Table};
use domain::log::HoldReason;
use domain::{TermsColumn, TermsFault};
use serde::Serialize;

use crate::language::Language;

/// Why an adoption is held, and what would help.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HoldView {
    reason: &'static str,
    /// The column of the row that is at fault.
    column: Option<&'static str>,
    /// The account that the reason is about.
    account: Option<String>,
    detail: String,
    help: String,
}

impl HoldView {
    /// Returns the reason in words. `profile` is what columns were looked for by; `name` gives an account as the
    /// caller may see it.
    pub(crate) fn new(
        reason: &HoldReason,
        profile: &Profile,
        language: Language,
        name: impl Fn(&domain::AccountSequence) -> String,
    ) -> Self {
        let account = reason.account().map(name);
        let shown = account.clone().unwrap_or_default();
        let detail = match reason {
            HoldReason::InvalidTerms(fault) => terms(*fault, language),
            _ => detail(reason, &shown, language),
        };
        let mut help = help(reason, language).to_owned();
        if let Some(column) = column_of(reason) {
            help.push_str(&looked_for(column, profile, language));
        }
        Self { reason: reason.name(), column: column(reason), account, detail, help }
    }
}

fn column(reason: &HoldReason) -> Option<&'static str> {
    column_of(reason).map(TermsColumn::name)
}

fn column_of(reason: &HoldReason) -> Option<TermsColumn> {
    match reason {
        HoldReason::InvalidTerms(
            TermsFault::Missing(column) | TermsFault::Unreadable(column) | TermsFault::OutOfBounds(column),
        ) => Some(*column),
        _ => None,
    }
}

/// Returns the names by which the profile looks for a column.
fn looked_for(column: TermsColumn, profile: &Profile, language: Language) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (_, table) in profile.tables() {
        let Table::Adoptions { columns, .. } = table else { continue };
        let columns = match column {
            TermsColumn::Account => &columns.account,
            TermsColumn::Trees => &columns.tree_count,
            TermsColumn::Price => &columns.contribution_per_tree,
            TermsColumn::Date => &columns.adoption_date,
        };
        for name in columns.names() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let (names, profile) = (names.join(", "), profile.name());
    language.choose(
        format!(" The profile {profile} looks for it as {names}."),
        format!("配置 {profile} 查找的列名是 {names}。"),
    )
}

fn terms(fault: TermsFault, language: Language) -> String {
    use domain::TermsColumn::{Account, Date, Price, Trees};
    let chinese = |column| match column {
        Account => "账户",
        Trees => "棵数",
        Price => "单价",
        Date => "日期",
    };
    match language {
        Language::English => fault.to_string(),
        Language::Chinese => match fault {
            TermsFault::Missing(column) => format!("缺少{}", chinese(column)),
            TermsFault::Unreadable(column) => format!("{}无法读取", chinese(column)),
            TermsFault::OutOfBounds(column) => format!("{}超出允许范围", chinese(column)),
            TermsFault::TotalTooLarge => "总额超过 18 位整数".to_owned(),
        },
    }
}

fn detail(reason: &HoldReason, account: &str, language: Language) -> String {
    match reason {
        HoldReason::Status | HoldReason::InvalidTerms(_) => {
            language.choose("its status does not count", "其状态不计入").to_owned()
        }
        HoldReason::NotYet => language.choose("it is dated later than tomorrow", "其日期晚于明天").to_owned(),
        HoldReason::PostingPaused => {
            language.choose("an operator stopped posting", "运营人员已暂停分配").to_owned()
        }
        HoldReason::NoReferral(_) => {
            language.choose(format!("{account} has no referral row"), format!("{account} 没有推荐关系记录"))
        }
        HoldReason::ReferralCycle(_) => language.choose(
            format!("the way up from the adopter meets {account} twice"),
            format!("从认种人向上两次遇到 {account}"),
        ),
        HoldReason::AccountUnreadable(_) => language.choose(
            format!("the head of {account} cannot be read from storage"),
            format!("{account} 的账户数据无法读取"),
        ),
    }
}

fn help(reason: &HoldReason, language: Language) -> &'static str {
    match reason {
        HoldReason::Status => language.choose(
            "It is posted once the source gives it a status that counts.",
            "来源把状态改为可计入后即分配。",
        ),
        HoldReason::InvalidTerms(_) => language.choose(
            "Correct the column at the source, or the profile's name for it.",
            "请在来源改正该列，或改正配置中的列名。",
        ),
        HoldReason::NotYet => {
            language.choose("Nothing: it is posted when its date has come.", "无需处理：到期即分配。")
        }
        HoldReason::PostingPaused => {
            language.choose("Resume posting: it is posted then.", "恢复分配后即处理。")
        }
        HoldReason::NoReferral(_) => language.choose(
            "Look for the account's row in the referrals' table, and in the quarantine.",
            "请在推荐关系表和隔离区查找该账户的记录。",
        ),
        HoldReason::ReferralCycle(_) => {
            language.choose("Break the cycle in the referrals' table.", "请在推荐关系表中解除循环。")
        }
        HoldReason::AccountUnreadable(_) => language.choose(
            "Rebuild the account's head from the log; ask for a repair of this order then.",
            "请由日志重建该账户，然后对该订单执行修复。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use watch::language::is_chinese;

    use super::*;

    #[test]
    fn every_reason_says_what_would_help_in_both_languages() {
        let account: domain::AccountSequence = "D1".parse().expect("an account");
        let reasons = [
            HoldReason::Status,
            HoldReason::InvalidTerms(TermsFault::Missing(TermsColumn::Account)),
            HoldReason::InvalidTerms(TermsFault::Unreadable(TermsColumn::Price)),
            HoldReason::InvalidTerms(TermsFault::OutOfBounds(TermsColumn::Trees)),
            HoldReason::InvalidTerms(TermsFault::TotalTooLarge),
            HoldReason::NotYet,
            HoldReason::PostingPaused,
            HoldReason::NoReferral(account.clone()),
            HoldReason::ReferralCycle(account.clone()),
            HoldReason::AccountUnreadable(account),
        ];
        for reason in reasons {
            let profile = Profile::named("guide").expect("a known name");
            let view = |language| HoldView::new(&reason, &profile, language, ToString::to_string);
            let (english, chinese) = (view(Language::English), view(Language::Chinese));
            assert!(!is_chinese(&english.detail) && !is_chinese(&english.help), "{reason}");
            assert!(is_chinese(&chinese.detail) && is_chinese(&chinese.help), "{reason}");
            let names_profile = english.help.contains("guide") && chinese.help.contains("guide");
            assert_eq!(names_profile, english.column.is_some(), "{reason}");
            assert_eq!(english.account, reason.account().map(ToString::to_string));
        }
    }
}
