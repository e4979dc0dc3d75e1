//! What is kept of a row of the source, whatever arrives in whatever order.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::column::{Alias, Cells, Column};
use super::decode::{Change, Operation};
use super::history::History;
use super::image::{BusinessKey, RowImage};
use super::profile::SourceTable;
use super::snapshot::SnapshotPhase;
use super::standing::Standing;
use super::version::{Place, SourceVersion, add_last};

/// A row of the source as it finally stands, with what it takes to tell whether a further version is newer.
///
/// Folding is commutative, associative and idempotent: what a row is depends on which versions were folded,
/// never on their order or on how often each of them was.
///
/// Two versions are kept, the newest streamed one (or read by an initial or blocking snapshot) and the
/// newest read by an incremental snapshot, and [`SourceVersion::cmp_with_incremental`] decides between them.
/// Of older versions the columns are kept that newer ones leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct RowState {
    table: SourceTable,
    streamed: Option<History>,
    incremental: Option<History>,
    /// The last tombstones, as [`add_last`] keeps them.
    tombstones: BTreeSet<Place>,
    /// The last records of changes that are older than the newest streamed one, as [`add_last`] keeps them.
    overtaken: BTreeSet<Overtaken>,
    /// Whether two records of the newest streamed change say different things.
    is_contested: bool,
    /// Names of one column that were in one message, and so are different columns.
    together: BTreeSet<(Alias, u8)>,
    business_keys: BTreeSet<String>,
}

/// A record of a change that is older than the newest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Overtaken {
    #[serde(rename = "p")]
    place: Place,
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    is_delete: bool,
}

impl AsRef<Place> for Overtaken {
    fn as_ref(&self) -> &Place {
        &self.place
    }
}

/// What folding a change into a row did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The row afterwards.
    pub state: RowState,
    /// What the change was to the row.
    pub folded: Folded,
    /// Whether the row, as it stands, is another one than before: then the decider has to know.
    pub is_image_changed: bool,
}

/// What a change was to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Folded {
    /// It is the newest version.
    Applied,
    /// The newest version is of the same change: delivered again, or sent again by a connector that restarted.
    Duplicate,
    /// Another version is newer.
    Older {
        /// What shows that it is older.
        cause: OlderCause,
        /// Whether it was written to Kafka after that one nevertheless.
        delivered_later: bool,
    },
    /// Another version says something else, and no message shows which is newer: to be listed for `reconcile`.
    Ambiguous,
    /// A tombstone after the delete that it belongs to: it says nothing.
    TombstoneAfterDelete,
    /// A tombstone whose key names no row that is known: kept as its deletion.
    DeletionOfUnknownRow,
}

/// By what a version is older than the one that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OlderCause {
    /// It was committed earlier.
    EarlierCommit,
    /// It was committed in the same millisecond, at an earlier position of the log.
    EarlierPosition,
    /// An incremental snapshot read the row after it.
    BeforeIncrementalRead,
    /// It is a read of an incremental snapshot, before a streamed change or another read.
    EarlierIncrementalRead,
    /// A tombstone without a delete came after it, or after that of which it is a repeat.
    BeforeTombstone,
}

impl OlderCause {
    /// Returns the stable name by which such records are counted.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::EarlierCommit => "EARLIER_COMMIT",
            Self::EarlierPosition => "EARLIER_POSITION",
            Self::BeforeIncrementalRead => "BEFORE_INCREMENTAL_READ",
            Self::EarlierIncrementalRead => "EARLIER_INCREMENTAL_READ",
            Self::BeforeTombstone => "BEFORE_TOMBSTONE",
        }
    }
}

/// Folds a change into what is known of its row.
///
/// The state has to be stored when it differs from the one before, also where the image does not.
#[must_use]
pub fn fold(before: Option<RowState>, change: &Change) -> Fold {
    let is_known = before.is_some();
    let before = before.unwrap_or_else(|| RowState::nothing(change.table));
    let mut state = before.clone();
    state.add(change);
    let folded = state.judge(&before, is_known, change);
    let is_image_changed = before.image() != state.image() || before.business_keys != state.business_keys;
    Fold { state, folded, is_image_changed }
}

impl RowState {
    /// Returns the row as it stands, unless it is deleted.
    #[must_use]
    pub fn image(&self) -> Option<RowImage> {
        self.standing().map(|standing| self.image_of(standing))
    }

    /// Returns the table.
    #[must_use]
    pub fn table(&self) -> SourceTable {
        self.table
    }

    /// Returns every business key that a version of the row named, whether it stands or not, mostly one.
    #[must_use]
    pub fn business_keys_ever(&self) -> Vec<BusinessKey> {
        let parse = |text: &String| match self.table {
            SourceTable::Adoptions => text.parse().map(BusinessKey::Order).ok(),
            SourceTable::Users | SourceTable::Referrals => text.parse().map(BusinessKey::Account).ok(),
        };
        self.business_keys.iter().filter_map(parse).collect()
    }

    /// Returns whether a version of the row since its last insert names the column.
    #[must_use]
    pub fn names(&self, column: Column) -> bool {
        let mut histories = [&self.streamed, &self.incremental].into_iter().flatten();
        histories.any(|history| history.aliases(column).next().is_some())
    }

    /// Returns when the newest version of the row was committed at the source, in milliseconds since 1970, if its
    /// message says.
    #[must_use]
    pub fn committed_ms(&self) -> Option<i64> {
        let histories = [&self.streamed, &self.incremental].into_iter().flatten();
        histories.filter_map(|history| history.newest().ts_ms).max()
    }

    /// Returns whether no message shows which of two versions that differ is the newer one.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.is_contested || self.is_undecided() || self.is_perhaps_deleted()
    }

    /// Returns whether the newest streamed version and the newest incremental read differ, and no message shows
    /// which is the newer one.
    fn is_undecided(&self) -> bool {
        let (Some(streamed), Some(read)) = self.in_force() else { return false };
        let alone = |streamed, incremental| {
            self.image_of(Standing { streamed, incremental, together: &self.together })
        };
        streamed.newest().cmp_with_incremental(read.newest()).is_none()
            && (streamed.newest().is_delete || alone(Some(streamed), None) != alone(None, Some(read)))
    }

    /// Returns whether a tombstone is of the millisecond of the version that stands, in another partition: the
    /// topic got one, and no message shows whether the delete came before the version or after it.
    fn is_perhaps_deleted(&self) -> bool {
        let (streamed, incremental) = self.in_force();
        let mut standing = [streamed, incremental].into_iter().flatten().map(History::newest);
        standing.any(|version| {
            let is_of_its_millisecond = |tombstone: &Place| {
                tombstone.timestamp_ms.is_some() && tombstone.is_after(&version.place).is_none()
            };
            !version.is_delete && self.tombstones.iter().any(is_of_its_millisecond)
        })
    }

    fn nothing(table: SourceTable) -> Self {
        Self {
            table,
            streamed: None,
            incremental: None,
            tombstones: BTreeSet::new(),
            overtaken: BTreeSet::new(),
            is_contested: false,
            together: BTreeSet::new(),
            business_keys: BTreeSet::new(),
        }
    }

    fn add(&mut self, change: &Change) {
        self.business_keys.extend(change.business_key().map(str::to_owned));
        for (first, second) in
            change.cells.keys().flat_map(|one| change.cells.keys().map(move |other| (one, other)))
        {
            if first.column == second.column && first.number < second.number {
                self.together.insert((*first, second.number));
            }
        }
        if change.operation == Operation::Tombstone {
            add_last(&mut self.tombstones, change.version.place.clone());
        } else if is_incremental(change) {
            let (version, cells) = (&change.version, change.cells.clone());
            match &mut self.incremental {
                Some(history) => history.add(version, cells, false, SourceVersion::cmp_incremental),
                none => *none = Some(History::of(version.clone(), cells, false)),
            }
        } else {
            self.add_streamed(&change.version, &change.cells, change.operation);
        }
    }

    fn add_streamed(&mut self, version: &SourceVersion, cells: &Cells, operation: Operation) {
        let begins = matches!(operation, Operation::Create | Operation::Delete);
        let Some(history) = &mut self.streamed else {
            self.streamed = Some(History::of(version.clone(), cells.clone(), begins));
            return;
        };
        let newest = history.newest();
        if version == newest || version.is_repeat_of(newest) {
            self.is_contested |= history.contradicts(version, cells);
        } else {
            let is_newer = version.cmp_streamed(newest).is_gt();
            let older = if is_newer { newest } else { version };
            // What a snapshot read is not sent again.
            if !older.is_read {
                let (place, is_delete) = (older.place.clone(), older.is_delete);
                add_last(&mut self.overtaken, Overtaken { place, is_delete });
            }
            let ties = version.has_no_position()
                && version.ties_with(newest)
                && version.place.timestamp_ms == newest.place.timestamp_ms;
            if ties {
                self.is_contested |= !version.place.is_in_the_partition_of(&newest.place);
            } else if is_newer {
                self.is_contested = false;
            }
        }
        history.add(version, cells.clone(), begins, SourceVersion::cmp_streamed);
    }

    /// Returns the versions that no tombstone has deleted.
    fn in_force(&self) -> (Option<&History>, Option<&History>) {
        let survives = |history: &&History| !self.is_buried(&history.newest().place);
        (self.streamed.as_ref().filter(survives), self.incremental.as_ref().filter(survives))
    }

    /// Returns whether a tombstone that is a delete came after this place.
    fn is_buried(&self, place: &Place) -> bool {
        let buries =
            |tombstone: &Place| tombstone.is_after(place) == Some(true) && self.is_last_word(tombstone);
        self.tombstones.iter().any(buries)
    }

    /// Returns whether a tombstone is the trace of a delete that stands: not if it follows a delete, and not if
    /// anything that was streamed follows it.
    ///
    /// An older change after the newest one means that a connector which restarted is sending old changes
    /// again, tombstones too, and will come to the newest. What a snapshot read does not come again: then a
    /// tombstone counts unless an older change follows it.
    fn is_last_word(&self, tombstone: &Place) -> bool {
        let Some(newest) = self.streamed.as_ref().map(History::newest) else { return true };
        if newest.is_delete || tombstone.is_after(&newest.place) != Some(true) {
            return false;
        }
        let mut sent_again =
            self.overtaken.iter().filter(|older| older.place.is_after(&newest.place) == Some(true));
        sent_again
            .all(|older| newest.is_read && !older.is_delete && tombstone.is_after(&older.place) == Some(true))
    }

    fn standing(&self) -> Option<Standing<'_>> {
        let (streamed, incremental) = self.in_force();
        let is_deleted = streamed.is_some_and(|streamed| {
            let is_undone = incremental.is_some_and(|read| {
                streamed.newest().cmp_with_incremental(read.newest()) != Some(Ordering::Greater)
            });
            streamed.newest().is_delete && !is_undone
        });
        let is_known = streamed.is_some() || incremental.is_some();
        (is_known && !is_deleted).then_some(Standing { streamed, incremental, together: &self.together })
    }

    fn image_of(&self, standing: Standing<'_>) -> RowImage {
        match self.table {
            SourceTable::Users => RowImage::User(standing.user()),
            SourceTable::Referrals => RowImage::Referral(standing.referral()),
            SourceTable::Adoptions => RowImage::Adoption(standing.adoption()),
        }
    }

    /// Returns what a change was to the row that it was just added to.
    fn judge(&self, before: &Self, is_known: bool, change: &Change) -> Folded {
        if change.operation == Operation::Tombstone {
            return self.judge_tombstone(before, is_known, &change.version.place);
        }
        let version = &change.version;
        let is_read = is_incremental(change);
        let (this, other) =
            if is_read { (&self.incremental, &self.streamed) } else { (&self.streamed, &self.incremental) };
        let newest = this.as_ref().expect("the change was just added").newest();
        let known = if is_read { &before.incremental } else { &before.streamed };
        if known
            .as_ref()
            .is_some_and(|known| version.is_repeat_of(known.newest()) || version == known.newest())
        {
            return if self.is_contested && !is_read { Folded::Ambiguous } else { Folded::Duplicate };
        }
        if version != newest {
            return older(version, newest, cause(version, newest, is_read));
        }
        if self.is_buried(&version.place) {
            return Folded::Older { cause: OlderCause::BeforeTombstone, delivered_later: false };
        }
        if self.is_contested && !is_read || self.is_undecided() || self.is_perhaps_deleted() {
            return Folded::Ambiguous;
        }
        match other.as_ref().map(History::newest) {
            Some(streamed)
                if is_read && streamed.cmp_with_incremental(version) == Some(Ordering::Greater) =>
            {
                older(version, streamed, OlderCause::EarlierIncrementalRead)
            }
            Some(read) if !is_read && version.cmp_with_incremental(read) == Some(Ordering::Less) => {
                older(version, read, OlderCause::BeforeIncrementalRead)
            }
            _ => Folded::Applied,
        }
    }

    fn judge_tombstone(&self, before: &Self, is_known: bool, place: &Place) -> Folded {
        let newest = before.streamed.as_ref().or(before.incremental.as_ref()).map(History::newest);
        match newest {
            _ if is_known && self == before => Folded::Duplicate,
            None => Folded::DeletionOfUnknownRow,
            Some(newest) if newest.is_delete => Folded::TombstoneAfterDelete,
            Some(_) if before.image().is_some() && self.image().is_none() => Folded::Applied,
            Some(_) if self.is_perhaps_deleted() => Folded::Ambiguous,
            Some(newest) => {
                let delivered_later = place.is_after(&newest.place) == Some(true);
                Folded::Older { cause: OlderCause::BeforeTombstone, delivered_later }
            }
        }
    }
}

fn is_incremental(change: &Change) -> bool {
    change.snapshot == SnapshotPhase::Incremental && change.operation != Operation::Delete
}

fn cause(version: &SourceVersion, newest: &SourceVersion, is_read: bool) -> OlderCause {
    if is_read {
        OlderCause::EarlierIncrementalRead
    } else if version.ts_ms < newest.ts_ms {
        OlderCause::EarlierCommit
    } else {
        OlderCause::EarlierPosition
    }
}

fn older(version: &SourceVersion, newest: &SourceVersion, cause: OlderCause) -> Folded {
    Folded::Older { cause, delivered_later: version.place.is_after(&newest.place) == Some(true) }
}

/// A row as it is stored. The number says which form it has.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "v")]
    form: u8,
    #[serde(rename = "t")]
    table: SourceTable,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    streamed: Option<History>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    incremental: Option<History>,
    #[serde(rename = "x", default, skip_serializing_if = "BTreeSet::is_empty")]
    tombstones: BTreeSet<Place>,
    #[serde(rename = "o", default, skip_serializing_if = "BTreeSet::is_empty")]
    overtaken: BTreeSet<Overtaken>,
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    is_contested: bool,
    #[serde(rename = "g", default, skip_serializing_if = "BTreeSet::is_empty")]
    together: BTreeSet<(Alias, u8)>,
    #[serde(rename = "k", default, skip_serializing_if = "BTreeSet::is_empty")]
    business_keys: BTreeSet<String>,
}

const FORM: u8 = 2;

/// A stored row of a form that this version of the decoder does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored row has form {form}, and only {FORM} is known; deploy the version that wrote it")]
struct UnknownForm {
    form: u8,
}

impl TryFrom<Stored> for RowState {
    type Error = UnknownForm;

    fn try_from(stored: Stored) -> Result<Self, UnknownForm> {
        let Stored {
            form,
            table,
            streamed,
            incremental,
            tombstones,
            overtaken,
            is_contested,
            together,
            business_keys,
        } = stored;
        let state = Self {
            table,
            streamed,
            incremental,
            tombstones,
            overtaken,
            is_contested,
            together,
            business_keys,
        };
        if form == FORM { Ok(state) } else { Err(UnknownForm { form }) }
    }
}

impl From<RowState> for Stored {
    fn from(state: RowState) -> Self {
        let RowState {
            table,
            streamed,
            incremental,
            tombstones,
            overtaken,
            is_contested,
            together,
            business_keys,
        } = state;
        Self {
            form: FORM,
            table,
            streamed,
            incremental,
            tombstones,
            overtaken,
            is_contested,
            together,
            business_keys,
        }
    }
}
