//! Says each problem of the verdict in words, in English and in Chinese.

use domain::log::PauseScope;

use super::{ForPeople, Trouble};
use crate::language::Language;

impl ForPeople {
    fn words(self, language: Language) -> &'static str {
        match self {
            Self::InvalidTerms => language.choose("terms that cannot be used", "条款不可用"),
            Self::NoReferral => {
                language.choose("an account above has no referral row", "上方账户没有推荐关系记录")
            }
            Self::ReferralCycle => language.choose("the referrers above form a cycle", "上方推荐关系成环"),
            Self::AccountUnreadable => {
                language.choose("an account's head cannot be read from storage", "账户数据无法读取")
            }
        }
    }
}

fn held(reason: ForPeople, count: u64, language: Language) -> String {
    let reason = reason.words(language);
    language.choose(
        format!("{count} {} held: {reason}", plural(count, "adoption is", "adoptions are")),
        format!("{count} 笔认种暂挂：{reason}"),
    )
}

fn behind(source: &str, partitions: usize, language: Language) -> String {
    let (partition, are) = if partitions == 1 { ("partition", "is") } else { ("partitions", "are") };
    language.choose(
        format!("{partitions} {partition} of {source} {are} not known to be read to the present"),
        format!("{source} 有 {partitions} 个分区尚未读到最新"),
    )
}

impl Trouble {
    /// Returns its name on every wire.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::SourceBehind { .. } => "SOURCE_BEHIND",
            Self::SnapshotGoesOn { .. } => "SNAPSHOT_GOES_ON",
            Self::CloseOverdue { .. } => "CLOSE_OVERDUE",
            Self::CloseSuspicious { .. } => "CLOSE_SUSPICIOUS",
            Self::CloseNegative { .. } => "CLOSE_NEGATIVE",
            Self::Brake { .. } => "BRAKE",
            Self::Truncated { .. } => "TRUNCATED",
            Self::Paused { .. } => "PAUSED",
            Self::ProjectionsBehind { .. } => "PROJECTIONS_BEHIND",
            Self::CorrectionGoesOn { .. } => "CORRECTION_GOES_ON",
            Self::WebhookStopped { .. } => "WEBHOOK_STOPPED",
            Self::AuditDifferences { .. } => "AUDIT_DIFFERENCES",
            Self::Held { .. } => "HELD",
            Self::Quarantined { .. } => "QUARANTINED",
            Self::Ambiguous { .. } => "AMBIGUOUS",
        }
    }

    /// Returns what is the matter.
    pub(super) fn what(&self, language: Language) -> String {
        match self {
            Self::SourceBehind { source, partitions, .. } => behind(source, *partitions, language),
            Self::SnapshotGoesOn { partitions } => language.choose(
                format!("the source's snapshot is being read in {partitions} partitions"),
                format!("正在读取来源快照（{partitions} 个分区）"),
            ),
            Self::CloseOverdue { waits_for, .. } => {
                let reasons: Vec<String> =
                    waits_for.iter().map(|reason| language.translate(reason)).collect();
                let reasons = reasons.join(language.choose("; ", "；"));
                if reasons.is_empty() {
                    language.choose("a date is not closed", "有日期尚未关账").to_owned()
                } else {
                    language.choose(
                        format!("a date is not closed; it waits for {reasons}"),
                        format!("有日期尚未关账，正在等待：{reasons}"),
                    )
                }
            }
            Self::CloseSuspicious { date, message } => language.choose(
                format!("the guard stops the close of {date}: {message}"),
                format!("{date} 的关账被警戒拦下：{}", language.translate(message)),
            ),
            Self::CloseNegative { date, headquarters } => language.choose(
                format!("{date} cannot be published: the row of HEADQUARTERS would be {headquarters}"),
                format!("{date} 无法发布：总部一行将为 {headquarters}"),
            ),
            Self::Brake { waiting } => language.choose(
                format!("the brake holds back changes of at least {waiting} adoptions"),
                format!("刹车拦下了至少 {waiting} 笔认种的变更"),
            ),
            Self::Truncated { tables } => language.choose(
                format!("the source truncated tables: {tables}"),
                format!("来源清空了 {tables} 张表"),
            ),
            Self::Paused { scope, .. } => language.choose(
                format!("{} is stopped by hand", scope_name(*scope, Language::English)),
                format!("{}已被人工暂停", scope_name(*scope, Language::Chinese)),
            ),
            Self::ProjectionsBehind { pages } => language.choose(
                format!("the projections are {pages} pages behind the log"),
                format!("投影落后日志 {pages} 页"),
            ),
            Self::CorrectionGoesOn { .. } => {
                language.choose("a correction goes on for long", "更正进行已久").to_owned()
            }
            Self::WebhookStopped { webhook, .. } => language.choose(
                format!("the subscription {webhook} is stopped: nothing is sent to it"),
                format!("订阅 {webhook} 已停止，不再推送"),
            ),
            Self::AuditDifferences { count, .. } => language
                .choose(format!("the audit found {count} differences"), format!("审计发现 {count} 处差异")),
            Self::Held { reason, count } => held(*reason, *count, language),
            Self::Quarantined { count } => language.choose(
                format!("{count} {} in quarantine", plural(*count, "record is", "records are")),
                format!("隔离区有 {count} 条记录"),
            ),
            Self::Ambiguous { count } => language.choose(
                format!("of {count} records no message shows whether they are newer or older"),
                format!("{count} 条记录无法判断新旧"),
            ),
        }
    }

    /// Returns what to do.
    pub(super) fn next(&self, language: Language) -> &'static str {
        match self {
            Self::SourceBehind { .. } => language.choose(
                "Look at the connector and the trigger; retire the source if it was replaced.",
                "请检查连接器和触发器；若来源已更换，请退役旧来源。",
            ),
            Self::SnapshotGoesOn { .. } => {
                language.choose("Nothing: prices and closes wait for it.", "无需处理：定价和关账会等待。")
            }
            Self::CloseOverdue { waits_for, .. } if waits_for.is_empty() => language.choose(
                "See whether contribution-expiry runs, which asks for it; on one machine, ask with `contribution close`.",
                "请查看请求关账的 contribution-expiry 是否运行；在单机上请用 `contribution close`。",
            ),
            Self::CloseOverdue { .. } => language.choose(
                "Take away what the close waits for; it goes on by itself.",
                "排除关账等待的原因后会自动继续。",
            ),
            Self::CloseSuspicious { .. } => language.choose(
                "Compare with the source; let the close go, or correct the source.",
                "请与来源核对；放行关账，或改正来源。",
            ),
            Self::CloseNegative { .. } => language.choose(
                "Put it right by an adjustment that is effective on that date, or at the source.",
                "请以该日生效的调整更正，或在来源更正。",
            ),
            Self::Brake { .. } => language.choose(
                "See what waits; let it go, or restore the rows at the source.",
                "请查看等待的变更；放行，或在来源恢复数据。",
            ),
            Self::Truncated { .. } => language.choose(
                "See what waits; let it go, or restore the table at the source.",
                "请查看等待项；放行，或在来源恢复该表。",
            ),
            Self::Paused { .. } => {
                language.choose("Resume it when the reason is gone.", "原因消除后请恢复。")
            }
            Self::ProjectionsBehind { .. } => {
                language.choose("Look at the errors of ledger-stream.", "请查看 ledger-stream 的错误日志。")
            }
            Self::CorrectionGoesOn { .. } => {
                language.choose("See how far it is; posting goes on meanwhile.", "请查看进度；期间照常分配。")
            }
            Self::WebhookStopped { .. } => language.choose(
                "See its deliveries for why; resume it once its address works. Nothing is lost.",
                "请在推送记录中查看原因；地址恢复后继续推送，数据不会丢失。",
            ),
            Self::AuditDifferences { .. } => language.choose(
                "Read the audit's report, which names each; repair what it names.",
                "请阅读审计报告（逐一列出差异），并修复所列内容。",
            ),
            Self::Held { .. } => language.choose(
                "Open the list; each entry says what would help.",
                "请打开列表；每笔都写明如何处理。",
            ),
            Self::Quarantined { .. } => language.choose(
                "Open the list; each reason says what to do.",
                "请打开列表；每个原因都写明如何处理。",
            ),
            Self::Ambiguous { .. } => {
                language.choose("Reconcile with the source's tables.", "请与来源的表核对。")
            }
        }
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

fn scope_name(scope: PauseScope, language: Language) -> &'static str {
    match scope {
        PauseScope::Posting => language.choose("posting", "分配"),
        PauseScope::Closing => language.choose("closing", "关账"),
        PauseScope::Corrections => language.choose("correcting", "更正"),
    }
}

#[cfg(test)]
mod tests {
    use watch::language::is_chinese;

    use super::*;
    use crate::view::instant;

    #[test]
    fn every_trouble_says_what_to_do_in_both_languages() {
        let date = domain::BusinessDate::new(2026, 2, 1).expect("a date");
        let since = instant(0);
        let troubles = [
            Trouble::SourceBehind { source: "kafka".to_owned(), partitions: 1, read_through: None },
            Trouble::SnapshotGoesOn { partitions: 1 },
            Trouble::CloseOverdue { since, waits_for: Vec::new() },
            Trouble::CloseOverdue { since, waits_for: vec!["PAUSED".to_owned()] },
            Trouble::CloseSuspicious { date, message: String::new() },
            Trouble::CloseNegative { date, headquarters: domain::Amount::ZERO },
            Trouble::Brake { waiting: 1 },
            Trouble::Truncated { tables: 1 },
            Trouble::Paused { scope: PauseScope::Posting, since, is_long: false },
            Trouble::Paused { scope: PauseScope::Closing, since, is_long: true },
            Trouble::Paused { scope: PauseScope::Corrections, since, is_long: true },
            Trouble::ProjectionsBehind { pages: 1 },
            Trouble::CorrectionGoesOn { since },
            Trouble::WebhookStopped { webhook: "mining".parse().expect("a name"), since },
            Trouble::AuditDifferences { count: 2, ended: since },
            Trouble::Held { reason: ForPeople::InvalidTerms, count: 1 },
            Trouble::Held { reason: ForPeople::NoReferral, count: 2 },
            Trouble::Held { reason: ForPeople::ReferralCycle, count: 1 },
            Trouble::Held { reason: ForPeople::AccountUnreadable, count: 1 },
            Trouble::Quarantined { count: 1 },
            Trouble::Ambiguous { count: 1 },
        ];
        for trouble in troubles {
            let (english, chinese) = (trouble.what(Language::English), trouble.what(Language::Chinese));
            assert!(!is_chinese(&english) && is_chinese(&chinese), "{english} / {chinese}");
            assert!(!is_chinese(trouble.next(Language::English)), "{english}");
            assert!(is_chinese(trouble.next(Language::Chinese)), "{english}");
        }
    }
}
