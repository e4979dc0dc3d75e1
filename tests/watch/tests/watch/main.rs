//! Watches over the shape of the repository: `cargo test -p watch`.

mod circles;
mod commands;
mod documents;
mod errors;
mod functions;
mod layers;
mod left_behind;
mod manifests;
mod sizes;
mod touches;
mod walks;
mod words;
