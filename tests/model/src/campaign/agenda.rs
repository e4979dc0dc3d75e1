//! What happens in a history besides what the functions do, and when.

use std::collections::BTreeMap;

use super::act::Act;
use super::clients::commands;
use super::feed::Feed;
use super::script::Script;
use super::setting::Setting;
use crate::clock::Millis;
use crate::random::Random;

/// For how long faults go on after the last record.
pub(super) const FAULTS_AFTER_MS: Millis = 5_000;

/// Returns what happens when: every record once, a few again later, readers and what operators ask for.
pub(super) fn agenda(
    script: &Script,
    setting: &Setting,
    feed: &Feed,
    rare: Vec<(Millis, Act)>,
    random: &mut Random,
) -> BTreeMap<(Millis, usize), Act> {
    let last_ms = feed.records.last().map_or(0, |record| record.at_ms);
    let mut acts: Vec<(Millis, Act)> = Vec::new();
    for record in &feed.records {
        acts.push((record.at_ms, Act::Write(record.clone())));
    }
    acts.extend(feed.recreated_ms.iter().map(|at_ms| (*at_ms, Act::Recreate)));
    // A connector with disorder sends old changes again by itself, all rows of a stretch together. Records of one row
    // that come again much later, after a failover or a read between watermarks, are nothing that it does.
    let repeats = !script.without.repetition && (!script.seed.is_multiple_of(2) || script.without.disorder);
    for first in 0..feed.records.len() {
        let is_repeated = random.happens(30_000);
        let run = feed.run_from(first);
        let Some(last) = run.last() else { continue };
        let again_ms = random.between(last.at_ms, feed.may_be_repeated_until(last, last_ms));
        if is_repeated && repeats {
            acts.extend(run.iter().map(|record| (again_ms, Act::Write((*record).clone()))));
        }
    }
    for _ in 0..6 {
        let at_ms = random.between(last_ms / 4, last_ms + FAULTS_AFTER_MS);
        if !script.without.readers {
            acts.push((at_ms, Act::Read));
        }
    }
    // In its middle and, in the same history, at its end.
    if random.below(4) == 0 {
        acts.push((random.between(last_ms / 4, last_ms + FAULTS_AFTER_MS), Act::Audit));
    }
    acts.extend(rare);
    if !script.without.commands {
        let asked = commands(setting, last_ms, last_ms + FAULTS_AFTER_MS, random);
        acts.extend(asked.map(|(at_ms, command)| (at_ms, Act::Ask(command))));
    }
    acts.into_iter().enumerate().map(|(number, (at_ms, act))| ((at_ms, number), act)).collect()
}
