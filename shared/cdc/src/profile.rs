//! Which topics carry which tables, and what their columns are called.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::Deserialize;

/// How a deployment names and encodes what the decoder reads.
///
/// Three are built in, and [`Profile::built_in`] is all of them at once, because their topics differ.
/// Another one is written as JSON, where everything but `tables` and each table's `holds` may be left
/// out:
///
/// ```json
/// {
///   "tables": {
///     "shop.public.orders": { "holds": "adoptions", "columns": { "tree_count": ["trees"] } },
///     "shop.public.users": { "holds": "users" },
///     "shop.public.referrals": { "holds": "referrals" }
///   },
///   "transaction_topics": ["shop.transaction"],
///   "message_topics": ["shop.message"],
///   "heartbeat_topic_prefix": "__debezium-heartbeat",
///   "added_field_prefix": "__",
///   "decimal_scale": 10,
///   "business_zone": "Asia/Shanghai",
///   "wall_clock_zone": "UTC"
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Declaration")]
pub struct Profile {
    tables: BTreeMap<String, Table>,
    transaction_topics: BTreeSet<String>,
    message_topics: BTreeSet<String>,
    heartbeat_topic_prefix: String,
    pub(super) encoding: Encoding,
}

impl Profile {
    /// The names [`Profile::named`] knows.
    pub const NAMES: [&str; 4] = ["built-in", "guide", "guide-planting-orders", "flattened-deployment"];

    /// All built-in profiles at once.
    #[must_use]
    pub fn built_in() -> Self {
        Self::of(["dbserver1", "cdc.identity", "cdc.planting", "cdc.referral"])
            .with(DEPLOYMENT_USERS, Table::Users { columns: UserColumns::default() })
            .with(DEPLOYMENT_ORDERS, Table::Adoptions { columns: AdoptionColumns::default() })
            .with(DEPLOYMENT_REFERRALS, Table::Referrals { columns: ReferralColumns::default() })
            .with(GUIDE_USERS, Table::Users { columns: UserColumns::default() })
            .with(GUIDE_ADOPTIONS, Table::Adoptions { columns: AdoptionColumns::default() })
            .with(GUIDE_ORDERS, Table::Adoptions { columns: AdoptionColumns::default() })
            .with(GUIDE_REFERRALS, Table::Referrals { columns: ReferralColumns::default() })
    }

    /// The built-in profile of this name, one of [`Profile::NAMES`].
    ///
    /// - `guide`: the topics the service's guide lists, adoptions in `adoptions`;
    /// - `guide-planting-orders`: the same with adoptions in `planting_orders`;
    /// - `flattened-deployment`: the topics of the deployment that flattens its messages;
    /// - `built-in`: all of them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let topics: &[&str] = match name {
            "built-in" => return Some(Self::built_in()),
            "guide" => &[GUIDE_USERS, GUIDE_ADOPTIONS, GUIDE_REFERRALS],
            "guide-planting-orders" => &[GUIDE_USERS, GUIDE_ORDERS, GUIDE_REFERRALS],
            "flattened-deployment" => &[DEPLOYMENT_USERS, DEPLOYMENT_ORDERS, DEPLOYMENT_REFERRALS],
            _ => return None,
        };
        let mut profile = Self::built_in();
        profile.tables.retain(|topic, _| topics.contains(&topic.as_str()));
        let serves = |control: &String| {
            let server = control.rsplit_once('.').map_or("", |(server, _)| server);
            topics.iter().any(|topic| is_below(topic, server))
        };
        profile.transaction_topics.retain(serves);
        profile.message_topics.retain(serves);
        Some(profile)
    }

    /// Reads a profile written as JSON.
    pub fn from_json(text: &str) -> Result<Self, InvalidProfile> {
        serde_json::from_str::<Declaration>(text)
            .map_err(|error| InvalidProfile::Unreadable { problem: error.to_string() })?
            .try_into()
    }

    /// The same profile with another zone for the business date, for a service that has its own
    /// setting for it.
    #[must_use]
    pub fn with_business_zone(mut self, zone: Tz) -> Self {
        self.encoding.business_zone = zone;
        self
    }

    /// The topics that carry rows, with the table each one carries, in order of name.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.tables.iter().map(|(topic, table)| (topic.as_str(), table))
    }

    /// Whether the source says when users were last seen.
    #[must_use]
    pub fn knows_activity(&self) -> bool {
        self.tables.values().any(|table| match table {
            Table::Users { columns } => columns.last_activity.names().next().is_some(),
            Table::Referrals { .. } | Table::Adoptions { .. } => false,
        })
    }

    /// What this topic is about, unless the profile does not know it.
    pub(super) fn subject(&self, topic: &str) -> Option<Subject<'_>> {
        if let Some(table) = self.tables.get(topic) {
            Some(Subject::Table(table))
        } else if is_below(topic, &self.heartbeat_topic_prefix) {
            Some(Subject::Heartbeat)
        } else if self.transaction_topics.contains(topic) {
            Some(Subject::Transactions)
        } else if self.message_topics.contains(topic) {
            Some(Subject::Messages)
        } else {
            None
        }
    }

    /// A profile of these connectors, by `topic.prefix`, without tables yet.
    fn of<const N: usize>(servers: [&str; N]) -> Self {
        Self {
            tables: BTreeMap::new(),
            // The names Debezium gives these topics unless told otherwise.
            transaction_topics: servers.iter().map(|server| format!("{server}.transaction")).collect(),
            message_topics: servers.iter().map(|server| format!("{server}.message")).collect(),
            heartbeat_topic_prefix: DEFAULT_HEARTBEAT_TOPIC_PREFIX.to_owned(),
            encoding: Encoding::default(),
        }
    }

    fn with(mut self, topic: &str, table: Table) -> Self {
        self.tables.insert(topic.to_owned(), table);
        self
    }
}

const GUIDE_USERS: &str = "dbserver1.rwa_identity.users";
const GUIDE_ADOPTIONS: &str = "dbserver1.rwa_planting.adoptions";
const GUIDE_ORDERS: &str = "dbserver1.rwa_planting.planting_orders";
const GUIDE_REFERRALS: &str = "dbserver1.rwa_referral.referral_relations";
const DEPLOYMENT_USERS: &str = "cdc.identity.public.user_accounts";
const DEPLOYMENT_ORDERS: &str = "cdc.planting.public.planting_orders";
const DEPLOYMENT_REFERRALS: &str = "cdc.referral.public.referral_relationships";
const DEFAULT_HEARTBEAT_TOPIC_PREFIX: &str = "__debezium-heartbeat";

/// Whether a topic is of this prefix: Debezium joins the parts of a topic's name with dots.
fn is_below(topic: &str, prefix: &str) -> bool {
    topic.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What a topic is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Table(&'a Table),
    Heartbeat,
    Transactions,
    Messages,
}

/// The table a topic carries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "holds", rename_all = "snake_case", deny_unknown_fields)]
pub enum Table {
    /// One row per user.
    Users {
        /// What its columns are called.
        #[serde(default)]
        columns: UserColumns,
    },
    /// One row per account: who referred it.
    Referrals {
        /// What its columns are called.
        #[serde(default)]
        columns: ReferralColumns,
    },
    /// One row per order of trees.
    Adoptions {
        /// What its columns are called.
        #[serde(default)]
        columns: AdoptionColumns,
    },
}

/// The columns of a table of users.
///
/// `phone`, or whatever the deployment calls it, is not among them on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserColumns {
    /// The account sequence; needed.
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
/// when it is null there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Columns(Vec<String>);

impl Columns {
    fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).into())
    }

    /// The names, best first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// How to read what a message leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encoding {
    /// What `ExtractNewRecordState` puts before the fields it adds (`add.fields.prefix`).
    pub(super) added_field_prefix: String,
    /// The scale of decimals that come as bytes and without a schema.
    pub(super) decimal_scale: u32,
    /// The zone in which an instant has its business date.
    pub(super) business_zone: Tz,
    /// The zone whose wall clock `timestamp without time zone` columns show.
    pub(super) wall_clock_zone: Tz,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            added_field_prefix: "__".to_owned(),
            decimal_scale: domain::Amount::SCALE,
            business_zone: Tz::Asia__Shanghai,
            wall_clock_zone: Tz::UTC,
        }
    }
}

/// A profile as it is written, not yet checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    tables: BTreeMap<String, Table>,
    #[serde(default)]
    transaction_topics: BTreeSet<String>,
    #[serde(default)]
    message_topics: BTreeSet<String>,
    heartbeat_topic_prefix: Option<String>,
    added_field_prefix: Option<String>,
    decimal_scale: Option<u32>,
    business_zone: Option<String>,
    wall_clock_zone: Option<String>,
}

impl TryFrom<Declaration> for Profile {
    type Error = InvalidProfile;

    fn try_from(declaration: Declaration) -> Result<Self, InvalidProfile> {
        let default = Encoding::default();
        let profile = Self {
            tables: declaration.tables,
            transaction_topics: declaration.transaction_topics,
            message_topics: declaration.message_topics,
            heartbeat_topic_prefix: prefix(
                "heartbeat_topic_prefix",
                declaration.heartbeat_topic_prefix,
                DEFAULT_HEARTBEAT_TOPIC_PREFIX,
            )?,
            encoding: Encoding {
                added_field_prefix: prefix(
                    "added_field_prefix",
                    declaration.added_field_prefix,
                    &default.added_field_prefix,
                )?,
                decimal_scale: scale(declaration.decimal_scale, default.decimal_scale)?,
                business_zone: zone("business_zone", declaration.business_zone, default.business_zone)?,
                wall_clock_zone: zone(
                    "wall_clock_zone",
                    declaration.wall_clock_zone,
                    default.wall_clock_zone,
                )?,
            },
        };
        profile.check_topics()?;
        profile.tables.iter().try_for_each(|(topic, table)| check_columns(topic, table))?;
        Ok(profile)
    }
}

impl Profile {
    fn check_topics(&self) -> Result<(), InvalidProfile> {
        if self.tables.is_empty() {
            return Err(InvalidProfile::NoTables);
        }
        let mut seen = BTreeSet::new();
        for topic in self.tables.keys().chain(&self.transaction_topics).chain(&self.message_topics) {
            let well_formed = (1..=MAX_TOPIC_CHARACTERS).contains(&topic.len())
                && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            if !well_formed {
                return Err(InvalidProfile::Topic { topic: topic.clone() });
            }
            if !seen.insert(topic) || is_below(topic, &self.heartbeat_topic_prefix) {
                return Err(InvalidProfile::AmbiguousTopic { topic: topic.clone() });
            }
        }
        Ok(())
    }
}

/// Kafka's limit.
const MAX_TOPIC_CHARACTERS: usize = 249;
/// The largest scale accepted, that of the widest decimals in use.
const MAX_DECIMAL_SCALE: u32 = 38;

fn check_columns(topic: &str, table: &Table) -> Result<(), InvalidProfile> {
    // Every column's field name, its names, and whether a row is of no use without it.
    let columns: &[(&'static str, &Columns, bool)] = match table {
        Table::Users { columns } => &[
            ("account", &columns.account, true),
            ("status", &columns.status, false),
            ("created_at", &columns.created_at, false),
            ("last_activity", &columns.last_activity, false),
        ],
        Table::Referrals { columns } => {
            &[("account", &columns.account, true), ("referrer", &columns.referrer, true)]
        }
        Table::Adoptions { columns } => &[
            ("order", &columns.order, true),
            ("account", &columns.account, true),
            ("tree_count", &columns.tree_count, true),
            ("contribution_per_tree", &columns.contribution_per_tree, false),
            ("adoption_date", &columns.adoption_date, true),
            ("status", &columns.status, true),
            ("province", &columns.province, false),
            ("city", &columns.city, false),
        ],
    };
    for &(field, columns, needed) in columns {
        if needed && columns.0.is_empty() {
            return Err(InvalidProfile::NoColumn { topic: topic.to_owned(), field });
        }
        if columns.names().any(str::is_empty) {
            return Err(InvalidProfile::UnnamedColumn { topic: topic.to_owned(), field });
        }
        if columns.names().any(|name| name.to_ascii_lowercase().contains("phone")) {
            return Err(InvalidProfile::PhoneColumn { topic: topic.to_owned(), field });
        }
    }
    Ok(())
}

fn prefix(field: &'static str, given: Option<String>, default: &str) -> Result<String, InvalidProfile> {
    match given {
        None => Ok(default.to_owned()),
        Some(prefix) if prefix.is_empty() => Err(InvalidProfile::EmptyPrefix { field }),
        Some(prefix) => Ok(prefix),
    }
}

fn scale(given: Option<u32>, default: u32) -> Result<u32, InvalidProfile> {
    let scale = given.unwrap_or(default);
    if scale <= MAX_DECIMAL_SCALE { Ok(scale) } else { Err(InvalidProfile::Scale { scale }) }
}

fn zone(field: &'static str, given: Option<String>, default: Tz) -> Result<Tz, InvalidProfile> {
    match given {
        None => Ok(default),
        Some(name) => name.parse().map_err(|_| InvalidProfile::Zone { field, name }),
    }
}

/// Why a profile cannot be used, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProfile {
    /// Not JSON, or with fields that do not exist.
    #[error("the profile cannot be read: {problem}")]
    Unreadable {
        /// What the JSON reader says, with the line and column.
        problem: String,
    },
    /// No topic carries anything.
    #[error("the profile has no `tables`: name each topic and what it holds, users, referrals or adoptions")]
    NoTables,
    /// A name that Kafka does not allow.
    #[error("{topic:?} cannot be a topic: write one to 249 letters, digits, '.', '_' or '-'")]
    Topic {
        /// The name as written.
        topic: String,
    },
    /// A topic that could be two things.
    #[error("topic {topic:?} has two meanings: list it once, and not below the `heartbeat_topic_prefix`")]
    AmbiguousTopic {
        /// The topic.
        topic: String,
    },
    /// A needed column without any name.
    #[error("the columns of topic {topic:?} give no name for `{field}`: list at least one")]
    NoColumn {
        /// The topic.
        topic: String,
        /// Which column.
        field: &'static str,
    },
    /// An empty column name.
    #[error("the columns of topic {topic:?} list an empty name for `{field}`: remove it")]
    UnnamedColumn {
        /// The topic.
        topic: String,
        /// Which column.
        field: &'static str,
    },
    /// A column that would let a phone number in.
    #[error(
        "the columns of topic {topic:?} take `{field}` from a phone number, which is never read: name \
         another column"
    )]
    PhoneColumn {
        /// The topic.
        topic: String,
        /// Which column.
        field: &'static str,
    },
    /// An empty prefix, which would match everything.
    #[error("`{field}` is empty: give the connector's, or leave it out for the default")]
    EmptyPrefix {
        /// Which prefix.
        field: &'static str,
    },
    /// A scale no decimal has.
    #[error("`decimal_scale` is {scale}: give the column's scale, 0 to 38")]
    Scale {
        /// The scale as written.
        scale: u32,
    },
    /// No time zone of this name.
    #[error("`{field}` is {name:?}, which is no time zone: write one as in \"Asia/Shanghai\" or \"UTC\"")]
    Zone {
        /// Which zone.
        field: &'static str,
        /// The name as written.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> String {
        Profile::from_json(json).expect_err("an invalid profile").to_string()
    }

    #[test]
    fn the_built_in_profile_knows_the_topics_of_every_named_one() {
        let topics = |name: &str| -> Vec<String> {
            let profile = Profile::named(name).expect("a known name");
            profile.tables().map(|(topic, _)| topic.to_owned()).collect()
        };
        let all = topics("built-in");
        for name in Profile::NAMES {
            assert!(topics(name).iter().all(|topic| all.contains(topic)), "{name}");
        }
        assert_eq!(topics("guide"), [GUIDE_USERS, GUIDE_ADOPTIONS, GUIDE_REFERRALS]);
        assert_eq!(topics("guide-planting-orders"), [GUIDE_USERS, GUIDE_ORDERS, GUIDE_REFERRALS]);
        assert_eq!(all.len(), 7);
        assert_eq!(Profile::named("other"), None);
    }

    #[test]
    fn a_profile_keeps_only_the_control_topics_of_its_own_connectors() {
        let deployment = Profile::named("flattened-deployment").expect("a known name");
        assert!(matches!(deployment.subject("cdc.planting.transaction"), Some(Subject::Transactions)));
        assert!(matches!(deployment.subject("cdc.planting.message"), Some(Subject::Messages)));
        assert!(deployment.subject("dbserver1.transaction").is_none());
    }

    #[test]
    fn heartbeats_of_any_connector_are_recognised_by_their_prefix() {
        let profile = Profile::built_in();
        for topic in ["__debezium-heartbeat.dbserver1", "__debezium-heartbeat.cdc.planting"] {
            assert!(matches!(profile.subject(topic), Some(Subject::Heartbeat)), "{topic}");
        }
        assert!(profile.subject("__debezium-heartbeats").is_none());
    }

    #[test]
    fn a_profile_needs_nothing_but_its_topics() {
        let json = r#"{"tables": {"shop.orders": {"holds": "adoptions"}}}"#;
        let profile = Profile::from_json(json).expect("a valid profile");
        assert_eq!(profile.encoding, Encoding::default());
        let tables: Vec<_> = profile.tables().collect();
        assert_eq!(tables, [("shop.orders", &Table::Adoptions { columns: AdoptionColumns::default() })]);
        assert_eq!(serde_json::from_str::<Profile>(json).expect("the same through serde"), profile);
    }

    #[test]
    fn the_documented_example_is_a_valid_profile() {
        let documentation: String = include_str!("profile.rs")
            .lines()
            .skip_while(|line| !line.ends_with("```json"))
            .skip(1)
            .take_while(|line| !line.ends_with("```"))
            .map(|line| line.trim_start_matches("///"))
            .collect();
        let profile = Profile::from_json(&documentation).expect("a valid profile");
        assert_eq!(profile.encoding, Encoding::default());
        assert!(matches!(profile.subject("shop.transaction"), Some(Subject::Transactions)));
    }

    #[test]
    fn a_misspelt_field_is_refused_with_the_spellings_that_exist() {
        for json in [
            r#"{"tabels": {}}"#,
            r#"{"tables": {"t": {"holds": "adoptions", "colums": {}}}}"#,
            r#"{"tables": {"t": {"holds": "adoptions", "columns": {"tree": ["n"]}}}}"#,
            r#"{"tables": {"t": {"holds": "orders"}}}"#,
        ] {
            assert!(problem(json).contains("expected"), "{}", problem(json));
        }
    }

    #[test]
    fn a_profile_that_could_not_work_is_refused_with_what_to_write() {
        let with = |more: &str| problem(&format!(r#"{{"tables": {{"t": {{"holds": "users"}}}}, {more}}}"#));
        assert!(problem(r#"{"tables": {}}"#).contains("name each topic"));
        assert!(problem(r#"{"tables": {"a b": {"holds": "users"}}}"#).contains("cannot be a topic"));
        assert!(with(r#""transaction_topics": ["t"]"#).contains("list it once"));
        assert!(with(r#""heartbeat_topic_prefix": "t""#).contains("two meanings"));
        assert!(with(r#""heartbeat_topic_prefix": """#).contains("is empty"));
        assert!(with(r#""added_field_prefix": """#).contains("is empty"));
        assert!(with(r#""decimal_scale": 39"#).contains("0 to 38"));
        assert!(with(r#""business_zone": "Beijing""#).contains("Asia/Shanghai"));
        let users = |columns: &str| {
            problem(&format!(r#"{{"tables": {{"t": {{"holds": "users", "columns": {columns}}}}}}}"#))
        };
        assert!(users(r#"{"account": []}"#).contains("list at least one"));
        assert!(users(r#"{"status": [""]}"#).contains("empty name"));
        assert!(users(r#"{"status": ["Phone_Number"]}"#).contains("never read"));
    }
}
