//! The tests of the model, linked once: cases are modules.

mod bench;
mod campaign;
mod conformance;
mod deployment;
mod engines;
mod figures;
mod mutation;
mod webhooks;
