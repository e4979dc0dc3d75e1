//! What a function runs in: clock, queues, settings, telemetry, and the ways to start one.
//!
//! # How a function's crate looks
//!
//! The handler is a library that knows tables and queues only as [`store::Engine`] and [`Queues`]. The SDK
//! comes in by the feature `aws`, which is on by default for the deployed binary and off for the local stack:
//!
//! ```toml
//! # functions/cdc-ingest/Cargo.toml
//! [features]
//! default = ["aws"]
//! aws = ["runtime/aws"]
//!
//! [dependencies]
//! runtime.workspace = true
//! store.workspace = true
//!
//! [[bin]]
//! name = "cdc-ingest"
//! path = "src/main.rs"
//! required-features = ["aws"]
//!
//! # Cargo.toml of the workspace: who depends on a function's library gets no SDK.
//! [workspace.dependencies]
//! cdc-ingest = { path = "functions/cdc-ingest", default-features = false }
//! ```
//!
//! ```ignore
//! // functions/cdc-ingest/src/lib.rs
//! /// Builds the function: what the local stack and the tests call.
//! pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
//!     Ok(Arc::new(Ingest::new(settings)))
//! }
//!
//! /// Runs the function in the Lambda service.
//! #[cfg(feature = "aws")]
//! pub fn run() -> ExitCode {
//!     runtime::aws::run("CdcIngest", build)
//! }
//!
//! // functions/cdc-ingest/src/main.rs
//! fn main() -> std::process::ExitCode {
//!     cdc_ingest::run()
//! }
//! ```
//!
//! `examples/echo.rs` is a whole one. Lambda, the local stack and tests invoke a function with [`invoke`], which
//! turns a panic into a failed invocation, and logs and counts a failure once.

#[cfg(feature = "aws")]
pub mod aws;
mod clock;
mod function;
mod invoke;
mod memory;
mod queue;
mod settings;
pub mod telemetry;
mod unique;

pub use clock::{Clock, SystemClock};
pub use function::{Context, Function, FunctionError};
pub use invoke::{Builder, invoke};
pub use memory::{FixedClock, MemoryQueues};
pub use queue::{Message, Queue, QueueError, Queues};
pub use settings::{
    DecisionSettings, MembersSee, QueueUrls, Settings, SettingsError, SourceConnection, TableNames, Variables,
};
pub use unique::Unique;
