//! The figures of a measurement.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::dollars::Dollars;
use super::numbers::rounded;
use crate::clock::Millis;

/// What a measurement came to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Adoptions posted per second over the last half of the run.
    pub adoptions_per_second: f64,
    /// Adoptions committed and not posted at the middle of the run.
    pub backlog_middle: usize,
    /// The same at its end.
    pub backlog_end: usize,
    /// From the commit at the source to the page that posts, of the last half: the median.
    pub commit_to_posted_p50_ms: Millis,
    /// The same: 99 of a hundred.
    pub commit_to_posted_p99_ms: Millis,
    /// How long nothing was posted after each kind of fault; none where it was not measured.
    pub standstill: Standstill,
    /// Write units.
    pub write_units: WriteUnits,
    /// Read units of the run, by adoption.
    pub read_units_per_adoption: f64,
    /// Calls of the run by adoption, by name.
    pub requests_per_adoption: BTreeMap<&'static str, f64>,
    /// What a million adoptions cost.
    pub dollars: Dollars,
    /// The partition keys with the most write units in a second.
    pub hottest_keys: Vec<HotKey>,
    /// Ancestors of an adopter that a posting names, at most as many as there are levels.
    pub mean_chain: f64,
    /// Accounts of users that an adoption pays.
    pub mean_accounts_paid: f64,
}

/// How long nothing was posted after each kind of fault of the decider, beyond what is usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standstill {
    /// A call fails before it has any effect.
    pub transient_ms: Option<Millis>,
    /// A call takes effect, and its answer is lost.
    pub lost_answer_ms: Option<Millis>,
    /// The environment dies.
    pub kill_ms: Option<Millis>,
    /// A call is never answered.
    pub hang_ms: Option<Millis>,
    /// The wake-up of the last adoption of a burst is lost, and nothing comes after it: from its commit to its posting.
    pub lost_message_ms: Option<Millis>,
}

/// Write units by what they were for.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteUnits {
    /// Of a referral, from its row to its projection, with the user's row.
    pub per_referral: f64,
    /// Of a row of a user.
    pub per_user: f64,
    /// Of a referral, for the teams and talent levels above it.
    pub per_referral_talent: f64,
    /// Of an adoption, without the heads and lines of accounts.
    pub per_adoption: f64,
    /// Of a write of an account's head, with its lines.
    pub per_account_paid: f64,
    /// How many accounts' heads were written for one adoption: several adoptions share a write.
    pub heads_per_adoption: f64,
}

/// A partition key with its busiest second.
#[derive(Clone, Debug)]
pub struct HotKey {
    /// The table and the key.
    pub key: String,
    /// The part of a key's limit that it took.
    pub share: f64,
}

impl Figures {
    /// Returns the figures as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let requests: Map<String, Value> = self
            .requests_per_adoption
            .iter()
            .map(|(name, count)| ((*name).to_owned(), rounded(*count).into()))
            .collect();
        json!({
            "adoptions_per_second": rounded(self.adoptions_per_second),
            "backlog_middle": self.backlog_middle,
            "backlog_end": self.backlog_end,
            "commit_to_posted_ms": { "p50": self.commit_to_posted_p50_ms, "p99": self.commit_to_posted_p99_ms },
            "standstill_ms": {
                "transient": self.standstill.transient_ms,
                "lost_answer": self.standstill.lost_answer_ms,
                "kill": self.standstill.kill_ms,
                "hang": self.standstill.hang_ms,
                "lost_message": self.standstill.lost_message_ms,
            },
            "write_units": {
                "per_referral": rounded(self.write_units.per_referral),
                "per_user": rounded(self.write_units.per_user),
                "per_referral_talent": rounded(self.write_units.per_referral_talent),
                "per_adoption": rounded(self.write_units.per_adoption),
                "per_account_paid": rounded(self.write_units.per_account_paid),
                "heads_per_adoption": rounded(self.write_units.heads_per_adoption),
            },
            "read_units_per_adoption": rounded(self.read_units_per_adoption),
            "requests_per_adoption": requests,
            "dollars_per_million": self.dollars.to_json(),
            "hottest_keys": keys_json(&self.hottest_keys),
            "mean_chain": rounded(self.mean_chain),
            "mean_accounts_paid": rounded(self.mean_accounts_paid),
        })
    }
}

/// Returns keys with their shares as JSON.
pub(super) fn keys_json(keys: &[HotKey]) -> Vec<Value> {
    keys.iter().map(|key| json!({ "key": key.key, "share": rounded(key.share) })).collect()
}
