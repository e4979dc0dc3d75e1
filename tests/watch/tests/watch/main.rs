//! Watches over the shape of the repository: `cargo test -p watch`.

mod circles;
mod documents;
mod layers;
mod left_behind;
mod sizes;
