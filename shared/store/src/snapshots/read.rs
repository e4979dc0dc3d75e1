//! Reads what closed dates ended with.

use std::collections::{BTreeMap, BTreeSet};

use domain::proof::{Block, Leaf, RowProof, Secret, Tree};
use domain::snapshot::{CarriedAccount, CarriedPage, CarriedState, Manifest, Restated, Row};
use domain::{Amount, AmountOverflow, BusinessDate, Owner};
use serde::de::DeserializeOwned;

use super::{
    Directory, MANIFESTS, NegativeWait, TREE_PARTS_MAX, directory_key, manifest_key, ranked_key,
    restated_key, tree_key, wait_key,
};
use crate::codec::{decode, decompress, unreadable};
use crate::engine::{Answer, BoxFuture, Engine, StoreError};
use crate::item::{Item, Key, Query, Table};

/// How many pages of accounts are read together.
const PAGES_PER_READ: usize = 200;

fn unpack<T: DeserializeOwned>(item: &Item) -> Result<T, StoreError> {
    let body = decompress(item)?;
    decode(&Item { body, ..item.clone() })
}

/// Returns the manifest of the latest date that has one.
pub fn latest(engine: &dyn Engine) -> BoxFuture<'_, Result<Option<Manifest>, StoreError>> {
    Box::pin(async move { Ok(manifests(engine, None, 1).await?.pop()) })
}

/// Returns the manifest of a date, if it is closed.
pub fn manifest(
    engine: &dyn Engine,
    date: BusinessDate,
) -> BoxFuture<'_, Result<Option<Manifest>, StoreError>> {
    Box::pin(async move { engine.get(manifest_key(date)).await?.as_ref().map(unpack).transpose() })
}

/// Returns the manifests of the latest dates before `before`, the latest first.
pub fn manifests(
    engine: &dyn Engine,
    before: Option<BusinessDate>,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<Manifest>, StoreError>> {
    let after = before.map(|date| date.to_string());
    let query = Query { after, descending: true, limit, ..Query::partition(Table::Snapshots, MANIFESTS) };
    Box::pin(async move { engine.query(query).await?.items.iter().map(unpack).collect() })
}

/// Returns where the accounts of a date are.
pub fn directory(
    engine: &dyn Engine,
    date: BusinessDate,
) -> BoxFuture<'_, Result<Option<Directory>, StoreError>> {
    Box::pin(async move { engine.get(directory_key(date)).await?.as_ref().map(unpack).transpose() })
}

/// Returns everything that was carried over from the date of this directory.
pub fn state<'a>(
    engine: &'a dyn Engine,
    directory: &'a Directory,
) -> BoxFuture<'a, Result<CarriedState, StoreError>> {
    Box::pin(async move {
        let numbers: Vec<u32> = (0..).take(directory.pages.len()).collect();
        let mut pages = Vec::with_capacity(numbers.len());
        for numbers in numbers.chunks(PAGES_PER_READ) {
            let mut read = account_pages(engine, directory, numbers).await?;
            pages.extend(numbers.iter().map(|number| read.remove(number).expect("each page was read")));
        }
        Ok(CarriedState::of(directory.pages_log2, pages))
    })
}

async fn account_pages(
    engine: &dyn Engine,
    directory: &Directory,
    numbers: &[u32],
) -> Result<BTreeMap<u32, CarriedPage>, StoreError> {
    let keys: BTreeMap<Key, u32> = numbers.iter().map(|number| (directory.key(*number), *number)).collect();
    let mut pages = BTreeMap::new();
    for item in engine.get_many(keys.keys().cloned().collect()).await? {
        let accounts: Vec<CarriedAccount> = unpack(&item)?;
        pages.insert(keys[&item.key], CarriedPage::of(accounts));
    }
    match keys.into_iter().find(|(_, number)| !pages.contains_key(number)) {
        None => Ok(pages),
        Some((key, _)) => {
            Err(StoreError::Unreadable { key: Box::new(key), message: "it is missing".to_owned() })
        }
    }
}

/// An account on a closed date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOnDate {
    /// The date as a whole.
    pub manifest: Manifest,
    /// Its row, if it has one.
    pub row: Option<Row>,
    /// What was carried over: with its team, and with what it has where that is below zero.
    pub carried: Option<CarriedAccount>,
}

/// Returns an account on a closed date; `None` where the date is not closed. It takes two calls.
pub fn account<'a>(
    engine: &'a dyn Engine,
    date: BusinessDate,
    owner: &'a Owner,
) -> BoxFuture<'a, Result<Option<AccountOnDate>, StoreError>> {
    Box::pin(async move {
        let items = engine.get_many(vec![manifest_key(date), directory_key(date)]).await?;
        let Some((manifest, directory)) = manifest_and_directory(&items, date)? else { return Ok(None) };
        let number = directory.page_of(owner);
        let page = account_pages(engine, &directory, &[number]).await?;
        let carried = page[&number].account(owner).cloned();
        let effective = carried.as_ref().map_or(Amount::ZERO, |account| account.effective);
        let row = manifest.totals.row(owner, effective);
        Ok(Some(AccountOnDate { manifest, row, carried }))
    })
}

/// Returns these accounts on a closed date; nothing where the date is not closed. It reads each page once.
pub fn accounts<'a>(
    engine: &'a dyn Engine,
    date: BusinessDate,
    owners: &'a [Owner],
) -> BoxFuture<'a, Result<BTreeMap<Owner, AccountOnDate>, StoreError>> {
    Box::pin(async move {
        let Some(manifest) = manifest(engine, date).await? else { return Ok(BTreeMap::new()) };
        let mut carried = carried(engine, date, owners).await?.unwrap_or_default();
        let on_date = |owner: &Owner| {
            let carried = carried.remove(owner);
            let effective = carried.as_ref().map_or(Amount::ZERO, |account| account.effective);
            let row = manifest.totals.row(owner, effective);
            (owner.clone(), AccountOnDate { manifest: manifest.clone(), row, carried })
        };
        let distinct: BTreeSet<&Owner> = owners.iter().collect();
        Ok(distinct.into_iter().map(on_date).collect())
    })
}

/// Returns what was carried over of these accounts from a closed date; `None` where the date is not closed. Accounts
/// of which nothing was carried over are left out. It takes two calls, and reads each page once.
pub fn carried<'a>(
    engine: &'a dyn Engine,
    date: BusinessDate,
    owners: &'a [Owner],
) -> BoxFuture<'a, Result<Option<BTreeMap<Owner, CarriedAccount>>, StoreError>> {
    Box::pin(async move {
        let Some(directory) = directory(engine, date).await? else { return Ok(None) };
        let numbers: BTreeSet<u32> = owners.iter().map(|owner| directory.page_of(owner)).collect();
        let numbers: Vec<u32> = numbers.into_iter().collect();
        let mut carried = BTreeMap::new();
        for numbers in numbers.chunks(PAGES_PER_READ) {
            let pages = account_pages(engine, &directory, numbers).await?;
            let found = owners.iter().filter_map(|owner| {
                let page = pages.get(&directory.page_of(owner))?;
                Some((owner.clone(), page.account(owner)?.clone()))
            });
            carried.extend(found);
        }
        Ok(Some(carried))
    })
}

fn manifest_and_directory(
    items: &[Item],
    date: BusinessDate,
) -> Result<Option<(Manifest, Directory)>, StoreError> {
    let item = |key: &Key| items.iter().find(|item| item.key == *key);
    match (item(&manifest_key(date)), item(&directory_key(date))) {
        (Some(manifest), Some(directory)) => Ok(Some((unpack(manifest)?, unpack(directory)?))),
        (Some(manifest), None) => Err(unreadable(manifest, "its directory is missing".to_owned())),
        (None, _) => Ok(None),
    }
}

/// Returns a page of a date's rows, the largest first; the first page has number 0. Empty after the last.
pub fn ranked<'a>(
    engine: &'a dyn Engine,
    manifest: &'a Manifest,
    number: u32,
) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
    Box::pin(async move {
        let Some(item) = engine.get(ranked_key(manifest.ranked_on, number)).await? else {
            return Ok(Vec::new());
        };
        let rows: Vec<(Owner, Amount)> = unpack(&item)?;
        let row = |(owner, effective): (Owner, Amount)| manifest.totals.row(&owner, effective);
        Ok(rows.into_iter().filter_map(row).collect())
    })
}

/// Returns a page of what the close of `date` would have changed on earlier dates, by account; the first page has
/// number 0. Empty after the last.
pub fn restated(
    engine: &dyn Engine,
    date: BusinessDate,
    number: u32,
) -> BoxFuture<'_, Result<Vec<Restated>, StoreError>> {
    Box::pin(async move {
        let item = engine.get(restated_key(date, number)).await?;
        item.as_ref().map_or(Ok(Vec::new()), unpack)
    })
}

/// Returns the proof of an account's row on a date. It takes two calls.
pub fn proof<'a>(
    engine: &'a dyn Engine,
    date: BusinessDate,
    owner: &'a Owner,
    secret: &'a Secret,
) -> BoxFuture<'a, Result<RowProof, ProofError>> {
    Box::pin(async move {
        let tree_keys = (0..TREE_PARTS_MAX).map(|part| tree_key(date, part));
        let keys = [manifest_key(date), directory_key(date)].into_iter().chain(tree_keys).collect();
        let items = engine.get_many(keys).await?;
        let (manifest, directory) = manifest_and_directory(&items, date)?.ok_or(ProofError::NotClosed)?;
        if manifest.secret_id != secret.id() {
            return Err(ProofError::OtherSecret { needed: manifest.secret_id });
        }
        let tree = Tree::of(manifest.totals.rows, blocks(items, date)?);
        let wanted = Wanted::of(&directory, owner, &tree);
        let pages = account_pages(engine, &directory, &wanted.pages).await?;

        let rows = pages.values().flat_map(CarriedPage::accounts);
        let rows: Vec<Row> = rows.filter_map(|account| manifest.totals.row_of(account)).collect();
        let place = rows.iter().position(|row| row.owner == *owner).ok_or(ProofError::NoRow)?;
        let index = wanted.first_row + place as u64;
        let block = tree.block_of(index);
        let place_of =
            |index: u64| usize::try_from(index - wanted.first_row).expect("what was read is small");
        let leaf = |row: &Row| Leaf::of(row, date, &secret.salt(date, &row.owner));
        let leaves: Vec<Leaf> = rows[place_of(block.start)..place_of(block.end)].iter().map(leaf).collect();
        Ok(RowProof::of(&rows[place], date, secret, &tree, index, &leaves)?)
    })
}

fn blocks(mut items: Vec<Item>, date: BusinessDate) -> Result<Vec<Block>, StoreError> {
    let partition = tree_key(date, 0).partition;
    items.retain(|item| item.key.partition == partition);
    items.sort_by(|one, other| one.key.cmp(&other.key));
    let parts = items.iter().map(decode::<Vec<Block>>).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.concat())
}

/// The pages that have the rows of every block in which a row of an account's page may be.
struct Wanted {
    pages: Vec<u32>,
    /// The number of the first row of the first page.
    first_row: u64,
}

impl Wanted {
    fn of(directory: &Directory, owner: &Owner, tree: &Tree) -> Self {
        let mut ends = Vec::with_capacity(directory.pages.len());
        let mut rows = 0;
        for page in &directory.pages {
            rows += u64::from(page.rows);
            ends.push(rows);
        }
        let own = directory.page_of(owner) as usize;
        let first = if own == 0 { 0 } else { ends[own - 1] };
        let last = tree.rows() - 1;
        let start = tree.block_of(first.min(last)).start;
        let end = tree.block_of(ends[own].saturating_sub(1).clamp(first.min(last), last)).end;
        let from = ends.partition_point(|page_end| *page_end <= start);
        let to = ends.partition_point(|page_end| *page_end < end);
        let number = |place: usize| u32::try_from(place).expect("fewer pages than u32 counts");
        let pages = (number(from.min(own))..=number(to.max(own).min(ends.len() - 1))).collect();
        let first_row = if from.min(own) == 0 { 0 } else { ends[from.min(own) - 1] };
        Self { pages, first_row }
    }
}

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The date has no snapshot.
    #[error("the date is not closed")]
    NotClosed,
    /// The account has no row on the date.
    #[error("the account has no row on this date")]
    NoRow,
    /// The salts were made with another secret.
    #[error("the proofs of this date need the secret {needed}, and another one is set")]
    OtherSecret {
        /// The id of the secret.
        needed: String,
    },
    /// A sum needs more digits than there are.
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the closed date that cannot be published yet, if there is one.
pub fn wait(engine: &dyn Engine) -> BoxFuture<'_, Result<Option<NegativeWait>, StoreError>> {
    Box::pin(async move { engine.get(wait_key()).await?.as_ref().map(decode).transpose() })
}

/// Returns the latest published date, and the one after it that cannot be published, if there is one.
pub fn latest_and_wait(engine: &dyn Engine) -> Answer<'_, (Option<Manifest>, Option<NegativeWait>)> {
    Box::pin(async move {
        let wait = wait(engine).await?;
        let latest = latest(engine).await?;
        // The wait of a date that was published since says nothing any more.
        let published = latest.as_ref().map(|manifest| manifest.date);
        Ok((latest, wait.filter(|wait| Some(wait.date) > published)))
    })
}
