//! Writing the per-account records again from the journal, and reading again what was published.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use ledger::events::{Event, InvalidPosting};
use ledger::store::{
    BatchWrite, EntryId, Item, JournalEntry, JournalItem, Key, Posted, Store, StoreError, Table,
};

/// What a rebuild found. Records are identical to what the journal says if it changed none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Items that follow from the journal.
    pub derived: u64,
    /// Of these, items that were as they should be.
    pub identical: u64,
    /// Of these, items that were not there, and are now.
    pub missing: u64,
    /// Of these, items that were something else, and are right now.
    pub different: u64,
    /// Items that follow from nothing in the journal, and are deleted now.
    pub underived: u64,
}

/// Why the journal cannot be read again.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Storage failed, or an item is not what this system writes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A posting is not what this system writes.
    #[error("a posting to tree {tree}: {error}")]
    Posting {
        /// The tree.
        tree: String,
        /// What is wrong with it.
        error: InvalidPosting,
    },
}

impl Rebuilt {
    /// Whether the records were what the journal says.
    #[must_use]
    pub fn was_identical(&self) -> bool {
        self.identical == self.derived && self.underived == 0
    }
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { derived, identical, missing, different, underived } = self;
        write!(
            formatter,
            "{derived} record items follow from the journal: {identical} were identical, {missing} were missing \
             and {different} different, which is repaired; {underived} followed from nothing and are deleted"
        )
    }
}

/// Makes the records what the journal says, page by page. Safe beside the running stream, which writes
/// the same.
pub async fn rebuild(store: &Store) -> Result<Rebuilt, RebuildError> {
    let mut rebuilt = Rebuilt::default();
    let mut start = None;
    loop {
        let (items, next) = store.scan(Table::Journal, (0, 1), start).await?;
        let mut derived: BTreeMap<Key, Item> = BTreeMap::new();
        for item in items {
            if let JournalItem::Entry(entry) = JournalItem::of_item(item)? {
                derived.extend(keyed(entry.record_items())?);
            }
        }
        restore(store, derived, &mut rebuilt).await?;
        start = next;
        if start.is_none() {
            break;
        }
    }
    loop {
        let (items, next) = store.scan(Table::Records, (0, 1), start).await?;
        remove_underived(store, items, &mut rebuilt).await?;
        start = next;
        if start.is_none() {
            return Ok(rebuilt);
        }
    }
}

/// Writes what is missing or different.
async fn restore(
    store: &Store,
    derived: BTreeMap<Key, Item>,
    rebuilt: &mut Rebuilt,
) -> Result<(), StoreError> {
    let stored = keyed(store.batch_get(derived.keys().cloned()).await?)?;
    rebuilt.derived += derived.len() as u64;
    let mut writes = Vec::new();
    for (key, item) in derived {
        match stored.get(&key) {
            Some(stored) if *stored == item => {
                rebuilt.identical += 1;
                continue;
            }
            Some(_) => rebuilt.different += 1,
            None => rebuilt.missing += 1,
        }
        writes.push(BatchWrite::Put(item));
    }
    store.batch_write(writes).await
}

/// Deletes those of these record items that no entry has.
async fn remove_underived(store: &Store, items: Vec<Item>, rebuilt: &mut Rebuilt) -> Result<(), StoreError> {
    let stored = keyed(items)?;
    let named = |item: &Item| item.clone().decode::<JournalEntry>().map(|entry| entry.id());
    // An item that is no part of an entry at all has no entry either.
    let named: Vec<EntryId> = stored.values().filter_map(|item| named(item).ok()).collect();
    let mut derived = BTreeMap::new();
    for entry in store.entries_by_id(named).await? {
        derived.extend(keyed(entry.record_items())?);
    }
    let underived: Vec<BatchWrite> =
        stored.into_keys().filter(|key| !derived.contains_key(key)).map(BatchWrite::Delete).collect();
    rebuilt.underived += underived.len() as u64;
    store.batch_write(underived).await
}

fn keyed(items: Vec<Item>) -> Result<BTreeMap<Key, Item>, StoreError> {
    items.into_iter().map(|item| Ok((item.key()?, item))).collect()
}

/// Every event there ever was, as the journal tells them: of each account's postings in their order. For
/// a consumer that begins anew, and for proof. Holds the whole journal in memory.
pub async fn events(store: &Store) -> Result<Vec<Event>, RebuildError> {
    let mut entries: HashMap<EntryId, JournalEntry> = HashMap::new();
    let mut postings: Vec<Posted> = Vec::new();
    let mut events = Vec::new();
    let mut start = None;
    loop {
        let (items, next) = store.scan(Table::Journal, (0, 1), start).await?;
        for item in items {
            match JournalItem::of_item(item)? {
                JournalItem::Entry(entry) => {
                    entries.insert(entry.id(), entry);
                }
                JournalItem::Posted(posted) => postings.push(posted),
                JournalItem::Event(event) => events.push(event),
            }
        }
        start = next;
        if start.is_none() {
            break;
        }
    }
    postings.sort_by(|one, other| (&one.tree, one.version).cmp(&(&other.tree, other.version)));
    for posted in postings {
        let told = posted.events(&entries);
        events.extend(told.map_err(|error| RebuildError::Posting { tree: posted.tree.to_string(), error })?);
    }
    Ok(events)
}
