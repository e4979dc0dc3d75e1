//! How a client tries a call again: like the clients that are deployed, with pauses from the seed.

use super::shared::{Caller, Shared};
use crate::clock::Millis;
use crate::error::{CancellationCode, ErrorKind};
use crate::world::CallError;

/// For how long one call is tried again, pauses and attempts that were never answered together.
const TRY_FOR_MS: Millis = 2_000;
const FIRST_PAUSE_MS: Millis = 10;
const LONGEST_PAUSE_MS: Millis = 320;
/// How long the world lets a caller wait for an answer that was lost.
const LOST_ANSWER_MS: Millis = 1_000;

/// An attempt that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

/// What a failed attempt says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Nothing was done; the next attempt may work.
    NotNow,
    /// It is not known whether anything was done; the next attempt may work.
    Unknown,
    /// Nothing was done, and no attempt will work.
    Refused,
}

/// The attempts of one call.
#[derive(Debug)]
pub(super) struct Attempts {
    left_ms: Millis,
    pause_ms: Millis,
    /// Whether an earlier attempt may have taken effect although it failed.
    pub(super) may_have_taken_effect: bool,
    /// Whether the first attempt fails, because a mutation run wants to see that there is a second one.
    pub(super) fails_first: bool,
    /// Whether an attempt failed because that was provoked.
    pub(super) was_provoked: bool,
    failed: u32,
    invocation: Option<u64>,
}

impl Failure {
    pub(super) fn of(error: &CallError) -> Self {
        let CallError::Service(error) = error else {
            return Self { kind: FailureKind::Unknown, message: "no answer in time".to_owned() };
        };
        let kind = match error.kind {
            ErrorKind::InternalServerError => FailureKind::Unknown,
            ErrorKind::ProvisionedThroughputExceededException
            | ErrorKind::RequestLimitExceeded
            | ErrorKind::RequestThrottled
            | ErrorKind::ThrottlingException
            | ErrorKind::TransactionConflictException => FailureKind::NotNow,
            _ => FailureKind::Refused,
        };
        Self { kind, message: error.to_string() }
    }

    pub(super) fn of_statement(code: CancellationCode, message: &str) -> Self {
        let kind = match code {
            CancellationCode::ProvisionedThroughputExceeded
            | CancellationCode::RequestLimitExceeded
            | CancellationCode::ThrottlingError
            | CancellationCode::TransactionConflict => FailureKind::NotNow,
            _ => FailureKind::Refused,
        };
        Self { kind, message: format!("{code:?}: {message}") }
    }
}

impl Attempts {
    /// Returns the attempts of a call that is tried again, or only once.
    pub(super) fn new(tries_again: bool, caller: Option<&Caller>) -> Self {
        Self {
            left_ms: if tries_again { TRY_FOR_MS } else { 0 },
            pause_ms: FIRST_PAUSE_MS,
            may_have_taken_effect: false,
            fails_first: false,
            was_provoked: false,
            failed: 0,
            invocation: caller.map(|caller| caller.invocation),
        }
    }

    /// Takes in that an attempt was not answered.
    pub(super) fn count(&mut self, error: &CallError) {
        if *error == CallError::TimedOut {
            self.left_ms = self.left_ms.saturating_sub(LOST_ANSWER_MS);
        }
    }

    /// Waits before the next attempt, or returns the failure if there is to be none.
    pub(super) async fn again(&mut self, shared: &Shared, failure: Failure) -> Result<(), Failure> {
        self.may_have_taken_effect |= failure.kind == FailureKind::Unknown;
        if failure.kind != FailureKind::Refused {
            self.failed += 1;
            shared.lock().attempt_failed(self.invocation, self.failed, self.was_provoked);
        }
        if failure.kind == FailureKind::Refused || self.left_ms == 0 {
            return Err(failure);
        }
        // Callers that failed together come back apart.
        let pause_ms = shared.lock().random.between(self.pause_ms / 2, self.pause_ms);
        self.left_ms = self.left_ms.saturating_sub(pause_ms);
        self.pause_ms = (self.pause_ms * 2).min(LONGEST_PAUSE_MS);
        shared.sleep(pause_ms).await;
        Ok(())
    }
}
