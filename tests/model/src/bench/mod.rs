//! Runs functions as they are on a world: their calls, clocks, triggers and faults follow from a seed.

mod attempts;
mod clock;
mod deployment;
mod engine;
mod event;
mod executor;
mod faults;
mod queues;
mod shared;

pub use clock::ModelClock;
pub use deployment::{Deployment, QueueOptions, Registration, Trigger};
pub use engine::ModelEngine;
pub use executor::{Executor, ExecutorOptions, Finding};
pub use faults::{Fate, FaultPlan, FaultRates, Happened, Once};
pub use queues::ModelQueues;
pub use shared::Shared;
