//! Why storage could not do what it was asked for.

use crate::key::Key;

/// Trouble with storage, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Passing: the same call may work later. Whether it took effect is not known.
    #[error("storage is not available: {message}")]
    Unavailable {
        /// What the service or the connection said: a code and a request id, never an item.
        message: String,
    },
    /// Lasting: the call itself is wrong, or not allowed. It had no effect.
    #[error("storage refused a call: {message}")]
    Refused {
        /// What the service said: a code and a request id, never an item.
        message: String,
    },
    /// Lasting: an item is not what this version writes. It must be rebuilt from the log.
    #[error("the item {key} cannot be read: {message}")]
    Unreadable {
        /// Where it is.
        key: Box<Key>,
        /// What is wrong with it.
        message: String,
    },
}
