//! What closed dates ended with: written once, and never rewritten.
//!
//! | what | key in `Snapshots` |
//! |---|---|
//! | what is published of a date as a whole | `MANIFESTS` / `<date>` |
//! | where the accounts of a date are | `DIRECTORY#<date>` / `DIRECTORY` |
//! | some 500 accounts that changed on a date, by their places | `ACCOUNTS#<date>#<number>` / `PAGE` |
//! | 500 rows of a date, the largest first | `RANKED#<date>#<number>` / `PAGE` |
//! | what the date's close would have changed on earlier dates | `RESTATED#<date>#<number>` / `PAGE` |
//! | the hashes and sums that proofs need | `TREE#<date>` / `<part>` |
//!
//! Accounts that did not change stay where they are: the directory names, for each page, the date on which it was
//! written. The manifest is written last; a date without one is not closed.

mod read;
mod write;

use domain::BusinessDate;
use domain::log::Position;
use domain::snapshot::Placement;
use domain::{Amount, Owner};
use serde::{Deserialize, Serialize};

use crate::item::{Key, Table};

pub use read::{
    AccountOnDate, ProofError, account, accounts, carried, directory, latest, latest_and_wait, manifest,
    manifests, proof, ranked, restated, state, wait,
};
pub use write::{
    accounts_page, directory_item, manifest_item, put, put_wait, ranked_page, remove_wait, restated_page,
    tree_parts,
};

/// How many rows a page of ranked rows has.
pub const RANKED_ROWS_PER_PAGE: usize = 500;
/// How many differences a page of them has.
pub const RESTATED_PER_PAGE: usize = 500;
/// How many blocks of the tree of a date go into one item, some 200 KB.
const BLOCKS_PER_PART: usize = 4_000;
/// How many parts the tree of a date may have: enough for more than thirty million rows.
const TREE_PARTS_MAX: u32 = 8;
const PAGE: &str = "PAGE";
const MANIFESTS: &str = "MANIFESTS";

/// Where the accounts of a date are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// There are 2 to the power of this many pages.
    pub pages_log2: u8,
    /// The pages, in the order of the places of their accounts.
    pub pages: Vec<PageReference>,
}

/// A page of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReference {
    /// On which date it changed last.
    pub date: BusinessDate,
    /// How many rows the date of the directory has in it.
    pub rows: u32,
}

impl Directory {
    /// Returns the number of the page that has this account.
    #[must_use]
    pub fn page_of(&self, owner: &Owner) -> u32 {
        Placement::of(owner).page(self.pages_log2)
    }

    fn key(&self, number: u32) -> Key {
        accounts_key(self.pages[number as usize].date, number)
    }
}

/// A date that was closed and cannot be published, because HEADQUARTERS' row would be below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NegativeWait {
    /// The date.
    pub date: BusinessDate,
    /// What the row would be.
    pub headquarters: Amount,
    /// The last page that was looked at.
    pub looked_to: Position,
}

fn manifest_key(date: BusinessDate) -> Key {
    Key::new(Table::Snapshots, MANIFESTS, date.to_string())
}

fn directory_key(date: BusinessDate) -> Key {
    Key::new(Table::Snapshots, format!("DIRECTORY#{date}"), "DIRECTORY")
}

fn accounts_key(date: BusinessDate, number: u32) -> Key {
    Key::new(Table::Snapshots, format!("ACCOUNTS#{date}#{number:06}"), PAGE)
}

fn ranked_key(date: BusinessDate, number: u32) -> Key {
    Key::new(Table::Snapshots, format!("RANKED#{date}#{number:06}"), PAGE)
}

fn restated_key(date: BusinessDate, number: u32) -> Key {
    Key::new(Table::Snapshots, format!("RESTATED#{date}#{number:06}"), PAGE)
}

fn tree_key(date: BusinessDate, part: u32) -> Key {
    Key::new(Table::Snapshots, format!("TREE#{date}"), format!("{part:02}"))
}

/// Returns the key of what a close waits for. That changes, so it is beside the snapshots and not among them.
fn wait_key() -> Key {
    Key::new(Table::Ledger, "SNAPSHOT", "WAIT")
}
