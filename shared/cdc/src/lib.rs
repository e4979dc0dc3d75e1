//! From the bytes of a change-data-capture record to the row as it finally stands.
//!
//! [`decode`] is a pure function of a [`Profile`] and a Kafka record, [`fold`] one of what is known of a row
//! and a change of it: no I/O, no clock, and no panic on any bytes. JSON is read as Debezium writes it, with
//! and without the schema wrapper, as the change envelope or flattened by `ExtractNewRecordState`, and the
//! message itself tells which. A profile says only what no message says: which topic carries which table,
//! what the columns are called, and how to read values that arrive without a schema.
//!
//! A record that cannot be read as a row is a [`Refusal`] with a stable code and a next step. A column that cannot
//! be read is none: the row stands with an [`Unreadable`] in that place. Only configured columns are read; in
//! particular a phone number never is, and no message repeats a value of the row.
//!
//! # Which version of a row stands
//!
//! A row is its primary key in its table ([`domain::RowKey`]). Of its versions two are kept, because no comparison of
//! any two is an order ([`SourceVersion`]):
//!
//! - the newest that is not of an incremental snapshot, by `ts_ms`, `sequence[0]`, `sequence[1]`, and the
//!   offset within one partition; without `sequence`, by `ts_ms`, `lsn` and offset;
//! - the newest that an incremental snapshot read, by `sequence[0]`, `sequence[1]` and offset.
//!
//! The streamed one stands if its `ts_ms` is later, failing that by `sequence[0]`, `sequence[1]` and offset.
//! At one position an upsert beats a delete. A tombstone has nothing but its place in Kafka: it is the delete
//! of what stood before it, unless a delete said so already. A column that a message leaves out has the value
//! of the newest older version, since the row's last insert, that names it. A row of which no
//! message shows the newest version is [`RowState::is_ambiguous`].
//!
//! The rule was found and checked on recordings of Debezium 3.6.3.Final (PostgreSQL connector, `pgoutput`,
//! PostgreSQL 15). Two facts that it rests on hold for that version: `sequence[0]` is the position of the last
//! commit that the connector had emitted, so that it rises along emission; and `lsn` and `txId` of incremental
//! reads are null, with both elements of `sequence` equal. Debezium's pull request 7764 considers another
//! meaning of `sequence[0]`. Record again before a connector is upgraded beyond 3.6.
//!
//! # What the connector must be set up for
//!
//! - Messages are keyed by the primary key, without `message.key.columns`; or the profile names the columns
//!   of the primary key (`key`).
//! - Flattened messages have `op,table,lsn,source.ts_ms,source.snapshot,source.sequence` in `add.fields`.
//! - Deletes arrive, as rows or as tombstones: `delete.tombstone.handling.mode` must not be `drop`. Flattened
//!   topics never carry a `TRUNCATE`.

mod capture;
mod cell;
mod column;
mod decimal;
mod decode;
mod document;
mod event;
mod fields;
mod history;
mod image;
#[cfg(any(test, feature = "modelled-source"))]
pub mod modelled_source;
mod profile;
mod refusal;
mod row_key;
mod row_state;
mod schema;
mod snapshot;
mod standing;
mod time;
mod usable;
mod value;
mod version;

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;

pub use capture::{CapturedRecord, InvalidLine};
pub use column::{Column, Problem, Reading, Unreadable};
pub use decimal::Price;
pub use decode::{Change, Control, Decoded, KafkaRecord, Operation, Truncate, decode};
pub use image::{AdoptionImage, BusinessKey, ReferralImage, Referrer, Region, RowImage, UserImage};
pub use profile::{
    AdoptionColumns, Columns, Identity, InvalidProfile, Profile, ReferralColumns, SourceName, SourceTable,
    Table, UserColumns,
};
pub use refusal::Refusal;
pub use row_state::{Fold, Folded, OlderCause, RowState, fold};
pub use snapshot::SnapshotPhase;
pub use version::{Place, SourceVersion};
