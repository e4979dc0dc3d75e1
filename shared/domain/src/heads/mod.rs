//! What the log adds up to, account by account and adoption by adoption.
//!
//! Every head is a fold over the entries that concern it, in the order of the log. The decider keeps the heads
//! it needs in memory; the projections keep all of them in storage. Both use the same folds.

mod adoption;
mod ascending;
mod book;
mod money;
mod network;
mod node;
mod stored_network;
mod tree_sums;

pub use adoption::{AdoptionHead, AdoptionState, OrderWaiting};
pub use book::{Book, BookSum, Closes, LineDates, Moment};
pub use money::{Line, LineKind, LineLeg, Lines, Money, Totals, lines_of};
pub use network::{AskedClose, Brake, Closed, Counts, Due, Network, UnpricedOrder, WalkProgress};
pub use node::{Node, UplineWaiting};
pub use stored_network::StoredNetwork;
pub use tree_sums::{SumKey, SumNode, TREE_SUM_LEVELS, sum_path};
