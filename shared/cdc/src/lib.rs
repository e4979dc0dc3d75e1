//! From the bytes of a change-data-capture record to a change of a row.
//!
//! [`decode`] is a pure function of a [`Profile`], a topic, a key and a value: no I/O, no clock, and
//! no panic on any bytes. It reads JSON as Debezium writes it, with and without the schema wrapper,
//! as the change envelope or flattened by `ExtractNewRecordState`, and tells these apart by the
//! message itself. A profile says only what no message says: which topic carries which table, what
//! the columns are called, and how to read values that arrive without a schema.
//!
//! Whatever cannot be decoded, or could only be guessed at, is a [`Refusal`] with a stable code and
//! a next step. Only configured columns are decoded; in particular a phone number never is, and a
//! refusal never repeats a value of the row.
//!
//! What the connector must be set up for:
//!
//! - `delete.tombstone.handling.mode` must be `rewrite` or `rewrite-with-tombstone` when messages
//!   are flattened. In its other modes a delete is dropped, or is nothing but a tombstone, and
//!   tombstones change no row here, because elsewhere one follows each delete.
//! - The tables of users and referrals need `REPLICA IDENTITY FULL` if rows are ever deleted from
//!   them, because their primary key does not name the account.

mod decode;
mod message;
mod profile;
mod refusal;
mod row;
mod value;

#[cfg(test)]
mod tests;

pub use decode::{Change, Control, Decoded, decode};
pub use message::{SnapshotPhase, SourceVersion};
pub use profile::{AdoptionColumns, Columns, InvalidProfile, Profile, ReferralColumns, Table, UserColumns};
pub use refusal::Refusal;
pub use row::{
    AdoptionChange, AdoptionRow, AdoptionStatus, InvalidStatus, ReferralChange, Row, UserChange, UserRow,
};
