//! Runs functions as they are on a world: their calls, clocks, triggers and faults follow from a seed.

mod attempts;
mod clock;
mod deployment;
mod direct;
mod door;
mod engine;
mod event;
mod executor;
mod faults;
mod mutation;
mod queues;
mod requests;
mod seam;
mod shared;
mod subscriber;
mod watch;
mod wire_client;

pub use clock::ModelClock;
pub use deployment::{Deployment, QueueOptions, Registration, Trigger};
pub use direct::DirectEngine;
pub use door::{Door, SENDER_DIED};
pub use engine::ModelEngine;
pub use executor::{Executor, ExecutorOptions, Finding, Usage};
pub use faults::{CallPlace, Fate, FaultPlan, FaultRates, Happened, Once};
pub use mutation::{
    ConditionKind, InvalidTouch, KnownFault, Mutation, Operation, Provoked, ReadOrder, Touch, entry_kind,
};
pub use queues::ModelQueues;
pub use shared::{Interruptions, Shared};
pub use subscriber::{Manners, Subscriber, Taken};
pub use watch::{Effect, Watch};
pub use wire_client::{WireClient, WireError};
