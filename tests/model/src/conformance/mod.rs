//! Runs scripts of calls with stated outcomes against the model.

mod expectation;
mod macros;
mod matcher;
mod runner;
mod script;
mod stub;

pub use runner::{Failure, run_script};
pub use script::{Script, Suite};
