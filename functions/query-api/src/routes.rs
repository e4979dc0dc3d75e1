//! The routes, one file each, in the order of the contract.

mod account;
mod account_adoptions;
mod account_referrals;
mod account_snapshots;
mod account_upline;
mod accounts;
mod adoption;
mod balance;
pub(crate) mod commands;
mod console;
mod events;
mod explain;
mod health;
mod held;
mod log;
mod network;
mod openapi;
mod operations;
mod quarantine;
mod records;
mod simulate;
mod snapshot_proof;
mod snapshot_restated;
mod snapshot_rows;
mod snapshots;
mod statement;
mod status;
mod sync_status;
mod system_accounts;
mod talent;
mod team;
mod unallocated;
mod waiting;
mod webhooks;

use crate::route::Route;

/// Every route. Where several paths match a request, the first one counts.
pub(crate) const ALL: &[Route] = &[
    console::PAGE,
    console::FILE,
    openapi::ROUTE,
    health::ROUTE,
    status::ROUTE,
    accounts::ROUTE,
    account::ROUTE,
    records::OF_ACCOUNT,
    unallocated::ROUTE,
    statement::ROUTE,
    balance::ROUTE,
    account_snapshots::ROUTE,
    team::ROUTE,
    talent::ROUTE,
    account_adoptions::ROUTE,
    account_upline::ROUTE,
    account_referrals::ROUTE,
    adoption::ROUTE,
    explain::ROUTE,
    network::ROUTE,
    snapshots::LIST,
    snapshots::LATEST,
    snapshots::ONE,
    snapshots::MANIFEST,
    snapshot_rows::ROWS,
    snapshot_rows::EXPORT,
    snapshot_restated::ROUTE,
    snapshot_proof::ROUTE,
    system_accounts::ROUTE,
    records::OF_SYSTEM_ACCOUNT,
    sync_status::ROUTE,
    quarantine::ROUTE,
    held::ROUTE,
    waiting::ROUTE,
    operations::ROUTE,
    log::PAGES,
    log::PAGE,
    events::ROUTE,
    webhooks::LIST,
    webhooks::SECRETS,
    webhooks::DELIVERIES,
    simulate::ROUTE,
    commands::SEND,
    commands::READ,
];

/// A route's method, its path as the contract writes it, and its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteName {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// Who may use it, in the contract's words.
    pub callers: &'static [&'static str],
}

/// Returns the method, the path and the callers of every route.
pub fn route_names() -> impl Iterator<Item = RouteName> {
    ALL.iter().map(|route| RouteName {
        method: route.method.name(),
        path: route.path,
        callers: route.access.callers(),
    })
}
