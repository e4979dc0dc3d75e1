//! A row that was read at the source, as the record that a connector's incremental snapshot would have sent.
//!
//! So the decoder reads it, and the ledger can take it in like any other record.

use cdc::{Change, Decoded, KafkaRecord, Profile, Refusal, RowImage, RowState};
use serde_json::{Map, Value, json};

use crate::judge::{Difference, Seen};
use crate::layout::{KeyKind, Layout, ValueKind};
use crate::source::{Moment, SourceRow};

/// A record with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    topic: String,
    timestamp_ms: i64,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl SourceRecord {
    /// Returns the record of a row as it was at `read`; `sent_ms` is when the record is sent.
    #[must_use]
    pub fn of_row(layout: &Layout, row: &SourceRow, read: Moment, sent_ms: i64) -> Self {
        let mut schemas = Vec::new();
        let mut after = Map::new();
        for (column, value) in layout.columns.iter().zip(&row.values) {
            let logical = match column.kind {
                ValueKind::Instant => Some("io.debezium.time.ZonedTimestamp"),
                ValueKind::WallClock => Some("io.debezium.time.IsoTimestamp"),
                _ => None,
            };
            let is_number = column.kind == ValueKind::Number;
            // A number without a schema is read as the profile says.
            if !is_number {
                schemas.push(json!({ "field": column.name, "type": "string", "name": logical }));
            }
            let value = value.as_ref().map_or(Value::Null, |text| value_of(text, is_number));
            after.insert(column.name.clone(), value);
        }
        let after_schema = json!({ "field": "after", "type": "struct", "fields": schemas });
        let envelope = json!({
            "schema": { "type": "struct", "fields": [after_schema] },
            "payload": { "op": "r", "after": after, "source": origin(read, "incremental") },
        });
        Self::new(layout, &row.key, sent_ms, &envelope)
    }

    /// Returns the record that says that the row with this key was not there at `read`.
    #[must_use]
    pub fn of_deletion(layout: &Layout, key: &str, read: Moment, sent_ms: i64) -> Self {
        let envelope = json!({ "op": "d", "before": null, "source": origin(read, "false") });
        Self::new(layout, key, sent_ms, &envelope)
    }

    /// Returns the change that makes the ledger's row what the source has, and that gives way to whatever the source
    /// changes after it was looked at.
    ///
    /// It is dated at the first of the two looks, between which the source changed nothing. Where the ledger knows a
    /// version from after it (by the clock of a source that failed over), it is dated at that one.
    ///
    /// # Errors
    ///
    /// [`CannotRepair`] if the ledger would still have another row.
    pub fn repairing(
        difference: &Difference,
        profile: &Profile,
        sent_ms: i64,
    ) -> Result<Change, CannotRepair> {
        let layout = difference.layout.as_deref().ok_or(CannotRepair::Captured)?;
        let kept = difference.seen.ledger.as_ref().map(|(state, _)| state.clone());
        let committed_ms = kept.as_ref().and_then(RowState::committed_ms);
        let is_deletion = difference.seen.source.is_none();
        // At one time and position an upsert is newer than a delete.
        let after_kept = committed_ms.map_or(0, |committed_ms| committed_ms + i64::from(is_deletion));
        for at_ms in [difference.first.at_ms, difference.first.at_ms.max(after_kept)] {
            let read = Moment { at_ms, ..difference.first };
            let record = match &difference.seen.source {
                Some((row, _)) => Self::of_row(layout, row, read, sent_ms),
                None => Self::of_deletion(layout, &difference.key, read, sent_ms),
            };
            let change = record.change(profile).map_err(CannotRepair::Unreadable)?;
            let state = cdc::fold(kept.clone(), &change).state;
            let revision = 0;
            let seen = Seen { ledger: Some((state, revision)), ..difference.seen.clone() };
            if seen.difference(layout).is_none() {
                return Ok(change);
            }
        }
        Err(CannotRepair::Newer)
    }

    fn new(layout: &Layout, key: &str, sent_ms: i64, value: &Value) -> Self {
        let key = Map::from_iter([(layout.key.clone(), value_of(key, layout.key_kind == KeyKind::Integer))]);
        Self {
            topic: layout.topic.clone(),
            timestamp_ms: sent_ms,
            key: Value::Object(key).to_string().into_bytes(),
            value: value.to_string().into_bytes(),
        }
    }

    /// Returns what the decoder makes of it.
    pub fn change(&self, profile: &Profile) -> Result<Change, Refusal> {
        let record = KafkaRecord {
            topic: &self.topic,
            partition: 0,
            offset: 0,
            timestamp_ms: Some(self.timestamp_ms),
            key: Some(&self.key),
            value: Some(&self.value),
        };
        match cdc::decode(profile, record)? {
            Decoded::Change(change) => Ok(change),
            Decoded::Truncate(_) | Decoded::Control(_) => Err(Refusal::NoKey),
        }
    }
}

/// A row that was read at the source cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotRepair {
    /// The decoder does not read it.
    #[error("the row cannot be read: {0}")]
    Unreadable(Refusal),
    /// A capture was compared.
    #[error("a capture does not say what the source has now; replay it, or compare with the source")]
    Captured,
    /// The ledger has a version that counts as newer.
    #[error(
        "the ledger has a version of it that counts as newer than what the source has now; have the connector take an \
         incremental snapshot of the table"
    )]
    Newer,
}

/// Returns the row as the decoder reads it.
pub fn image(profile: &Profile, layout: &Layout, row: &SourceRow, read: Moment) -> Result<RowImage, Refusal> {
    let change = SourceRecord::of_row(layout, row, read, read.at_ms).change(profile)?;
    cdc::fold(None, &change).state.image().ok_or(Refusal::NoKey)
}

fn origin(read: Moment, snapshot: &str) -> Value {
    let position = read.position.to_string();
    // Which table it is was decided when the layout was made: the source may call it otherwise than the topic does.
    let mut origin = json!({
        "snapshot": snapshot,
        "ts_ms": read.at_ms,
        "sequence": json!([position, position]).to_string(),
    });
    if snapshot == "incremental" {
        origin["lsn"] = Value::Null;
    }
    origin
}

fn value_of(text: &str, is_number: bool) -> Value {
    let number = is_number.then(|| serde_json::from_str::<serde_json::Number>(text).ok()).flatten();
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use cdc::{Column, SourceTable};

    use super::*;
    use crate::layout::LayoutColumn;

    const TOPIC: &str = "dbserver1.rwa_planting.planting_orders";

    fn layout() -> Layout {
        let column = |column, name: &str, kind| LayoutColumn { column, name: name.to_owned(), kind };
        Layout {
            topic: TOPIC.to_owned(),
            rows_of: TOPIC.to_owned(),
            holds: SourceTable::Adoptions,
            schema: "rwa_planting".to_owned(),
            table: "planting_orders".to_owned(),
            key: "order_id".to_owned(),
            key_kind: KeyKind::Integer,
            key_type: "int8".to_owned(),
            business_zone: "Asia/Shanghai".to_owned(),
            wall_clock_zone: "UTC".to_owned(),
            columns: vec![
                column(Column::Order, "order_id", ValueKind::Number),
                column(Column::Account, "account_sequence", ValueKind::Text),
                column(Column::TreeCount, "tree_count", ValueKind::Number),
                column(Column::ContributionPerTree, "contribution_per_tree", ValueKind::Decimal),
                column(Column::AdoptionDate, "adoption_date", ValueKind::Date),
                column(Column::AdoptionDate, "created_at", ValueKind::Instant),
                column(Column::Status, "status", ValueKind::Text),
            ],
            compared: Vec::new(),
        }
    }

    fn row(trees: &str, date: Option<&str>) -> SourceRow {
        let values = [
            Some("55"),
            Some("D25122700018"),
            Some(trees),
            Some("22617.5000000000"),
            date,
            Some("2026-01-08T17:00:00.000000Z"),
            Some("PAID   "),
        ];
        SourceRow { key: "55".to_owned(), values: values.map(|value| value.map(str::to_owned)).into() }
    }

    fn read(at_ms: i64) -> Moment {
        Moment { at_ms, position: 1_000 }
    }

    #[test]
    fn the_decoder_reads_a_row_as_the_connector_would_have_sent_it() {
        let profile = Profile::built_in();
        let RowImage::Adoption(image) = image(&profile, &layout(), &row("3", None), read(1)).expect("a row")
        else {
            panic!("an adoption")
        };
        assert_eq!(image.tree_count.value(), Some(&3));
        assert_eq!(
            image.contribution_per_tree.value().map(ToString::to_string),
            Some("22617.5000000000".into())
        );
        assert_eq!(image.adoption_date.value().map(ToString::to_string), Some("2026-01-09".into()));
        assert_eq!(image.status.value().map(String::as_str), Some("PAID"));
    }

    #[test]
    fn a_row_of_a_table_that_its_topic_does_not_name_is_read_as_well() {
        let elsewhere =
            Layout { schema: "restored".to_owned(), table: "orders_of_may".to_owned(), ..layout() };
        let profile = Profile::built_in();
        let image = image(&profile, &elsewhere, &row("3", None), read(1));
        assert!(matches!(image, Ok(RowImage::Adoption(_))), "{image:?}");
        let gone = SourceRecord::of_deletion(&elsewhere, "55", read(1), 2).change(&profile);
        assert!(gone.is_ok(), "{gone:?}");
    }

    /// Folds a change that a connector streamed.
    fn streamed(before: Option<RowState>, op: &str, ts_ms: i64, position: u64, trees: u32) -> RowState {
        let value = json!({
            "op": op,
            "after": (op != "d").then(|| json!({ "order_id": 55, "tree_count": trees })),
            "source": {
                "schema": "rwa_planting", "table": "planting_orders", "ts_ms": ts_ms, "lsn": position,
                "sequence": json!([position.to_string(), position.to_string()]).to_string(),
            },
        });
        let value = value.to_string();
        let record = KafkaRecord {
            topic: TOPIC,
            partition: 0,
            offset: ts_ms,
            timestamp_ms: Some(ts_ms + 5),
            key: Some(br#"{"order_id":55}"#),
            value: Some(value.as_bytes()),
        };
        let Ok(Decoded::Change(change)) = cdc::decode(&Profile::built_in(), record) else {
            panic!("a change")
        };
        cdc::fold(before, &change).state
    }

    fn trees(state: &RowState) -> Option<i64> {
        match state.image()? {
            RowImage::Adoption(image) => image.tree_count.value().copied(),
            _ => None,
        }
    }

    #[test]
    fn what_is_taken_in_stands_over_older_changes_and_gives_way_to_later_ones() {
        let profile = Profile::built_in();
        let taken_in = SourceRecord::of_row(&layout(), &row("3", None), read(100), 110);
        let change = taken_in.change(&profile).expect("a change");
        for before in [None, Some(streamed(None, "u", 90, 900, 1)), Some(streamed(None, "d", 90, 900, 1))] {
            let state = cdc::fold(before, &change).state;
            assert_eq!(trees(&state), Some(3));
            assert_eq!(trees(&streamed(Some(state.clone()), "u", 95, 950, 2)), Some(3), "an older change");
            assert_eq!(trees(&streamed(Some(state), "u", 120, 1_200, 4)), Some(4), "a later change");
        }
    }

    #[test]
    fn a_deletion_removes_a_row_that_the_source_has_not_until_it_is_inserted_again() {
        let profile = Profile::built_in();
        let change =
            SourceRecord::of_deletion(&layout(), "55", read(100), 110).change(&profile).expect("a change");
        let state = cdc::fold(Some(streamed(None, "c", 90, 900, 1)), &change).state;
        assert_eq!(state.image(), None);
        assert_eq!(trees(&streamed(Some(state), "c", 120, 1_200, 4)), Some(4));
    }
}
