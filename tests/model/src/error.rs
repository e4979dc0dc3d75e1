//! Errors of the modelled services, with the names that their answers carry.

use crate::value::{InvalidNumber, InvalidValue, Item};

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct ServiceError {
    /// What went wrong, as the service names it.
    pub kind: ErrorKind,
    /// A sentence for the log.
    pub message: String,
    /// What the answer carries besides its name.
    pub details: Details,
}

/// What an error answer carries besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// Nothing.
    #[default]
    None,
    /// The item that was there when a condition failed.
    Item(Item),
    /// Why each action of a transaction was refused, in the order of the actions.
    Cancellation(Vec<CancellationReason>),
    /// Which limit of which table refused the request.
    Throttling(ThrottlingReason),
}

/// Why one action of a transaction was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancellationReason {
    /// The reason; none where the action itself was fine.
    pub code: CancellationCode,
    /// The item that was there, where the action asked for it.
    pub item: Option<Item>,
}

/// The reasons for which an action of a transaction or a statement of a batch is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CancellationCode {
    /// The action was fine.
    #[default]
    None,
    /// Its condition was false.
    ConditionalCheckFailed,
    /// Another transaction holds its item.
    TransactionConflict,
    /// Its result may not be stored.
    ValidationError,
    /// An on-demand table refused it for its throughput.
    ThrottlingError,
    /// A provisioned table refused it for its throughput.
    ProvisionedThroughputExceeded,
    /// The account's limit for the table refused it.
    RequestLimitExceeded,
    /// An inserted item exists already.
    DuplicateItem,
    /// Its table does not exist.
    ResourceNotFound,
}

impl CancellationCode {
    /// Returns the sentence that stands beside the code; none where the action was fine.
    #[must_use]
    pub fn message(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::ConditionalCheckFailed => "The conditional request failed",
            Self::TransactionConflict => "Transaction is ongoing for the item",
            Self::ValidationError => "One or more parameter values were invalid",
            Self::ThrottlingError => "Throughput exceeds the current capacity of your table or index",
            Self::ProvisionedThroughputExceeded => {
                "The level of configured provisioned throughput for the table was exceeded"
            }
            Self::RequestLimitExceeded => "Throughput exceeds the current throughput limit for your account",
            Self::DuplicateItem => "Duplicate primary key exists in table",
            Self::ResourceNotFound => "Requested resource not found",
        })
    }
}

/// Which limit of which table refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottlingReason {
    /// The limit, by the service's name for it.
    pub reason: &'static str,
    /// The table's ARN.
    pub resource: String,
}

/// Names of errors, spelled as the service spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the service's own name, documented there")]
pub enum ErrorKind {
    ConditionalCheckFailedException,
    DuplicateItemException,
    IdempotentParameterMismatchException,
    InternalServerError,
    ItemCollectionSizeLimitExceededException,
    ProvisionedThroughputExceededException,
    RequestLimitExceeded,
    ResourceNotFoundException,
    ThrottlingException,
    TransactionCanceledException,
    TransactionConflictException,
    TransactionInProgressException,
    ValidationException,
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    PurgeQueueInProgress,
    QueueDeletedRecently,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    RequestThrottled,
    TooManyEntriesInBatchRequest,
    UnsupportedOperation,
    ConflictException,
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
    ResourceConflictException,
    TooManyRequestsException,
}

impl ErrorKind {
    /// Returns the name as it stands in an answer.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Returns an error of this kind with a message.
    #[must_use]
    pub fn because(self, message: impl Into<String>) -> ServiceError {
        ServiceError { kind: self, message: message.into(), details: Details::None }
    }
}

impl ServiceError {
    /// Returns a request that the table refuses without looking at items.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        ErrorKind::ValidationException.because(message)
    }

    /// Returns the error with something to carry.
    #[must_use]
    pub fn with(mut self, details: Details) -> Self {
        self.details = details;
        self
    }
}

impl From<InvalidValue> for ServiceError {
    fn from(invalid: InvalidValue) -> Self {
        Self::validation(invalid.to_string())
    }
}

impl From<InvalidNumber> for ServiceError {
    fn from(invalid: InvalidNumber) -> Self {
        Self::validation(invalid.to_string())
    }
}
