//! A profile as it is written in JSON, and why it cannot be used.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::Deserialize;

use super::columns::{SourceTable, Table};
use super::{DEFAULT_HEARTBEAT_TOPIC_PREFIX, Decimals, Encoding, Profile, TextTimes, TimeUnit, is_below};

/// A profile as it is written, not yet checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    tables: BTreeMap<String, Table>,
    #[serde(default)]
    transaction_topics: BTreeSet<String>,
    #[serde(default)]
    message_topics: BTreeSet<String>,
    name: Option<String>,
    heartbeat_topic_prefix: Option<String>,
    added_field_prefix: Option<String>,
    decimal_scale: Option<u32>,
    time_unit: Option<TimeUnit>,
    #[serde(default)]
    text_times: TextTimes,
    business_zone: Option<String>,
    wall_clock_zone: Option<String>,
}

impl TryFrom<Declaration> for Profile {
    type Error = InvalidProfile;

    fn try_from(declaration: Declaration) -> Result<Self, InvalidProfile> {
        let default = Encoding::default();
        let profile = Self {
            name: declaration.name.unwrap_or_else(|| "custom".to_owned()),
            tables: declaration.tables,
            transaction_topics: declaration.transaction_topics,
            message_topics: declaration.message_topics,
            heartbeat_topic_prefix: prefix(
                "heartbeat_topic_prefix",
                declaration.heartbeat_topic_prefix,
                DEFAULT_HEARTBEAT_TOPIC_PREFIX,
            )?,
            encoding: Encoding {
                added_field_prefix: declaration.added_field_prefix.unwrap_or(default.added_field_prefix),
                decimals: decimals(declaration.decimal_scale)?,
                time_unit: declaration.time_unit,
                text_times: declaration.text_times,
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
/// The most names that a column may have.
const MAX_NAMES: usize = 16;

fn check_columns(topic: &str, table: &Table) -> Result<(), InvalidProfile> {
    if table.business_key().0.is_empty() {
        let field = if table.holds() == SourceTable::Adoptions { "order" } else { "account" };
        return Err(InvalidProfile::NoColumn { topic: topic.to_owned(), field });
    }
    let columns = table.columns().into_iter().map(|(column, names)| (column.name(), names));
    for (field, names) in columns.chain([("key", table.key())]) {
        if names.names().any(str::is_empty) {
            return Err(InvalidProfile::UnnamedColumn { topic: topic.to_owned(), field });
        }
        if names.0.len() > MAX_NAMES {
            return Err(InvalidProfile::TooManyNames { topic: topic.to_owned(), field });
        }
        if names.names().any(|name| name.to_ascii_lowercase().contains("phone")) {
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

fn decimals(scale: Option<u32>) -> Result<Decimals, InvalidProfile> {
    match scale {
        None => Ok(Decimals::Plain),
        Some(scale @ 0..=MAX_DECIMAL_SCALE) => Ok(Decimals::Precise { scale }),
        Some(scale) => Err(InvalidProfile::Scale { scale }),
    }
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
    /// More names than a column can have.
    #[error("the columns of topic {topic:?} list more than 16 names for `{field}`: keep those in use")]
    TooManyNames {
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
