//! How long everything takes.

use super::call::{Request, TableRequest};
use crate::clock::Millis;
use crate::random::Random;
use crate::table::Request as Plain;

/// Which latencies a world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Constant ones, by which the conformance scripts are written.
    Fixed,
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
    _random: Random,
}

impl Latencies {
    /// Returns the latencies of a profile; those that vary follow from the generator.
    #[must_use]
    pub fn new(profile: Profile, random: Random) -> Self {
        Self { profile, _random: random }
    }

    /// Returns how long a call takes.
    pub fn of_call(&mut self, request: &Request) -> Timing {
        match self.profile {
            Profile::Fixed => fixed(request),
        }
    }

    /// Returns how long a handler takes to begin after it was asked for.
    pub fn begin_ms(&mut self, cold: bool) -> Millis {
        match (self.profile, cold) {
            (Profile::Fixed, true) => 105,
            (Profile::Fixed, false) => 5,
        }
    }

    /// Returns how long after its end what asked for a handler knows its result.
    pub fn result_ms(&mut self) -> Millis {
        5
    }

    /// Returns how long after a message becomes visible a trigger polls its queue.
    pub fn queue_poll_ms(&mut self) -> Millis {
        10
    }

    /// Returns how long after a result a trigger deletes or commits what is done.
    pub fn settle_ms(&mut self) -> Millis {
        5
    }

    /// Returns how long after it is in the log a record can be fetched.
    pub fn fetch_ms(&mut self) -> Millis {
        20
    }

    /// Returns how long an asynchronous invocation takes until it asks for its function.
    pub fn async_ms(&mut self) -> Millis {
        20
    }

    /// Returns how long a waiting receive takes to answer when a message becomes visible.
    pub fn wake_ms(&mut self) -> Millis {
        5
    }
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
            TableRequest::TransactWrite(_) | TableRequest::TransactGet(_) => transaction(*actions, 20),
            TableRequest::Plain(Ok(Plain::Get(_) | Plain::Write(_))) => at_once(4, 8),
            // A request that cannot be read is known by its number of actions: one for a single item.
            TableRequest::Plain(Err(_)) if *actions == 1 => at_once(4, 8),
            TableRequest::Plain(_) => at_once(5, 10),
        },
        Request::Queue { .. } | Request::UnknownQueue | Request::Lambda(_) => at_once(5, 10),
        Request::CreateSchedule(_) => at_once(0, 10),
        Request::Produce { .. } => at_once(0, 0),
    }
}
