//! Reads what was announced, with the rows as they are now.
//!
//! Touches: `Source` (reads rows, announcements and commands; removes announcements that are in the log),
//! `Log` (reads), the clock.

use std::collections::{BTreeMap, BTreeSet};

use cdc::{AdoptionImage, BusinessKey, Reading, ReferralImage, Referrer, RowImage, RowState};
use domain::decide::{AdoptionInput, CommandInput, Decider, Inputs, Progress, ReferralInput};
use domain::heads::Network;
use domain::log::{CommandOutcome, PartitionProgress, Truncate};
use domain::{AdoptionRow, Amount, Column, ReferralRow, RowKey};
use runtime::Context;
use store::inbox::{self, Announced, Announcement, StoredCommand};
use store::rows::{self, RowTable};
use store::{Engine, StoreError};

/// How many announcements are taken in together.
const ANNOUNCEMENTS_MAX: usize = 200;
/// A commit that lies further ahead of the queue's clock than this was not made by the source.
const CLOCKS_DIFFER_MAX_MS: i64 = 86_400_000;

/// What was announced and is being taken in.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    announcements: BTreeSet<String>,
    commands: BTreeMap<String, StoredCommand>,
    referrals: BTreeSet<RowKey>,
}

impl Taken {
    /// Returns whether nothing is being taken in.
    pub(crate) fn is_empty(&self) -> bool {
        self.announcements.is_empty()
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) inputs: Inputs,
    /// Whether nothing else was announced.
    pub(crate) is_all: bool,
}

/// Reads the next announcements and their rows.
///
/// Progress is read first. It is handed on only where everything that was announced by then is among what is
/// handed on with it, or was before.
pub(crate) async fn read(
    engine: &dyn Engine,
    taken: &mut Taken,
    network: &Network,
    orders_partitions: Option<i32>,
    now_ms: i64,
) -> Result<More, StoreError> {
    let progress = progress(engine, network, orders_partitions).await?;
    let (announced, is_all) = inbox::read(engine, ANNOUNCEMENTS_MAX).await?;
    let new: Vec<Announced> =
        announced.into_iter().filter(|announced| !taken.announcements.contains(&announced.key)).collect();
    let mut wanted: BTreeSet<(RowTable, RowKey)> = BTreeSet::new();
    let mut inputs = Inputs::default();
    for announced in new {
        match announced.announcement {
            Announcement::Rows(rows) => wanted.extend(rows),
            Announcement::Command(key) => take_in_command(engine, key, taken, &mut inputs).await?,
            Announcement::Truncated { table, at, committed_ms } => {
                tracing::warn!(?table, "a table was truncated at the source; it waits for an operator");
                let table = table.name().to_owned();
                inputs.truncates.push_back(Truncate { key: at, table, committed_ms });
            }
        }
        taken.announcements.insert(announced.key);
    }
    let stored = rows::read::<RowState>(engine, wanted.iter().cloned().collect()).await?;
    for ((table, key), row) in stored {
        match table {
            RowTable::Referrals => {
                inputs.referrals.insert(key.clone(), referral_input(&row.row));
                taken.referrals.insert(key);
            }
            RowTable::Adoptions => inputs.add_adoption(key, adoption_input(&row.row, now_ms)),
            RowTable::Users => {}
        }
    }
    inputs.progress = is_all.then_some(progress);
    Ok(More { inputs, is_all })
}

/// Removes the announcements that the log has taken in, and answers the commands among them.
///
/// Rows that wait until an account can be read are announced again: they are not in the log.
pub(crate) async fn finish(
    context: &Context,
    taken: &mut Taken,
    decider: &Decider,
) -> Result<(), StoreError> {
    let engine = &*context.engine;
    let taken = std::mem::take(taken);
    let waiting = decider.rows_set_aside().filter(|key| taken.referrals.contains(*key));
    let waiting: Vec<_> = waiting.map(|key| (RowTable::Referrals, key.clone())).collect();
    if !waiting.is_empty() {
        tracing::warn!(rows = waiting.len(), "referrals wait until the accounts they concern can be read");
        let now_ms = context.clock.now().timestamp_millis();
        let key = format!("{now_ms:013}#{}#waiting", context.request_id);
        inbox::announce(engine, key, &Announcement::Rows(waiting)).await?;
    }
    for (key, command) in taken.commands {
        if let Some(position) = decider.network().commands.get(&key) {
            let outcome = outcome_at(engine, &key, *position).await?;
            inbox::answer(
                engine,
                &key,
                &StoredCommand { answer: outcome.map(|outcome| (outcome, *position)), ..command },
            )
            .await?;
        }
    }
    if taken.announcements.is_empty() {
        return Ok(());
    }
    inbox::remove(engine, taken.announcements.into_iter().collect()).await
}

/// Returns what became of a command, from the page it stands in.
async fn outcome_at(
    engine: &dyn Engine,
    key: &str,
    position: u64,
) -> Result<Option<CommandOutcome>, StoreError> {
    let pages = store::log::read_at(engine, vec![position]).await?;
    let entries = pages.into_iter().flat_map(|page| page.entries);
    let mut outcomes = entries.filter_map(|entry| match entry {
        domain::log::Entry::Commanded { idempotency_key, outcome, .. } if idempotency_key == key => {
            Some(outcome)
        }
        _ => None,
    });
    Ok(outcomes.next())
}

async fn take_in_command(
    engine: &dyn Engine,
    key: String,
    taken: &mut Taken,
    inputs: &mut Inputs,
) -> Result<(), StoreError> {
    let Some(stored) = inbox::command(engine, &key).await? else { return Ok(()) };
    if stored.answer.is_none() {
        inputs.commands.push_back(CommandInput {
            idempotency_key: key.clone(),
            by: stored.by.clone(),
            reason: stored.reason.clone(),
            command: stored.command.clone(),
            change: stored.change.clone(),
        });
        taken.commands.insert(key, stored);
    }
    Ok(())
}

/// Returns how far the source was read.
async fn progress(
    engine: &dyn Engine,
    network: &Network,
    orders_partitions: Option<i32>,
) -> Result<Progress, StoreError> {
    let all = store::progress::read(engine).await?;
    let in_use =
        all.into_iter().filter(|partition| !network.retired_sources.contains(&partition.name.source));
    let of_orders: Vec<store::progress::Progress> =
        in_use.filter(|partition| partition.table == Some(RowTable::Adoptions)).collect();
    let mut progress = Progress::default();
    let mut begun: BTreeMap<(String, String), BTreeSet<i32>> = BTreeMap::new();
    for partition in of_orders {
        let name = format!("{} {}-{}", partition.name.source, partition.name.topic, partition.name.partition);
        let topic = (partition.name.source.clone(), partition.name.topic.clone());
        begun.entry(topic).or_default().insert(partition.name.partition);
        match partition.read_through_ms() {
            Some(read_through_ms) => progress.orders.push(PartitionProgress {
                partition: name,
                offset: partition.next_offset.unwrap_or_default(),
                read_through_ms,
            }),
            None => progress.unread.push(name),
        }
    }
    if let Some(expected) = orders_partitions {
        for ((source, topic), partitions) in &begun {
            let missing = (0..expected).filter(|partition| !partitions.contains(partition));
            progress.unread.extend(missing.map(|partition| format!("{source} {topic}-{partition}")));
        }
    }
    if begun.is_empty() {
        progress.unread.push("the orders, of which nothing was read".to_owned());
    }
    Ok(progress)
}

fn referral_input(state: &RowState) -> ReferralInput {
    let row = match state.image() {
        Some(RowImage::Referral(image)) => referral_row(image),
        _ => None,
    };
    let keys = state.business_keys_ever().into_iter();
    let accounts = keys.filter_map(|key| match key {
        BusinessKey::Account(account) => Some(account),
        BusinessKey::Order(_) => None,
    });
    ReferralInput { row, accounts: accounts.collect() }
}

/// Returns the row, unless its account or its referrer cannot be read: then it counts as missing.
fn referral_row(image: ReferralImage) -> Option<ReferralRow> {
    let account = image.account.value()?.clone();
    match image.referrer {
        Referrer::Account(referrer) => Some(ReferralRow { account, referrer: Some(referrer) }),
        Referrer::None => Some(ReferralRow { account, referrer: None }),
        Referrer::Unknown(_) => None,
    }
}

fn adoption_input(state: &RowState, now_ms: i64) -> AdoptionInput {
    let row = match state.image() {
        Some(RowImage::Adoption(image)) => {
            image.order.value().copied().map(|order| (order, adoption_row(image)))
        }
        _ => None,
    };
    let keys = state.business_keys_ever().into_iter();
    let orders = keys.filter_map(|key| match key {
        BusinessKey::Order(order) => Some(order),
        BusinessKey::Account(_) => None,
    });
    // An impossible commit must not keep its order, and every later one, out of the price book for ever.
    let committed_ms = state.committed_ms().unwrap_or_default();
    let is_possible = committed_ms <= now_ms.saturating_add(CLOCKS_DIFFER_MAX_MS);
    let committed_ms = if is_possible { committed_ms } else { now_ms };
    AdoptionInput { row, orders: orders.collect(), committed_ms }
}

fn adoption_row(image: AdoptionImage) -> AdoptionRow {
    let price = match &image.contribution_per_tree {
        Reading::Value(price) => match Amount::from_units(price.units()) {
            Ok(amount) => Column::Value(Some(amount)),
            Err(_) => Column::Unreadable,
        },
        reading if reading.is_unreadable() => Column::Unreadable,
        _ => Column::Value(None),
    };
    AdoptionRow {
        account: column(image.account),
        trees: column(image.tree_count),
        price,
        date: column(image.adoption_date),
        status: image.status.value().cloned().unwrap_or_default(),
        province: image.province.code().cloned(),
        city: image.city.code().cloned(),
    }
}

fn column<T>(reading: Reading<T>) -> Column<T> {
    match reading {
        Reading::Value(value) => Column::Value(value),
        Reading::Unreadable(_) => Column::Unreadable,
        Reading::Missing(_) | Reading::Null(_) => Column::Missing,
    }
}
