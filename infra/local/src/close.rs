//! Closes business dates when an operator asks for it.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use domain::BusinessDate;
use domain::heads::Network;
use domain::log::{Command, CommandOutcome};
use domain::snapshot::Totals;
use serde_json::{Value, json};
use store::inbox::{self, StoredCommand};

use crate::language::{Language, say, translated};
use crate::operators_log::{self, Left};
use crate::progress_line::ProgressLine;
use crate::stack::Stack;
use crate::summary::line;

/// How often progress is looked at while dates close.
const LOOK: Duration = Duration::from_millis(100);

/// What was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Business dates closed by this call.
    pub dates: u32,
    /// The last closed date; `None` while none is closed.
    pub last: Option<BusinessDate>,
    /// The first date on which anything is effective, where no date is closed.
    pub first: Option<BusinessDate>,
    /// What the last closed date ended with.
    pub totals: Option<Totals>,
}

/// Checks that dates up to `until` can be closed, before anything else is done.
///
/// # Errors
///
/// It says why not: the date has not begun, or a later one is closed already.
pub async fn check(stack: &Stack, until: BusinessDate) -> Result<()> {
    let zone = stack.settings.policy.business_time_zone();
    if let Some(today) = BusinessDate::at(stack.shared.clock.now(), zone) {
        let english = || format!("{until} cannot be closed: it has not begun, today is {today} in {zone}");
        let chinese = || format!("{until} 不能关账：该日尚未开始，{zone} 今天是 {today}");
        ensure!(until <= today, say(english(), chinese()));
    }
    let closed = closed(network(stack).await?.as_ref());
    if let Some(last) = closed.filter(|last| *last > until) {
        bail!(say(
            format!(
                "the ledger as of {until} cannot be shown: dates up to {last} are closed, and closes are not undone. \
                 Replay into an empty directory with --as-of {until}"
            ),
            format!(
                "无法显示截至 {until} 的账本：{last} 及以前均已关账，且不能撤销。请重放到空目录，并用 --as-of {until}"
            ),
        ));
    }
    Ok(())
}

/// Closes every date up to this one that is not closed yet, and waits until all that follows is done.
///
/// The source counts as complete: what was read is all there is. In the operators' log the close takes the place of
/// what the command left before it, if it left anything.
pub async fn close_until(
    stack: &Stack,
    until: BusinessDate,
    reason: &str,
    left: Option<Left>,
) -> Result<Closed> {
    check(stack, until).await?;
    let before = closed(network(stack).await?.as_ref());
    let command = StoredCommand::new(
        operators_log::operator(),
        reason,
        Command::Close { until, source_is_complete: true },
    );
    let own_key = || format!("close-{until}-{}", stack.shared.next_id());
    let key = left.as_ref().map_or_else(own_key, Left::key);
    inbox::ask(stack.engine(), &key, &command).await?;
    left.map_or(Ok(()), Left::remove)?;
    let since = before.or(network(stack)
        .await?
        .and_then(|network| network.counts.effective_first)
        .map(BusinessDate::previous));
    tokio::select! {
        settled = stack.settle() => settled?,
        watched = watch(stack, since, until) => watched?,
    }
    if let Some(StoredCommand { answer: Some((CommandOutcome::Refused { reason }, _)), .. }) =
        inbox::command(stack.engine(), &key).await?
    {
        bail!(say(
            format!("the close of {until} was refused: {reason}"),
            format!("{until} 的关账被拒绝：{}", translated(&reason))
        ));
    }
    let network = network(stack).await?;
    let last = closed(network.as_ref());
    let first = network.as_ref().and_then(|network| network.counts.effective_first);
    if let Some((date, reasons)) = network.and_then(|network| network.close_waits) {
        let reasons: Vec<String> = reasons.iter().map(|reason| translated(reason)).collect();
        let reasons = reasons.join(say("; ", "；"));
        bail!(say(
            format!("the close of {date} waits: {reasons}"),
            format!("{date} 的关账正在等待：{reasons}")
        ));
    }
    let since = before.or(first.map(BusinessDate::previous));
    let dates = last.zip(since).map_or(0, |(last, since)| last.days_since_epoch() - since.days_since_epoch());
    let published = store::snapshots::latest(stack.engine()).await?;
    if published.as_ref().map(|manifest| manifest.date) != last {
        let last = last.map_or_else(String::new, |last| last.to_string());
        bail!(say(
            format!("the snapshot of {last} is not published; the errors above say why"),
            format!("{last} 的快照未能发布；原因见上方错误")
        ));
    }
    Ok(Closed { dates, last, first, totals: published.map(|manifest| manifest.totals) })
}

/// Shows how many of the dates after `since` are closed, then how many are published, for as long as the work goes on.
async fn watch(stack: &Stack, since: Option<BusinessDate>, until: BusinessDate) -> Result<()> {
    let Some(since) = since.filter(|since| *since < until) else { return std::future::pending().await };
    let days =
        |date: BusinessDate| u64::from(date.days_since_epoch().saturating_sub(since.days_since_epoch()));
    let mut closing = Some(ProgressLine::new("close", say("dates closed", "天已关账"), days(until)));
    let mut publishing = ProgressLine::new("close", say("dates published", "天已发布"), days(until));
    loop {
        stack.shared.clock.sleep(LOOK).await;
        let closed = closed(network(stack).await?.as_ref()).map_or(0, days);
        if let Some(line) = &mut closing {
            line.set(closed, days(until));
            if closed == days(until) {
                closing = None;
            }
            continue;
        }
        let published = store::snapshots::latest(stack.engine()).await?;
        publishing.set(published.map_or(0, |manifest| days(manifest.date)), days(until));
    }
}

async fn network(stack: &Stack) -> Result<Option<Network>> {
    Ok(store::network::read(stack.engine()).await?)
}

fn closed(network: Option<&Network>) -> Option<BusinessDate> {
    Some(network?.closed.as_ref()?.terms.date)
}

impl Closed {
    /// Returns it for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let totals = self.totals.as_ref().map(|totals| {
            json!({ "network": totals.network, "users": totals.users, "system": totals.system, "rows": totals.rows })
        });
        json!({ "closed": self.dates, "last": self.last, "first_effective": self.first, "totals": totals })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = Language::of_environment();
        let say = |english, chinese| language.say(english, chinese);
        writeln!(formatter, "{}", say("business dates", "业务日期"))?;
        match (self.last, self.first) {
            (Some(last), _) => {
                let more = language.say(format!("up to {last}"), format!("至 {last}"));
                line(formatter, say("closed", "已关账"), 12, self.dates, &more)?;
                let Some(totals) = &self.totals else { return Ok(()) };
                line(formatter, say("network", "全网"), 23, totals.network, "")?;
                line(formatter, say("  users", "  用户"), 23, totals.users, "")?;
                line(formatter, say("  system", "  系统账户"), 23, totals.system, "")?;
                line(formatter, say("rows", "行数"), 12, totals.rows, "")
            }
            (None, Some(first)) => {
                let told = language.say(
                    format!("none closed: what is posted becomes effective on {first} at the earliest"),
                    format!("尚无日期关账：已分配的算力最早于 {first} 生效"),
                );
                writeln!(formatter, "  {told}")
            }
            (None, None) => {
                writeln!(
                    formatter,
                    "  {}",
                    say("none closed: no adoption is posted", "尚无日期关账：没有已分配的认种")
                )
            }
        }
    }
}
