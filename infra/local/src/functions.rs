//! Builds the functions, by the names of their crates. A new one is one line here.

use runtime::Builder;

/// Every function, with what builds it.
pub const BUILDERS: &[(&str, Builder)] = &[
    ("adoption-distribution", adoption_distribution::build),
    ("cdc-ingest", cdc_ingest::build),
    ("contribution-expiry", contribution_expiry::build),
    ("daily-snapshot", daily_snapshot::build),
    ("ledger-audit", ledger_audit::build),
    ("ledger-stream", ledger_stream::build),
    ("query-api", query_api::build),
    ("talent-propagation", talent_propagation::build),
    ("webhook-delivery", webhook_delivery::build),
];

/// Returns what builds the function of this crate, if it is here.
#[must_use]
pub fn builder(crate_name: &str) -> Option<Builder> {
    BUILDERS.iter().find(|(name, _)| *name == crate_name).map(|(_, builder)| *builder)
}
