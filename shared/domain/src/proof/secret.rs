//! The secret of a deployment, and the salts that it makes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::hmac::hmac_sha256;
use crate::{BusinessDate, Owner};

/// The secret of a deployment. It stays what it is: proofs of closed dates need it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Returns the secret with these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the salt of an account's leaf.
    #[must_use]
    pub fn salt(&self, date: BusinessDate, owner: &Owner) -> Salt {
        Salt(hmac_sha256(&self.0, format!("{date}|{owner}").as_bytes()))
    }

    /// Returns a key for one purpose, from which the secret cannot be found.
    #[must_use]
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        hmac_sha256(&self.0, purpose.as_bytes())
    }

    /// Returns a name by which this secret is recognised, and which shows nothing else of it.
    #[must_use]
    pub fn id(&self) -> String {
        let [a, b, c, d, ..] = hmac_sha256(&self.0, b"id");
        format!("{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({})", self.id())
    }
}

/// What a leaf is hashed with, so that it cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt(pub(super) [u8; 32]);

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        URL_SAFE_NO_PAD.encode(salt.0)
    }
}

impl TryFrom<String> for Salt {
    type Error = InvalidSalt;

    fn try_from(text: String) -> Result<Self, InvalidSalt> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidSalt)?;
        bytes.try_into().map(Self).map_err(|_| InvalidSalt)
    }
}

/// Text that is not a salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a salt is 32 bytes in base64, URL-safe and without padding")]
pub struct InvalidSalt;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert!(!format!("{:?}", Secret::new("open sesame")).contains("sesame"));
        assert_ne!(Secret::new("a").id(), Secret::new("b").id());
    }
}
