//! Functions and what calls them: state machines without time of their own, which the world drives.

mod feeder;
mod filter;
mod function;
mod invocation;
mod mapping;
mod parameters;
mod record;
mod schedule;
mod sqs_trigger;
mod topic;

pub use feeder::{Directive, Feeder, FeederRules, Finished, Then};
pub use filter::Filter;
pub use function::{DEFAULT_ASYNC_AGE_MS, Environment, Function, FunctionOptions, Functions};
pub use invocation::{Invocation, Origin, Outcome, Payload};
pub use mapping::{MappingOptions, Source, StartingPosition};
pub use parameters::check_parameters;
pub use record::{KafkaRecord, Record};
pub use schedule::{Schedule, Target, parse_rate};
pub use sqs_trigger::{SqsBatch, SqsTrigger};
pub use topic::Topic;
