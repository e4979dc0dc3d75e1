//! What the tests of this crate look at the repository with: its files, Rust source as tokens, the functions in it,
//! and the modules of a crate with what they import.
//!
//! It reads the repository and nothing else, and understands as much of Rust as its tests ask for. Tests of other
//! crates ask [`language`] in which language a text is.

pub mod document;
mod functions;
pub mod language;
mod manifest;
mod modules;
mod repository;
mod tokens;

pub use functions::{Function, functions};
pub use manifest::Manifest;
pub use modules::Modules;
pub use repository::Repository;
pub use tokens::{Token, tokens};
