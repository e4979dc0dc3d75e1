//! `contribution audit`: compares a kept ledger with its log. With `--repair` it also writes.

use std::fmt;
use std::sync::Mutex;

use anyhow::{Result, bail};
use chrono::TimeDelta;
use domain::recalculate::Difference;
use ledger_audit::Audited;
use serde_json::json;
use store::audit::AuditReport;

use super::kept::Kept;
use super::{show, unless_stopped};
use crate::progress_line::ProgressLine;
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
            eprintln!("{} heads were rebuilt, and {} commands given", repaired.rebuilt, repaired.asked);
            kept.stack.settle().await?;
            report = run(&kept).await?;
        }
        show_report(&report, arguments.json)?;
        match (report.found.count, arguments.repair) {
            (0, _) => Ok(()),
            (count, false) => bail!(
                "{count} differences: the ledger in {} is not what its log says; run the same command with --repair",
                data.display()
            ),
            (count, true) => bail!(
                "{count} differences are left: what stands in the operators' log and in the report above says where to \
                 look; restore the tables of {} from a backup if the log itself was changed",
                data.display()
            ),
        }
    })
    .await
}

async fn run(kept: &Kept) -> Result<AuditReport> {
    let progress = Mutex::new(ProgressLine::new("audit", "parts", 0));
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
        writeln!(formatter, "audit of page {position}, by the rules of {date}")?;
        writeln!(formatter, "  posted        {posted:>12}")?;
        writeln!(formatter, "  heads         {:>12}   compared", found.compared)?;
        match self.0.talents {
            Some(count) => writeln!(formatter, "  talent        {count:>12}   accounts compared")?,
            None => writeln!(
                formatter,
                "  talent was being propagated, so that it was not judged; audit once more"
            )?,
        }
        writeln!(formatter, "  differences   {:>12}", found.count)?;
        for difference in &found.differences {
            writeln!(formatter, "    {:<16} {}", difference.name(), difference.subject())?;
            match difference {
                Difference::Totals(totals) => {
                    writeln!(
                        formatter,
                        "      stands {:?}\n      should {:?}",
                        totals.stands, totals.should
                    )?;
                }
                Difference::Adoption { stands, should, .. } => {
                    writeln!(formatter, "      stands {stands:?}\n      should {should:?}")?;
                }
                Difference::EligibleTrees { stands, should, .. } => {
                    writeln!(formatter, "      stands {stands}, should {should}")?;
                }
                Difference::Talent { fault, .. } => writeln!(formatter, "      {fault:?}")?,
                _ => {}
            }
        }
        if found.count > found.differences.len() as u64 {
            writeln!(formatter, "    and {} more", found.count - found.differences.len() as u64)?;
        }
        if self.0.was_correcting {
            writeln!(
                formatter,
                "  adoptions were being compared again, so that they were not judged; audit once more"
            )?;
        }
        writeln!(
            formatter,
            "  price book    {:>12}   places would be different today",
            self.0.places_that_differ
        )?;
        for (order, decided, today) in &self.0.places {
            writeln!(formatter, "    order {order}: {decided} trees before it as decided, {today} today")?;
        }
        Ok(())
    }
}
