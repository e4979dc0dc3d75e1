//! Reads the tables of the service that ran before, on a PostgreSQL server.

use std::collections::BTreeMap;

use compare::earlier::{amount, owner, slot, unallocated_slot, units};
use compare::{EarlierLeg, EarlierService, EarlierSnapshotRow};
use domain::{OrderId, Owner, SystemAccount};
use reconcile::SourceError;

use crate::connection::Connection;

/// Rows read at once.
const PAGE_ROWS: u32 = 20_000;
/// Decimals of a share.
const RATIO_SCALE: usize = 18;

/// The earlier service's tables cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EarlierServiceError {
    /// The server did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A row is not what the guide describes.
    #[error("{table}: the row {id} is not what the guide describes: its {column} is {value}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row.
        id: String,
        /// The column.
        column: &'static str,
        /// What it has.
        value: String,
    },
}

/// Reads all tables. `order_of` gives the order number of an adoption by what the source calls it.
pub async fn read_earlier_service(
    connection: &Connection,
    schema: &str,
    order_of: &(dyn Fn(&str) -> Option<OrderId> + Sync),
) -> Result<EarlierService, EarlierServiceError> {
    let tables = Tables { connection, schema: format!("\"{}\"", schema.replace('"', "\"\"")) };
    let mut earlier = EarlierService::default();
    let columns = "account_sequence, total_contribution::text";
    for row in tables.all("contribution_accounts", columns).await? {
        let Some(Owner::User(account)) = owner(row.text(0)) else {
            return Err(row.wrong("account_sequence", 0));
        };
        let total = amount(row.text(1)).ok_or_else(|| row.wrong("total_contribution", 1))?;
        earlier.accounts.insert(account, total);
    }
    let originals = originals(&tables).await?;
    let order = |adoption: &str| {
        let original = originals.get(adoption).map_or(adoption, String::as_str);
        original.parse().ok().or_else(|| order_of(original))
    };
    records(&tables, &order, &mut earlier).await?;
    unallocated(&tables, &order, &mut earlier).await?;
    system_records(&tables, &order, &mut earlier).await?;
    snapshots(&tables, &mut earlier).await?;
    Ok(earlier)
}

/// Returns what the source calls each synced adoption. A database without that table has the source's names in its
/// records.
async fn originals(tables: &Tables<'_>) -> Result<BTreeMap<String, String>, EarlierServiceError> {
    if !tables.has("synced_adoptions").await? {
        return Ok(BTreeMap::new());
    }
    let rows = tables.all("synced_adoptions", "original_adoption_id::text").await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row.text(0).to_owned())).collect())
}

async fn records(
    tables: &Tables<'_>,
    order: &(dyn Fn(&str) -> Option<OrderId> + Sync),
    earlier: &mut EarlierService,
) -> Result<(), EarlierServiceError> {
    let columns = "account_sequence, source_type, source_adoption_id::text, level_depth::text, bonus_tier::text, \
                   amount::text, tree_count::text, base_contribution::text, \
                   (extract(epoch FROM created_at) * 1000000)::bigint::text";
    for row in tables.all("contribution_records", columns).await? {
        let (level, tier) = (row.number(3), row.number(4));
        earlier.legs.push(EarlierLeg {
            adoption: row.text(2).to_owned(),
            order: order(row.text(2)),
            slot: slot(row.text(1), level, tier).ok_or_else(|| row.wrong("source_type", 1))?,
            owner: owner(row.text(0)).ok_or_else(|| row.wrong("account_sequence", 0))?,
            would_be: None,
            amount: amount(row.text(5)).ok_or_else(|| row.wrong("amount", 5))?,
            trees: row.number(6),
            per_tree: amount(row.text(7)),
            booked_us: row.number(8).ok_or_else(|| row.wrong("created_at", 8))?,
        });
    }
    Ok(())
}

async fn unallocated(
    tables: &Tables<'_>,
    order: &(dyn Fn(&str) -> Option<OrderId> + Sync),
    earlier: &mut EarlierService,
) -> Result<(), EarlierServiceError> {
    let columns = "unalloc_type, source_adoption_id::text, level_depth::text, would_be_account_sequence, amount::text, \
                   (extract(epoch FROM created_at) * 1000000)::bigint::text";
    for row in tables.all("unallocated_contributions", columns).await? {
        earlier.legs.push(EarlierLeg {
            adoption: row.text(1).to_owned(),
            order: order(row.text(1)),
            slot: unallocated_slot(row.text(0), row.number(2)).ok_or_else(|| row.wrong("unalloc_type", 0))?,
            owner: Owner::System(SystemAccount::Headquarters),
            would_be: row.text(3).trim_end().parse().ok(),
            amount: amount(row.text(4)).ok_or_else(|| row.wrong("amount", 4))?,
            trees: None,
            per_tree: None,
            booked_us: row.number(5).ok_or_else(|| row.wrong("created_at", 5))?,
        });
    }
    Ok(())
}

async fn system_records(
    tables: &Tables<'_>,
    order: &(dyn Fn(&str) -> Option<OrderId> + Sync),
    earlier: &mut EarlierService,
) -> Result<(), EarlierServiceError> {
    use domain::Slot;

    let columns = "(SELECT a.account_type FROM SCHEMA.system_accounts a WHERE a.id = system_account_id)::text, \
                   source_adoption_id::text, amount::text, \
                   (extract(epoch FROM created_at) * 1000000)::bigint::text";
    let columns = columns.replace("SCHEMA", &tables.schema);
    for row in tables.all("system_contribution_records", &columns).await? {
        let owner = owner(row.text(0)).ok_or_else(|| row.wrong("account_type", 0))?;
        let slot = match &owner {
            Owner::System(SystemAccount::Operation) => Slot::Operation,
            Owner::System(SystemAccount::Province(_)) => Slot::Province,
            Owner::System(SystemAccount::City(_)) => Slot::City,
            Owner::System(SystemAccount::Headquarters) => Slot::Rounding,
            Owner::User(_) => return Err(row.wrong("account_type", 0)),
        };
        earlier.legs.push(EarlierLeg {
            adoption: row.text(1).to_owned(),
            order: order(row.text(1)),
            slot,
            owner,
            would_be: None,
            amount: amount(row.text(2)).ok_or_else(|| row.wrong("amount", 2))?,
            trees: None,
            per_tree: None,
            booked_us: row.number(3).ok_or_else(|| row.wrong("created_at", 3))?,
        });
    }
    Ok(())
}

async fn snapshots(tables: &Tables<'_>, earlier: &mut EarlierService) -> Result<(), EarlierServiceError> {
    let columns = "snapshot_date::text, account_sequence, effective_contribution::text, \
                   network_total_contribution::text, contribution_ratio::text";
    for row in tables.all("daily_contribution_snapshots", columns).await? {
        let date = row.text(0).parse().map_err(|_| row.wrong("snapshot_date", 0))?;
        earlier.snapshots.entry(date).or_default().push(EarlierSnapshotRow {
            owner: owner(row.text(1)).ok_or_else(|| row.wrong("account_sequence", 1))?,
            effective: amount(row.text(2)).ok_or_else(|| row.wrong("effective_contribution", 2))?,
            network: amount(row.text(3)).ok_or_else(|| row.wrong("network_total_contribution", 3))?,
            ratio: units(row.text(4), RATIO_SCALE).ok_or_else(|| row.wrong("contribution_ratio", 4))?,
        });
    }
    Ok(())
}

/// The tables of one schema.
struct Tables<'a> {
    connection: &'a Connection,
    schema: String,
}

/// A row: its id, and the columns that were asked for.
struct TableRow {
    table: &'static str,
    id: String,
    values: Vec<Option<String>>,
}

impl Tables<'_> {
    async fn has(&self, table: &str) -> Result<bool, SourceError> {
        let name = format!("{}.{table}", self.schema);
        let statement = "SELECT (to_regclass($1) IS NOT NULL)::text";
        let rows = self.connection.query("to look for a table", statement, &[&name]).await?;
        Ok(rows.first().and_then(|row| row.first()) == Some(&Some("true".to_owned())))
    }

    /// Returns every row of a table, which is read in pages by its id.
    async fn all(&self, table: &'static str, columns: &str) -> Result<Vec<TableRow>, SourceError> {
        let mut all: Vec<TableRow> = Vec::new();
        loop {
            let after = all.last().map(|row| row.id.clone());
            let condition = if after.is_some() { "WHERE id > $1::text::uuid" } else { "" };
            let statement = format!(
                "SELECT id::text, {columns} FROM {}.{table} {condition} ORDER BY id LIMIT {PAGE_ROWS}",
                self.schema
            );
            let doing = format!("to read {table}");
            let page = match &after {
                Some(after) => self.connection.query(&doing, &statement, &[after]).await?,
                None => self.connection.query(&doing, &statement, &[]).await?,
            };
            let is_last = page.len() < PAGE_ROWS as usize;
            for row in page {
                let mut values = row.into_iter();
                let id = values.next().flatten().unwrap_or_default();
                all.push(TableRow { table, id, values: values.collect() });
            }
            if is_last {
                return Ok(all);
            }
        }
    }
}

impl TableRow {
    /// Returns a column as text; null as an empty one.
    fn text(&self, index: usize) -> &str {
        self.values.get(index).and_then(Option::as_deref).unwrap_or_default()
    }

    fn number<T: std::str::FromStr>(&self, index: usize) -> Option<T> {
        self.text(index).parse().ok()
    }

    fn wrong(&self, column: &'static str, index: usize) -> EarlierServiceError {
        let value = self.text(index).to_owned();
        EarlierServiceError::Row { table: self.table, id: self.id.clone(), column, value }
    }
}
