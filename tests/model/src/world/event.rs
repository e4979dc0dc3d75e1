//! The events of the modelled world: what can happen at a moment of its time.

use crate::lambda::{Invocation, Outcome};
use crate::queue::Receipt;

/// Something that happens at a moment.
#[derive(Debug, Hash)]
#[expect(missing_docs, reason = "the fields name what the event is about")]
pub enum Event {
    /// A service looks at a call: this is when a call takes effect.
    Evaluate { call: u64 },
    /// A transaction of writes takes effect.
    Commit { call: u64, transaction: u64 },
    /// A transaction of reads reads for the second time.
    FinishRead { call: u64 },
    /// A caller learns how its call ended.
    Answer { call: u64 },
    /// A message becomes visible by itself.
    QueueTimer { queue: String },
    /// A receive has waited long enough.
    WaitOver { call: u64, queue: String },
    /// The handler of an invocation begins.
    Begin { invocation: u64 },
    /// The handler of an invocation ends.
    End { invocation: u64, outcome: Outcome },
    /// What asked for an invocation learns how it ended.
    Result { invocation: Box<Invocation>, outcome: Outcome },
    /// The queue of asynchronous invocations asks for a function.
    AsyncAsk { entry: u64 },
    /// A schedule calls its function.
    ScheduleFires { schedule: usize },
    /// A trigger polls its queue.
    QueuePoll { mapping: usize },
    /// The window of a queue's batch is over.
    QueueBatchDue { mapping: usize, batch: u64 },
    /// A throttled batch asks for its function again.
    QueueBatchRetry { mapping: usize, batch: u64 },
    /// The first message of a throttled batch is visible again.
    QueueBatchDropped { mapping: usize, batch: u64 },
    /// A trigger deletes what its function did.
    QueueBatchDelete { mapping: usize, receipts: Vec<Receipt> },
    /// A record of a topic can be fetched.
    Fetchable { topic: String },
    /// A trigger polls a stream.
    StreamPoll { mapping: usize },
    /// The window or the pause of a feeder is over.
    FeederTimer { mapping: usize, feeder: usize, generation: u64 },
    /// A trigger commits the offsets after what is done; whether its feeder goes on then.
    FeederCommit { mapping: usize, feeder: usize, offsets: Vec<(u32, u64)>, goes_on: bool },
    /// Time that the driver asked for has come.
    Alarm { token: u64 },
}
