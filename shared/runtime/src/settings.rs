//! What a deployment decides: settings, read from environment variables.

mod names;
mod variables;

use std::time::Duration;

use cdc::{InvalidProfile, Profile};
use chrono::NaiveDate;
use domain::Policy;
use domain::proof::Secret;
use domain::webhooks::Reach;

pub use names::{QueueUrls, TableNames};
pub use variables::Variables;

/// The settings of a deployment. Every function of a deployment has the same.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Version 1 of the rules' numbers (`CONTRIBUTION_POLICY`, JSON; `BUSINESS_TZ` its time zone).
    pub policy: Policy,
    /// The same as it was set, `{}` where it was not: version 1 of the rules stands in the log's checkpoint as text.
    pub policy_json: String,
    /// What the change topics carry (`CDC_PROFILE`, a name or JSON).
    pub profile: Profile,
    /// When the decider waits.
    pub decisions: DecisionSettings,
    /// The first business date that closes; the first on which something is effective where it is not set
    /// (`FIRST_CLOSE_DATE`, such as `2026-02-01`).
    pub first_close_date: Option<NaiveDate>,
    /// What the source is called (`SOURCE_NAME`): a source that is made anew gets another name. Without it, the name
    /// of the managed cluster, or `kafka`.
    pub source_name: Option<String>,
    /// How many partitions each topic with orders has (`ORDERS_PARTITIONS`): prices and closes wait until each has
    /// begun. Without it, only those that have begun are waited for.
    pub orders_partitions: Option<i32>,
    /// In how many parts accounts are projected (`ACCOUNT_SHARDS`, 1 to 256, default 16). It stays what it is
    /// for as long as the tables live.
    pub account_shards: u32,
    /// What a member sees of other members (`MEMBERS_SEE`: `masked` or `accounts`, default `masked`).
    pub members_see: MembersSee,
    /// The name of this deployment among others of one account (`STAGE`).
    pub stage: Option<String>,
    /// What the salts of proofs are made with (`PROOF_SECRET`, any text). It stays what it is: proofs of closed dates
    /// need it. Where it is not set, shares can be guessed from proofs, and a warning says so.
    pub proof_secret: Option<Secret>,
    /// Where the source's tables can be read, where the deployment is given that (`SOURCE_POSTGRES`: addresses such as
    /// `postgres://reader:password@host/planting`, one for each database, with blanks between them).
    pub source_postgres: Option<SourceConnection>,
    /// What the secrets of subscriptions to events follow from (`WEBHOOK_SECRET`, any text). With another one, every
    /// subscriber needs another secret.
    pub webhook_secret: Option<Secret>,
    /// Where events may be sent (`WEBHOOK_REACH`: `public` or `this-machine`, default `public`).
    pub webhook_reach: Reach,
}

/// Where the source's tables can be read. The addresses have passwords in them and are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceConnection(String);

impl SourceConnection {
    /// Returns the connection to these addresses, which have blanks between them.
    #[must_use]
    pub fn new(addresses: impl Into<String>) -> Self {
        Self(addresses.into())
    }

    /// Returns each address.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.0.split_whitespace()
    }
}

impl std::fmt::Debug for SourceConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SourceConnection")
    }
}

/// What a member sees of other members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MembersSee {
    /// That they are there, with the middle of their accounts hidden, and no amounts.
    #[default]
    Masked,
    /// Their accounts, and what they have unlocked. Amounts stay hidden.
    Accounts,
}

impl std::str::FromStr for MembersSee {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "masked" => Ok(Self::Masked),
            "accounts" => Ok(Self::Accounts),
            _ => Err(()),
        }
    }
}

/// When the decider waits, and how much it does at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionSettings {
    /// How long a withdrawal waits for a later version of its rows (`SETTLE_SECONDS`, default 60).
    pub settle: Duration,
    /// How many withdrawals within an hour wait for an operator's word; `None` lets any number go
    /// (`BRAKE_ADOPTIONS`, a number or `off`, default 1,000).
    pub brake_adoptions: Option<u64>,
    /// How many times the largest amount of thirty days makes a close wait for an operator; `None` lets any
    /// close go (`GUARD_FACTOR`, a number or `off`, default 10).
    pub guard_factor: Option<u32>,
    /// How far every partition must have been read past an order without a price before it is priced
    /// (`REORDER_WINDOW_MS`, default 1,000).
    pub reorder_window: Duration,
    /// How large a page of the log becomes (`PAGE_BYTES_MAX`, 1,024 to 262,144, default 65,536).
    pub page_bytes_max: usize,
    /// By how many pages the decider runs ahead of the projections (`PAGES_AHEAD_MAX`, 2 to 4,096, default 1,024).
    pub pages_ahead_max: usize,
    /// For how long one invocation goes on deciding (`DECIDE_FOR_MS`, default 1,500).
    pub decide_for: Duration,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self {
            settle: Duration::from_mins(1),
            brake_adoptions: Some(1_000),
            guard_factor: Some(10),
            reorder_window: Duration::from_secs(1),
            page_bytes_max: 64 * 1_024,
            pages_ahead_max: 1_024,
            decide_for: Duration::from_millis(1_500),
        }
    }
}

impl Default for Settings {
    /// Returns the settings of a deployment that decides nothing itself.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            policy_json: "{}".to_owned(),
            profile: Profile::built_in(),
            decisions: DecisionSettings::default(),
            first_close_date: None,
            source_name: None,
            orders_partitions: None,
            account_shards: 16,
            members_see: MembersSee::Masked,
            stage: None,
            proof_secret: None,
            source_postgres: None,
            webhook_secret: None,
            webhook_reach: Reach::Public,
        }
    }
}

impl Settings {
    /// Returns the settings that these variables hold, with the defaults of the rules for the rest.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the variable and what it may hold.
    pub fn read(variables: &Variables) -> Result<Self, SettingsError> {
        let default = Self::default();
        let policy = policy(variables)?;
        Ok(Self {
            profile: profile(variables)?.with_business_zone(policy.business_time_zone()),
            policy,
            policy_json: variables.get("CONTRIBUTION_POLICY").unwrap_or_else(|| "{}".to_owned()),
            decisions: decisions(variables)?,
            first_close_date: variables.parsed("FIRST_CLOSE_DATE", "a date such as 2026-02-01")?,
            source_name: variables.get("SOURCE_NAME"),
            orders_partitions: variables.in_range("ORDERS_PARTITIONS", 1..=10_000)?,
            account_shards: variables.in_range("ACCOUNT_SHARDS", 1..=256)?.unwrap_or(default.account_shards),
            members_see: variables.parsed("MEMBERS_SEE", "masked or accounts")?.unwrap_or_default(),
            stage: variables.get("STAGE"),
            proof_secret: variables.get("PROOF_SECRET").map(Secret::new),
            source_postgres: variables.get("SOURCE_POSTGRES").map(SourceConnection::new),
            webhook_secret: variables.get("WEBHOOK_SECRET").map(Secret::new),
            webhook_reach: variables.parsed("WEBHOOK_REACH", "public or this-machine")?.unwrap_or_default(),
        })
    }
}

fn policy(variables: &Variables) -> Result<Policy, SettingsError> {
    const VARIABLE: &str = "CONTRIBUTION_POLICY";
    let policy = match variables.get(VARIABLE) {
        None => Policy::default(),
        Some(json) => serde_json::from_str(&json)
            .map_err(|error| SettingsError::Policy { message: error.to_string() })?,
    };
    let zone = variables.parsed("BUSINESS_TZ", "the name of a time zone such as Asia/Shanghai")?;
    Ok(match zone {
        None => policy,
        Some(zone) => policy.with_business_time_zone(zone),
    })
}

fn profile(variables: &Variables) -> Result<Profile, SettingsError> {
    let Some(text) = variables.get("CDC_PROFILE") else { return Ok(Profile::built_in()) };
    match Profile::named(&text) {
        Some(profile) => Ok(profile),
        None => Profile::from_json(&text).map_err(SettingsError::Profile),
    }
}

fn decisions(variables: &Variables) -> Result<DecisionSettings, SettingsError> {
    let default = DecisionSettings::default();
    let milliseconds = |variable, default| {
        let value = variables.in_range(variable, 0..=900_000)?;
        Ok::<_, SettingsError>(value.map_or(default, Duration::from_millis))
    };
    let settle_s = variables.in_range("SETTLE_SECONDS", 0..=86_400)?;
    Ok(DecisionSettings {
        settle: settle_s.map_or(default.settle, Duration::from_secs),
        brake_adoptions: variables.number_or_off("BRAKE_ADOPTIONS", default.brake_adoptions)?,
        guard_factor: variables.number_or_off("GUARD_FACTOR", default.guard_factor)?,
        reorder_window: milliseconds("REORDER_WINDOW_MS", default.reorder_window)?,
        page_bytes_max: variables
            .in_range("PAGE_BYTES_MAX", 1_024..=262_144)?
            .unwrap_or(default.page_bytes_max),
        pages_ahead_max: variables.in_range("PAGES_AHEAD_MAX", 2..=4_096)?.unwrap_or(default.pages_ahead_max),
        decide_for: milliseconds("DECIDE_FOR_MS", default.decide_for)?,
    })
}

/// Settings that nothing can run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable that must be there is not.
    #[error("the environment variable {variable} is not set: set it to {expected}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// What it should hold.
        expected: String,
    },
    /// A variable holds something else than it should.
    #[error("the environment variable {variable} holds {value:?}: set it to {expected}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: String,
    },
    /// The policy cannot be read, or breaks one of its own rules.
    #[error("the environment variable CONTRIBUTION_POLICY holds no policy: {message}")]
    Policy {
        /// What to mend.
        message: String,
    },
    /// The profile cannot be read.
    #[error("the environment variable CDC_PROFILE holds no profile: {0}")]
    Profile(InvalidProfile),
}

#[cfg(test)]
mod tests;
