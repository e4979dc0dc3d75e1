//! `contribution audit`: compares a kept ledger with its log. With `--repair` it also writes.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, bail};
use chrono::TimeDelta;
use domain::recalculate::Difference;
use ledger_audit::Audited;
use serde_json::json;
use store::audit::AuditReport;

use super::kept::Kept;
use super::{show, unless_stopped};
use crate::language::{Language, say, tell};
use crate::progress_line::ProgressLine;
use crate::summary::line;
use crate::{arguments, operators_log};

/// An audit on one machine takes the time it needs.
const AUDIT_TAKES_AT_MOST: TimeDelta = TimeDelta::hours(24);
/// How many rounds of repairs there are. A round may uncover differences that the next one mends.
const ROUNDS_MAX: u32 = 5;

/// Audits a ledger, and mends it where that is asked for.
pub(super) async fn audit(arguments: arguments::Audit) -> Result<()> {
    let data = &arguments.kept.data;
    unless_stopped(Some(data), async {
        let kept = Kept::open(&arguments.kept.options()?, data).await?;
        let mut report = run(&kept).await?;
        for _ in 0..ROUNDS_MAX {
            if !arguments.repair || report.found.count == 0 {
                break;
            }
            show_report(&report, arguments.json)?;
            let context = kept.stack.shared.context(AUDIT_TAKES_AT_MOST);
            let shards = kept.stack.settings.account_shards;
            let (versions, by) = (kept.first_version()?, operators_log::operator());
            let repaired = ledger_audit::repair(&context, &versions, shards, &report, &by).await?;
            let (rebuilt, asked) = (repaired.rebuilt, repaired.asked);
            let told = Language::of_environment().say(
                format!("{rebuilt} heads were rebuilt, and {asked} commands given"),
                format!("已重建 {rebuilt} 项，发出 {asked} 条命令"),
            );
            tell(&told);
            kept.stack.settle().await?;
            report = run(&kept).await?;
        }
        show_report(&report, arguments.json)?;
        match report.found.count {
            0 => Ok(()),
            count => bail!(differs(count, data, arguments.repair)),
        }
    })
    .await
}

/// Returns what to do about differences, or about those that a repair left.
fn differs(count: u64, data: &Path, is_repaired: bool) -> String {
    let data = data.display();
    if is_repaired {
        return say(
            format!(
                "{count} differences are left: what stands in the operators' log and in the report above says where to \
                 look; restore the tables of {data} from a backup if the log itself was changed"
            ),
            format!(
                "仍有 {count} 处差异：操作日志与上方报告写明应查看何处；若日志本身被改动，请从备份恢复 {data} 的表"
            ),
        );
    }
    say(
        format!(
            "{count} differences: the ledger in {data} is not what its log says; run the same command with --repair"
        ),
        format!("{count} 处差异：{data} 中的账本与其日志不符；请加 --repair 再次运行同一命令"),
    )
}

async fn run(kept: &Kept) -> Result<AuditReport> {
    let progress = Mutex::new(ProgressLine::new("audit", say("parts", "部分"), 0));
    let show_progress = |done: u32, of: u32| {
        if let Ok(mut progress) = progress.lock() {
            progress.set(u64::from(done), u64::from(of));
        }
    };
    let shared = &kept.stack.shared;
    let context = shared.context(AUDIT_TAKES_AT_MOST);
    let audit = ledger_audit::Audit {
        versions: &kept.first_version()?,
        shards: kept.stack.settings.account_shards,
        zone: kept.stack.settings.policy.business_time_zone(),
        context: &context,
        watch: &show_progress,
    };
    loop {
        if let Audited::Complete(report) = audit.run().await? {
            if let Ok(progress) = progress.into_inner() {
                progress.finish();
            }
            return Ok(*report);
        }
    }
}

fn show_report(report: &AuditReport, as_json: bool) -> Result<()> {
    if !as_json {
        return show(&Shown(report));
    }
    let difference = |difference: &Difference| json!({ "difference": difference.name(), "of": difference.subject(), "detail": difference });
    let place = |(order, decided, today): &(domain::OrderId, u64, u64)| json!({ "order_id": order.to_string(), "decided": decided, "today": today });
    show(&serde_json::to_string_pretty(&json!({
        "position": report.position,
        "date": report.date,
        "posted": report.posted,
        "compared": report.found.compared,
        "changed_meanwhile": report.found.changed_meanwhile,
        "was_correcting": report.was_correcting,
        "talents": report.talents,
        "differences": report.found.count,
        "named": report.found.differences.iter().map(difference).collect::<Vec<_>>(),
        "places_that_differ": report.places_that_differ,
        "places": report.places.iter().map(place).collect::<Vec<_>>(),
    }))?)
}

struct Shown<'a>(&'a AuditReport);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AuditReport { position, date, posted, found, .. } = self.0;
        let language = Language::of_environment();
        let say = |english, chinese| language.say(english, chinese);
        let title = language.say(
            format!("audit of page {position}, by the rules of {date}"),
            format!("第 {position} 页的审计，按 {date} 的规则"),
        );
        writeln!(formatter, "{title}")?;
        line(formatter, say("posted", "已分配"), 13, posted, "")?;
        line(formatter, say("heads", "账户与认种"), 13, found.compared, say("compared", "项已核对"))?;
        if let Some(count) = self.0.talents {
            line(formatter, say("talent", "人才"), 13, count, say("accounts compared", "个账户已核对"))?;
        } else {
            let told = say(
                "talent was being propagated, so that it was not judged; audit once more",
                "人才等级正在更新，未予判断；请再审计一次",
            );
            writeln!(formatter, "  {told}")?;
        }
        line(formatter, say("differences", "差异"), 13, found.count, "")?;
        for difference in &found.differences {
            writeln!(formatter, "    {:<16} {}", difference.name(), difference.subject())?;
            write_difference(formatter, difference, say("stands", "现为"), say("should", "应为"))?;
        }
        if found.count > found.differences.len() as u64 {
            let more = found.count - found.differences.len() as u64;
            writeln!(
                formatter,
                "    {}",
                language.say(format!("and {more} more"), format!("另有 {more} 处"))
            )?;
        }
        if self.0.was_correcting {
            let told = say(
                "adoptions were being compared again, so that they were not judged; audit once more",
                "有认种正在重新核对，未予判断；请再审计一次",
            );
            writeln!(formatter, "  {told}")?;
        }
        let more = say("places would be different today", "个位次按今日会不同");
        line(formatter, say("price book", "价格位次"), 13, self.0.places_that_differ, more)?;
        for (order, decided, today) in &self.0.places {
            let told = language.say(
                format!("order {order}: {decided} trees before it as decided, {today} today"),
                format!("订单 {order}：决定时此前 {decided} 棵，今日 {today} 棵"),
            );
            writeln!(formatter, "    {told}")?;
        }
        Ok(())
    }
}

/// Writes what stands where the audit found a difference, and what should.
fn write_difference(
    formatter: &mut fmt::Formatter<'_>,
    difference: &Difference,
    stands: &str,
    should: &str,
) -> fmt::Result {
    match difference {
        Difference::Totals(totals) => {
            writeln!(formatter, "      {stands} {:?}\n      {should} {:?}", totals.stands, totals.should)
        }
        Difference::Adoption { stands: is, should: due, .. } => {
            writeln!(formatter, "      {stands} {is:?}\n      {should} {due:?}")
        }
        Difference::EligibleTrees { stands: is, should: due, .. } => {
            writeln!(formatter, "      {stands} {is}, {should} {due}")
        }
        Difference::Talent { fault, .. } => writeln!(formatter, "      {fault:?}"),
        _ => Ok(()),
    }
}
