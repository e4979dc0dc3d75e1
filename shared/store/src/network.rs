//! The decider's checkpoint: `Ledger` `NETWORK#<part>` / `CHECKPOINT`, with the position as revision.
//!
//! The first part says how many parts there are and in which of two slots the others are. A checkpoint is written
//! into the slot that the last one is not in, and its first part at the end: one that was never finished leaves the
//! last one as it was.

use domain::heads::{Network, StoredNetwork};

use crate::codec::{decode, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Table, Write};

/// An item may have 400 KB; parts stay well below.
const PART_BYTES_MAX: usize = 300_000;
const SORT: &str = "CHECKPOINT";
/// How often a checkpoint is read again that changed meanwhile.
const ATTEMPTS_MAX: usize = 4;

/// How many bytes stand before the body in the first part.
const HEADER_BYTES: usize = 5;

fn first_key() -> Key {
    Key::new(Table::Ledger, "NETWORK#0000", SORT)
}

fn key(part: usize, slot: u8) -> Key {
    Key::new(Table::Ledger, format!("NETWORK#{part:04}.{slot}"), SORT)
}

/// What the first part says of the others.
struct Header {
    slot: u8,
    parts: u32,
}

impl Header {
    fn of(first: &Item) -> Result<Self, StoreError> {
        let [slot, parts @ ..] = first
            .body
            .first_chunk::<HEADER_BYTES>()
            .ok_or_else(|| unreadable(first, "it is shorter than its header".to_owned()))?;
        Ok(Self { slot: *slot, parts: u32::from_be_bytes(*parts) })
    }

    fn bytes(&self) -> Vec<u8> {
        [&[self.slot][..], &self.parts.to_be_bytes()].concat()
    }
}

/// Returns the latest checkpoint, if there is one. The decider goes on from it by reading the pages after it.
///
/// Where later ones were written while its parts were read, it is read again. One that stays torn, because two
/// deciders wrote theirs at the same time and one was killed, counts as none: then the log is read from its first page.
pub fn read(engine: &dyn Engine) -> BoxFuture<'_, Result<Option<Network>, StoreError>> {
    Box::pin(async move {
        for _ in 0..ATTEMPTS_MAX {
            let Some(first) = engine.get(first_key()).await? else { return Ok(None) };
            let header = Header::of(&first)?;
            let others = (1..header.parts as usize).map(|part| key(part, header.slot)).collect();
            let mut others = engine.get_many(others).await?;
            others.sort_by(|one, other| one.key.cmp(&other.key));
            let is_whole = others.len() + 1 == header.parts as usize
                && others.iter().all(|item| item.revision == first.revision);
            if !is_whole {
                continue;
            }
            let own = first.body[HEADER_BYTES..].to_vec();
            let body = others.into_iter().fold(own, |body, item| [body, item.body].concat());
            let whole = Item { body, ..first };
            let stored: StoredNetwork = decode(&whole)?;
            let network = Network::try_from(stored);
            return network.map(Some).map_err(|error| unreadable(&whole, error.to_string()));
        }
        Ok(None)
    })
}

/// Puts a checkpoint, unless a later one is there.
pub fn put<'a>(engine: &'a dyn Engine, network: &Network) -> BoxFuture<'a, Result<(), StoreError>> {
    let body = encode(&StoredNetwork::from(network));
    let position = network.position;
    Box::pin(async move {
        let mut parts = body.chunks(PART_BYTES_MAX);
        let own = parts.next().unwrap_or_default();
        let others: Vec<&[u8]> = parts.collect();
        let count = u32::try_from(others.len() + 1).expect("fewer parts than u32 counts");
        let mut header = Header { slot: 0, parts: count };
        if !others.is_empty()
            && let Some(last) = engine.get(first_key()).await?
        {
            header.slot = 1 - Header::of(&last)?.slot.min(1);
        }
        for (part, body) in (1..).zip(others) {
            let item = Item::new(key(part, header.slot), position, body.to_vec());
            let _ = engine.write(Write::put(item, Condition::Below(position))).await?;
        }
        let first = Item::new(first_key(), position, [&header.bytes(), own].concat());
        let _ = engine.write(Write::put(first, Condition::Below(position))).await?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use domain::Versions;

    use super::*;
    use crate::MemoryEngine;

    /// Returns a network whose checkpoint has several parts.
    fn large(position: u64) -> Network {
        let versions = Versions::starting("{}").expect("the default policy");
        let mut network = Network::new(versions);
        network.position = position;
        network.commands = (0..20_000).map(|number| (format!("{number:030}"), position)).collect();
        network
    }

    #[tokio::test]
    async fn a_checkpoint_that_was_never_finished_leaves_the_last_one() {
        let engine = MemoryEngine::default();
        put(&engine, &large(1)).await.expect("memory answers");
        let unfinished = Item::new(key(1, 1), 2, vec![7; 10]);
        engine.write(Write::put(unfinished, Condition::Below(2))).await.map(|_| ()).expect("memory answers");
        assert_eq!(read(&engine).await.expect("readable").map(|network| network.position), Some(1));
        put(&engine, &large(3)).await.expect("memory answers");
        let network = read(&engine).await.expect("readable").expect("a checkpoint");
        assert_eq!((network.position, network.commands.len()), (3, 20_000));
    }
}
