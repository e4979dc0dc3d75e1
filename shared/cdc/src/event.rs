//! What happened to a row: from a change envelope, or from a message that `ExtractNewRecordState`
//! flattened.

use super::document::Record;
use super::profile::Encoding;
use super::refusal::Refusal;
use super::snapshot::SnapshotPhase;
use super::value::{Field, Scalar};

/// What happened to a row, not yet read as a row of any table.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// It is like this now.
    Upsert {
        /// What it was before, where the message says so.
        before: Option<Record<'a>>,
        /// What it is.
        after: Record<'a>,
    },
    /// It is gone. What it was may be absent, or all zeros and empty texts except for the key.
    Delete(Option<Record<'a>>),
    /// All of its table is gone.
    Truncate,
    /// Nothing; the source's application wrote a message into the log.
    Message,
}

/// What the connector did to produce a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Read,
    Create,
    Update,
    Delete,
    Truncate,
    Message,
}

impl Code {
    fn read(field: Option<Field<'_>>) -> Result<Option<Self>, Refusal> {
        let Some(field) = field.filter(|field| !field.is_null()) else { return Ok(None) };
        if field.is_avro_union() {
            return Err(Refusal::AvroJson { field: field.name.into_owned() });
        }
        let code = field.text().and_then(Self::of);
        code.map(Some).ok_or_else(|| field.invalid("one of r, c, u, d, t and m"))
    }

    fn of(text: &str) -> Option<Self> {
        match text {
            "r" => Some(Self::Read),
            "c" => Some(Self::Create),
            "u" => Some(Self::Update),
            "d" => Some(Self::Delete),
            "t" => Some(Self::Truncate),
            "m" => Some(Self::Message),
            _ => None,
        }
    }
}

/// Where a change comes from.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) code: Option<Code>,
    pub(super) snapshot: SnapshotPhase,
    pub(super) ts_ms: Option<i64>,
    /// Whether it was written within a transaction, so that `ts_ms` is a commit.
    pub(super) is_transactional: bool,
    pub(super) sequence: Option<Sequence>,
    pub(super) lsn: Option<u64>,
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
}

/// The `sequence` of a message: the position of the last commit, and the one inside the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) last_commit: Option<u64>,
    pub(super) position: Option<u64>,
}

impl Sequence {
    /// Reads `["30784112", "30784472"]`, where either may be null. It is JSON within a text.
    fn parse(text: &str) -> Option<Self> {
        let elements: Vec<Option<serde_json::Value>> = serde_json::from_str(text).ok()?;
        let number = |index: usize| match elements.get(index)?.as_ref()? {
            serde_json::Value::String(text) => text.parse().ok(),
            serde_json::Value::Number(number) => number.as_u64(),
            _ => None,
        };
        (elements.len() == 2).then(|| Self { last_commit: number(0), position: number(1) })
    }
}

/// The fields of an origin, wherever they stand in a message.
struct OriginFields<'a> {
    lsn: Option<Field<'a>>,
    sequence: Option<Field<'a>>,
    snapshot: Option<Field<'a>>,
    ts_ms: Option<Field<'a>>,
    transaction: Option<Field<'a>>,
    schema: Option<Field<'a>>,
    table: Option<Field<'a>>,
}

impl Origin {
    fn read(code: Option<Code>, fields: OriginFields<'_>) -> Result<Self, Refusal> {
        let OriginFields { lsn, sequence, snapshot, ts_ms, transaction, schema, table } = fields;
        for field in [&lsn, &sequence, &snapshot, &ts_ms, &schema, &table].into_iter().flatten() {
            if field.is_avro_union() {
                return Err(Refusal::AvroJson { field: field.name.clone().into_owned() });
            }
        }
        let text = |field: Option<Field<'_>>| field.and_then(|field| Some(field.text()?.to_owned()));
        // Only rows of incremental snapshots have a position that is null.
        let has_no_position = lsn.as_ref().is_some_and(Field::is_null);
        let phase = snapshot_phase(code, snapshot, has_no_position);
        Ok(Self {
            code,
            snapshot: phase,
            ts_ms: ts_ms.and_then(|field| field.timestamp_ms()),
            is_transactional: transaction.is_some_and(|field| !field.is_null()),
            sequence: sequence.and_then(|field| Sequence::parse(field.text()?)),
            lsn: lsn.and_then(|field| field.log_position()),
            schema: text(schema),
            table: text(table),
        })
    }
}

/// Returns the phase that a marker says, or else the operation: only snapshots have rows that were read, and
/// only those of an incremental one have no position. A null marker counts as absent.
fn snapshot_phase(code: Option<Code>, marker: Option<Field<'_>>, has_no_position: bool) -> SnapshotPhase {
    let by_operation = match code {
        Some(Code::Read) if has_no_position => SnapshotPhase::Incremental,
        Some(Code::Read) => SnapshotPhase::Reading,
        Some(_) => SnapshotPhase::Streaming,
        None => SnapshotPhase::Unknown,
    };
    match marker.map(|marker| marker.value) {
        Some(Scalar::Boolean(true)) => SnapshotPhase::Reading,
        Some(Scalar::Boolean(false)) => SnapshotPhase::Streaming,
        Some(Scalar::Text(text)) => match text.as_ref() {
            "true" | "first" | "first_in_data_collection" => SnapshotPhase::Reading,
            "last_in_data_collection" => SnapshotPhase::LastOfCollection,
            "last" => SnapshotPhase::Last,
            "false" => SnapshotPhase::Streaming,
            "incremental" => SnapshotPhase::Incremental,
            _ => by_operation,
        },
        _ => by_operation,
    }
}

/// Reads what happened, and where it comes from.
pub(super) fn read<'a>(record: Record<'a>, encoding: &Encoding) -> Result<(Event<'a>, Origin), Refusal> {
    if record.is_cloud_event() {
        Err(Refusal::CloudEvent)
    } else if is_envelope(&record, &encoding.added_field_prefix) {
        from_envelope(record)
    } else {
        from_flattened(record, &encoding.added_field_prefix)
    }
}

/// Returns the time of a heartbeat, in milliseconds since 1970.
pub(super) fn heartbeat_ts_ms(record: &Record<'_>) -> Result<i64, Refusal> {
    let field = record.field("ts_ms").ok_or_else(|| missing("ts_ms"))?;
    field.timestamp_ms().ok_or_else(|| field.invalid("a time in milliseconds since 1970"))
}

/// What `ExtractNewRecordState` calls the mark of a deleted row, whatever prefix other fields have.
const DELETED: &str = "__deleted";

/// Returns whether a record is an envelope. A flattened row may have columns that are called like an
/// envelope's fields.
fn is_envelope(record: &Record<'_>, prefix: &str) -> bool {
    let is_marked = |name: &str| !prefix.is_empty() && record.prefixed(prefix, name).is_some();
    if record.field(DELETED).is_some() || is_marked("op") || is_marked("deleted") {
        return false;
    }
    let has_source = record.raw("source").is_some_and(|raw| raw.get().starts_with('{'));
    has_source || record.holds_row("after") || record.holds_row("before") || is_bare_operation(record)
}

/// Returns whether there is an operation and nothing that could be a row's column.
fn is_bare_operation(record: &Record<'_>) -> bool {
    const NAMES: [&str; 9] =
        ["op", "before", "after", "source", "transaction", "message", "ts_ms", "ts_us", "ts_ns"];
    record.field("op").is_some() && record.names().all(|name| NAMES.contains(&name))
}

fn from_envelope(mut record: Record<'_>) -> Result<(Event<'_>, Origin), Refusal> {
    let code = Code::read(record.field("op"))?.ok_or_else(|| missing("op"))?;
    let source = record.take("source")?;
    let field = |name: &'static str| Some(source.as_ref()?.field(name)?.inside("source"));
    let origin = Origin::read(
        Some(code),
        OriginFields {
            lsn: field("lsn"),
            sequence: field("sequence"),
            snapshot: field("snapshot"),
            ts_ms: field("ts_ms"),
            transaction: field("txId"),
            schema: field("schema"),
            table: field("table"),
        },
    )?;
    let event = match code {
        Code::Read | Code::Create | Code::Update => {
            let after = record.take("after")?.ok_or_else(|| missing("after"))?;
            Event::Upsert { before: record.take("before")?, after }
        }
        Code::Delete => Event::Delete(record.take("before")?),
        Code::Truncate => Event::Truncate,
        Code::Message => Event::Message,
    };
    Ok((event, origin))
}

fn from_flattened<'a>(record: Record<'a>, prefix: &str) -> Result<(Event<'a>, Origin), Refusal> {
    let prefix = if adds_without_prefix(&record, prefix) { "" } else { prefix };
    // `add.fields` may name a field of `source` with or without saying that it is one.
    let added = |names: &[&str]| names.iter().find_map(|name| record.prefixed(prefix, name));
    let code = Code::read(added(&["op"]))?;
    let deleted = match record.field(DELETED).or_else(|| added(&["deleted"])) {
        Some(field) if !field.is_null() => field.flag()?,
        _ => false,
    };
    let origin = Origin::read(
        code,
        OriginFields {
            lsn: added(&["source_lsn", "lsn"]),
            sequence: added(&["source_sequence", "sequence"]),
            snapshot: added(&["source_snapshot", "snapshot"]),
            ts_ms: added(&["source_ts_ms"]),
            transaction: added(&["source_txId", "txId"]),
            schema: added(&["source_schema", "schema"]),
            table: added(&["source_table", "table"]),
        },
    )?;
    let event = match code {
        Some(Code::Truncate) => Event::Truncate,
        Some(Code::Message) => Event::Message,
        // What `rewrite` leaves of a deleted row is what `before` held.
        Some(Code::Delete) => Event::Delete(Some(record)),
        _ if deleted => Event::Delete(Some(record)),
        _ => Event::Upsert { before: None, after: record },
    };
    Ok((event, origin))
}

/// Returns whether a connector with an empty `add.fields.prefix` wrote this, although the profile says otherwise.
///
/// An operation with a position or a time beside it is not taken for a column: a column called `op`, with
/// the prefixed fields missing, would be the other explanation.
fn adds_without_prefix(record: &Record<'_>, prefix: &str) -> bool {
    let has = |prefix: &str, names: &[&str]| names.iter().any(|name| record.prefixed(prefix, name).is_some());
    let is_operation =
        |field: Field<'_>| matches!(&field.value, Scalar::Text(text) if Code::of(text).is_some());
    !has(prefix, &["op", "lsn", "source_lsn", "source_ts_ms", "source_snapshot"])
        && record.field("op").is_some_and(is_operation)
        && has("", &["lsn", "source_lsn", "source_ts_ms"])
}

fn missing(field: &str) -> Refusal {
    Refusal::MissingField { fields: format!("`{field}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_two_positions_of_which_the_first_may_be_missing() {
        for (text, last_commit, position) in [
            (r#"["50000056", "50000096"]"#, Some(50_000_056), Some(50_000_096)),
            (r#"[null,"30784112"]"#, None, Some(30_784_112)),
            ("[1, 2]", Some(1), Some(2)),
            ("[null, null]", None, None),
        ] {
            assert_eq!(Sequence::parse(text), Some(Sequence { last_commit, position }), "{text}");
        }
        for text in ["", "[]", "[1]", "[1,2,3]", "7", "null"] {
            assert_eq!(Sequence::parse(text), None, "{text}");
        }
    }
}
