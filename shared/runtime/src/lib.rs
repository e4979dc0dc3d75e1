//! What a function runs in: clock, queues, settings, telemetry, and the ways to start one.

mod clock;
mod function;
mod invoke;
mod queue;
mod settings;
pub mod telemetry;

pub use clock::{Clock, SystemClock};
pub use function::{Context, Function, FunctionError};
pub use invoke::{Builder, invoke};
pub use queue::{Message, Queue, QueueError, Queues};
pub use settings::{DecisionSettings, QueueUrls, Settings, SettingsError, TableNames, Variables};
