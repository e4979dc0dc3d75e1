//! The shapes a message comes in: with or without schema, envelope or flattened.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::profile::{Columns, Encoding};
use super::refusal::Refusal;
use super::value::{Field, Scalar};

/// A key or a value, taken out of its schema wrapper if it has one.
#[derive(Debug)]
pub(super) struct Document<'a> {
    payload: Payload<'a>,
    schema: Option<Schema>,
}

#[derive(Debug)]
enum Payload<'a> {
    Object(Fields<'a>),
    Other(&'a RawValue),
}

impl<'a> Document<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let whole: &RawValue = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::MalformedJson { line: error.line(), column: error.column() })?;
        let payload = Payload::of(whole);
        let Some((schema, payload)) = payload.unwrapped() else { return Ok(Self { payload, schema: None }) };
        let schema = serde_json::from_str(schema.get()).map_err(|_| Refusal::InvalidField {
            field: "schema".to_owned(),
            expected: "a schema as Kafka Connect's JsonConverter writes it",
        })?;
        Ok(Self { payload: Payload::of(payload), schema })
    }

    /// Whether there is nothing in it, which is how a converter with schemas writes a tombstone.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.payload, Payload::Other(raw) if raw.get() == "null")
    }

    /// Its single value, for a key that `ExtractField` reduced to one; `name` is what to call it.
    pub(super) fn as_field<'r>(&'r self, name: &'r str) -> Option<Field<'r>> {
        let Payload::Other(raw) = self.payload else { return None };
        Some(Field { name: Cow::Borrowed(name), value: Scalar::of(raw), schema: self.schema.as_ref() })
    }

    pub(super) fn into_record(self) -> Result<Record<'a>, Refusal> {
        match self.payload {
            Payload::Object(fields) => Ok(Record { fields, schema: self.schema }),
            Payload::Other(_) => {
                Err(Refusal::InvalidMessage { expected: "an object with a field per column" })
            }
        }
    }
}

impl<'a> Payload<'a> {
    fn of(raw: &'a RawValue) -> Self {
        fields(raw).map_or(Self::Other(raw), Self::Object)
    }

    /// The schema and what it describes, if this is a wrapper of the two.
    fn unwrapped(&self) -> Option<(&'a RawValue, &'a RawValue)> {
        match self {
            // Two fields and no other: a flattened row has its key, its account and more.
            Self::Object(fields) if fields.len() == 2 => {
                Some((fields.get("schema")?, fields.get("payload")?))
            }
            _ => None,
        }
    }
}

/// The fields of an object, each as its JSON text.
///
/// Not a tree of values: numbers keep all their digits, and what nobody asks for is never decoded.
type Fields<'a> = BTreeMap<Name<'a>, &'a RawValue>;

fn fields(raw: &RawValue) -> Option<Fields<'_>> {
    if raw.get().starts_with('{') { serde_json::from_str(raw.get()).ok() } else { None }
}

/// The name of a field, borrowed from the message unless it is written with escapes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What Kafka Connect says about a value: its type, and its meaning if it is a logical type.
#[derive(Debug, Deserialize)]
pub(super) struct Schema {
    /// The primitive type, for example `string` or `bytes`.
    #[serde(rename = "type")]
    pub(super) primitive: Option<String>,
    /// The logical type, for example `io.debezium.time.Date`.
    pub(super) name: Option<String>,
    /// More about the logical type, for example the scale of a decimal.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    /// Which field of the enclosing struct this is.
    field: Option<String>,
    #[serde(default)]
    fields: Vec<Schema>,
}

impl Schema {
    fn child(&self, name: &str) -> Option<&Self> {
        self.fields.iter().find(|schema| schema.field.as_deref() == Some(name))
    }

    fn remove_child(&mut self, name: &str) -> Option<Self> {
        let index = self.fields.iter().position(|schema| schema.field.as_deref() == Some(name))?;
        Some(self.fields.swap_remove(index))
    }
}

/// An object, and its schema if the message came with one.
#[derive(Debug)]
pub(super) struct Record<'a> {
    fields: Fields<'a>,
    schema: Option<Schema>,
}

impl<'a> Record<'a> {
    /// The first of these columns that the row has.
    pub(super) fn find<'r>(&'r self, columns: &'r Columns) -> Option<Field<'r>> {
        columns.names().find_map(|name| self.field(name))
    }

    /// The first of these columns that the row has, unless it is null.
    pub(super) fn optional<'r>(&'r self, columns: &'r Columns) -> Option<Field<'r>> {
        self.find(columns).filter(|field| !field.is_null())
    }

    /// The first of these columns that the row has; without any of them, the row is refused.
    pub(super) fn present<'r>(&'r self, columns: &'r Columns) -> Result<Field<'r>, Refusal> {
        self.find(columns).ok_or_else(|| {
            let names: Vec<String> = columns.names().map(|name| format!("`{name}`")).collect();
            Refusal::MissingField { fields: names.join(" or ") }
        })
    }

    /// The same, and the row is also refused if there is nothing in that column.
    pub(super) fn needed<'r>(&'r self, columns: &'r Columns) -> Result<Field<'r>, Refusal> {
        self.present(columns).and_then(Field::not_blank)
    }

    /// The time of a heartbeat, in milliseconds since 1970.
    pub(super) fn heartbeat_ts_ms(&self) -> Result<i64, Refusal> {
        self.field("ts_ms").ok_or_else(|| missing("ts_ms"))?.not_blank()?.timestamp_ms()
    }

    /// What happened to a row, from an envelope or a flattened message.
    pub(super) fn into_event(self, encoding: &Encoding) -> Result<(Event<'a>, Origin), Refusal> {
        // A flattened row could only be mistaken for an envelope by a column of one of these names.
        if ["op", "before", "after"].iter().any(|name| self.fields.contains_key(*name)) {
            self.into_enveloped_event()
        } else {
            self.into_flattened_event(&encoding.added_field_prefix)
        }
    }

    fn into_enveloped_event(mut self) -> Result<(Event<'a>, Origin), Refusal> {
        let operation = Operation::read(self.field("op"))?.ok_or_else(|| missing("op"))?;
        let origin = match self.take("source")? {
            None => Origin::read(Some(operation), None, None, None)?,
            Some(source) => Origin::read(
                Some(operation),
                source.field("lsn").map(|field| field.inside("source")),
                source.field("snapshot").map(|field| field.inside("source")),
                source.field("ts_ms").map(|field| field.inside("source")),
            )?,
        };
        let event = match operation {
            Operation::Read | Operation::Create | Operation::Update => {
                Event::Upsert(self.take("after")?.ok_or_else(|| missing("after"))?)
            }
            Operation::Delete => Event::Delete(self.take("before")?),
            Operation::Truncate => Event::Truncate,
            Operation::Message => Event::Message,
        };
        Ok((event, origin))
    }

    fn into_flattened_event(self, prefix: &str) -> Result<(Event<'a>, Origin), Refusal> {
        // `add.fields` may name a field of `source` with or without saying that it is one.
        let added = |names: &[&str]| names.iter().find_map(|name| self.added(prefix, name));
        let operation = Operation::read(added(&["op"]))?;
        let deleted = match added(&["deleted"]) {
            Some(field) if !field.is_null() => field.flag()?,
            _ => false,
        };
        let origin = Origin::read(
            operation,
            added(&["lsn", "source_lsn"]),
            added(&["source_snapshot", "snapshot"]),
            added(&["source_ts_ms"]),
        )?;
        let event = match operation {
            Some(Operation::Truncate) => Event::Truncate,
            Some(Operation::Message) => Event::Message,
            // What `rewrite` leaves of a deleted row is what `before` held.
            Some(Operation::Delete) => Event::Delete(Some(self)),
            _ if deleted => Event::Delete(Some(self)),
            _ => Event::Upsert(self),
        };
        Ok((event, origin))
    }

    fn field<'r>(&'r self, name: &'r str) -> Option<Field<'r>> {
        let value = Scalar::of(self.fields.get(name)?);
        let schema = self.schema.as_ref().and_then(|schema| schema.child(name));
        Some(Field { name: Cow::Borrowed(name), value, schema })
    }

    fn added(&self, prefix: &str, name: &str) -> Option<Field<'_>> {
        let name = format!("{prefix}{name}");
        let value = Scalar::of(self.fields.get(name.as_str())?);
        Some(Field { name: Cow::Owned(name), value, schema: None })
    }

    /// The object in this field, unless it is null or there is none.
    fn take(&mut self, name: &str) -> Result<Option<Record<'a>>, Refusal> {
        let raw = match self.fields.remove(name) {
            None => return Ok(None),
            Some(raw) if raw.get() == "null" => return Ok(None),
            Some(raw) => raw,
        };
        let fields = fields(raw)
            .ok_or_else(|| Refusal::InvalidField { field: name.to_owned(), expected: "an object" })?;
        let schema = self.schema.as_mut().and_then(|schema| schema.remove_child(name));
        Ok(Some(Record { fields, schema }))
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::MissingField { fields: format!("`{field}`") }
}

/// What happened to a row, not yet read as a row of any table.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// It is like this now.
    Upsert(Record<'a>),
    /// It is gone. What it was may be absent, or all zeros and empty texts except for the key.
    Delete(Option<Record<'a>>),
    /// All of its table is gone.
    Truncate,
    /// Nothing; the source's application wrote a message into the log.
    Message,
}

/// What the connector did to produce a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Create,
    Update,
    Delete,
    Truncate,
    Message,
}

impl Operation {
    fn read(field: Option<Field<'_>>) -> Result<Option<Self>, Refusal> {
        let Some(field) = field.filter(|field| !field.is_null()) else { return Ok(None) };
        let operation = match &field.value {
            Scalar::Text(text) => match text.as_ref() {
                "r" => Some(Self::Read),
                "c" => Some(Self::Create),
                "u" => Some(Self::Update),
                "d" => Some(Self::Delete),
                "t" => Some(Self::Truncate),
                "m" => Some(Self::Message),
                _ => None,
            },
            _ => None,
        };
        operation.map(Some).ok_or_else(|| field.invalid("one of r, c, u, d, t and m"))
    }
}

/// Where a change comes from.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) version: SourceVersion,
    pub(super) snapshot: SnapshotPhase,
    pub(super) source_ts_ms: Option<i64>,
}

impl Origin {
    fn read(
        operation: Option<Operation>,
        lsn: Option<Field<'_>>,
        snapshot: Option<Field<'_>>,
        source_ts_ms: Option<Field<'_>>,
    ) -> Result<Self, Refusal> {
        let given = |field: &Field<'_>| !field.is_null();
        Ok(Self {
            version: SourceVersion { lsn: lsn.filter(given).map(|field| field.log_position()).transpose()? },
            snapshot: SnapshotPhase::read(operation, snapshot.filter(given))?,
            source_ts_ms: source_ts_ms.filter(given).map(|field| field.timestamp_ms()).transpose()?,
        })
    }
}

/// Where a change stands in its source's history.
///
/// The place of the record in its topic says the rest; who has that compares it after this. Only
/// versions of the same row compare, because each source has a log of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceVersion {
    /// The position in the source's write-ahead log, if the message says. All rows of an initial
    /// snapshot have the same one. None sorts before any.
    pub lsn: Option<u64>,
}

/// Where a change stands in the connector's initial snapshot.
///
/// Rows of a snapshot come in no useful order, so what depends on order waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotPhase {
    /// After the initial snapshot, or without one. This includes the rows of an *incremental*
    /// snapshot: it runs while the log is streamed, which the initial one never does, and nothing
    /// marks its last row, so waiting for it would be waiting for ever.
    Streaming,
    /// In the initial snapshot, with more to come.
    Reading,
    /// The last row of its table in the initial snapshot.
    LastOfCollection,
    /// The last row of the initial snapshot.
    Last,
    /// A flattened message with neither `__op` nor `__source_snapshot`: it could be either.
    Unknown,
}

impl SnapshotPhase {
    /// The phase a marker says, or else the operation: only snapshots have rows that were read.
    fn read(operation: Option<Operation>, marker: Option<Field<'_>>) -> Result<Self, Refusal> {
        let Some(marker) = marker else {
            return Ok(match operation {
                Some(Operation::Read) => Self::Reading,
                Some(_) => Self::Streaming,
                None => Self::Unknown,
            });
        };
        match &marker.value {
            Scalar::Boolean(true) => Ok(Self::Reading),
            Scalar::Boolean(false) => Ok(Self::Streaming),
            Scalar::Text(text) => match text.as_ref() {
                "true" | "first" | "first_in_data_collection" => Ok(Self::Reading),
                "last_in_data_collection" => Ok(Self::LastOfCollection),
                "last" => Ok(Self::Last),
                "false" | "incremental" => Ok(Self::Streaming),
                _ => Err(marker.invalid(SNAPSHOT_MARKERS)),
            },
            _ => Err(marker.invalid(SNAPSHOT_MARKERS)),
        }
    }
}

const SNAPSHOT_MARKERS: &str = "a snapshot marker: a boolean, or one of true, first, \
     first_in_data_collection, last_in_data_collection, last, false and incremental";
