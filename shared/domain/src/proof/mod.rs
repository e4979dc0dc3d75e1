//! Proofs that a row is in the snapshot of a date (rules, section 12).
//!
//! The rows of a date, in the order of the SHA-256 of their accounts, are the leaves of a tree of hashes. A node over
//! more than one leaf has the first half of them, rounded down, on its left, and the others on its right.
//!
//! | hash | SHA-256 of |
//! |---|---|
//! | leaf | `00`, salt, `date\|effective\|ratio\|account` |
//! | node over fewer than 1,024 leaves | `01`, left hash, right hash |
//! | node over 1,024 leaves or more | `02`, sum, and the hash that it would have with fewer |
//! | root | `03`, `date\|rows\|network total`, hash of the top node |
//!
//! Numbers and dates are text, as on every wire. A leaf's salt is the HMAC-SHA-256 of `date|account` under the secret
//! of the deployment. Only its own proof carries it, so that the share of a sibling cannot be guessed.

mod all_rows;
mod row_proof;
mod secret;
mod shape;
mod step;
#[cfg(test)]
mod tests;
mod tree;

pub use all_rows::{InvalidRows, verify_rows};
pub use row_proof::{InvalidProof, RowProof};
pub use secret::{Salt, Secret};
pub use step::Step;
pub use tree::{Block, Leaf, Tree, TreeBuilder};
