//! Daily snapshots: who has which part of the network on a date.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::{BatchWrite, Range, Store};
use super::key::{DatePart, Key, snapshot_partition};
use super::{Action, Item, StoreError, Table};
use crate::rules::{Amount, BusinessDate, Owner, Ratio};

/// An account's row in the snapshot of a date (rules, section 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// The date.
    pub snapshot_date: BusinessDate,
    /// The account, a user's or a system account.
    pub account: Owner,
    /// What is active of it on the date.
    pub effective_contribution: Amount,
    /// What is active in the whole network.
    pub network_total_contribution: Amount,
    /// The first as a part of the second. The ratios of a date sum to exactly one.
    pub contribution_ratio: Ratio,
}

impl SnapshotRow {
    /// The write of this row. Its date is in its key, and its network's total with the date's close.
    #[must_use]
    pub fn write(&self) -> BatchWrite {
        let key = Key::snapshot_row(self.snapshot_date, &self.account);
        BatchWrite::Put(
            Item::at(&key)
                .with_number("effective", self.effective_contribution)
                .with_number("ratio", self.contribution_ratio),
        )
    }
}

/// Says that the snapshot of a date is final. Published once for each date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailySnapshotCreated {
    /// The date.
    pub snapshot_date: BusinessDate,
    /// What is active in the whole network: the sum of all rows.
    pub network_total_contribution: Amount,
    /// Of that, users' part.
    pub user_total_contribution: Amount,
    /// Of that, system accounts' part.
    pub system_total_contribution: Amount,
    /// Rows of users.
    pub user_count: u64,
    /// Rows of system accounts.
    pub system_account_count: u64,
    /// When the date was closed. Milliseconds since 1970.
    pub closed_at_ms: i64,
}

impl DailySnapshotCreated {
    /// The write that publishes it, which holds only if it was not published yet. It is an entry of
    /// the journal, so that whoever follows the journal hears of it.
    pub fn write(&self) -> Result<Action, StoreError> {
        Ok(Action::put(Item::encode(&Key::snapshot_created(self.snapshot_date), self))?.if_absent())
    }

    /// The event, if this item of the journal is one.
    pub fn from_journal(item: Item) -> Result<Option<Self>, StoreError> {
        let is_event = item.text("pk")?.starts_with("SNAPSHOT#");
        if is_event { item.decode().map(Some) } else { Ok(None) }
    }
}

/// Where a page of a snapshot starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPosition {
    /// The part of the date's rows.
    pub part: u8,
    /// The last account before the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A page of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotPage {
    /// The rows, in the same order whenever they are read.
    pub rows: Vec<SnapshotRow>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<SnapshotPosition>,
}

impl Store {
    /// The totals of a date; `None` if it is not closed.
    pub async fn snapshot_totals(
        &self,
        date: BusinessDate,
    ) -> Result<Option<DailySnapshotCreated>, StoreError> {
        self.get(&Key::snapshot_created(date)).await?.map(Item::decode).transpose()
    }

    /// The totals of these dates, ascending; those that are not closed are left out.
    pub async fn snapshot_totals_of(
        &self,
        dates: &[BusinessDate],
    ) -> Result<Vec<DailySnapshotCreated>, StoreError> {
        let items = self.batch_get(dates.iter().copied().map(Key::snapshot_created)).await?;
        let mut found: Vec<DailySnapshotCreated> =
            items.into_iter().map(Item::decode).collect::<Result<_, _>>()?;
        found.sort_by_key(|totals| totals.snapshot_date);
        Ok(found)
    }

    /// An account's rows of these dates, ascending, where anything of it was active.
    pub async fn snapshot_rows(
        &self,
        account: &Owner,
        dates: &[BusinessDate],
    ) -> Result<Vec<SnapshotRow>, StoreError> {
        let own: BTreeMap<Key, BusinessDate> =
            dates.iter().map(|date| (Key::snapshot_row(*date, account), *date)).collect();
        let (totals, items) =
            futures::future::try_join(self.snapshot_totals_of(dates), self.batch_get(own.keys().cloned()))
                .await?;
        let totals: BTreeMap<BusinessDate, DailySnapshotCreated> =
            totals.into_iter().map(|totals| (totals.snapshot_date, totals)).collect();
        let mut rows = Vec::with_capacity(items.len());
        for item in &items {
            // A row without its date's totals is one of a date that is just being closed.
            if let Some(totals) = own.get(&item.key()?).and_then(|date| totals.get(date)) {
                rows.push(row(item, totals)?);
            }
        }
        rows.sort_by_key(|row| row.snapshot_date);
        Ok(rows)
    }

    /// A page of a closed date's rows of at most `limit`, from `start`. Any page can be read again, and
    /// is the same again.
    pub async fn snapshot_page(
        &self,
        totals: &DailySnapshotCreated,
        start: SnapshotPosition,
        limit: usize,
    ) -> Result<SnapshotPage, StoreError> {
        let mut page = SnapshotPage::default();
        let mut position = start;
        while let Some(part) = DatePart::new(position.part) {
            let partition = snapshot_partition(totals.snapshot_date, part);
            let range = Range::default().after(position.after.take());
            let found = self.query(Table::Snapshots, &partition, &range, limit - page.rows.len()).await?;
            for item in &found.items {
                page.rows.push(row(item, totals)?);
            }
            position = match found.next {
                Some(after) => SnapshotPosition { part: position.part, after: Some(after) },
                None => SnapshotPosition { part: position.part + 1, after: None },
            };
            if page.rows.len() >= limit {
                page.next = DatePart::new(position.part).map(|_| position);
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// An account's row of a closed date; `None` if nothing of it was active.
    pub async fn snapshot_row(
        &self,
        totals: &DailySnapshotCreated,
        account: &Owner,
    ) -> Result<Option<SnapshotRow>, StoreError> {
        let item = self.get(&Key::snapshot_row(totals.snapshot_date, account)).await?;
        item.map(|item| row(&item, totals)).transpose()
    }
}

fn row(item: &Item, totals: &DailySnapshotCreated) -> Result<SnapshotRow, StoreError> {
    Ok(SnapshotRow {
        snapshot_date: totals.snapshot_date,
        account: item.parse("sk")?,
        effective_contribution: item.amount("effective")?,
        network_total_contribution: totals.network_total_contribution,
        contribution_ratio: item.number("ratio")?,
    })
}
