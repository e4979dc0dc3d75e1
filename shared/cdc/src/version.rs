//! Which of two versions of a row is the newer one.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Where a record stands in Kafka.
///
/// The order of this type is total, so that "the last place" of a set of records means something. It is
/// not always true: [`Place::is_after`] says when it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The record's timestamp in milliseconds since 1970, unless it has none.
    pub timestamp_ms: Option<i64>,
    /// The topic, where it is not the one that the profile gives the row's table.
    pub topic: Option<String>,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
}

impl Place {
    /// Returns whether this record was written after the other one; `None` where neither shows it.
    ///
    /// Record timestamps come first, because a topic that is made anew starts over with offset 0. At the
    /// same millisecond the offset decides, within one partition.
    #[must_use]
    pub fn is_after(&self, other: &Self) -> Option<bool> {
        if let (Some(this), Some(other)) = (self.timestamp_ms, other.timestamp_ms)
            && this != other
        {
            return Some(this > other);
        }
        self.is_in_the_partition_of(other).then_some(self.offset > other.offset)
    }

    /// Returns whether both records are in one partition, so that their offsets compare.
    #[must_use]
    pub fn is_in_the_partition_of(&self, other: &Self) -> bool {
        (&self.topic, self.partition) == (&other.topic, other.partition)
    }
}

impl AsRef<Place> for Place {
    fn as_ref(&self) -> &Place {
        self
    }
}

/// Adds a record to the last ones of a set: of every partition the last of those with the latest timestamp, because two
/// partitions' records of one millisecond do not show which is the later one.
///
/// Which records stay does not depend on the order in which they are added.
pub(crate) fn add_last<T: AsRef<Place> + Ord>(last: &mut BTreeSet<T>, added: T) {
    let is_before = |one: &Place, other: &Place| match (one.timestamp_ms, other.timestamp_ms) {
        (Some(one_ms), Some(other_ms)) if one_ms != other_ms => one_ms < other_ms,
        (Some(_), Some(_)) | (None, None) => one.is_in_the_partition_of(other) && one.offset < other.offset,
        _ => false,
    };
    if last.iter().all(|record| !is_before(added.as_ref(), record.as_ref())) {
        last.retain(|record| !is_before(record.as_ref(), added.as_ref()));
        last.insert(added);
    }
}

/// Where a version of a row stands in its source's history, as far as its message says.
///
/// Two rules compare versions of one row, and each of them applies to one kind only:
///
/// - [`SourceVersion::cmp_streamed`] orders versions that are not of an incremental snapshot;
/// - [`SourceVersion::cmp_incremental`] orders those that are.
///
/// The newest of the one kind and the newest of the other are compared by
/// [`SourceVersion::cmp_with_incremental`]. No comparison of any two versions exists, on purpose: there
/// is none that is an order. A commit of an old cluster is older than one after a failover (by time), that
/// one is older than an incremental read that follows (by sequence), and that read is older than the
/// first (by sequence again).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct SourceVersion {
    /// `source.ts_ms`: of a streamed row, when its transaction committed; of a row of an initial or
    /// blocking snapshot, when that began; of an incremental snapshot, the connector's clock as it wrote.
    pub ts_ms: Option<i64>,
    /// The first element of `source.sequence`: the position of the last commit before.
    pub last_commit: Option<u64>,
    /// The second element of `source.sequence`, or `source.lsn`: a position inside the transaction.
    pub position: Option<u64>,
    /// Whether the message has a `source.sequence`.
    pub is_sequenced: bool,
    /// Whether this version is the end of the row.
    pub is_delete: bool,
    /// Whether a snapshot read it, so that the log does not tell of it again.
    pub is_read: bool,
    /// Where the record stands in Kafka.
    pub place: Place,
}

impl SourceVersion {
    /// Compares two versions that are not of an incremental snapshot: by commit time, last commit,
    /// position, and place. At the same position an upsert is newer than a delete. What a snapshot cannot have read is
    /// newer than what it read, whatever the times say.
    #[must_use]
    pub fn cmp_streamed(&self, other: &Self) -> Ordering {
        if self.is_unread_by(other) {
            return Ordering::Greater;
        }
        if other.is_unread_by(self) {
            return Ordering::Less;
        }
        // At one position a delete and an upsert of one key never follow each other in the log.
        let upsert_wins = |version: &Self| version.position.is_some() && !version.is_delete;
        self.cmp_history(other)
            .then_with(|| upsert_wins(self).cmp(&upsert_wins(other)))
            .then_with(|| self.place.cmp(&other.place))
    }

    /// Compares two reads of incremental snapshots: by the connector's clock, last commit and position. Of one
    /// read that was written twice the first record counts, because nothing was read for the second.
    #[must_use]
    pub fn cmp_incremental(&self, other: &Self) -> Ordering {
        self.cmp_history(other).then_with(|| other.place.cmp(&self.place))
    }

    /// Compares a version that is not of an incremental snapshot with a read of one; `None` where they
    /// do not show which is newer.
    ///
    /// The clock of such a read is that of a connector that may lag behind, so it only proves that what was
    /// committed later is newer. A read that was written after the last record of a change has seen it,
    /// because reads leave out what changes while they are under way. What is left is compared by the
    /// position that the connector had reached: a change that is older is one that was sent again.
    #[must_use]
    pub fn cmp_with_incremental(&self, read: &Self) -> Option<Ordering> {
        if let (Some(committed), Some(read)) = (self.ts_ms, read.ts_ms)
            && committed > read
        {
            return Some(Ordering::Greater);
        }
        if read.place.is_after(&self.place) == Some(true) {
            return Some(Ordering::Less);
        }
        if self.is_sequenced && read.is_sequenced {
            let order = (self.last_commit, self.position).cmp(&(read.last_commit, read.position));
            if order.is_ne() {
                return Some(order);
            }
        }
        (self.place.is_after(&read.place) == Some(true)).then_some(Ordering::Greater)
    }

    /// Returns whether both messages tell of the same change: a connector that restarts sends old ones again, with
    /// everything equal but the offset. Without a position in the log nothing says so.
    #[must_use]
    pub fn is_repeat_of(&self, other: &Self) -> bool {
        !self.has_no_position() && self.cmp_history(other).is_eq() && self.is_delete == other.is_delete
    }

    /// Returns whether the message does not say where in the log the change is.
    #[must_use]
    pub fn has_no_position(&self) -> bool {
        self.position.is_none()
    }

    /// Returns whether these two differ in nothing but their places in Kafka.
    #[must_use]
    pub fn ties_with(&self, other: &Self) -> bool {
        self.cmp_history(other).is_eq()
    }

    /// Returns whether this is a change that an initial snapshot did not read, by its position in the log.
    ///
    /// Such a snapshot reads the tables as they were when its slot was created, and its time is that of its transaction,
    /// which begins later. What is committed in between has a lower time, and is streamed after the snapshot. Positions
    /// of another cluster say nothing, but what they belong to was written before the snapshot. A snapshot in the middle
    /// of streaming names the commit before, and a position that may be older than what it reads.
    fn is_unread_by(&self, read: &Self) -> bool {
        read.is_read
            && read.last_commit.is_none()
            && !self.is_read
            && read.position.is_some_and(|slot| self.last_commit.max(self.position) > Some(slot))
            && read.place.timestamp_ms.is_some_and(|read_ms| self.place.timestamp_ms > Some(read_ms))
    }

    fn cmp_history(&self, other: &Self) -> Ordering {
        (self.time_ms(), self.last_commit, self.position).cmp(&(
            other.time_ms(),
            other.last_commit,
            other.position,
        ))
    }

    /// Returns when the change was made: when it was committed, or else when its record was written, which is soon after.
    fn time_ms(&self) -> Option<i64> {
        self.ts_ms.or(self.place.timestamp_ms)
    }
}

/// A place as it is stored: a list is a third of the size of an object with names.
#[derive(Serialize, Deserialize)]
struct PackedPlace(Option<i64>, i32, i64, #[serde(default)] Option<String>);

impl From<PackedPlace> for Place {
    fn from(PackedPlace(timestamp_ms, partition, offset, topic): PackedPlace) -> Self {
        Self { timestamp_ms, topic, partition, offset }
    }
}

impl From<Place> for PackedPlace {
    fn from(place: Place) -> Self {
        Self(place.timestamp_ms, place.partition, place.offset, place.topic)
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PackedPlace::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PackedPlace::deserialize(deserializer).map(Self::from)
    }
}

/// A version as it is stored.
#[derive(Serialize, Deserialize)]
struct Packed(Option<i64>, Option<u64>, Option<u64>, u8, Place);

const SEQUENCED: u8 = 1;
const DELETE: u8 = 2;
const READ: u8 = 4;

impl From<Packed> for SourceVersion {
    fn from(Packed(ts_ms, last_commit, position, flags, place): Packed) -> Self {
        let has = |flag| flags & flag != 0;
        let (is_sequenced, is_delete, is_read) = (has(SEQUENCED), has(DELETE), has(READ));
        Self { ts_ms, last_commit, position, is_sequenced, is_delete, is_read, place }
    }
}

impl From<SourceVersion> for Packed {
    fn from(version: SourceVersion) -> Self {
        let flags = [(version.is_sequenced, SEQUENCED), (version.is_delete, DELETE), (version.is_read, READ)];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag);
        Self(version.ts_ms, version.last_commit, version.position, flags, version.place)
    }
}
