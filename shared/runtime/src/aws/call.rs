//! Makes calls of AWS over the network: which may be tried again, and after how long.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::types::ThrottlingReason;
use aws_sdk_dynamodb::types::error::{
    ProvisionedThroughputExceededException, RequestLimitExceeded, ThrottlingException,
};
use futures::future::{self, Either};

use crate::Clock;

/// For how long the pauses of one call last together.
const PAUSE_FOR: Duration = Duration::from_secs(2);

/// How long to wait for an answer: at first, after one answer that did not come, and after two. A third that
/// does not come is the end.
pub(super) type Limits = [Duration; 3];
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Answers of the service that ask to try again, and say that nothing was done. Throttles and conflicts of
/// single statements have names of their own.
const NOT_NOW_CODES: [&str; 13] = [
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflict",
    "TransactionConflictException",
];
/// Answers of the service that ask to try again, and do not say what was done.
const UNKNOWN_CODES: [&str; 5] =
    ["InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "SlowDown"];

/// Limits for a call that takes some 8 ms, and 16 in the slowest of a hundred.
pub(super) const SMALL: Limits = milliseconds([500, 1_000, 2_000]);
/// Limits for a call with up to a megabyte, or many parts.
pub(super) const LARGE: Limits = milliseconds([1_000, 2_000, 4_000]);
/// Limits for a call whose answer may have 16 MB, and mostly has little.
pub(super) const HUGE: Limits = milliseconds([1_000, 4_000, 16_000]);

const fn milliseconds([first, second, third]: [u64; 3]) -> Limits {
    [Duration::from_millis(first), Duration::from_millis(second), Duration::from_millis(third)]
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// A code, a request id and the service's words, never an item.
    pub(super) message: String,
}

/// What a failed attempt says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Nothing was done; the next attempt may work.
    NotNow,
    /// Whether anything was done is not known; the next attempt may work.
    Unknown,
    /// Nothing was done, and no attempt will work.
    Refused,
}

impl FailureKind {
    /// Returns what a code of the service says.
    pub(super) fn of_code(code: &str) -> Self {
        if NOT_NOW_CODES.contains(&code) {
            Self::NotNow
        } else if UNKNOWN_CODES.contains(&code) {
            Self::Unknown
        } else {
            Self::Refused
        }
    }
}

impl Failure {
    /// Reads an error of the SDK.
    pub(super) fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = match error {
            SdkError::ServiceError(_) => error.code().unwrap_or("an answer without a code"),
            SdkError::TimeoutError(_) => "no answer in time",
            SdkError::DispatchFailure(_) => "no connection",
            SdkError::ResponseError(_) => "an answer that cannot be read",
            _ => "a request that cannot be sent",
        };
        let kind = match error {
            SdkError::ServiceError(service) => {
                let is_fault = service.raw().status().is_server_error();
                match FailureKind::of_code(code) {
                    FailureKind::Refused if is_fault => FailureKind::Unknown,
                    kind => kind,
                }
            }
            SdkError::ConstructionFailure(_) => FailureKind::Refused,
            _ => FailureKind::Unknown,
        };
        let mut message = code.to_owned();
        if let Some(words) = error.message() {
            message = format!("{message}: {words}");
        }
        for reason in throttling_reasons(error) {
            let words = [reason.reason(), reason.resource()].map(Option::unwrap_or_default).join(" ");
            message = format!("{message}, {words}");
        }
        if let Some(request_id) = error.request_id() {
            message = format!("{message} (request {request_id})");
        }
        Self { kind, message }
    }

    fn without_answer() -> Self {
        Self { kind: FailureKind::Unknown, message: "no answer in time".to_owned() }
    }
}

/// Returns why a call was throttled, such as `TableWriteKeyRangeThroughputExceeded` of which table. Three
/// exceptions carry it.
fn throttling_reasons<'a>(error: &'a (dyn Error + 'static)) -> &'a [ThrottlingReason] {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(exception) = error.downcast_ref::<ThrottlingException>() {
            return exception.throttling_reasons();
        }
        if let Some(exception) = error.downcast_ref::<ProvisionedThroughputExceededException>() {
            return exception.throttling_reasons();
        }
        if let Some(exception) = error.downcast_ref::<RequestLimitExceeded>() {
            return exception.throttling_reasons();
        }
        cause = error.source();
    }
    &[]
}

/// The attempts of one call.
#[derive(Debug)]
pub(super) struct Attempts {
    pauses_left: Duration,
    pause: Duration,
    unanswered: usize,
    /// Whether an earlier attempt may have taken effect although it failed.
    pub(super) may_have_taken_effect: bool,
}

impl Attempts {
    /// Returns the attempts of a call that was not made yet.
    pub(super) fn new() -> Self {
        Self { pauses_left: PAUSE_FOR, pause: FIRST_PAUSE, unanswered: 0, may_have_taken_effect: false }
    }

    /// Makes an attempt.
    pub(super) async fn make<T, E>(
        &mut self,
        clock: &dyn Clock,
        limits: Limits,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, Attempted<E>> {
        match future::select(pin!(call), clock.sleep(limits[self.unanswered])).await {
            Either::Left((Ok(answer), _)) => Ok(answer),
            Either::Left((Err(error), _)) => Err(Attempted::Failed(Box::new(error))),
            Either::Right(((), _)) => {
                self.unanswered += 1;
                Err(Attempted::NotAnswered)
            }
        }
    }

    /// Waits before the next attempt, or returns the failure if there is to be none.
    pub(super) async fn again(&mut self, clock: &dyn Clock, failure: Failure) -> Result<(), Failure> {
        self.may_have_taken_effect |= failure.kind == FailureKind::Unknown;
        let is_over = self.pauses_left.is_zero() || self.unanswered == Limits::default().len();
        if failure.kind == FailureKind::Refused || is_over {
            return Err(failure);
        }
        // Callers that failed together come back apart.
        let pause = self.pause.mul_f64(random_from_half_to_one());
        self.pauses_left = self.pauses_left.saturating_sub(pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        clock.sleep(pause).await;
        Ok(())
    }
}

/// Why an attempt gave no answer.
#[derive(Debug)]
pub(super) enum Attempted<E> {
    /// The SDK says so.
    Failed(Box<SdkError<E>>),
    /// The time was over.
    NotAnswered,
}

impl<E: ProvideErrorMetadata + Error + 'static> Attempted<E> {
    /// Returns what the service answered, if it did.
    pub(super) fn service_error(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => error.as_service_error(),
            Self::NotAnswered => None,
        }
    }

    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Failed(error) => Failure::of(error),
            Self::NotAnswered => Failure::without_answer(),
        }
    }
}

/// Calls a service until it answers: for calls that change nothing, or change the same when repeated.
pub(super) async fn repeat<T, E, F>(
    clock: &dyn Clock,
    limits: Limits,
    call: impl Fn() -> F,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + Error + 'static,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let mut attempts = Attempts::new();
    loop {
        match attempts.make(clock, limits, call()).await {
            Ok(answer) => return Ok(answer),
            Err(attempted) => attempts.again(clock, attempted.failure()).await?,
        }
    }
}

fn random_from_half_to_one() -> f64 {
    // Each state of this kind has random keys.
    let number = RandomState::new().hash_one(0_u8);
    #[expect(clippy::cast_precision_loss, reason = "any fraction will do")]
    let fraction = number as f64 / u64::MAX as f64;
    0.5 + fraction / 2.0
}
