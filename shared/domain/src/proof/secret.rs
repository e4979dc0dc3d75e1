//! The secret of a deployment, and the salts that it makes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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

/// Returns the HMAC with SHA-256 (RFC 2104) of a message.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK_BYTES: usize = 64;
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8; 32]) -> String {
        crate::log::PageHash::from_bytes(*bytes).to_string()
    }

    #[test]
    fn the_code_agrees_with_the_published_test_vectors() {
        // RFC 4231, cases 1, 2 and 6.
        assert_eq!(
            hex(&hmac_sha256(&[0x0b; 20], b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert!(!format!("{:?}", Secret::new("open sesame")).contains("sesame"));
        assert_ne!(Secret::new("a").id(), Secret::new("b").id());
    }
}
