//! Development tokens, and the check that API Gateway's authorizer makes of every token.
//!
//! On AWS an identity provider signs tokens and the gateway checks them against its keys. Here the
//! provider is this command, with a secret key that the first use makes and that stays on this
//! machine. The rest is the same: signature, issuer, audience and time.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ledger::rules::AccountSequence;
use query_api::{ACCOUNT_CLAIM, OPERATE_SCOPE};
use serde_json::{Map, Value, json};

use crate::endpoints::Storage;

/// Who signs tokens here.
pub const ISSUER: &str = "https://contribution.localhost";
/// Whom tokens are for here.
pub const AUDIENCE: &str = "contribution-api";
/// How long a development token is good for.
const LIFETIME: TimeDelta = TimeDelta::hours(12);

const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "development-token.key";

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Reading one account.
    Account(AccountSequence),
    /// Reading everything.
    Operate,
}

/// The key that signs development tokens.
pub struct DevelopmentKey(Vec<u8>);

impl std::fmt::Debug for DevelopmentKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DevelopmentKey")
    }
}

impl DevelopmentKey {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        ensure!(bytes.len() >= KEY_BYTES, "a key has at least {KEY_BYTES} bytes");
        Ok(Self(bytes))
    }

    /// The key kept beside the tables or, for tables in memory, in the user's state directory. The
    /// first use makes it.
    pub fn kept_with(storage: &Storage) -> Result<Self> {
        let directory = match storage {
            Storage::Directory(directory) => directory.clone(),
            Storage::Ephemeral => state_directory()?,
        };
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create the directory {}", directory.display()))?;
        let path = directory.join(KEY_FILE);
        Self::read_or_make(&path).with_context(|| format!("cannot use the token key {}", path.display()))
    }

    fn read_or_make(path: &Path) -> Result<Self> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(mut file) => {
                let mut bytes = vec![0; KEY_BYTES];
                getrandom::fill(&mut bytes).context("this system has no random numbers")?;
                file.write_all(&bytes)?;
                Self::new(bytes)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::new(fs::read(path)?),
            Err(error) => Err(error.into()),
        }
    }

    /// A token for this use, good from now on.
    pub fn issue(&self, grant: &Grant, now: DateTime<Utc>) -> Result<String> {
        let mut claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now.timestamp(),
            "exp": (now + LIFETIME).timestamp(),
        });
        match grant {
            Grant::Account(account) => {
                claims["sub"] = account.as_str().into();
                claims[ACCOUNT_CLAIM] = account.as_str().into();
            }
            Grant::Operate => {
                claims["sub"] = "operator".into();
                claims["scope"] = OPERATE_SCOPE.into();
            }
        }
        self.sign(&claims)
    }

    /// A token with these claims, whatever they are.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let key = EncodingKey::from_secret(&self.0);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).context("cannot sign a token")
    }
}

/// Checks tokens as API Gateway's JWT authorizer does.
pub struct Authorizer {
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Authorizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authorizer")
    }
}

impl Authorizer {
    /// An authorizer of tokens signed with this key, from this issuer for this audience.
    #[must_use]
    pub fn new(key: &DevelopmentKey, issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        Self { key: DecodingKey::from_secret(&key.0), validation }
    }

    /// The claims of the token in an `Authorization` header, as the gateway passes them on: all of
    /// them text. `None` if there is no token, or not a good one.
    #[must_use]
    pub fn claims(&self, authorization: Option<&str>) -> Option<BTreeMap<String, String>> {
        let authorization = authorization?;
        let token = match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            Some(_) => return None,
            None => authorization,
        };
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation).ok()?;
        Some(decoded.claims.into_iter().map(|(name, value)| (name, gateway_text(&value))).collect())
    }
}

/// A claim as the gateway writes it: lists in brackets, with blanks between.
fn gateway_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(gateway_text).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

fn state_directory() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    Ok(state
        .context("neither XDG_STATE_HOME nor HOME is set; name a directory with --data")?
        .join("contribution"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> DevelopmentKey {
        DevelopmentKey::new(vec![byte; KEY_BYTES]).expect("a key")
    }

    fn bearer(key: &DevelopmentKey, claims: &Value) -> String {
        format!("Bearer {}", key.sign(claims).expect("a token"))
    }

    #[test]
    fn only_a_token_of_the_right_key_issuer_audience_and_time_has_claims() {
        let authorizer = Authorizer::new(&key(1), ISSUER, AUDIENCE);
        let exp = (Utc::now() + LIFETIME).timestamp();
        let good = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "scope": "a b", "list": ["a", 1] });
        let claims = authorizer.claims(Some(&bearer(&key(1), &good))).expect("a good token");
        assert_eq!((claims["scope"].as_str(), claims["list"].as_str()), ("a b", "[a 1]"));

        assert_eq!(authorizer.claims(None), None);
        assert_eq!(authorizer.claims(Some("Bearer x.y.z")), None);
        assert_eq!(authorizer.claims(Some(&bearer(&key(2), &good))), None, "forged");
        let without = |name: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().expect("claims").remove(name);
            claims
        };
        for refused in [
            json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": Utc::now().timestamp() - 1 }),
            json!({ "iss": ISSUER, "aud": "another", "exp": exp }),
            json!({ "iss": "https://another", "aud": AUDIENCE, "exp": exp }),
            json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "nbf": exp }),
            without("exp"),
            without("iss"),
            without("aud"),
        ] {
            assert_eq!(authorizer.claims(Some(&bearer(&key(1), &refused))), None, "{refused}");
        }
    }

    #[test]
    fn a_token_that_claims_to_need_no_signature_has_no_claims() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": (Utc::now() + LIFETIME).timestamp() });
        let token = format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&claims));
        let authorizer = Authorizer::new(&key(1), ISSUER, AUDIENCE);
        assert_eq!(authorizer.claims(Some(&format!("Bearer {token}"))), None);
    }
}
