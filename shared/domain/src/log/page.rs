//! A page of the log.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::entry::Entry;

/// The number of a page. A position of the log is the number of the last page it includes; 0 is before all.
pub type Position = u64;

/// A page: what was taken in and decided together, by one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its number, from 1.
    pub position: Position,
    /// The hash of the page before; of the first page, that of the policy under which it was decided.
    pub previous: PageHash,
    /// When it was decided, in milliseconds since 1970: never earlier than the page before.
    pub time_ms: i64,
    /// What it holds, in order.
    pub entries: Vec<Entry>,
}

impl Page {
    /// Returns the bytes that stand for this page, of which [`hash`](Self::hash) is the hash.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a page has no type that cannot be encoded")
    }

    /// Returns the page that these bytes stand for.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidPage> {
        let (page, rest) =
            postcard::take_from_bytes(bytes).map_err(|error| InvalidPage::Encoding(error.to_string()))?;
        if rest.is_empty() {
            Ok(page)
        } else {
            Err(InvalidPage::Encoding("bytes follow the page".to_owned()))
        }
    }

    /// Returns the hash that the next page carries.
    #[must_use]
    pub fn hash(&self) -> PageHash {
        PageHash::of(&self.encode())
    }
}

/// A SHA-256, mostly of a page's bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageHash([u8; 32]);

impl PageHash {
    /// Returns the hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns what the first page carries in place of the hash of a page before: the hash of the policy of version 1, so
    /// that a head is of the policy, too.
    #[must_use]
    pub fn before_first(first_policy: &str) -> Self {
        Self::of(first_policy.as_bytes())
    }

    /// Returns the hash with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the hash with this text: 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

/// Text where people read it, the bytes where they do not.
impl Serialize for PageHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PageHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("not 64 hexadecimal digits"))
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

impl fmt::Display for PageHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for PageHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Bytes that are not a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPage {
    /// The bytes are not in the encoding of a page.
    #[error("the page cannot be decoded: {0}")]
    Encoding(String),
}
