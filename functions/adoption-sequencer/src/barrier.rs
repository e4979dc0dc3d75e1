//! Whether the source's snapshot is complete enough to release anything.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use ledger::cdc::{Profile, Table};
use ledger::store::{Progress, SnapshotState};

/// What a release waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A topic's snapshot is still being read.
    Snapshot {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// Nothing of this table has arrived at all.
    Table {
        /// The table.
        table: &'static str,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot { topic, partition } => {
                write!(formatter, "the snapshot in partition {partition} of {topic} is still being read")
            }
            Self::Table { table } => write!(formatter, "nothing of the table of {table} has arrived yet"),
        }
    }
}

/// What a release has to wait for, if anything.
///
/// A snapshot's rows come in no useful order. It has ended in a partition when its last record was a
/// marked end or a streamed change. Where nothing marks the end, it has ended when nothing was read
/// for the quiet period. Releasing too early would not make the ledger wrong, only make it correct
/// itself; so a table that stays silent does not hold everything up for longer than that period.
pub(crate) fn wait(
    progress: &[Progress],
    profile: &Profile,
    quiet_period: TimeDelta,
    now: DateTime<Utc>,
) -> Option<Wait> {
    let kind_of = |topic: &str| profile.tables().find(|(known, _)| *known == topic).map(|(_, table)| table);
    let of_rows: Vec<&Progress> = progress
        .iter()
        .filter(|progress| {
            matches!(kind_of(&progress.topic), Some(Table::Referrals { .. } | Table::Adoptions { .. }))
        })
        .collect();
    let all_quiet = of_rows.iter().all(|progress| progress.quiet_ms(now) >= quiet_period.num_milliseconds());
    if all_quiet {
        return None;
    }
    let has_ended = |rows: &Progress| {
        // A heartbeat after the last row says that the connector is past its snapshot.
        let heartbeat_after = || {
            progress.iter().any(|other| {
                kind_of(&other.topic).is_none()
                    && other.counts.control > 0
                    && other.source == rows.source
                    && other.read_at_ms >= rows.read_at_ms
            })
        };
        rows.snapshot == SnapshotState::Complete
            || rows.quiet_ms(now) >= quiet_period.num_milliseconds()
            || heartbeat_after()
    };
    if let Some(reading) = of_rows.iter().find(|rows| !has_ended(rows)) {
        return Some(Wait::Snapshot { topic: reading.topic.clone(), partition: reading.partition });
    }
    let has_arrived = |wanted: fn(&Table) -> bool| {
        of_rows.iter().any(|progress| kind_of(&progress.topic).is_some_and(wanted))
    };
    if !has_arrived(|table| matches!(table, Table::Referrals { .. })) {
        return Some(Wait::Table { table: "referrals" });
    }
    None
}
