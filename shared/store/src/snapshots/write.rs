//! The items of a closed date, and how they are put.

use domain::BusinessDate;
use domain::proof::Block;
use domain::snapshot::{CarriedAccount, CarriedPage, Manifest, Restated};
use domain::{Amount, Owner};

use super::{
    BLOCKS_PER_PART, Directory, NegativeWait, TREE_PARTS_MAX, accounts_key, directory_key, manifest_key,
    ranked_key, restated_key, tree_key, wait_key,
};
use crate::codec::{compress, decompress, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Write, Written};

/// Items are written once, so each has this revision.
const REVISION: u64 = 1;

/// Returns the item of a page of accounts that changed on `date`.
#[must_use]
pub fn accounts_page(date: BusinessDate, number: u32, page: &CarriedPage) -> Item {
    let accounts: Vec<&CarriedAccount> = page.accounts().collect();
    Item::new(accounts_key(date, number), REVISION, compress(&encode(&accounts)))
}

/// Returns the item of a page of ranked rows.
#[must_use]
pub fn ranked_page(date: BusinessDate, number: u32, rows: &[(&Owner, Amount)]) -> Item {
    Item::new(ranked_key(date, number), REVISION, compress(&encode(&rows)))
}

/// Returns the item of a page of differences on earlier dates.
#[must_use]
pub fn restated_page(date: BusinessDate, number: u32, restated: &[Restated]) -> Item {
    Item::new(restated_key(date, number), REVISION, compress(&encode(&restated)))
}

/// Returns the items of the hashes and sums that proofs of a date need.
#[must_use]
pub fn tree_parts(date: BusinessDate, blocks: &[Block]) -> Vec<Item> {
    let parts: Vec<Item> = (0..)
        .zip(blocks.chunks(BLOCKS_PER_PART))
        .map(|(part, blocks)| Item::new(tree_key(date, part), REVISION, encode(&blocks)))
        .collect();
    assert!(parts.len() <= TREE_PARTS_MAX as usize, "a snapshot has fewer than 32 million rows");
    parts
}

/// Returns the item of a date's directory.
#[must_use]
pub fn directory_item(date: BusinessDate, directory: &Directory) -> Item {
    Item::new(directory_key(date), REVISION, compress(&encode(directory)))
}

/// Returns the item of a date's manifest.
#[must_use]
pub fn manifest_item(manifest: &Manifest) -> Item {
    Item::new(manifest_key(manifest.date), REVISION, compress(&encode(manifest)))
}

/// Puts items of a closed date. Those that are there already must be the same.
///
/// Returns how many were there already. With `read_first` they are read before, which costs less where most of them
/// are there.
pub fn put(
    engine: &dyn Engine,
    mut items: Vec<Item>,
    read_first: bool,
) -> BoxFuture<'_, Result<usize, StoreError>> {
    Box::pin(async move {
        let mut present = 0;
        if read_first {
            let there = engine.get_many(items.iter().map(|item| item.key.clone()).collect()).await?;
            for there in &there {
                let own = items.iter().position(|item| item.key == there.key);
                let own = items.swap_remove(own.expect("the engine answers what it was asked"));
                check_same(&own, Some(there))?;
            }
            present += there.len();
        }
        let writes = items.iter().map(|item| Write::put(item.clone(), Condition::Absent)).collect();
        for (written, item) in engine.write_many(writes).await.into_iter().zip(&items) {
            if let Written::ConditionFailed(there) = written? {
                check_same(item, there.as_ref())?;
                present += 1;
            }
        }
        Ok(present)
    })
}

/// Checks that two items have the same content, which another version of the program may have compressed
/// otherwise.
fn check_same(item: &Item, there: Option<&Item>) -> Result<(), StoreError> {
    let is_same = there.is_some_and(|there| {
        there.body == item.body
            || matches!((decompress(there), decompress(item)), (Ok(there), Ok(own)) if there == own)
    });
    if is_same {
        Ok(())
    } else {
        Err(unreadable(item, "a closed date has other content than follows from the log".to_owned()))
    }
}

/// Records that a closed date cannot be published yet.
pub fn put_wait<'a>(engine: &'a dyn Engine, wait: &NegativeWait) -> BoxFuture<'a, Result<(), StoreError>> {
    let item = Item::new(wait_key(), wait.looked_to, encode(wait));
    Box::pin(async move {
        let _ = engine.write(Write::put(item, Condition::None)).await?;
        Ok(())
    })
}

/// Records that no closed date waits.
pub fn remove_wait(engine: &dyn Engine) -> BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async move {
        let _ = engine.write(Write::delete(wait_key(), Condition::None)).await?;
        Ok(())
    })
}
