//! Reads what the log says of the whole network, and keeps it up to date by the pages that are new.
//!
//! Touches: `Log` (reads), `Ledger` (reads).

use std::sync::{Arc, Mutex, PoisonError};

use domain::Versions;
use domain::heads::Network;
use runtime::Settings;
use store::{Engine, log, network};

use crate::problem::Problem;

/// How many pages are read at once.
const PAGES_AT_ONCE: u32 = 16;
/// After so many pages it is cheaper to read the decider's checkpoint.
const PAGES_BEHIND_MAX: u64 = 64;

/// The network as this process knows it.
#[derive(Debug, Default)]
pub(crate) struct KnownNetwork(Mutex<Option<Arc<Network>>>);

impl KnownNetwork {
    /// Returns the network up to the last page of the log.
    pub(crate) async fn latest(
        &self,
        engine: &dyn Engine,
        settings: &Settings,
    ) -> Result<Arc<Network>, Problem> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let network = match known {
            Some(known) => known,
            None => Arc::new(checkpoint(engine, settings).await?),
        };
        let network = read_on(engine, settings, network).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(network.clone());
        Ok(network)
    }
}

/// Returns the decider's checkpoint; before the first one, the network before the first page.
async fn checkpoint(engine: &dyn Engine, settings: &Settings) -> Result<Network, Problem> {
    Ok(network::read(engine).await?.unwrap_or_else(|| Network::new(first_versions(settings))))
}

/// Returns the version of the rules that the deployment begins with.
fn first_versions(settings: &Settings) -> Versions {
    Versions::starting(&settings.policy_json).expect("the policy was read from this text")
}

async fn read_on(
    engine: &dyn Engine,
    settings: &Settings,
    known: Arc<Network>,
) -> Result<Arc<Network>, Problem> {
    let mut network = known;
    let mut pages_read = 0;
    loop {
        let pages = log::read_after(engine, network.position, PAGES_AT_ONCE).await?;
        let is_last = pages.len() < PAGES_AT_ONCE as usize;
        if !pages.is_empty() {
            let later = Arc::make_mut(&mut network);
            for page in &pages {
                let hash = page.hash();
                later.apply_page(page, hash);
            }
        }
        if is_last {
            return Ok(network);
        }
        pages_read += pages.len() as u64;
        if pages_read >= PAGES_BEHIND_MAX {
            let stored = checkpoint(engine, settings).await?;
            if stored.position > network.position {
                network = Arc::new(stored);
            }
            pages_read = 0;
        }
    }
}
