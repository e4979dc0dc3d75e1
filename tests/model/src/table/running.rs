//! The transactions that run over the tables, and the tokens by which repetitions are recognised.

use std::collections::BTreeMap;

use super::key::Key;
use super::units::Consumed;
use crate::clock::Millis;
use crate::value::Item;

/// Transactions that run, and tokens that are remembered.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    pub(super) last_number: u64,
    pub(super) running: BTreeMap<u64, Running>,
    pub(super) tokens: BTreeMap<String, Token>,
}

/// A transaction that was prepared and has not committed.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) changes: Vec<(String, Key, Change)>,
    pub(super) token: Option<String>,
    pub(super) consumed: BTreeMap<String, Consumed>,
}

/// What a transaction does to an item.
#[derive(Debug)]
pub(super) enum Change {
    Becomes(Option<Item>),
    Stays,
}

/// A client's token of a transaction, which makes its repetition do nothing.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) fingerprint: String,
    pub(super) running: bool,
    pub(super) forgotten_ms: Millis,
}
