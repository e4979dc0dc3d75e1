//! Compares an exported ledger with a sorted pass over the source's tables.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use end_to_end::{capture, golden, oracle};
use serde_json::Value;

/// Compares an exported ledger with what a sorted pass over the source's rows gives.
///
/// Fails, and names the first part that differs, unless they are the same in everything that
/// postings decide.
#[derive(Parser)]
struct Arguments {
    /// What `contribution replay --export` wrote
    export: PathBuf,
    /// The rows of the source's tables, as a capture of one snapshot record each
    rows: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let export = std::fs::read(&arguments.export)
        .with_context(|| format!("cannot read {}", arguments.export.display()))?;
    let export: Value = serde_json::from_slice(&export)
        .with_context(|| format!("{} is not JSON", arguments.export.display()))?;
    let rows = capture::read(&arguments.rows)
        .with_context(|| format!("cannot read {}", arguments.rows.display()))?;
    let expected = oracle::expected(&rows, &oracle::Options::default());
    golden::assert_same_postings(&export, &expected, "the export against the source's tables");
    println!(
        "the export equals a sorted pass over {} source rows: {} adoptions distributed, {} in all, {} held",
        rows.len(),
        expected["orders"],
        expected["distributed_total"].as_str().unwrap_or_default(),
        expected["held"].as_array().map_or(0, Vec::len)
    );
    Ok(())
}
