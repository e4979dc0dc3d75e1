//! How long each call takes until it has its effect, and until it is answered.

use super::call::{Request, TableRequest};
use super::measured::{
    self, ASYNCHRONOUS, BATCH_OF_5, BATCH_OF_25, COLD_START, FETCH, HALF_OF_FIFO, HALF_OF_STANDARD, SINGLE,
    STREAM, TRANSACTION_OF_5, TRANSACTION_OF_25, draw_by_parts,
};
use crate::clock::Millis;
use crate::queue::is_fifo;
use crate::random::Random;
use crate::table::Request as Plain;

/// How often a stream's trigger polls, by the fixed latencies.
const STREAM_POLL_MS: Millis = 250;

/// Which latencies a world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Constant ones, by which the conformance scripts are written.
    Fixed,
    /// Drawn from published figures, times a factor.
    Measured {
        /// The factor in hundredths: 100 for the figures as they are, 200 for a run that doubles them.
        percent: u64,
    },
}

/// When a call takes effect and when its answer arrives, both from when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When the service looks at the call.
    pub evaluated_ms: Millis,
    /// When a transaction takes effect; otherwise the same.
    pub committed_ms: Millis,
    /// When the answer arrives.
    pub answered_ms: Millis,
}

/// The latencies of a profile.
#[derive(Debug)]
pub struct Latencies {
    profile: Profile,
    random: Random,
}

impl Latencies {
    /// Returns the latencies of a profile; those that vary follow from the generator.
    #[must_use]
    pub fn new(profile: Profile, random: Random) -> Self {
        Self { profile, random }
    }

    /// Draws how long a call takes.
    pub fn draw_timing(&mut self, request: &Request) -> Timing {
        match self.profile {
            Profile::Fixed => fixed(request),
            Profile::Measured { percent } => self.draw_measured(request, percent),
        }
    }

    /// Draws how long a handler takes to begin after it was asked for.
    pub fn draw_begin_ms(&mut self, cold: bool) -> Millis {
        match (self.profile, cold) {
            (Profile::Fixed, true) => 105,
            (Profile::Fixed, false) => 5,
            (Profile::Measured { percent }, true) => COLD_START.draw_ms(&mut self.random) * percent / 100,
            (Profile::Measured { .. }, false) => self.random.between(1, 3),
        }
    }

    /// Draws how long after its end what asked for a handler knows its result.
    pub fn draw_result_ms(&mut self) -> Millis {
        match self.profile {
            Profile::Fixed => 5,
            Profile::Measured { .. } => self.random.between(1, 5),
        }
    }

    /// Draws how long after a message becomes visible a trigger polls its queue.
    pub fn draw_queue_poll_ms(&mut self, queue: &str) -> Millis {
        match self.profile {
            Profile::Fixed => 10,
            Profile::Measured { percent } => self.draw_half_of(queue) * percent / 100,
        }
    }

    /// Draws how long after a result a trigger deletes what is done in a queue.
    pub fn draw_delete_ms(&mut self, queue: &str) -> Millis {
        match self.profile {
            Profile::Fixed => 5,
            Profile::Measured { percent } => self.draw_half_of(queue) * percent / 100,
        }
    }

    /// Draws how long after a result a topic's trigger commits what is done.
    pub fn draw_commit_ms(&mut self) -> Millis {
        match self.profile {
            Profile::Fixed => 5,
            Profile::Measured { .. } => self.random.between(2, 10),
        }
    }

    /// Draws how long after it is in the log a record can be fetched.
    pub fn draw_fetch_ms(&mut self) -> Millis {
        match self.profile {
            Profile::Fixed => 20,
            Profile::Measured { percent } => FETCH.draw_ms(&mut self.random) * percent / 100,
        }
    }

    /// Draws when a stream's trigger polls next, if something is unread now.
    pub fn draw_stream_poll_at_ms(&mut self, now_ms: Millis) -> Millis {
        match self.profile {
            Profile::Fixed => (now_ms / STREAM_POLL_MS + 1) * STREAM_POLL_MS,
            Profile::Measured { percent } => now_ms + STREAM.draw_ms(&mut self.random) * percent / 100,
        }
    }

    /// Draws how long an asynchronous invocation takes until it asks for its function.
    pub fn draw_async_ms(&mut self) -> Millis {
        match self.profile {
            Profile::Fixed => 20,
            Profile::Measured { percent } => ASYNCHRONOUS.draw_ms(&mut self.random) * percent / 100,
        }
    }

    /// Draws how long after its time a schedule calls.
    pub fn draw_schedule_ms(&mut self) -> Millis {
        match self.profile {
            Profile::Fixed => 0,
            Profile::Measured { .. } => self.random.between(0, measured::SCHEDULE_MS),
        }
    }

    /// Returns how long a waiting receive takes to answer when a message becomes visible.
    #[must_use]
    pub fn wake_ms(&self) -> Millis {
        5
    }

    fn draw_half_of(&mut self, queue: &str) -> Millis {
        if is_fifo(queue) { &HALF_OF_FIFO } else { &HALF_OF_STANDARD }.draw_ms(&mut self.random)
    }

    fn draw_measured(&mut self, request: &Request, percent: u64) -> Timing {
        let random = &mut self.random;
        let answered_ms = match request {
            Request::Table { request, actions } => match request {
                TableRequest::TransactWrite(_)
                | TableRequest::TransactGet(_)
                | TableRequest::TransactStatements(_) => {
                    draw_by_parts(&TRANSACTION_OF_5, &TRANSACTION_OF_25, *actions as u64, random)
                }
                TableRequest::Plain(Ok(plain)) => match parts(plain) {
                    None => SINGLE.draw_ms(random),
                    Some(parts) => draw_by_parts(&BATCH_OF_5, &BATCH_OF_25, parts, random),
                },
                TableRequest::Plain(Err(_)) => SINGLE.draw_ms(random),
            },
            Request::Queue { queue, .. } => self.draw_half_of(queue),
            Request::UnknownQueue | Request::Lambda(_) | Request::CreateSchedule { .. } => {
                HALF_OF_STANDARD.draw_ms(random)
            }
            Request::Produce { .. } => return Timing { evaluated_ms: 0, committed_ms: 0, answered_ms: 0 },
        };
        let answered_ms = (answered_ms * percent / 100).max(2);
        // The effect comes at any time on the way.
        let committed_ms = self.random.between(1, answered_ms - 1);
        let is_transaction = matches!(
            request,
            Request::Table {
                request: TableRequest::TransactWrite(_)
                    | TableRequest::TransactGet(_)
                    | TableRequest::TransactStatements(_),
                ..
            }
        );
        let evaluated_ms = if is_transaction { self.random.between(1, committed_ms) } else { committed_ms };
        Timing { evaluated_ms, committed_ms, answered_ms }
    }
}

/// Returns the number of parts of a batch; nothing for a request that is none.
fn parts(request: &Plain) -> Option<u64> {
    let parts = match request {
        Plain::Get(_) | Plain::Write(_) | Plain::Query(_) | Plain::Scan(_) | Plain::Statement(_) => {
            return None;
        }
        // A batch of reads has up to a hundred keys; a quarter of them counts as a write each.
        Plain::BatchGet(requests) => {
            requests.iter().map(|request| request.keys.len()).sum::<usize>().div_ceil(4)
        }
        Plain::BatchWrite(writes) => writes.len(),
        Plain::BatchStatements(statements) => statements.len(),
    };
    Some(parts as u64)
}

fn fixed(request: &Request) -> Timing {
    let at_once =
        |evaluated_ms, answered_ms| Timing { evaluated_ms, committed_ms: evaluated_ms, answered_ms };
    let transaction = |actions: usize, base: Millis| {
        let answered_ms = base + actions.div_ceil(2) as u64;
        Timing { evaluated_ms: 2, committed_ms: answered_ms - 1, answered_ms }
    };
    match request {
        Request::Table { request, actions } => match request {
            TableRequest::TransactWrite(_)
            | TableRequest::TransactGet(_)
            | TableRequest::TransactStatements(_) => transaction(*actions, 20),
            TableRequest::Plain(Ok(Plain::Get(_) | Plain::Write(_))) => at_once(4, 8),
            // A request that cannot be read is known by its number of actions: one for a single item.
            TableRequest::Plain(Err(_)) if *actions == 1 => at_once(4, 8),
            TableRequest::Plain(_) => at_once(5, 10),
        },
        Request::Queue { .. } | Request::UnknownQueue | Request::Lambda(_) => at_once(5, 10),
        Request::CreateSchedule { .. } => at_once(0, 10),
        Request::Produce { .. } => at_once(0, 0),
    }
}
