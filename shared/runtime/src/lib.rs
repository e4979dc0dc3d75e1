//! What a function runs in: clock, queues, settings, telemetry, and the ways to start one.

mod clock;
mod function;
mod queue;

pub use clock::Clock;
pub use function::{Context, Function, FunctionError};
pub use queue::{Message, Queue, QueueError, Queues};
