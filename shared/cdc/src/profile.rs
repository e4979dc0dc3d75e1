//! Which topics carry which tables, and what their columns are called.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::Deserialize;

mod columns;
mod declaration;

pub use columns::{
    AdoptionColumns, Columns, Identity, ReferralColumns, SourceName, SourceTable, Table, UserColumns,
};
pub use declaration::InvalidProfile;

use declaration::Declaration;

/// How a deployment names and encodes what the decoder reads.
///
/// Three are built in, and [`Profile::built_in`] is all of them at once, because their topics differ.
/// Another one is written as JSON, where everything but `tables` and each table's `holds` may be left
/// out:
///
/// ```json
/// {
///   "name": "shop",
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
///   "time_unit": "microseconds",
///   "text_times": "instant",
///   "business_zone": "Asia/Shanghai",
///   "wall_clock_zone": "UTC"
/// }
/// ```
///
/// What no message without a schema says:
///
/// - `decimal_scale`: decimals are bytes in base64 (`decimal.handling.mode=precise`) of this scale. Left
///   out, only numbers and text are read.
/// - `time_unit`: what numbers in date and time columns count, since 1970: `days`, `seconds`,
///   `milliseconds`, `microseconds` or `nanoseconds`. Left out, a number is read in the unit in which it
///   is a date of the years 2000 to 2099, which is never true of two, and not at all where there is none.
/// - `text_times`: `wall_clock` where a `Z` or an offset in a text says nothing
///   (`time.precision.mode=isostring` of a column without a zone), else `instant`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Declaration")]
pub struct Profile {
    name: String,
    tables: BTreeMap<String, Table>,
    transaction_topics: BTreeSet<String>,
    message_topics: BTreeSet<String>,
    heartbeat_topic_prefix: String,
    pub(super) encoding: Encoding,
}

impl Profile {
    /// The names [`Profile::named`] knows.
    pub const NAMES: [&str; 4] = ["built-in", "guide", "guide-planting-orders", "flattened-deployment"];

    /// Returns all built-in profiles at once.
    #[must_use]
    pub fn built_in() -> Self {
        Self::of(["dbserver1", "cdc.identity", "cdc.planting", "cdc.referral"])
            .with(DEPLOYMENT_USERS, users())
            .with(DEPLOYMENT_ORDERS, adoptions())
            .with(DEPLOYMENT_REFERRALS, referrals())
            .with(GUIDE_USERS, users())
            .with(GUIDE_ADOPTIONS, adoptions())
            .with(GUIDE_ORDERS, adoptions())
            .with(GUIDE_REFERRALS, referrals())
    }

    /// Returns the built-in profile of this name, one of [`Profile::NAMES`].
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
        name.clone_into(&mut profile.name);
        profile.transaction_topics.retain(serves);
        profile.message_topics.retain(serves);
        Some(profile)
    }

    /// Reads a profile written as JSON.
    pub fn from_json(text: &str) -> Result<Self, InvalidProfile> {
        // A byte order mark, which some editors write before the text, says nothing.
        serde_json::from_str::<Declaration>(text.trim_start_matches('\u{feff}'))
            .map_err(|error| InvalidProfile::Unreadable { problem: error.to_string() })?
            .try_into()
    }

    /// Returns the same profile with another zone for the business date, for a service that has its own
    /// setting for it.
    #[must_use]
    pub fn with_business_zone(mut self, zone: Tz) -> Self {
        self.encoding.business_zone = zone;
        self
    }

    /// Returns the name by which messages speak of this profile.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the zone in which an instant has its business date.
    #[must_use]
    pub fn business_zone(&self) -> Tz {
        self.encoding.business_zone
    }

    /// Returns the zone whose wall clock columns without a zone show.
    #[must_use]
    pub fn wall_clock_zone(&self) -> Tz {
        self.encoding.wall_clock_zone
    }

    /// Returns the topics that carry rows, with the table each one carries, in order of name.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.tables.iter().map(|(topic, table)| (topic.as_str(), table))
    }

    /// Returns whether the source says when users were last seen.
    #[must_use]
    pub fn knows_activity(&self) -> bool {
        self.tables.values().any(|table| match table {
            Table::Users { columns, .. } => columns.last_activity.names().next().is_some(),
            Table::Referrals { .. } | Table::Adoptions { .. } => false,
        })
    }

    /// Returns what this topic is about, unless the profile does not know it.
    pub(super) fn subject(&self, topic: &str) -> Option<Subject<'_>> {
        if let Some((topic, table)) = self.tables.get_key_value(topic) {
            Some(Subject::Table(Topic { topic, table }))
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

    /// Returns whether a topic of this name carries rows.
    pub(super) fn carries_table(&self, topic: &str) -> bool {
        self.tables.contains_key(topic)
    }

    /// Returns whether another table than this one has a column of this name, and this one has not.
    pub(super) fn is_of_another_table(&self, table: &Table, column: &str) -> bool {
        let has = |table: &Table| {
            let names = table.columns().into_iter().flat_map(|(_, names)| names.names());
            names.chain(table.key().names()).any(|name| name == column)
        };
        // What many tables call their key says nothing.
        let is_telling = !["id", "uuid", "key"].contains(&column);
        is_telling
            && !has(table)
            && self.tables.values().any(|other| other.holds() != table.holds() && has(other))
    }

    /// Returns a profile of these connectors, by `topic.prefix`, without tables yet.
    fn of<const N: usize>(servers: [&str; N]) -> Self {
        Self {
            name: "built-in".to_owned(),
            tables: BTreeMap::new(),
            // The names Debezium gives these topics unless told otherwise.
            transaction_topics: servers.iter().map(|server| format!("{server}.transaction")).collect(),
            message_topics: servers.iter().map(|server| format!("{server}.message")).collect(),
            heartbeat_topic_prefix: DEFAULT_HEARTBEAT_TOPIC_PREFIX.to_owned(),
            encoding: Encoding {
                decimals: Decimals::SupposedPrecise { scale: domain::Amount::SCALE },
                ..Encoding::default()
            },
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

/// Returns whether a topic is of this prefix: Debezium joins the parts of a topic's name with dots.
fn is_below(topic: &str, prefix: &str) -> bool {
    topic.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What a topic is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Table(Topic<'a>),
    Heartbeat,
    Transactions,
    Messages,
}

/// A topic and the table it carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic<'a> {
    pub(super) topic: &'a str,
    pub(super) table: &'a Table,
}

impl Topic<'_> {
    /// Returns what keys of the table's rows begin with: the topic, unless another topic has rows of it, too.
    pub(super) fn rows_of(&self) -> &str {
        self.table.rows_of().unwrap_or(self.topic)
    }

    /// Returns whether a row may be of this table, as far as its message says.
    pub(super) fn carries(&self, schema: Option<&str>, table: Option<&str>) -> bool {
        match self.table.source_tables() {
            [] => SourceName::of_topic(self.topic).matches(schema, table),
            names => names.iter().any(|name| name.matches(schema, table)),
        }
    }
}

fn users() -> Table {
    Table::Users { columns: UserColumns::default(), identity: Identity::default() }
}

fn referrals() -> Table {
    Table::Referrals { columns: ReferralColumns::default(), identity: Identity::default() }
}

fn adoptions() -> Table {
    Table::Adoptions { columns: AdoptionColumns::default(), identity: Identity::default() }
}

/// How to read what a message leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encoding {
    /// What `ExtractNewRecordState` puts before the fields it adds (`add.fields.prefix`).
    pub(super) added_field_prefix: String,
    /// How decimals without a schema are written.
    pub(super) decimals: Decimals,
    /// What numbers in date and time columns without a schema count.
    pub(super) time_unit: Option<TimeUnit>,
    /// What a zone in a text without a schema says.
    pub(super) text_times: TextTimes,
    /// The zone in which an instant has its business date.
    pub(super) business_zone: Tz,
    /// The zone whose wall clock `timestamp without time zone` columns show.
    pub(super) wall_clock_zone: Tz,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            added_field_prefix: "__".to_owned(),
            decimals: Decimals::Plain,
            time_unit: None,
            text_times: TextTimes::Instant,
            business_zone: Tz::Asia__Shanghai,
            wall_clock_zone: Tz::UTC,
        }
    }
}

/// How decimals without a schema are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    /// As numbers or text.
    Plain,
    /// As bytes in base64, of this scale.
    Precise { scale: u32 },
    /// Perhaps as bytes in base64, of this scale: a built-in profile serves connectors of both kinds.
    SupposedPrecise { scale: u32 },
}

/// What a number in a date or time column counts, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TimeUnit {
    Days,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// What a `Z` or an offset says in a text without a schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TextTimes {
    /// The zone of the time.
    #[default]
    Instant,
    /// Nothing: the column has no zone.
    WallClock,
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
        assert_eq!((profile.encoding.clone(), profile.name()), (Encoding::default(), "custom"));
        assert_eq!(profile.tables().collect::<Vec<_>>(), [("shop.orders", &adoptions())]);
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
        let expected = Encoding {
            decimals: Decimals::Precise { scale: 10 },
            time_unit: Some(TimeUnit::Microseconds),
            ..Encoding::default()
        };
        assert_eq!((profile.encoding.clone(), profile.name()), (expected, "shop"));
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
        assert!(with(r#""decimal_scale": 39"#).contains("0 to 38"));
        assert!(with(r#""business_zone": "Beijing""#).contains("Asia/Shanghai"));
        let users = |columns: &str| {
            problem(&format!(r#"{{"tables": {{"t": {{"holds": "users", "columns": {columns}}}}}}}"#))
        };
        assert!(users(r#"{"account": []}"#).contains("list at least one"));
        assert!(users(r#"{"status": [""]}"#).contains("empty name"));
        assert!(users(r#"{"status": ["Phone_Number"]}"#).contains("never read"));
    }

    #[test]
    fn a_topic_carries_the_table_that_its_name_ends_with_or_that_the_profile_says() {
        let profile = Profile::from_json(
            r#"{"tables": {"shop.public.orders": {"holds": "adoptions"},
                           "people": {"holds": "users", "source_tables": ["hr.accounts", "members"]}}}"#,
        )
        .expect("a valid profile");
        let (orders, people) = ("shop.public.orders", "people");
        for (topic, schema, table, expected) in [
            (orders, Some("public"), Some("orders"), true),
            (orders, None, Some("orders"), true),
            (orders, None, None, true),
            (orders, Some("archive"), Some("orders"), false),
            (orders, Some("hr"), Some("accounts"), false),
            (people, Some("hr"), Some("accounts"), true),
            (people, Some("any"), Some("members"), true),
            (people, None, Some("orders"), false),
            (people, Some("public"), Some("people"), false),
        ] {
            let Some(Subject::Table(topic)) = profile.subject(topic) else { panic!("a table") };
            assert_eq!(topic.carries(schema, table), expected, "{topic:?} {schema:?} {table:?}");
        }
    }
}
