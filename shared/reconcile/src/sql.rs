//! Writes the text of the statements that the source is asked, for PostgreSQL. Pure:
//! `infra/local/postgres` sends them.
//!
//! Nothing but columns of the profile is read. Each statement reads at most a page of rows, in the order
//! of the key's index.

use std::fmt::Write as _;

use cdc::Column;

use crate::layout::{KeyKind, Layout, LayoutColumn, ValueKind};

/// Asks for what the database says of tables: `$1` the name, `$2` the schema or null. One row for each column of each
/// table: schema, table, column, its type, its number in the primary key, whether an index begins with it.
pub const CATALOG: &str = "\
    SELECT n.nspname::text, c.relname::text, a.attname::text, coalesce(b.typname, t.typname)::text, \
        (SELECT array_position(i.indkey::int2[], a.attnum)::text FROM pg_index i \
         WHERE i.indrelid = c.oid AND i.indisprimary), \
        EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam \
         WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree' \
             AND i.indkey[0] = a.attnum)::text \
    FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    JOIN pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_type b ON b.oid = t.typbasetype \
    WHERE c.relname = $1 AND ($2::text IS NULL OR n.nspname = $2) AND c.relkind IN ('r', 'p') \
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    ORDER BY n.nspname, a.attnum";

/// Asks for the database's time in milliseconds, and for the position of its log; on a standby, of what it replayed.
pub const MOMENT: &str = "\
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text, \
        (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END \
         - '0/0'::pg_lsn)::text";

/// Asks for digests of the next ranges: `$1` the key after which they begin, where there is one.
#[must_use]
pub fn buckets(layout: &Layout, has_after: bool, page_rows: u32, bucket_rows: u32) -> String {
    let page = page(layout, has_after, false, page_rows);
    let last = match layout.key_kind {
        KeyKind::Integer => "max(k)::text",
        KeyKind::Uuid | KeyKind::Text => "max(k::text COLLATE \"C\")",
    };
    format!(
        "SELECT {last}, count(*)::text, sum(f)::text FROM \
         (SELECT k, f, (row_number() OVER (ORDER BY k) - 1) / {bucket_rows} AS b FROM ({page}) p) n \
         GROUP BY b ORDER BY b"
    )
}

/// Asks for the fingerprint of each row of a range: `$1` the key after which it begins, where there is one, and then
/// its last key, where there is one.
#[must_use]
pub fn fingerprints(layout: &Layout, has_after: bool, has_through: bool, page_rows: u32) -> String {
    format!("SELECT k::text, f::text FROM ({}) p", page(layout, has_after, has_through, page_rows))
}

/// Asks for the rows with the keys in the list `$1`.
#[must_use]
pub fn rows(layout: &Layout) -> String {
    let values: Vec<String> = layout.columns.iter().map(|column| format!(", {}", plain(column))).collect();
    let values = values.concat();
    let key = quoted(&layout.key);
    format!(
        "SELECT {key}::text{values} FROM {} WHERE {key} = ANY($1::text[]::{}[])",
        table(layout),
        layout.key_type
    )
}

/// Returns a page of keys and fingerprints, in the order of the key.
fn page(layout: &Layout, has_after: bool, has_through: bool, page_rows: u32) -> String {
    let key = quoted(&layout.key);
    let of = &layout.key_type;
    let mut conditions = Vec::new();
    if has_after {
        conditions.push(format!("{key} > $1::text::{of}"));
    }
    if has_through {
        conditions.push(format!("{key} <= ${}::text::{of}", 1 + u8::from(has_after)));
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    format!(
        "SELECT {key} AS k, ('x' || substr(md5({}), 1, 16))::bit(64)::bigint AS f FROM {}{filter} \
         ORDER BY {key} LIMIT {page_rows}",
        written(layout),
        table(layout)
    )
}

/// Returns the text that [`crate::fingerprint::fingerprint`] digests.
fn written(layout: &Layout) -> String {
    let key = match layout.key_kind {
        KeyKind::Text => format!("rtrim({}::text)", quoted(&layout.key)),
        KeyKind::Integer | KeyKind::Uuid => format!("{}::text", quoted(&layout.key)),
    };
    let mut text = format!("length({key}) || '=' || {key}");
    for column in compared(layout) {
        let names: Vec<String> =
            layout.columns.iter().filter(|own| own.column == column).map(|own| normal(own, layout)).collect();
        let value = match names.as_slice() {
            [value] => value.clone(),
            values => format!("coalesce({})", values.join(", ")),
        };
        write!(text, " || ';' || coalesce(length({value}) || '=' || {value}, '-')")
            .expect("a string takes any text");
    }
    text
}

/// Returns the columns that are compared, in the order in which they are digested.
fn compared(layout: &Layout) -> Vec<Column> {
    let mut columns: Vec<Column> = layout.columns.iter().map(|own| own.column).collect();
    columns.dedup();
    columns.retain(|column| layout.compared.contains(column));
    columns
}

/// Returns a column's value in the decoder's normal form, as far as SQL can say it.
fn normal(own: &LayoutColumn, layout: &Layout) -> String {
    let name = quoted(&own.name);
    let zone = literal(&layout.business_zone);
    let wall_clock = literal(&layout.wall_clock_zone);
    match (own.column, own.kind) {
        (Column::ContributionPerTree, ValueKind::Decimal | ValueKind::Number) => {
            format!("trunc({name}::numeric, 10)::text")
        }
        (_, ValueKind::Decimal) => format!("trim_scale({name})::text"),
        (Column::Account | Column::Referrer | Column::Status, ValueKind::Text) => {
            format!("nullif(rtrim({name}::text), '')")
        }
        (Column::Province | Column::City, ValueKind::Text) => format!("btrim({name}::text)"),
        (Column::AdoptionDate, ValueKind::Instant) => {
            finite(&name, &format!("to_char({name} AT TIME ZONE {zone}, 'YYYY-MM-DD')"))
        }
        (Column::AdoptionDate, ValueKind::WallClock) if layout.wall_clock_zone != layout.business_zone => {
            finite(
                &name,
                &format!("to_char({name} AT TIME ZONE {wall_clock} AT TIME ZONE {zone}, 'YYYY-MM-DD')"),
            )
        }
        (Column::AdoptionDate, ValueKind::Date | ValueKind::WallClock) => {
            finite(&name, &format!("to_char({name}, 'YYYY-MM-DD')"))
        }
        (Column::CreatedAt | Column::LastActivity, ValueKind::Instant) => milliseconds(&name, &name),
        (Column::CreatedAt | Column::LastActivity, ValueKind::WallClock) => {
            milliseconds(&name, &format!("({name} AT TIME ZONE {wall_clock})"))
        }
        _ => format!("{name}::text"),
    }
}

fn milliseconds(name: &str, instant: &str) -> String {
    format!("CASE WHEN isfinite({name}) THEN floor(extract(epoch FROM {instant}) * 1000)::bigint::text END")
}

/// Returns a column's value as a connector would send it, as text.
fn plain(own: &LayoutColumn) -> String {
    let name = quoted(&own.name);
    match own.kind {
        ValueKind::Date => finite(&name, &format!("to_char({name}, 'YYYY-MM-DD')")),
        ValueKind::WallClock => finite(&name, &format!("to_char({name}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")),
        ValueKind::Instant => {
            finite(&name, &format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))
        }
        ValueKind::Number | ValueKind::Decimal | ValueKind::Text => format!("{name}::text"),
    }
}

/// Returns what shows a date or time, or `infinity`, for which `to_char` is null.
fn finite(name: &str, shown: &str) -> String {
    format!("CASE WHEN isfinite({name}) THEN {shown} ELSE {name}::text END")
}

fn table(layout: &Layout) -> String {
    format!("{}.{}", quoted(&layout.schema), quoted(&layout.table))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use cdc::SourceTable;

    use super::*;

    fn layout() -> Layout {
        let column = |column, name: &str, kind| LayoutColumn { column, name: name.to_owned(), kind };
        Layout {
            topic: "t".to_owned(),
            rows_of: "t".to_owned(),
            holds: SourceTable::Adoptions,
            schema: "public".to_owned(),
            table: "odd\"name".to_owned(),
            key: "id".to_owned(),
            key_kind: KeyKind::Integer,
            key_type: "int8".to_owned(),
            business_zone: "Asia/Shanghai".to_owned(),
            wall_clock_zone: "UTC".to_owned(),
            columns: vec![
                column(Column::Order, "id", ValueKind::Number),
                column(Column::AdoptionDate, "adoption_date", ValueKind::Date),
                column(Column::AdoptionDate, "created_at", ValueKind::Instant),
                column(Column::Status, "status", ValueKind::Text),
            ],
            compared: vec![Column::Order, Column::AdoptionDate],
        }
    }

    #[test]
    fn a_page_is_bounded_read_by_the_key_and_names_no_other_column() {
        let statement = fingerprints(&layout(), true, true, 500);
        assert!(statement.contains("\"id\" > $1::text::int8 AND \"id\" <= $2::text::int8"), "{statement}");
        assert!(statement.contains("FROM \"public\".\"odd\"\"name\""), "{statement}");
        assert!(statement.ends_with("ORDER BY \"id\" LIMIT 500) p"), "{statement}");
        assert!(!statement.contains("status"), "{statement}");
        assert!(!fingerprints(&layout(), false, false, 500).contains("WHERE"));
    }

    #[test]
    fn a_date_that_is_null_is_looked_for_in_the_next_column() {
        let statement = buckets(&layout(), false, 1_000, 100);
        assert!(
            statement.contains(
                "coalesce(CASE WHEN isfinite(\"adoption_date\") THEN to_char(\"adoption_date\", 'YYYY-MM-DD') \
                 ELSE \"adoption_date\"::text END, CASE WHEN isfinite(\"created_at\") THEN \
                 to_char(\"created_at\" AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') ELSE \"created_at\"::text END)"
            ),
            "{statement}"
        );
    }

    #[test]
    fn rows_are_asked_for_by_a_list_of_keys() {
        let statement = rows(&layout());
        assert!(statement.ends_with("WHERE \"id\" = ANY($1::text[]::int8[])"), "{statement}");
        assert!(statement.contains("\"status\"::text"), "{statement}");
    }
}
