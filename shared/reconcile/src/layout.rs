//! Judges by what the database says of a table whether it can be compared, and how it is read. Pure.

use cdc::{Column, Profile, SourceTable, Table};
use serde::Serialize;

/// What a database says of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Its columns, each with the name of its type.
    pub columns: Vec<(String, String)>,
    /// The columns of its primary key; none where it has none.
    pub primary_key: Vec<String>,
    /// The first column of each of its indexes.
    pub indexed_first: Vec<String>,
}

/// A table that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The topic that carries its rows.
    pub topic: String,
    /// What keys of its rows begin with.
    pub rows_of: String,
    /// What it holds.
    pub holds: SourceTable,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The column of its key.
    pub key: String,
    /// What the key is.
    pub key_kind: KeyKind,
    /// The type of the key, as the database calls it.
    pub key_type: String,
    /// The zone in which an instant has its business date.
    pub business_zone: String,
    /// The zone whose wall clock columns without a zone show.
    pub wall_clock_zone: String,
    /// What the ledger reads of it.
    pub columns: Vec<LayoutColumn>,
    /// The columns that are compared: those that both sides have.
    pub compared: Vec<Column>,
}

/// A column that the ledger reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutColumn {
    /// What it is to the ledger.
    pub column: Column,
    /// Its name in the source.
    pub name: String,
    /// What kind of values it has.
    pub kind: ValueKind,
}

/// What a key is, which says how it is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A whole number.
    Integer,
    /// A UUID.
    Uuid,
    /// A text. Its order is the database's, which only the database knows, so that rows are read one by one.
    Text,
}

impl KeyKind {
    fn of_type(type_name: &str) -> Option<Self> {
        match type_name {
            "int2" | "int4" | "int8" => Some(Self::Integer),
            "uuid" => Some(Self::Uuid),
            "text" | "varchar" | "bpchar" => Some(Self::Text),
            _ => None,
        }
    }

    /// Returns whether the order of keys is known here.
    #[must_use]
    pub fn has_known_order(self) -> bool {
        self != Self::Text
    }

    /// Returns whether a text is a key of this kind.
    #[must_use]
    pub fn has(self, key: &str) -> bool {
        self == Self::Text || self.ordinal(key).is_some()
    }

    /// Returns a number that is ordered as the keys are; `None` where the text is not such a key, or has no known
    /// order.
    #[must_use]
    pub fn ordinal(self, key: &str) -> Option<u128> {
        match self {
            Self::Integer => {
                let number: i64 = key.parse().ok()?;
                (number.to_string() == key).then(|| u128::from(number.cast_unsigned() ^ (1 << 63)))
            }
            Self::Uuid => {
                let is_uuid = key.len() == 36
                    && key.bytes().enumerate().all(|(index, byte)| match index {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
                    });
                let digits = is_uuid.then(|| key.replace('-', ""))?;
                u128::from_str_radix(&digits, 16).ok()
            }
            Self::Text => None,
        }
    }

    /// Returns the key with this number.
    #[must_use]
    pub fn key(self, ordinal: u128) -> String {
        if self == Self::Uuid {
            let hex = format!("{ordinal:032x}");
            return format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        }
        let low = u64::try_from(ordinal & u128::from(u64::MAX)).expect("64 bits fit");
        (low ^ (1 << 63)).cast_signed().to_string()
    }
}

/// What kind of values a column has, as far as it matters for reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Numbers that JSON has: integers and floating-point ones.
    Number,
    /// Decimals.
    Decimal,
    /// A day.
    Date,
    /// A time without a zone.
    WallClock,
    /// An instant.
    Instant,
    /// Anything else, as text.
    Text,
}

impl ValueKind {
    fn of_type(type_name: &str) -> Self {
        match type_name {
            "int2" | "int4" | "int8" | "float4" | "float8" => Self::Number,
            "numeric" => Self::Decimal,
            "date" => Self::Date,
            "timestamp" => Self::WallClock,
            "timestamptz" => Self::Instant,
            _ => Self::Text,
        }
    }
}

/// Why a table is not compared, or not entirely, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Obstacle {
    /// No database has the table.
    #[error(
        "{topic}: the source has no table {looked_for}. Name its database with a further --postgres, or the table with \
         --table {topic}=SCHEMA.TABLE"
    )]
    NoTable {
        /// The topic.
        topic: String,
        /// What was looked for.
        looked_for: String,
    },
    /// Several schemas have the table.
    #[error("{topic}: several tables are called so ({found}); name one with --table {topic}=SCHEMA.TABLE")]
    SeveralTables {
        /// The topic.
        topic: String,
        /// Their names.
        found: String,
    },
    /// The key is not one column of a usable type.
    #[error(
        "{table}: its key is {key}; only a key of one column that is an integer, a UUID or a text can be compared"
    )]
    UnusableKey {
        /// The table.
        table: String,
        /// What it is.
        key: String,
    },
    /// No index begins with the key.
    #[error(
        "{table}: no index begins with its key {key}, so that each range would read the whole table. Create one: \
         CREATE INDEX CONCURRENTLY ON {table} ({key})"
    )]
    NoIndex {
        /// The table.
        table: String,
        /// The key's column.
        key: String,
    },
    /// The source no longer has a column that rows of the ledger have values in.
    #[error(
        "{table}: the schema has changed. It has none of the columns {names}, which the ledger reads as `{column}` and \
         has values of; the other columns are compared. Name the new column in the profile's `columns`"
    )]
    ColumnGone {
        /// The table.
        table: String,
        /// What the column is to the ledger.
        column: String,
        /// The names that were looked for.
        names: String,
    },
    /// The source has a column that no row of the ledger ever named.
    #[error(
        "{table}: no row of the ledger has ever named the column {name} (`{column}`), so that it is not compared. Let \
         the connector include it, and take a snapshot"
    )]
    ColumnNeverNamed {
        /// The table.
        table: String,
        /// What the column is to the ledger.
        column: String,
        /// Its name.
        name: String,
    },
    /// The decoder refuses a row.
    #[error(
        "{table}: its row {key} is not compared, because a record of it would be refused: {refusal}. Look for it in the \
         quarantine"
    )]
    UnreadableRow {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// Why it is refused.
        refusal: String,
    },
    /// The ledger has read nothing of the table's topic.
    #[error(
        "{topic}: the source has {table}, and the ledger has read nothing of this topic; it is not compared"
    )]
    NeverRead {
        /// The topic.
        topic: String,
        /// The table.
        table: String,
    },
}

impl Layout {
    /// Returns how the table of a topic is to be read.
    ///
    /// # Errors
    ///
    /// An [`Obstacle`] where it cannot be compared.
    pub fn of(profile: &Profile, topic: &str, table: &Table, catalog: &Catalog) -> Result<Self, Obstacle> {
        let full_name = format!("{}.{}", catalog.schema, catalog.table);
        let configured: Vec<&str> = table.key().names().collect();
        let key: Vec<&str> = match configured.as_slice() {
            [] => catalog.primary_key.iter().map(String::as_str).collect(),
            names => names.to_vec(),
        };
        let type_of =
            |name: &str| catalog.columns.iter().find(|(column, _)| column == name).map(|(_, of)| of);
        let unusable = |key: String| Obstacle::UnusableKey { table: full_name.clone(), key };
        let key = match key.as_slice() {
            [] => return Err(unusable("missing".to_owned())),
            [key] => *key,
            several => return Err(unusable(several.join(", "))),
        };
        let key_type = type_of(key).ok_or_else(|| unusable(format!("{key}, which is no column of it")))?;
        let key_kind = KeyKind::of_type(key_type).ok_or_else(|| unusable(format!("{key}, a {key_type}")))?;
        if !catalog.indexed_first.iter().any(|first| first == key) {
            return Err(Obstacle::NoIndex { table: full_name, key: key.to_owned() });
        }
        let mut columns: Vec<LayoutColumn> = Vec::new();
        for (column, names) in table.columns() {
            let present = names.names().filter_map(|name| Some((name, type_of(name)?)));
            let add = |(name, type_name): (&str, &String)| LayoutColumn {
                column,
                name: name.to_owned(),
                kind: ValueKind::of_type(type_name),
            };
            // A date that is null is looked for under the next name.
            let is_date = column == Column::AdoptionDate;
            columns.extend(present.take(if is_date { usize::MAX } else { 1 }).map(add));
        }
        let mut compared: Vec<Column> = columns.iter().map(|column| column.column).collect();
        compared.dedup();
        Ok(Self {
            topic: topic.to_owned(),
            rows_of: table.rows_of().unwrap_or(topic).to_owned(),
            holds: table.holds(),
            schema: catalog.schema.clone(),
            table: catalog.table.clone(),
            key: key.to_owned(),
            key_kind,
            key_type: key_type.clone(),
            business_zone: profile.business_zone().name().to_owned(),
            wall_clock_zone: profile.wall_clock_zone().name().to_owned(),
            columns,
            compared,
        })
    }

    /// Returns the table's name with its schema.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// Leaves columns out of the comparison that only one side has, and returns them.
    ///
    /// `named` has the columns that the ledger's rows name, `has_rows` says whether it has any.
    pub fn leave_out(&mut self, table: &Table, named: &[Column], has_rows: bool) -> Vec<Obstacle> {
        if !has_rows {
            return Vec::new();
        }
        let mut obstacles = Vec::new();
        for (column, names) in table.columns() {
            let in_source = self.columns.iter().find(|own| own.column == column);
            match (in_source, named.contains(&column)) {
                (None, true) => obstacles.push(Obstacle::ColumnGone {
                    table: self.full_name(),
                    column: column.name().to_owned(),
                    names: names.names().collect::<Vec<_>>().join(", "),
                }),
                (Some(own), false) => {
                    obstacles.push(Obstacle::ColumnNeverNamed {
                        table: self.full_name(),
                        column: column.name().to_owned(),
                        name: own.name.clone(),
                    });
                    self.compared.retain(|compared| *compared != column);
                }
                _ => {}
            }
        }
        obstacles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Table {
        let profile = Profile::built_in();
        let (_, table) =
            profile.tables().find(|(topic, _)| topic.ends_with("planting_orders")).expect("there");
        table.clone()
    }

    fn catalog(primary_key: &[&str], indexed: &[&str]) -> Catalog {
        let columns = [
            ("id", "int8"),
            ("account_sequence", "varchar"),
            ("tree_count", "int4"),
            ("contribution_per_tree", "numeric"),
            ("adoption_date", "date"),
            ("status", "varchar"),
            ("created_at", "timestamptz"),
            ("note", "xml"),
        ];
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Catalog {
            schema: "public".to_owned(),
            table: "planting_orders".to_owned(),
            columns: columns.map(|(name, of)| (name.to_owned(), of.to_owned())).into(),
            primary_key: owned(primary_key),
            indexed_first: owned(indexed),
        }
    }

    #[test]
    fn a_table_is_read_by_its_primary_key_and_only_by_the_columns_of_the_profile() {
        let layout = Layout::of(&Profile::built_in(), "s.public.t", &orders(), &catalog(&["id"], &["id"]))
            .expect("comparable");
        assert_eq!((layout.key.as_str(), layout.key_kind), ("id", KeyKind::Integer));
        let names: Vec<&str> = layout.columns.iter().map(|column| column.name.as_str()).collect();
        let expected = [
            "id",
            "account_sequence",
            "tree_count",
            "contribution_per_tree",
            "adoption_date",
            "created_at",
            "status",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_key_without_an_index_or_of_several_columns_is_refused_with_what_to_do() {
        let refused = |primary_key: &[&str], indexed: &[&str]| {
            Layout::of(&Profile::built_in(), "t", &orders(), &catalog(primary_key, indexed))
                .expect_err("refused")
                .to_string()
        };
        assert!(
            refused(&["id"], &["status"])
                .contains("CREATE INDEX CONCURRENTLY ON public.planting_orders (id)")
        );
        assert!(refused(&["id", "status"], &["id"]).contains("id, status"));
        assert!(refused(&["note"], &["note"]).contains("a xml"));
        assert!(refused(&[], &[]).contains("missing"));
    }

    #[test]
    fn a_column_that_only_one_side_has_is_named_and_not_compared() {
        let mut layout =
            Layout::of(&Profile::built_in(), "t", &orders(), &catalog(&["id"], &["id"])).expect("comparable");
        let named =
            [Column::Order, Column::Account, Column::TreeCount, Column::AdoptionDate, Column::Province];
        let obstacles = layout.leave_out(&orders(), &named, true);
        let texts: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
        assert!(texts[0].contains("contribution_per_tree") && texts[1].contains("status"), "{texts:?}");
        assert!(
            texts[2].contains("schema has changed") && texts[2].contains("selected_province"),
            "{texts:?}"
        );
        assert_eq!(
            layout.compared,
            [Column::Order, Column::Account, Column::TreeCount, Column::AdoptionDate]
        );
    }

    #[test]
    fn keys_are_ordered_as_the_database_orders_them() {
        let integer = KeyKind::Integer;
        let ascending = ["-9223372036854775808", "-1", "0", "9", "10", "9223372036854775807"];
        let ordinals: Vec<u128> = ascending.map(|key| integer.ordinal(key).expect("a number")).into();
        assert!(ordinals.is_sorted());
        assert!(ascending.iter().zip(&ordinals).all(|(key, ordinal)| integer.key(*ordinal) == *key));
        assert_eq!(integer.ordinal("007"), None);
        let uuid = "00a0c91e-0001-4000-8000-0123456789ab";
        let ordinal = KeyKind::Uuid.ordinal(uuid).expect("a UUID");
        assert_eq!(KeyKind::Uuid.key(ordinal), uuid);
        assert_eq!(KeyKind::Uuid.ordinal("00A0C91E-0001-4000-8000-0123456789AB"), None);
    }
}
