//! What a replay did, for a person to read.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use anyhow::Result;
use domain::heads::Counts as NetworkCounts;
use domain::log::Truncate;
use serde_json::{Value, json};
use store::network;
use store::progress::{self, Counts};
use store::quarantine::{self, Quarantined};

use crate::language::Language;
use crate::screen::width;
use crate::stack::Stack;

/// Quarantined records listed one by one; more are only counted.
const QUARANTINED_LISTED_MAX: usize = 20;
/// Columns of a name.
const NAME_WIDTH: usize = 13;

/// What a replay did.
#[derive(Debug)]
pub struct Summary {
    counts: Counts,
    network: NetworkCounts,
    quarantined: BTreeMap<String, usize>,
    quarantined_first: Vec<Quarantined>,
    given_up: BTreeMap<String, usize>,
    /// Orders without a price that have no place in the price book yet.
    unpriced: usize,
    /// Tables that the source truncated, whose rows wait for an operator.
    truncated: Vec<Truncate>,
    /// Adoptions that this run posted, and how long it took.
    posted: u64,
    elapsed: Duration,
}

impl Summary {
    /// Reads what there is to say. `posted_before` are the adoptions that were posted before this run.
    pub async fn read(stack: &Stack, posted_before: u64, elapsed: Duration) -> Result<Self> {
        let engine = stack.engine();
        let mut counts = Counts::default();
        for progress in progress::read(engine).await? {
            counts.add(progress.counts);
        }
        let network = network::read(engine).await?;
        let unpriced = network.as_ref().map_or(0, |network| network.unpriced.len());
        let truncated = network.as_ref().map(|network| network.truncates.values().cloned().collect());
        let mut summary = Self {
            counts,
            network: network.map(|network| network.counts).unwrap_or_default(),
            unpriced,
            truncated: truncated.unwrap_or_default(),
            quarantined: BTreeMap::new(),
            quarantined_first: Vec::new(),
            given_up: stack.shared.queues.given_up(),
            posted: 0,
            elapsed,
        };
        summary.posted = summary.network.posted.saturating_sub(posted_before);
        let mut after = None;
        loop {
            let (records, next) = quarantine::read(engine, after, 1_000).await?;
            for record in records {
                *summary.quarantined.entry(record.code.clone()).or_default() += 1;
                if summary.quarantined_first.len() < QUARANTINED_LISTED_MAX {
                    summary.quarantined_first.push(record);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(summary),
            }
        }
    }
}

/// Returns how many adoptions are posted.
pub async fn posted(stack: &Stack) -> Result<u64> {
    Ok(network::read(stack.engine()).await?.map_or(0, |network| network.counts.posted))
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = Language::of_environment();
        let say = |english, chinese| language.say(english, chinese);
        self.write_records(formatter, language)?;
        writeln!(formatter, "{}", say("adoptions", "认种"))?;
        line(formatter, say("posted", "已分配"), 12, self.network.posted, "")?;
        line(formatter, say("total", "合计"), 23, self.network.posted_total, "")?;
        line(formatter, say("held", "暂挂"), 12, self.network.held.values().sum::<u64>(), "")?;
        for (reason, count) in self.network.held.iter().filter(|(_, count)| **count > 0) {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        if self.network.corrections + self.network.withdrawals > 0 {
            let NetworkCounts { corrections, withdrawals, .. } = self.network;
            let taken_back = format!("{} {withdrawals}", say("taken back", "收回"));
            line(formatter, say("corrected", "已更正"), 12, corrections, &taken_back)?;
        }
        self.write_waiting(formatter, language)?;
        for (queue, count) in &self.given_up {
            let told = language.say(
                format!("GIVEN UP: {count} messages in {queue}; their functions' errors are above"),
                format!("已放弃：{queue} 中 {count} 条消息；函数的错误见上文"),
            );
            writeln!(formatter, "  {told}")?;
        }
        if self.posted > 0 {
            self.write_speed(formatter, language)?;
        }
        Ok(())
    }
}

/// Writes a name, a number at the right of so many columns, and what there is to say of it.
pub(crate) fn line(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    columns: usize,
    number: impl Display,
    more: &str,
) -> fmt::Result {
    let space = NAME_WIDTH.saturating_sub(width(name)).max(1);
    let number = number.to_string();
    writeln!(formatter, "{}", format!("  {name}{:space$}{number:>columns$}   {more}", "").trim_end())
}

impl Summary {
    fn write_records(&self, formatter: &mut fmt::Formatter<'_>, language: Language) -> fmt::Result {
        let Counts { applied, duplicated, older, ambiguous, control, quarantined } = self.counts;
        let received = applied + duplicated + older + ambiguous + control + quarantined;
        let say = |english, chinese| language.say(english, chinese);
        writeln!(formatter, "{}", say("records", "记录"))?;
        line(formatter, say("received", "收到"), 12, received, "")?;
        line(formatter, say("applied", "已应用"), 12, applied, "")?;
        line(formatter, say("duplicated", "重复"), 12, duplicated, "")?;
        if older + ambiguous > 0 {
            line(formatter, say("older", "较旧"), 12, older, "")?;
            let more = say("compare these with the source", "请与来源核对");
            line(formatter, say("ambiguous", "新旧不明"), 12, ambiguous, more)?;
        }
        let more = say("tombstones, heartbeats", "墓碑、心跳");
        line(formatter, say("control", "控制"), 12, control, more)?;
        line(formatter, say("quarantined", "已隔离"), 12, quarantined, "")?;
        for (reason, count) in &self.quarantined {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        for Quarantined { name, offset, code, message, .. } in &self.quarantined_first {
            writeln!(formatter, "    {}-{} @{offset}: {code}: {message}", name.topic, name.partition)?;
        }
        let listed = self.quarantined_first.len();
        match self.quarantined.values().sum::<usize>().saturating_sub(listed) {
            0 => Ok(()),
            more => writeln!(
                formatter,
                "    {}",
                language.say(format!("and {more} more"), format!("另有 {more} 条"))
            ),
        }
    }

    /// Writes what stands still until an operator decides, and how to decide.
    fn write_waiting(&self, formatter: &mut fmt::Formatter<'_>, language: Language) -> fmt::Result {
        let NetworkCounts { orders_waiting, uplines_waiting, .. } = self.network;
        let say = |english, chinese| language.say(english, chinese);
        let changes = orders_waiting + uplines_waiting;
        if changes == 0 && self.truncated.is_empty() && self.unpriced == 0 {
            return Ok(());
        }
        writeln!(formatter, "{}", say("waiting for time or an operator", "等待时间或人工确认"))?;
        if self.unpriced > 0 {
            line(
                formatter,
                say("no price yet", "尚未定价"),
                12,
                self.unpriced,
                say("until every partition is read past their commits", "待所有分区都读到其提交时间之后"),
            )?;
        }
        if changes == 0 && self.truncated.is_empty() {
            return Ok(());
        }
        if changes > 0 {
            line(
                formatter,
                say("changes", "变更"),
                12,
                changes,
                say("what was posted before stays in force", "之前的分配仍有效"),
            )?;
        }
        for truncate in &self.truncated {
            let more = format!("{} ({})", truncate.table, truncate.key);
            line(formatter, say("truncated", "被清空的表"), 12, 1, &more)?;
        }
        let next = say(
            "with --data: `contribution let-go brake` or `let-go truncate KEY`, each with --reason; or replay without --brake",
            "保存到 --data 后：`contribution let-go brake` 或 `let-go truncate KEY`（须写 --reason）；或不带 --brake 重放",
        );
        writeln!(formatter, "    {next}")
    }

    #[expect(clippy::cast_precision_loss, reason = "a count for reading, far below 2^52")]
    fn write_speed(&self, formatter: &mut fmt::Formatter<'_>, language: Language) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let speed = self.posted as f64 / seconds;
        writeln!(formatter, "{}", language.say("speed", "速度"))?;
        let more = language.say(
            format!("in {seconds:.2} s, {speed:.0} a second"),
            format!("用时 {seconds:.2} 秒，每秒 {speed:.0} 笔"),
        );
        line(formatter, language.say("posted", "已分配"), 12, self.posted, &more)
    }

    /// Returns it for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Counts { applied, duplicated, older, ambiguous, control, quarantined } = self.counts;
        json!({
            "records": {
                "received": applied + duplicated + older + ambiguous + control + quarantined,
                "applied": applied, "duplicated": duplicated, "older": older, "ambiguous": ambiguous,
                "control": control, "quarantined": quarantined, "quarantined_by_reason": self.quarantined,
            },
            "adoptions": {
                "posted": self.network.posted,
                "total": self.network.posted_total,
                "held": self.network.held,
                "corrections": self.network.corrections,
                "withdrawals": self.network.withdrawals,
            },
            "waiting": {
                "orders": self.network.orders_waiting,
                "uplines": self.network.uplines_waiting,
                "unpriced": self.unpriced,
                "truncates": self.truncated.iter().map(|one| json!({ "key": one.key, "table": one.table })).collect::<Vec<_>>(),
            },
            "given_up": self.given_up,
            "posted_by_this_run": self.posted,
            "seconds": self.elapsed.as_secs_f64(),
        })
    }
}
