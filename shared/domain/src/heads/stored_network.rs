//! The network as stored: a checkpoint from which the decider goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::network::{AskedClose, Brake, Closed, Counts, Due, Network, UnpricedOrder, WalkProgress};
use crate::log::{PageHash, PauseScope, Position, Truncate, WalkId};
use crate::{BusinessDate, InvalidVersion, OrderId, OrderRange, VersionTerms, Versions};

/// The network as stored: a checkpoint from which the decider goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredNetwork {
    position: Position,
    hash: PageHash,
    time_ms: i64,
    versions: Vec<VersionTerms>,
    counts: Counts,
    walks: BTreeMap<WalkId, WalkProgress>,
    due: BTreeSet<(i64, Due)>,
    unpriced: BTreeMap<OrderId, UnpricedOrder>,
    closed: Option<Closed>,
    close_asked: Option<AskedClose>,
    close_waits: Option<(BusinessDate, Vec<String>)>,
    guard_let_go: Option<BusinessDate>,
    held_back: Option<OrderRange>,
    truncates: BTreeMap<String, Truncate>,
    truncates_let_go: BTreeSet<String>,
    paused: BTreeMap<PauseScope, i64>,
    brake: Brake,
    retired_sources: BTreeSet<String>,
    commands: BTreeMap<String, Position>,
}

impl From<&Network> for StoredNetwork {
    fn from(network: &Network) -> Self {
        let network = network.clone();
        Self {
            position: network.position,
            hash: network.hash,
            time_ms: network.time_ms,
            versions: network.versions.iter().map(|version| version.terms.clone()).collect(),
            counts: network.counts,
            walks: network.walks,
            due: network.due,
            unpriced: network.unpriced,
            closed: network.closed,
            close_asked: network.close_asked,
            close_waits: network.close_waits,
            guard_let_go: network.guard_let_go,
            held_back: network.held_back,
            truncates: network.truncates,
            truncates_let_go: network.truncates_let_go,
            paused: network.paused,
            brake: network.brake,
            retired_sources: network.retired_sources,
            commands: network.commands,
        }
    }
}

impl TryFrom<StoredNetwork> for Network {
    type Error = InvalidVersion;

    fn try_from(stored: StoredNetwork) -> Result<Self, InvalidVersion> {
        let mut terms = stored.versions.into_iter();
        let first = terms.next().ok_or(InvalidVersion::From)?;
        let mut versions = Versions::starting(&first.policy)?;
        for later in terms {
            versions.introduce(later)?;
        }
        Ok(Self {
            position: stored.position,
            hash: stored.hash,
            time_ms: stored.time_ms,
            versions,
            counts: stored.counts,
            walks: stored.walks,
            due: stored.due,
            unpriced: stored.unpriced,
            closed: stored.closed,
            close_asked: stored.close_asked,
            close_waits: stored.close_waits,
            guard_let_go: stored.guard_let_go,
            held_back: stored.held_back,
            truncates: stored.truncates,
            truncates_let_go: stored.truncates_let_go,
            paused: stored.paused,
            brake: stored.brake,
            retired_sources: stored.retired_sources,
            commands: stored.commands,
        })
    }
}
