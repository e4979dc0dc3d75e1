//! The tables of a profile, and what their columns are called.

use serde::{Deserialize, Serialize};

use crate::column::Column;

/// The table a topic carries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Declaration")]
pub enum Table {
    /// One row per user.
    Users {
        /// What its columns are called.
        columns: UserColumns,
        /// Which rows are its own, and by what they are identified.
        identity: Identity,
    },
    /// One row per account: who referred it.
    Referrals {
        /// What its columns are called.
        columns: ReferralColumns,
        /// Which rows are its own, and by what they are identified.
        identity: Identity,
    },
    /// One row per order of trees.
    Adoptions {
        /// What its columns are called.
        columns: AdoptionColumns,
        /// Which rows are its own, and by what they are identified.
        identity: Identity,
    },
}

/// A table as it is written: which columns there are depends on what it holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    holds: SourceTable,
    #[serde(default = "no_columns")]
    columns: serde_json::Value,
    #[serde(default)]
    key: Columns,
    #[serde(default)]
    source_tables: Vec<SourceName>,
    rows_of: Option<String>,
}

fn no_columns() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

impl TryFrom<Declaration> for Table {
    type Error = serde_json::Error;

    fn try_from(declaration: Declaration) -> Result<Self, serde_json::Error> {
        let Declaration { holds, columns, key, source_tables, rows_of } = declaration;
        let identity = Identity { key, source_tables, rows_of };
        Ok(match holds {
            SourceTable::Users => Self::Users { columns: serde_json::from_value(columns)?, identity },
            SourceTable::Referrals => Self::Referrals { columns: serde_json::from_value(columns)?, identity },
            SourceTable::Adoptions => Self::Adoptions { columns: serde_json::from_value(columns)?, identity },
        })
    }
}

/// Which rows a topic carries, and by what they are identified. All of it may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The columns of the primary key, for a connector that keys messages by something else, for example by
    /// `message.key.columns`. Otherwise the message key is the row's.
    pub key: Columns,
    /// The tables whose rows the topic carries, as the source calls them, for a topic that is not called
    /// `<prefix>.<schema>.<table>`. Rows of other tables are refused.
    pub source_tables: Vec<SourceName>,
    /// The topic that carried the same rows before, for a connector that was given another `topic.prefix`.
    /// Rows of two topics are otherwise different rows, whatever their keys.
    pub rows_of: Option<String>,
}

/// Which of the three tables of the rules a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceTable {
    /// One row per user.
    Users,
    /// One row per account: who referred it.
    Referrals,
    /// One row per order of trees.
    Adoptions,
}

impl SourceTable {
    /// Returns the name by which rows of it are listed and counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Referrals => "referrals",
            Self::Adoptions => "adoptions",
        }
    }
}

impl Table {
    /// Returns which table of the rules it is.
    #[must_use]
    pub fn holds(&self) -> SourceTable {
        match self {
            Self::Users { .. } => SourceTable::Users,
            Self::Referrals { .. } => SourceTable::Referrals,
            Self::Adoptions { .. } => SourceTable::Adoptions,
        }
    }

    /// Returns the columns that make a row's key, where that is not the message key.
    #[must_use]
    pub fn key(&self) -> &Columns {
        &self.identity().key
    }

    /// Returns what the source calls the table, as far as the profile says so.
    pub(crate) fn source_tables(&self) -> &[SourceName] {
        &self.identity().source_tables
    }

    /// Returns the topic whose rows these are, if it is another one.
    #[must_use]
    pub fn rows_of(&self) -> Option<&str> {
        self.identity().rows_of.as_deref()
    }

    fn identity(&self) -> &Identity {
        match self {
            Self::Users { identity, .. }
            | Self::Referrals { identity, .. }
            | Self::Adoptions { identity, .. } => identity,
        }
    }

    /// Returns what the source may call the table whose rows this topic carries.
    #[must_use]
    pub fn source_names(&self, topic: &str) -> Vec<SourceName> {
        match self.source_tables() {
            [] => vec![SourceName::of_topic(topic)],
            names => names.to_vec(),
        }
    }

    /// Returns each column that is read, with its names.
    #[must_use]
    pub fn columns(&self) -> Vec<(Column, &Columns)> {
        match self {
            Self::Users { columns, .. } => vec![
                (Column::Account, &columns.account),
                (Column::Status, &columns.status),
                (Column::CreatedAt, &columns.created_at),
                (Column::LastActivity, &columns.last_activity),
            ],
            Self::Referrals { columns, .. } => {
                vec![(Column::Account, &columns.account), (Column::Referrer, &columns.referrer)]
            }
            Self::Adoptions { columns, .. } => vec![
                (Column::Order, &columns.order),
                (Column::Account, &columns.account),
                (Column::TreeCount, &columns.tree_count),
                (Column::ContributionPerTree, &columns.contribution_per_tree),
                (Column::AdoptionDate, &columns.adoption_date),
                (Column::Status, &columns.status),
                (Column::Province, &columns.province),
                (Column::City, &columns.city),
            ],
        }
    }

    /// Returns whether a name is that of a column that is read, but for capitals and underscores.
    pub(crate) fn respells(&self, name: &str) -> bool {
        let plain = |name: &str| name.replace('_', "").to_lowercase();
        let names = || self.columns().into_iter().flat_map(|(_, names)| names.names());
        names().all(|known| known != name) && names().any(|known| plain(known) == plain(name))
    }

    /// Returns the names of the business key.
    pub(crate) fn business_key(&self) -> &Columns {
        match self {
            Self::Users { columns, .. } => &columns.account,
            Self::Referrals { columns, .. } => &columns.account,
            Self::Adoptions { columns, .. } => &columns.order,
        }
    }
}

/// What a source calls a table: its schema, unless any will do, and its name. Written `public.orders` or
/// `orders`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "String")]
pub struct SourceName {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
}

impl SourceName {
    /// Returns the name at the end of a topic: Debezium calls topics `<prefix>.<schema>.<table>`.
    pub(crate) fn of_topic(topic: &str) -> Self {
        let mut parts = topic.rsplit('.');
        let table = parts.next().unwrap_or(topic).to_owned();
        let schema = parts.next().filter(|_| parts.next().is_some());
        Self { schema: schema.map(str::to_owned), table }
    }

    /// Returns the schema, unless any will do.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Returns the table's name in its schema.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns whether a row may be of this table, as far as its message says.
    pub(crate) fn matches(&self, schema: Option<&str>, table: Option<&str>) -> bool {
        let same = |named: &str, said: Option<&str>| said.is_none_or(|said| said == named);
        same(&self.table, table) && self.schema.as_deref().is_none_or(|named| same(named, schema))
    }
}

impl From<String> for SourceName {
    fn from(text: String) -> Self {
        match text.split_once('.') {
            Some((schema, table)) => Self { schema: Some(schema.to_owned()), table: table.to_owned() },
            None => Self { schema: None, table: text },
        }
    }
}

/// The columns of a table of users.
///
/// `phone`, or whatever the deployment calls it, is not among them on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserColumns {
    /// The account sequence.
    pub account: Columns,
    /// The user's status.
    pub status: Columns,
    /// When the user registered. `registered_at` is a guess at the flattened deployment's name.
    pub created_at: Columns,
    /// When the user was last seen. None by default, because naming one switches on the activity
    /// conditions of talent levels (rules, section 9).
    pub last_activity: Columns,
}

impl Default for UserColumns {
    fn default() -> Self {
        Self {
            account: Columns::new(["account_sequence"]),
            status: Columns::new(["status"]),
            created_at: Columns::new(["created_at", "registered_at"]),
            last_activity: Columns::new([]),
        }
    }
}

/// The columns of a table of referrals.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferralColumns {
    /// The account that was referred; needed.
    pub account: Columns,
    /// The account that referred it; null or empty for a root. Needed as a column: if it were
    /// missing, every account would silently become a root. `referrer_sequence` is a guess at the
    /// flattened deployment's name.
    pub referrer: Columns,
}

impl Default for ReferralColumns {
    fn default() -> Self {
        Self {
            account: Columns::new(["account_sequence"]),
            referrer: Columns::new(["referrer_account_sequence", "referrer_sequence"]),
        }
    }
}

/// The columns of a table of adoptions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdoptionColumns {
    /// The order number; needed. `id` serves a table whose primary key is the order number; one that
    /// is a UUID is refused as no number.
    pub order: Columns,
    /// The adopter's account sequence; needed.
    pub account: Columns,
    /// How many trees; needed. `trees` is a guess.
    pub tree_count: Columns,
    /// The contribution of each tree. Where absent or null, the rules derive it (section 3).
    pub contribution_per_tree: Columns,
    /// The day of the adoption; needed. A `DATE` is that day, a timestamp the business date it falls
    /// on. The flattened deployment has no such column, hence `created_at`.
    pub adoption_date: Columns,
    /// The order's status; needed.
    pub status: Columns,
    /// The province's code. `province_code` is a guess.
    pub province: Columns,
    /// The city's code. `city_code` is a guess.
    pub city: Columns,
}

impl Default for AdoptionColumns {
    fn default() -> Self {
        Self {
            order: Columns::new(["order_id", "id"]),
            account: Columns::new(["account_sequence"]),
            tree_count: Columns::new(["tree_count", "trees"]),
            contribution_per_tree: Columns::new(["contribution_per_tree"]),
            adoption_date: Columns::new(["adoption_date", "created_at"]),
            status: Columns::new(["status"]),
            province: Columns::new(["selected_province", "province_code"]),
            city: Columns::new(["selected_city", "city_code"]),
        }
    }
}

/// The names a column may have, best first. The first one a row has is the one that counts, even
/// when it is null there; a date that is null is looked for under the next name.
///
/// When a message leaves one name out and has another, the column was renamed, unless a message before
/// had both: then the one left out keeps its value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Columns(pub(crate) Vec<String>);

impl Columns {
    pub(crate) fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).into())
    }

    /// Returns whether there is no name.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names, best first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
