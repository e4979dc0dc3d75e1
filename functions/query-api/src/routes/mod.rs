//! The routes, one file each, in the order of the contract.

mod account;
mod account_snapshots;
mod adoption;
mod console;
mod explain;
mod health;
mod held;
mod network;
mod openapi;
mod quarantine;
mod records;
mod snapshot;
mod snapshot_export;
mod snapshot_rows;
mod sync_status;
mod system_account_records;
mod system_accounts;
mod talent;
mod team;
mod unallocated;

use crate::route::Route;

/// Every route.
pub(crate) const ALL: &[Route] = &[
    console::ROUTE,
    openapi::ROUTE,
    health::ROUTE,
    account::ROUTE,
    records::ROUTE,
    team::ROUTE,
    unallocated::ROUTE,
    account_snapshots::ROUTE,
    talent::ROUTE,
    adoption::ROUTE,
    explain::ROUTE,
    network::ROUTE,
    snapshot::ROUTE,
    snapshot_rows::ROUTE,
    snapshot_export::ROUTE,
    system_accounts::ROUTE,
    system_account_records::ROUTE,
    sync_status::ROUTE,
    quarantine::ROUTE,
    held::ROUTE,
];

/// The path of every route, as the contract writes it.
pub fn paths() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|route| route.path)
}
