//! Watches over the shape of the repository.

mod circles;
mod sizes;
