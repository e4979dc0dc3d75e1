//! What a function is given to work with: clients, names and settings.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use crate::cdc::{InvalidProfile, Profile};
use crate::queue::Queues;
use crate::rules::{InvalidPolicy, Policy};
use crate::store::{MissingTable, Store, Tables};

/// The variable that holds the policy as JSON; the defaults of the rules page if it is not set.
pub const POLICY_VARIABLE: &str = "CONTRIBUTION_POLICY";
/// The variable that holds the capture profile as JSON, or the name of a built-in one.
pub const PROFILE_VARIABLE: &str = "CDC_PROFILE";

/// How long the initialisation waits for the tables. Lambda gives it ten seconds in all.
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

/// Everything a function needs from outside, built once per process.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The tables.
    pub store: Store,
    /// The queues.
    pub queues: Queues,
    /// The rules' numbers.
    pub policy: Policy,
    variables: Variables,
}

/// Where settings come from.
#[derive(Clone)]
pub struct Variables(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl std::fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Variables")
    }
}

impl Variables {
    /// Settings found by `lookup`; an empty one counts as not set.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The process's environment variables.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// A setting, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A setting that must be there.
    pub fn required(&self, name: &'static str) -> Result<String, InvalidEnvironment> {
        self.get(name).ok_or(InvalidEnvironment::Missing { name })
    }

    /// A setting read as a value, or its default if it is not set.
    pub fn parsed_or<T: FromStr>(&self, name: &'static str, default: T) -> Result<T, InvalidEnvironment> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| InvalidEnvironment::Invalid { name, value: text }),
        }
    }
}

impl Environment {
    /// The environment of this process, as Lambda sets it up, with credentials at hand and a
    /// connection to the tables open: that belongs to the initialisation, not to the first event.
    pub async fn of_process() -> Result<Self, InvalidEnvironment> {
        let sdk = aws_config::load_from_env().await;
        let environment = Self::new(&sdk, Variables::of_process())?;
        if tokio::time::timeout(WARM_UP_LIMIT, environment.store.warm_up()).await.is_err() {
            tracing::warn!("the tables did not answer yet; the first event will find out whether they do");
        }
        Ok(environment)
    }

    /// An environment with these service settings and variables.
    pub fn new(sdk: &SdkConfig, variables: Variables) -> Result<Self, InvalidEnvironment> {
        Self::with_clients(aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sqs::Client::new(sdk), variables)
    }

    /// An environment with these clients and variables.
    pub fn with_clients(
        dynamodb: aws_sdk_dynamodb::Client,
        sqs: aws_sdk_sqs::Client,
        variables: Variables,
    ) -> Result<Self, InvalidEnvironment> {
        let tables = Tables::from_lookup(|name| variables.get(name))?;
        let policy = match variables.get(POLICY_VARIABLE) {
            None => Policy::default(),
            Some(json) => serde_json::from_str(&json)
                .map_err(|error| InvalidEnvironment::Policy { message: error.to_string() })?,
        };
        let policy = match variables.get("BUSINESS_TZ") {
            None => policy,
            Some(zone) => policy.with_business_time_zone(
                zone.parse().map_err(|_| InvalidEnvironment::Invalid { name: "BUSINESS_TZ", value: zone })?,
            ),
        };
        Ok(Self { store: Store::new(dynamodb, tables), queues: Queues::new(sqs), policy, variables })
    }

    /// The settings.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// What the change topics carry.
    pub fn profile(&self) -> Result<Profile, InvalidEnvironment> {
        let profile = match self.variables.get(PROFILE_VARIABLE) {
            None => Profile::built_in(),
            Some(text) => match Profile::named(&text) {
                Some(profile) => profile,
                None => Profile::from_json(&text)?,
            },
        };
        Ok(profile.with_business_zone(self.policy.business_time_zone()))
    }
}

/// An environment nothing can run in.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEnvironment {
    /// A table has no name.
    #[error(transparent)]
    Table(#[from] MissingTable),
    /// A setting is not there.
    #[error("the environment variable {name} is not set")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// A setting cannot be read.
    #[error("the environment variable {name} cannot be {value:?}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
    },
    /// The policy breaks one of its own rules.
    #[error("the environment variable {POLICY_VARIABLE} is not a policy: {message}")]
    Policy {
        /// What to fix.
        message: String,
    },
    /// The profile cannot be read.
    #[error("the environment variable {PROFILE_VARIABLE} is not a profile: {0}")]
    Profile(#[from] InvalidProfile),
}

impl From<InvalidPolicy> for InvalidEnvironment {
    fn from(error: InvalidPolicy) -> Self {
        Self::Policy { message: error.to_string() }
    }
}
