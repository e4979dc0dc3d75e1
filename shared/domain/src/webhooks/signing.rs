//! How what is sent is signed: by the convention of Standard Webhooks.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hmac::hmac_sha256;
use crate::log::{EventPlace, WebhookName};
use crate::proof::Secret;

const PREFIX: &str = "whsec_";

/// A secret that the ledger and a subscriber share.
///
/// It follows from the secret of the deployment, so that no table and no page of the log has it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// Returns a secret of the subscription that was made at `since`, by its number.
    #[must_use]
    pub fn of(deployment: &Secret, webhook: &WebhookName, since: EventPlace, number: u32) -> Self {
        Self(deployment.key_for(&format!("webhook|{webhook}|{since}|{number}")).into())
    }

    /// Returns the signature of a message, as one part of the header `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp_s}.{body}");
        format!("v1,{}", STANDARD.encode(hmac_sha256(&self.0, signed.as_bytes())))
    }

    /// Returns the text that a subscriber is given. It is not how a log shows the secret.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret")
    }
}

impl FromStr for SigningSecret {
    type Err = InvalidSigningSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSigningSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSigningSecret)?;
        STANDARD.decode(encoded).map(Self).map_err(|_| InvalidSigningSecret)
    }
}

/// Text that is no secret of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not whsec_ and base64 after it")]
pub struct InvalidSigningSecret;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_convention_s_published_example() {
        let secret: SigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("a secret");
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_subscription_has_secrets_of_its_own_that_a_subscriber_can_read_back() {
        let deployment = Secret::new("of the deployment");
        let secret = |webhook: &str, entry, number| {
            let webhook = webhook.parse().expect("a name");
            SigningSecret::of(&deployment, &webhook, EventPlace::of_entry(1, entry), number)
        };
        let one = secret("mining", 0, 1);
        for other in [secret("wallet", 0, 1), secret("mining", 1, 1), secret("mining", 0, 2)] {
            assert_ne!(one, other);
        }
        assert_eq!(one.reveal().parse::<SigningSecret>(), Ok(one.clone()));
        assert!(!format!("{one:?}").contains("whsec_"), "a log does not show it");
        assert_eq!("secret".parse::<SigningSecret>(), Err(InvalidSigningSecret));
    }
}
