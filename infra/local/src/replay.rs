//! Feeds captures to the stack, each to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cdc::{CapturedRecord, Profile, SourceTable};
use domain::heads::UnpricedOrder;
use store::progress::{self, PartitionName};
use store::rows::RowTable;
use store::{inbox, marks};

use crate::capture::Capture;
use crate::events;
use crate::language::{Language, say, tell};
use crate::progress_line::ProgressLine;
use crate::stack::Stack;
use crate::truncated;

/// The capture that is built in: the ordering incident, snapshot and stream.
const BUNDLED: &[u8] = include_bytes!("../../../events/captures/ordering-incident.jsonl");
/// How long records that failed wait before they come again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How often progress is looked at while the work that was read goes on.
const LOOK: Duration = Duration::from_millis(100);
/// Announcements counted at most: the decider takes them in by hundreds.
const ANNOUNCEMENTS_COUNTED_MAX: usize = 1_000;

/// A topic and one of its partitions.
type Partition = (String, i32);

/// Returns the captures in these files, or the built-in one where there are none.
pub fn captures(files: &[PathBuf]) -> Result<Vec<Capture>> {
    if files.is_empty() {
        return Ok(vec![Capture::parse("ordering-incident", BUNDLED)?]);
    }
    let captures: Vec<Capture> = files.iter().map(|file| Capture::read(file)).collect::<Result<_>>()?;
    for (file, _) in files.iter().zip(&captures).filter(|(_, capture)| capture.records.is_empty()) {
        let file = name(file);
        let language = Language::of_environment();
        tell(
            language.say(format!("nothing is in {file}: it has no record"), format!("{file} 中没有任何记录")),
        );
    }
    Ok(captures)
}

/// Returns the captures in these files, of which one has a record.
///
/// # Errors
///
/// It names the files, of which none has one.
pub fn filled_captures(files: &[PathBuf]) -> Result<Vec<Capture>> {
    let captures = captures(files)?;
    let names = files.iter().map(|file| name(file)).collect::<Vec<_>>().join(", ");
    let has = if files.len() == 1 { "has" } else { "have" };
    ensure!(
        captures.iter().any(|capture| !capture.records.is_empty()),
        say(
            format!("nothing was read: {names} {has} no record; a capture has one Kafka record per line"),
            format!("没有读到内容：{names} 中没有记录；捕获文件每行一条 Kafka 记录"),
        )
    );
    Ok(captures)
}

fn name(file: &Path) -> String {
    if file == Path::new("-") {
        say("standard input", "标准输入").to_owned()
    } else {
        file.display().to_string()
    }
}

/// Returns what a replay of these captures does, for the operators' log.
#[must_use]
pub fn in_words(captures: &[Capture]) -> String {
    let each: Vec<String> = captures
        .iter()
        .map(|capture| format!("{} ({} records)", capture.source, capture.records.len()))
        .collect();
    format!("replayed {}", each.join(", "))
}

/// Returns how many partitions the captures show of a topic that carries adoptions, at most.
#[must_use]
pub fn orders_partitions(captures: &[Capture], profile: &Profile) -> i32 {
    let records = captures.iter().flat_map(|capture| &capture.records);
    let of_orders = records.filter(|record| table_of(profile, &record.topic) == Some(RowTable::Adoptions));
    of_orders.map(|record| record.partition.saturating_add(1)).max().unwrap_or(1)
}

/// Feeds captures one after another, each to its end, and works until nothing is left to do. Returns how long it
/// took.
pub async fn replay(stack: &Stack, captures: &[Capture]) -> Result<Duration> {
    let started = Instant::now();
    for capture in captures {
        feed(stack, capture).await?;
        let mut progress = ProgressLine::new(&capture.source, say("pages projected", "页已投影"), 0);
        tokio::select! {
            settled = stack.settle() => settled?,
            watched = watch(stack, &mut progress) => watched?,
        }
        truncated::let_go(stack).await?;
        place_what_waits(stack).await?;
    }
    Ok(started.elapsed())
}

/// Delivers a capture's records in the order of the file, until all of them are dealt with.
async fn feed(stack: &Stack, capture: &Capture) -> Result<()> {
    let (ingest, batch_size) = stack.kafka()?;
    let partitions = partitions(stack, capture);
    for (name, table) in &partitions {
        progress::update(stack.engine(), name.clone(), *table, |_| {}).await?;
    }
    let mut waiting = not_dealt_with(capture, &next_offsets(stack, &capture.source).await?);
    let total = capture.records.len() as u64;
    let mut progress = ProgressLine::new(&capture.source, say("records read", "条已读"), total);
    progress.begin_at(total - waiting.len() as u64);
    while !waiting.is_empty() {
        stack.shared.check_disk()?;
        let rest = waiting.split_off(batch_size.min(waiting.len()));
        let mut by_topic: BTreeMap<&str, Vec<&CapturedRecord>> = BTreeMap::new();
        for record in std::mem::replace(&mut waiting, rest) {
            by_topic.entry(&record.topic).or_default().push(record);
        }
        // Each topic has a trigger of its own.
        let deliveries = by_topic.into_values().map(|batch| async {
            let records: Vec<_> = batch.iter().map(|record| record.as_kafka()).collect();
            let answer = ingest.invoke(events::kafka(&capture.source, &records), &stack.shared).await;
            let failed = match answer {
                Ok(answer) => events::failed_partitions(&answer),
                Err(_) => records.iter().map(|record| (events::partition_name(record), i64::MIN)).collect(),
            };
            let has_failed = |record: &&CapturedRecord| {
                let from = failed.get(&events::partition_name(&record.as_kafka()));
                from.is_some_and(|from| record.offset >= *from)
            };
            batch.into_iter().partition::<Vec<_>, _>(has_failed)
        });
        let mut again = Vec::new();
        for (failed, done) in futures::future::join_all(deliveries).await {
            progress.add(done.len() as u64);
            again.extend(failed);
        }
        if !again.is_empty() {
            stack.shared.clock.sleep(RETRY_PAUSE).await;
            waiting.splice(..0, again);
        }
    }
    progress.finish();
    end(stack, capture, partitions.into_keys()).await
}

/// Records that every partition of the capture was read to its end.
async fn end(
    stack: &Stack,
    capture: &Capture,
    partitions: impl Iterator<Item = PartitionName>,
) -> Result<()> {
    // A recording may be of another clock's time; orders without a price wait until it is past their commit.
    let recorded_ms = capture.records.iter().filter_map(|record| record.timestamp_ms).max();
    let end_ms = stack.shared.clock.now().timestamp_millis().max(recorded_ms.unwrap_or_default());
    let window_ms = i64::try_from(stack.settings.decisions.reorder_window.as_millis())?;
    for name in partitions {
        progress::reached_end(stack.engine(), name, None, end_ms + window_ms, true).await?;
    }
    Ok(())
}

/// Gives orders their places that still wait for one although their captures were read to the end: an operator let them go,
/// or the clock that they were committed by was ahead. What was read is all there is, so that the ends are reached anew.
///
/// A partition that was not read to its end stays as it is, and prices wait for it.
pub async fn place_what_waits(stack: &Stack) -> Result<()> {
    let network = store::network::read(stack.engine()).await?;
    let Some(committed_ms) =
        network.and_then(|network| network.unpriced.values().map(UnpricedOrder::committed_by_ms).max())
    else {
        return Ok(());
    };
    let window_ms = i64::try_from(stack.settings.decisions.reorder_window.as_millis())?;
    let end_ms = stack.shared.clock.now().timestamp_millis().max(committed_ms) + window_ms;
    let all = progress::read(stack.engine()).await.context("progress cannot be read")?;
    for partition in all.into_iter().filter(|progress| progress.at_end_ms.is_some()) {
        progress::reached_end(stack.engine(), partition.name, None, end_ms, false).await?;
    }
    stack.settle().await
}

/// Returns every partition of the capture with the table that it carries; of topics that carry adoptions, the
/// partitions that the deployment expects, too.
fn partitions(stack: &Stack, capture: &Capture) -> BTreeMap<PartitionName, Option<RowTable>> {
    let expected = stack.settings.orders_partitions.unwrap_or_default();
    let mut partitions = BTreeMap::new();
    for record in &capture.records {
        let table = table_of(&stack.settings.profile, &record.topic);
        let mut add = |partition| {
            let source = capture.source.clone();
            partitions.insert(PartitionName { source, topic: record.topic.clone(), partition }, table);
        };
        add(record.partition);
        if table == Some(RowTable::Adoptions) {
            (0..expected).for_each(add);
        }
    }
    partitions
}

fn table_of(profile: &Profile, topic: &str) -> Option<RowTable> {
    let (_, table) = profile.tables().find(|(name, _)| *name == topic)?;
    Some(match table.holds() {
        SourceTable::Users => RowTable::Users,
        SourceTable::Referrals => RowTable::Referrals,
        SourceTable::Adoptions => RowTable::Adoptions,
    })
}

/// Returns the next offset of each partition of this source, as far as it was read.
async fn next_offsets(stack: &Stack, source: &str) -> Result<BTreeMap<Partition, i64>> {
    let all = progress::read(stack.engine()).await.context("progress cannot be read")?;
    let of_source = all.into_iter().filter(|progress| progress.name.source == source);
    let read = of_source
        .filter_map(|progress| Some(((progress.name.topic, progress.name.partition), progress.next_offset?)));
    Ok(read.collect())
}

/// Returns what of a capture an earlier run did not deal with.
fn not_dealt_with<'a>(capture: &'a Capture, next: &BTreeMap<Partition, i64>) -> Vec<&'a CapturedRecord> {
    // A broker's offsets ascend. In a file they may not, and then they do not say what was dealt with.
    let mut last_in_file: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    let mut unordered: BTreeSet<(&str, i32)> = BTreeSet::new();
    for record in &capture.records {
        let partition = (record.topic.as_str(), record.partition);
        let before = last_in_file.insert(partition, record.offset);
        if before.is_some_and(|before| before > record.offset) {
            unordered.insert(partition);
        }
    }
    let is_new = |record: &&CapturedRecord| {
        let next = next.get(&(record.topic.clone(), record.partition));
        next.is_none_or(|next| record.offset >= *next)
            || unordered.contains(&(record.topic.as_str(), record.partition))
    };
    capture.records.iter().filter(is_new).collect()
}

/// Shows how far the work is, for as long as it goes on.
async fn watch(stack: &Stack, progress: &mut ProgressLine) -> Result<()> {
    loop {
        stack.shared.clock.sleep(LOOK).await;
        let projected = marks::read(stack.engine()).await?.heads(stack.settings.account_shards);
        let (announced, _) = inbox::read(stack.engine(), ANNOUNCEMENTS_COUNTED_MAX).await?;
        let decided = store::network::read(stack.engine()).await?.map_or(0, |network| network.position);
        progress.set(projected, decided.max(projected) + announced.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dealt_with_is_passed_over_only_where_offsets_ascend() {
        let record = |partition, offset| CapturedRecord {
            topic: "t".to_owned(),
            partition,
            offset,
            timestamp_ms: None,
            key: None,
            value: None,
        };
        let capture = Capture {
            source: "s".to_owned(),
            records: vec![record(0, 1), record(1, 9), record(0, 1), record(1, 8), record(0, 2)],
        };
        let next = BTreeMap::from([(("t".to_owned(), 0), 2), (("t".to_owned(), 1), 10)]);
        let left: Vec<(i32, i64)> =
            not_dealt_with(&capture, &next).iter().map(|left| (left.partition, left.offset)).collect();
        assert_eq!(left, [(1, 9), (1, 8), (0, 2)]);
    }
}
