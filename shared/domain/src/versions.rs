//! The versions of the rules (rules, section 11).

use serde::{Deserialize, Serialize};

use crate::{BusinessDate, Policy};

/// The number of a version of the rules, from 1.
pub type VersionNumber = u32;

/// What introduces a version of the rules: as it stands in the log and in a deployment's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionTerms {
    /// Its number. A higher number goes before a lower one.
    pub number: VersionNumber,
    /// The first adoption date it judges; version 1 has none.
    pub from: Option<BusinessDate>,
    /// The first adoption date it no longer judges, if it ends.
    pub until: Option<BusinessDate>,
    /// Why it was introduced.
    pub reason: String,
    /// Who introduced it.
    pub introduced_by: String,
    /// The policy, as JSON. It is whole: what it leaves out has its default.
    pub policy: String,
}

/// A version of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What introduced it.
    pub terms: VersionTerms,
    /// Its policy.
    pub policy: Policy,
}

/// All versions of the rules that were introduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(Vec<Version>);

impl Versions {
    /// Returns the versions that begin with this policy as version 1.
    pub fn starting(policy: &str) -> Result<Self, InvalidVersion> {
        let mut versions = Self(Vec::new());
        versions.introduce(VersionTerms {
            number: 1,
            from: None,
            until: None,
            reason: "the first version".to_owned(),
            introduced_by: "the deployment".to_owned(),
            policy: policy.to_owned(),
        })?;
        Ok(versions)
    }

    /// Adds a version.
    pub fn introduce(&mut self, terms: VersionTerms) -> Result<(), InvalidVersion> {
        let expected = u32::try_from(self.0.len()).expect("fewer versions than u32 counts") + 1;
        if terms.number != expected {
            return Err(InvalidVersion::Number { number: terms.number, expected });
        }
        if (terms.number == 1) != terms.from.is_none() {
            return Err(InvalidVersion::From);
        }
        let policy: Policy = serde_json::from_str(&terms.policy)
            .map_err(|error| InvalidVersion::Policy { message: error.to_string() })?;
        self.0.push(Version { terms, policy });
        Ok(())
    }

    /// Returns the version in force on `date`: the highest number that has begun and has not ended.
    #[must_use]
    pub fn in_force(&self, date: BusinessDate) -> &Version {
        let covers = |version: &&Version| {
            version.terms.from.is_none_or(|from| from <= date)
                && version.terms.until.is_none_or(|until| date < until)
        };
        // Version 1 may end as well; it is still better than no version at all.
        self.0.iter().rev().find(covers).unwrap_or(&self.0[0])
    }

    /// Returns the first date after `date` on which a version begins or ends.
    #[must_use]
    pub fn next_change_after(&self, date: BusinessDate) -> Option<BusinessDate> {
        let changes = self.0.iter().flat_map(|version| [version.terms.from, version.terms.until]);
        changes.flatten().filter(|change| *change > date).min()
    }

    /// Returns the version with this number.
    #[must_use]
    pub fn numbered(&self, number: VersionNumber) -> Option<&Version> {
        self.0.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns the policy of version 1 as it was written. No page introduces it.
    #[must_use]
    pub fn first_policy(&self) -> &str {
        self.0.first().map_or("", |first| &first.terms.policy)
    }

    /// Returns every version, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.0.iter()
    }

    /// Returns the largest number of team levels of any version.
    #[must_use]
    pub fn level_count_max(&self) -> u8 {
        self.0.iter().map(|version| version.policy.level_count()).max().unwrap_or(0)
    }

    /// Returns how many ancestors can decide the legs of an adoption, by any version.
    ///
    /// The referrer is one even where no level is paid, because the bonuses are its.
    #[must_use]
    pub fn ancestors_max(&self) -> u8 {
        self.level_count_max().max(1)
    }
}

/// A version that cannot be introduced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVersion {
    /// Versions are numbered without gaps.
    #[error("the version has number {number}; the next version is number {expected}")]
    Number {
        /// The number it has.
        number: VersionNumber,
        /// The number it must have.
        expected: VersionNumber,
    },
    /// Version 1 has no `from` date, and every other version has one.
    #[error("version 1 has no `from` date, and every later version has one")]
    From,
    /// Its policy contradicts itself or cannot be read.
    #[error("the policy of the version: {message}")]
    Policy {
        /// What is wrong.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(number: u32, from: &str, until: Option<&str>, policy: &str) -> VersionTerms {
        VersionTerms {
            number,
            from: Some(from.parse().expect("a date")),
            until: until.map(|date| date.parse().expect("a date")),
            reason: "a test".to_owned(),
            introduced_by: "a test".to_owned(),
            policy: policy.to_owned(),
        }
    }

    #[test]
    fn the_highest_number_that_has_begun_and_not_ended_is_in_force() {
        let mut versions = Versions::starting("{}").expect("a policy");
        versions.introduce(terms(2, "2026-03-01", Some("2026-06-01"), "{}")).expect("a version");
        versions.introduce(terms(3, "2026-01-01", None, r#"{"term_years": 3}"#)).expect("a version");
        versions.introduce(terms(4, "2026-04-01", Some("2026-05-01"), "{}")).expect("a version");
        let number = |date: &str| versions.in_force(date.parse().expect("a date")).terms.number;
        assert_eq!(
            ["2025-12-31", "2026-01-01", "2026-03-15", "2026-04-01", "2026-05-01"].map(number),
            [1, 3, 3, 4, 3]
        );
    }

    #[test]
    fn a_version_that_contradicts_itself_is_refused() {
        let mut versions = Versions::starting("{}").expect("a policy");
        assert!(matches!(
            versions.introduce(terms(3, "2026-01-01", None, "{}")),
            Err(InvalidVersion::Number { expected: 2, .. })
        ));
        let wrong = versions.introduce(terms(2, "2026-01-01", None, r#"{"level_count": 14}"#));
        assert!(matches!(wrong, Err(InvalidVersion::Policy { .. })));
    }
}
