//! Makes development tokens, whose key is a file of the data directory, and checks every token as API Gateway's
//! authorizer does.
//!
//! On AWS an identity provider signs tokens, and the gateway checks them against its keys. Here the provider is this
//! command, with a secret key that the first use makes and that stays on this machine. The rest is the same:
//! signature, issuer, audience and time. Only HS256 is signed and only HS256 is accepted, so that this needs a hash
//! and nothing else.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::AccountSequence;
use hmac::{Hmac, KeyInit, Mac};
use query_api::{ACCOUNT_CLAIM, APPROVE_SCOPE, OPERATE_SCOPE, READ_SCOPE};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::language::say;

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
    /// Reading and operating everything.
    Operate,
}

/// The key that signs development tokens.
#[derive(Clone)]
pub struct DevelopmentKey(Vec<u8>);

impl std::fmt::Debug for DevelopmentKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DevelopmentKey")
    }
}

impl DevelopmentKey {
    /// Returns the key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        ensure!(bytes.len() >= KEY_BYTES, "a key has at least {KEY_BYTES} bytes");
        Ok(Self(bytes))
    }

    /// Returns the key kept in the data directory or, for tables in memory, in the user's state directory. The
    /// first use makes it.
    pub fn kept_in(data: Option<&Path>) -> Result<Self> {
        let directory = match data {
            Some(directory) => directory.to_owned(),
            None => state_directory()?,
        };
        fs::create_dir_all(&directory).with_context(|| {
            let directory = directory.display();
            say(format!("cannot create the directory {directory}"), format!("无法创建目录 {directory}"))
        })?;
        let path = directory.join(KEY_FILE);
        Self::read_or_make(&path).with_context(|| {
            let path = path.display();
            say(format!("cannot use the token key {path}"), format!("无法使用令牌密钥 {path}"))
        })
    }

    fn read_or_make(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(bytes) => return Self::new(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = vec![0; KEY_BYTES];
        getrandom::fill(&mut bytes).context("this system has no random numbers")?;
        // The key's file appears whole or not at all: half a key on a full disk would stay there.
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let made = write_for_owner(&part, &bytes).and_then(|()| fs::hard_link(&part, path));
        // What is left of a failed attempt is only in the way.
        let _ = fs::remove_file(&part);
        match made {
            Ok(()) => Self::new(bytes),
            // Another process made one first.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::new(fs::read(path)?),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns until when a token is good that is issued at `now`.
    #[must_use]
    pub fn good_until(now: DateTime<Utc>) -> DateTime<Utc> {
        now + LIFETIME
    }

    /// Returns a token for this use, good from `now` on.
    #[must_use]
    pub fn issue(&self, grant: &Grant, now: DateTime<Utc>) -> String {
        let mut claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now.timestamp(),
            "exp": Self::good_until(now).timestamp(),
        });
        match grant {
            Grant::Account(account) => {
                claims["sub"] = account.as_str().into();
                claims[ACCOUNT_CLAIM] = account.as_str().into();
            }
            Grant::Operate => {
                claims["sub"] = "operator".into();
                claims["scope"] = [READ_SCOPE, OPERATE_SCOPE, APPROVE_SCOPE].join(" ").into();
            }
        }
        self.sign(&claims)
    }

    /// Returns a token with these claims, whatever they are.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
        let signature = self.mac(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns the claims of a token that this key signed.
    fn verified(&self, token: &str) -> Option<Map<String, Value>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header["alg"] != "HS256" {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(signed).verify_slice(&signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// Returns a secret for another purpose that only who has the key can know.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> String {
        let bytes = self.mac(&format!("derived for {purpose}")).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(signed.as_bytes());
        mac
    }
}

fn write_for_owner(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Checks tokens as API Gateway's JWT authorizer does.
#[derive(Debug)]
pub struct Authorizer {
    key: DevelopmentKey,
    issuer: String,
    audience: String,
}

impl Authorizer {
    /// Returns an authorizer of tokens signed with this key, from this issuer for this audience.
    #[must_use]
    pub fn new(key: DevelopmentKey, issuer: &str, audience: &str) -> Self {
        Self { key, issuer: issuer.to_owned(), audience: audience.to_owned() }
    }

    /// Returns the claims of the token in an `Authorization` header as the gateway passes them on, all of them
    /// text; `None` if there is no token, or not a good one.
    #[must_use]
    pub fn claims(
        &self,
        authorization: Option<&str>,
        now: DateTime<Utc>,
    ) -> Option<BTreeMap<String, String>> {
        let authorization = authorization?;
        let token = match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            Some(_) => return None,
            None => authorization,
        };
        let claims = self.key.verified(token)?;
        let is_for_us = match claims.get("aud")? {
            Value::Array(audiences) => audiences.iter().any(|audience| *audience == *self.audience),
            audience => *audience == *self.audience,
        };
        let starts = claims.get("nbf").map_or(Some(i64::MIN), Value::as_i64)?;
        let is_in_time = claims.get("exp")?.as_i64()? > now.timestamp() && starts <= now.timestamp();
        if *claims.get("iss")? != *self.issuer || !is_for_us || !is_in_time {
            return None;
        }
        Some(claims.into_iter().map(|(name, value)| (name, gateway_text(&value))).collect())
    }
}

/// Returns a claim as the gateway writes it: lists in brackets, with blanks between.
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
        .context(say(
            "neither XDG_STATE_HOME nor HOME is set; name a directory with --data",
            "XDG_STATE_HOME 与 HOME 均未设置；请用 --data 写明目录",
        ))?
        .join("contribution"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> DevelopmentKey {
        DevelopmentKey::new(vec![byte; KEY_BYTES]).unwrap()
    }

    fn claims(key: &DevelopmentKey, claims: &Value) -> Option<BTreeMap<String, String>> {
        let authorizer = Authorizer::new(self::key(1), ISSUER, AUDIENCE);
        authorizer.claims(Some(&format!("Bearer {}", key.sign(claims))), Utc::now())
    }

    #[test]
    fn only_a_token_of_the_right_key_issuer_audience_and_time_has_claims() {
        let exp = (Utc::now() + LIFETIME).timestamp();
        let good = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "scope": "a b", "list": ["a", 1] });
        let accepted = claims(&key(1), &good).unwrap();
        assert_eq!((accepted["scope"].as_str(), accepted["list"].as_str()), ("a b", "[a 1]"));
        assert_eq!(claims(&key(2), &good), None, "forged");
        let without = |name: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(name);
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
            assert_eq!(claims(&key(1), &refused), None, "{refused}");
        }
    }

    #[test]
    fn a_token_that_claims_to_need_no_signature_has_no_claims() {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": (Utc::now() + LIFETIME).timestamp() });
        let authorizer = Authorizer::new(key(1), ISSUER, AUDIENCE);
        for (algorithm, signature) in [("none", ""), ("HS256", ""), ("HS512", "AAAA")] {
            let header = part(&json!({ "alg": algorithm, "typ": "JWT" }));
            let token = format!("Bearer {header}.{}.{signature}", part(&claims));
            assert_eq!(authorizer.claims(Some(&token), Utc::now()), None, "{algorithm}");
        }
        assert_eq!(authorizer.claims(Some("Bearer x.y.z"), Utc::now()), None);
        assert_eq!(authorizer.claims(None, Utc::now()), None);
    }
}
