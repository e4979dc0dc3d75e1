//! How an export is written: one JSON object a line. A header, each page in order, a footer.

use domain::BusinessDate;
use serde::{Deserialize, Serialize};

/// What the header names.
const FORMAT: &str = "contribution-log";
const EDITION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    format: String,
    edition: u32,
    /// The policy of version 1 of the rules, as the deployment has it: no page introduces that one.
    pub first_policy: String,
}

impl Header {
    /// Returns the header of an export with this policy.
    #[must_use]
    pub fn new(first_policy: &str) -> Self {
        Self { format: FORMAT.to_owned(), edition: EDITION, first_policy: first_policy.to_owned() }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("it names the format {:?}", self.format));
        }
        if self.edition == EDITION { Ok(()) } else { Err(format!("it is of edition {}", self.edition)) }
    }
}

/// A line after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// A page.
    Page {
        /// Its position.
        position: u64,
        /// The SHA-256 of its bytes, hexadecimal.
        hash: String,
        /// Its bytes, in base 64.
        page: String,
    },
    /// The last line.
    Footer(Footer),
}

/// What the pages lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// The last page.
    pub position: u64,
    /// Its hash.
    pub hash: String,
    /// The digest of the state.
    pub digest: Digest,
}

/// The digest of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// The business date.
    pub date: BusinessDate,
    /// The digest.
    pub hash: String,
    /// How many changes wait.
    pub waiting: u64,
    /// The digest of each section.
    pub sections: Vec<SectionDigest>,
}

/// The digest of a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionDigest {
    /// Its name.
    pub section: String,
    /// How many lines it has.
    pub lines: u64,
    /// Their digest.
    pub hash: String,
}

impl Digest {
    /// Returns the name of the first part in which `other` differs.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<String> {
        if self.date != other.date {
            return Some("date".to_owned());
        }
        if self.waiting != other.waiting {
            return Some("waiting".to_owned());
        }
        let differs = self.sections.iter().zip(&other.sections).find(|(own, others)| own != others);
        if let Some((own, _)) = differs {
            return Some(own.section.clone());
        }
        (self != other).then(|| "hash".to_owned())
    }
}
