//! The decider's checkpoint: `Ledger` `NETWORK#<part>` / `CHECKPOINT`, with the position as revision.

use domain::heads::{Network, StoredNetwork};

use crate::codec::{decode, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Table, Write};

/// An item may have 400 KB; parts stay well below.
const PART_BYTES_MAX: usize = 300_000;
const SORT: &str = "CHECKPOINT";

fn key(part: usize) -> Key {
    Key::new(Table::Ledger, format!("NETWORK#{part:04}"), SORT)
}

/// Returns the latest checkpoint, if there is one.
///
/// The decider goes on from it by reading the pages after it. A checkpoint that was being written in several
/// parts when it was read is treated as none: an older one would do as well, only slower.
pub fn read(engine: &dyn Engine) -> BoxFuture<'_, Result<Option<Network>, StoreError>> {
    Box::pin(async move {
        let Some(first) = engine.get(key(0)).await? else { return Ok(None) };
        let parts: u32 = u32::from_be_bytes(first.body[..4].try_into().expect("four bytes"));
        let mut body = first.body[4..].to_vec();
        for part in 1..parts as usize {
            match engine.get(key(part)).await? {
                Some(item) if item.revision == first.revision => body.extend(item.body),
                Some(_) | None => return Ok(None),
            }
        }
        let whole = Item { body, ..first };
        let stored: StoredNetwork = decode(&whole)?;
        Network::try_from(stored).map(Some).map_err(|error| unreadable(&whole, error.to_string()))
    })
}

/// Puts a checkpoint, unless a later one is there.
pub fn put<'a>(engine: &'a dyn Engine, network: &Network) -> BoxFuture<'a, Result<(), StoreError>> {
    let body = encode(&StoredNetwork::from(network));
    let position = network.position;
    let mut parts: Vec<Vec<u8>> = body.chunks(PART_BYTES_MAX).map(<[u8]>::to_vec).collect();
    let count = u32::try_from(parts.len()).expect("fewer parts than u32 counts");
    parts[0] = [&count.to_be_bytes()[..], &parts[0]].concat();
    Box::pin(async move {
        // The first part says how many there are, so it is written last.
        for (part, body) in parts.into_iter().enumerate().rev() {
            let item = Item::new(key(part), position, body);
            let _ = engine.write(Write::put(item, Condition::Below(position))).await?;
        }
        Ok(())
    })
}
