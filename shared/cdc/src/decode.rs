//! Decodes one Kafka record into what it says, or into a refusal.

use std::borrow::Cow;

use domain::RowKey;
use domain::log::PageHash;
use serde::{Deserialize, Serialize};

use super::column::{Alias, Cell, Cells, Column};
use super::document::{Document, Record};
use super::event::{self, Code, Event, Origin};
use super::profile::{Encoding, Profile, SourceTable, Subject, Table, Topic};
use super::refusal::Refusal;
use super::row_key::{key_value, values_in_text};
use super::snapshot::SnapshotPhase;
use super::version::{Place, SourceVersion};

/// A Kafka record, as far as the decoder looks at it.
///
/// `key` and `value` are `None` where Kafka has none. An empty value counts as none, because transports
/// that cannot say "none" say that, and no converter writes an empty document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KafkaRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// The timestamp in milliseconds since 1970. One below zero counts as none.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
}

impl KafkaRecord<'_> {
    /// Returns the SHA-256 of its key and its value, each with its length before it. In a topic that was made anew it tells
    /// two records of one offset apart.
    #[must_use]
    pub fn hash(&self) -> PageHash {
        let mut bytes = Vec::new();
        for part in [self.key, self.value].into_iter().flatten() {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        PageHash::of(&bytes)
    }
}

/// Decodes one Kafka record. No bytes make it panic.
pub fn decode(profile: &Profile, record: KafkaRecord<'_>) -> Result<Decoded, Refusal> {
    let subject = profile
        .subject(record.topic)
        .ok_or_else(|| Refusal::UnknownTopic { topic: record.topic.to_owned() })?;
    let document = record.value.filter(|bytes| !bytes.is_empty()).map(Document::parse).transpose()?;
    let Some(document) = document.filter(|document| !document.is_null()) else {
        return match subject {
            Subject::Table(topic) => tombstone(profile, topic, record),
            _ => Ok(Decoded::Control(Control::Tombstone)),
        };
    };
    let described = document.schema_name().map(str::to_owned);
    let fields = document.into_record()?;
    let topic = match subject {
        Subject::Table(topic) => topic,
        Subject::Heartbeat => {
            let source_ts_ms = event::heartbeat_ts_ms(&fields)?;
            return Ok(Decoded::Control(Control::Heartbeat { source_ts_ms }));
        }
        Subject::Transactions => return Ok(Decoded::Control(Control::TransactionBoundary)),
        Subject::Messages => return Ok(Decoded::Control(Control::LogicalMessage { committed_ms: None })),
    };
    let (event, origin) = event::read(fields, &profile.encoding)?;
    if matches!(event, Event::Message) {
        let committed_ms = origin.ts_ms.filter(|_| origin.is_transactional);
        return Ok(Decoded::Control(Control::LogicalMessage { committed_ms }));
    }
    if !topic.carries(origin.schema.as_deref(), origin.table.as_deref()) {
        return Err(Refusal::OtherTable { table: name_of(&origin) });
    }
    if origin.table.is_none() {
        check_schema(profile, topic, described.as_deref())?;
    }
    row_change(profile, topic, record, event, &origin)
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A row came to be, changed or went away.
    Change(Change),
    /// All rows of a table went away.
    Truncate(Truncate),
    /// Nothing about any row; to be counted, not applied.
    Control(Control),
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It was inserted.
    Create,
    /// A snapshot read it.
    Read,
    /// It was updated, or the message does not say.
    Update,
    /// It was deleted.
    Delete,
    /// Kafka's compaction may forget its key. Where no delete says so before, this is the delete.
    Tombstone,
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: SourceTable,
    /// The row.
    pub row_key: RowKey,
    /// The key that the row had before, where an update changes it and the message key says nothing of it.
    pub former_key: Option<RowKey>,
    /// What happened to it.
    pub operation: Operation,
    /// Where the change stands in the source's history. Of a tombstone only the place means anything.
    pub version: SourceVersion,
    /// Where the change stands in a snapshot.
    pub snapshot: SnapshotPhase,
    /// The columns that the message names.
    pub(crate) cells: Cells,
}

impl Change {
    /// Returns the rows that it is about: mostly one.
    pub fn row_keys(&self) -> impl Iterator<Item = &RowKey> {
        std::iter::once(&self.row_key).chain(&self.former_key)
    }

    /// Returns what it means for one of its rows: for the one of the former key, that it is gone.
    #[must_use]
    pub fn in_row(&self, row_key: &RowKey) -> Cow<'_, Self> {
        if self.former_key.as_ref() != Some(row_key) {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            row_key: row_key.clone(),
            former_key: None,
            operation: Operation::Delete,
            version: SourceVersion { is_delete: true, ..self.version.clone() },
            cells: Cells::new(),
            ..*self
        })
    }

    /// Returns when the source made the change, in milliseconds since 1970, if the message says.
    #[must_use]
    pub fn source_ts_ms(&self) -> Option<i64> {
        self.version.ts_ms
    }
}

/// A table that was emptied at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncate {
    /// The table.
    pub table: SourceTable,
    /// What keys of its rows begin with ([`RowKey::table`]).
    pub rows_of: String,
    /// Where the change stands in the source's history.
    pub version: SourceVersion,
}

impl Truncate {
    /// Returns what it means for a row, if it is one of the table: its delete.
    #[must_use]
    pub fn delete_in(&self, row_key: &RowKey) -> Option<Change> {
        (row_key.table() == self.rows_of).then(|| self.delete_of(row_key.clone()))
    }

    /// Returns what it means for one row of the table: its delete.
    #[must_use]
    pub fn delete_of(&self, row_key: RowKey) -> Change {
        Change {
            table: self.table,
            row_key,
            former_key: None,
            operation: Operation::Delete,
            version: self.version.clone(),
            snapshot: SnapshotPhase::Streaming,
            cells: Cells::new(),
        }
    }
}

/// A record that changes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The connector is alive and has read the source up to this time.
    Heartbeat {
        /// Milliseconds since 1970, by the connector's clock.
        source_ts_ms: i64,
    },
    /// A tombstone whose key does not name a row: it has no key, or the row's key is other columns.
    Tombstone,
    /// Something that was written into the source's log beside the tables (`op` = `m`).
    LogicalMessage {
        /// When its transaction was committed, in milliseconds since 1970, where it is in a topic of rows: whatever was
        /// committed before and belongs into its partition came before it.
        committed_ms: Option<i64>,
    },
    /// The begin or the end of a transaction of the source.
    TransactionBoundary,
}

fn tombstone(profile: &Profile, topic: Topic<'_>, record: KafkaRecord<'_>) -> Result<Decoded, Refusal> {
    let unknown = Origin::default();
    let Some(row_key) = message_key(profile, topic, record.key, &unknown)? else {
        return Ok(Decoded::Control(Control::Tombstone));
    };
    Ok(Decoded::Change(Change {
        table: topic.table.holds(),
        row_key,
        former_key: None,
        operation: Operation::Tombstone,
        version: version(&unknown, Operation::Tombstone, place(topic, record)),
        snapshot: SnapshotPhase::Unknown,
        cells: Cells::new(),
    }))
}

/// Refuses what a schema describes as a row or a key of another table. It is called like the table's topic.
fn check_schema(profile: &Profile, topic: Topic<'_>, name: Option<&str>) -> Result<(), Refusal> {
    let described = name.and_then(|name| name.rsplit_once('.'));
    match described.filter(|(table, _)| *table != topic.topic && profile.carries_table(table)) {
        Some((other, "Key" | "Value" | "Envelope")) => Err(Refusal::OtherTable { table: other.to_owned() }),
        _ => Ok(()),
    }
}

/// Refuses a key that has a column of another table.
fn check_names<'n>(
    profile: &Profile,
    topic: Topic<'_>,
    mut names: impl Iterator<Item = &'n str>,
) -> Result<(), Refusal> {
    match names.find(|name| profile.is_of_another_table(topic.table, name)) {
        Some(column) => Err(Refusal::OtherKey { column: column.to_owned() }),
        None => Ok(()),
    }
}

fn row_change(
    profile: &Profile,
    topic: Topic<'_>,
    record: KafkaRecord<'_>,
    event: Event<'_>,
    origin: &Origin,
) -> Result<Decoded, Refusal> {
    let place = place(topic, record);
    let table = topic.table.holds();
    let (operation, before, image) = match event {
        Event::Upsert { before, after } => (upsert(origin), before, Some(after)),
        Event::Delete(before) => (Operation::Delete, None, before),
        Event::Truncate | Event::Message => {
            let version = version(origin, Operation::Delete, place);
            return Ok(Decoded::Truncate(Truncate { table, rows_of: topic.rows_of().to_owned(), version }));
        }
    };
    let in_message = match message_key(profile, topic, record.key, origin) {
        // Where the profile says which columns make the key, the row has them.
        Err(Refusal::MalformedJson { .. }) if !topic.table.key().is_empty() => None,
        key => key?,
    };
    let in_image = |image: &Record<'_>| image_key(topic, image).filter(|key| !is_placeholder(key, operation));
    let (row_key, former_key) = match (in_message, &image) {
        (Some(key), _) => (key, None),
        (None, None) => return Err(Refusal::NoKey),
        (None, Some(image)) => {
            let key = in_image(image).ok_or(Refusal::NoKey)?;
            let former = before.as_ref().and_then(in_image).filter(|former| *former != key);
            (key, former)
        }
    };
    let cells = match &image {
        Some(image) if operation != Operation::Delete => {
            let cells = cells(topic.table, image, &profile.encoding)?;
            // An update may name only what changed, and that may be nothing of ours. A whole row names something.
            let may_be_silent =
                origin.code == Some(Code::Update) && !image.names().any(|name| topic.table.respells(name));
            if cells.is_empty() && !may_be_silent {
                return Err(Refusal::NoColumn { table: topic.table.holds().name() });
            }
            cells
        }
        _ => Cells::new(),
    };
    let version = version(origin, operation, place);
    let snapshot = origin.snapshot;
    Ok(Decoded::Change(Change { table, row_key, former_key, operation, version, snapshot, cells }))
}

fn upsert(origin: &Origin) -> Operation {
    match origin.code {
        Some(Code::Create) => Operation::Create,
        Some(Code::Read) => Operation::Read,
        _ => Operation::Update,
    }
}

fn place(topic: Topic<'_>, record: KafkaRecord<'_>) -> Place {
    Place {
        timestamp_ms: record.timestamp_ms.filter(|timestamp| *timestamp >= 0),
        topic: (record.topic != topic.rows_of()).then(|| record.topic.to_owned()),
        partition: record.partition,
        offset: record.offset,
    }
}

fn version(origin: &Origin, operation: Operation, place: Place) -> SourceVersion {
    SourceVersion {
        ts_ms: origin.ts_ms,
        last_commit: origin.sequence.and_then(|sequence| sequence.last_commit),
        position: origin.sequence.and_then(|sequence| sequence.position).or(origin.lsn),
        is_sequenced: origin.sequence.is_some(),
        is_delete: matches!(operation, Operation::Delete | Operation::Tombstone),
        is_read: operation == Operation::Read,
        place,
    }
}

/// Returns the row's key from the message key, if there is one that says it. Where no message says of which table the
/// row is, the key of another one is refused.
fn message_key(
    profile: &Profile,
    topic: Topic<'_>,
    key: Option<&[u8]>,
    origin: &Origin,
) -> Result<Option<RowKey>, Refusal> {
    let Some(bytes) = key.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
    let is_told = origin.table.is_some();
    match (Document::parse(bytes), values_in_text(bytes)) {
        (Ok(key), _) => {
            if !is_told {
                check_schema(profile, topic, key.schema_name())?;
                check_names(profile, topic, key.values().into_iter().filter_map(|(name, _)| name))?;
            }
            document_key(topic, &key)
        }
        (Err(_), Some(values)) => {
            if !is_told {
                check_names(profile, topic, values.iter().filter_map(|(name, _)| *name))?;
            }
            Ok(text_key(topic, values))
        }
        (Err(refusal), None) => Err(refusal),
    }
}

/// Returns the row's key from a message key in JSON, unless the profile says that it is made of other columns.
fn document_key(topic: Topic<'_>, key: &Document<'_>) -> Result<Option<RowKey>, Refusal> {
    let values = key.values();
    if let Some((_, field)) = values.iter().find(|(_, field)| field.is_avro_union()) {
        return Err(Refusal::AvroJson { field: field.name.clone().into_owned() });
    }
    let configured = topic.table.key();
    let named = |column| values.iter().find(|(name, _)| *name == Some(column)).map(|(_, field)| field);
    let parts: Option<Vec<String>> = if configured.is_empty() {
        values.iter().map(|(_, field)| key_value(field)).collect()
    } else {
        configured.names().map(|column| key_value(named(column)?)).collect()
    };
    Ok(parts.and_then(|parts| RowKey::of_values(topic.rows_of(), &parts)))
}

/// Returns the row's key from a message key that is text, unless the profile says that it is made of certain columns.
fn text_key(topic: Topic<'_>, values: Vec<(Option<&str>, String)>) -> Option<RowKey> {
    let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
    topic.table.key().is_empty().then(|| RowKey::of_values(topic.rows_of(), &values))?
}

/// Returns whether this is what a connector fills in for a column that it does not know of a deleted row: of a number
/// that is not null, zero. No order has it.
fn is_placeholder(key: &RowKey, operation: Operation) -> bool {
    operation == Operation::Delete && key.primary_key() == "0"
}

/// Returns the row's key from its image: the columns that the profile names, or else the business key.
fn image_key(topic: Topic<'_>, image: &Record<'_>) -> Option<RowKey> {
    let configured = topic.table.key();
    let values: Option<Vec<String>> = if configured.is_empty() {
        let first = topic.table.business_key().names().find_map(|name| image.field(name));
        first.map(|field| key_value(&field).map(|value| vec![value]))?
    } else {
        configured.names().map(|name| key_value(&image.field(name)?)).collect()
    };
    RowKey::of_values(topic.rows_of(), &values?)
}

/// Returns what the row has in each column that is read.
fn cells(table: &Table, image: &Record<'_>, encoding: &Encoding) -> Result<Cells, Refusal> {
    let mut cells = Cells::new();
    for (column, names) in table.columns() {
        for (number, field) in image.all(names) {
            if field.is_avro_union() {
                return Err(Refusal::AvroJson { field: field.name.into_owned() });
            }
            if let Some(cell) = field.cell(column, encoding) {
                cells.insert(Alias { column, number }, cell);
            }
        }
    }
    Ok(cells)
}

impl Change {
    /// Returns the business key that the message names, if it can be read.
    pub(crate) fn business_key(&self) -> Option<&str> {
        let column = if self.table == SourceTable::Adoptions { Column::Order } else { Column::Account };
        let named = self.cells.iter().find(|(alias, _)| alias.column == column);
        if let (_, Cell::Value(key)) = named? { Some(key) } else { None }
    }
}

fn name_of(origin: &Origin) -> String {
    let table = origin.table.as_deref().unwrap_or("?");
    origin.schema.as_ref().map_or_else(|| table.to_owned(), |schema| format!("{schema}.{table}"))
}
