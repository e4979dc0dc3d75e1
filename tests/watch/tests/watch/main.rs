//! Watches over the shape of the repository.

mod circles;
mod documents;
mod sizes;
