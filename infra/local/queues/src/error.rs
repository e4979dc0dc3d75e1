//! Why a request was refused.

/// A refused request, with the names SQS gives it on the wire and the text of its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue was never created, or has been deleted.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// A queue of this name exists, with other attributes than those asked for.
    #[error("A queue already exists with the same name and a different value for attribute {attribute}.")]
    QueueNameExists {
        /// The attribute that differs.
        attribute: String,
    },
    /// The text is not a queue URL of this endpoint.
    #[error("The address {url} is not valid for this endpoint.")]
    InvalidAddress {
        /// The text in question.
        url: String,
    },
    /// A queue of this kind has no attribute of this name.
    #[error("Unknown Attribute {name}.")]
    InvalidAttributeName {
        /// The name in question.
        name: String,
    },
    /// A queue attribute's value is out of range, malformed or contradicts another.
    #[error("Invalid value for the parameter {name}. Reason: {reason}")]
    InvalidAttributeValue {
        /// The attribute's name.
        name: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// A request parameter's value is out of range, malformed or not valid for this kind of queue.
    #[error("Value {value} for parameter {name} is invalid. Reason: {reason}")]
    InvalidParameterValue {
        /// The parameter's name.
        name: String,
        /// The value in question.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The message is larger than its queue accepts, attributes included.
    #[error("One or more parameters are invalid. Reason: Message must be shorter than {limit_bytes} bytes.")]
    MessageTooLong {
        /// The largest size the queue accepts.
        limit_bytes: usize,
    },
    /// A FIFO message came without a deduplication id, and the queue does not derive one.
    #[error(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )]
    DeduplicationIdRequired,
    /// A required parameter is missing.
    #[error("The request must contain the parameter {name}.")]
    MissingParameter {
        /// The parameter's name.
        name: &'static str,
    },
    /// The body holds a character that XML 1.0 cannot express, which SQS refuses.
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidMessageContents,
    /// The text was never a receipt handle of this queue.
    #[error("The input receipt handle is invalid.")]
    ReceiptHandleIsInvalid,
    /// The message is visible again, so there is no timeout to change.
    #[error("The message referred to isn't in flight.")]
    MessageNotInflight,
    /// A batch without entries.
    #[error("There should be at least one {entries} in the request.")]
    EmptyBatchRequest {
        /// What the batch is of.
        entries: &'static str,
    },
    /// A batch of more entries than one request may carry.
    #[error("Maximum number of entries per request are 10. You have sent {sent}.")]
    TooManyEntriesInBatchRequest {
        /// How many entries it has.
        sent: usize,
    },
    /// Two entries of a batch share an id.
    #[error("Id {id} repeated.")]
    BatchEntryIdsNotDistinct {
        /// The id they share.
        id: String,
    },
    /// An entry's id is empty, too long or has other characters than letters, digits, `-` and `_`.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    /// The messages of a batch are together larger than one request may be.
    #[error("Batch requests cannot be longer than {limit_bytes} bytes. You have sent {sent_bytes} bytes.")]
    BatchRequestTooLong {
        /// The largest total size.
        limit_bytes: usize,
        /// The size of this batch.
        sent_bytes: usize,
    },
    /// A queue named by its ARN does not exist.
    #[error("The resource that you specified for the {parameter} parameter doesn't exist.")]
    ResourceNotFound {
        /// The parameter that names the queue.
        parameter: &'static str,
    },
    /// A queue was purged less than a minute ago.
    #[error("Only one PurgeQueue operation is allowed every 60 seconds.")]
    PurgeQueueInProgress,
    /// A queue of this name was deleted less than a minute ago.
    #[error(
        "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    )]
    QueueDeletedRecently,
    /// This endpoint does not emulate the action.
    #[error("The action {action} is not valid for this endpoint.")]
    UnknownAction {
        /// The action asked for.
        action: String,
    },
    /// The request is not the JSON its action expects.
    #[error("The request could not be read: {reason}")]
    MalformedRequest {
        /// What the JSON reader found wrong.
        reason: String,
    },
}

impl QueueError {
    /// Returns the error's name in the JSON protocol, which stands after `com.amazonaws.sqs#`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names().0
    }

    /// Returns the error's code in the older query protocol.
    ///
    /// SDKs that speak JSON still match on it, and batch results carry it for each failed entry.
    #[must_use]
    pub fn query_code(&self) -> &'static str {
        self.names().1
    }

    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::QueueDoesNotExist => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::QueueNameExists { .. } => ("QueueNameExists", "QueueAlreadyExists"),
            Self::InvalidAddress { .. } => ("InvalidAddress", "InvalidAddress"),
            Self::InvalidAttributeName { .. } => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttributeValue { .. } => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidParameterValue { .. }
            | Self::MessageTooLong { .. }
            | Self::DeduplicationIdRequired => ("InvalidParameterValueException", "InvalidParameterValue"),
            Self::MissingParameter { .. } => ("MissingRequiredParameterException", "MissingParameter"),
            Self::InvalidMessageContents => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::ReceiptHandleIsInvalid => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::MessageNotInflight => ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
            Self::EmptyBatchRequest { .. } => {
                ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            Self::TooManyEntriesInBatchRequest { .. } => {
                ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
            }
            Self::BatchEntryIdsNotDistinct { .. } => {
                ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Self::InvalidBatchEntryId => {
                ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
            }
            Self::BatchRequestTooLong { .. } => {
                ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
            }
            Self::ResourceNotFound { .. } => ("ResourceNotFoundException", "ResourceNotFoundException"),
            Self::PurgeQueueInProgress => {
                ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress")
            }
            Self::QueueDeletedRecently => {
                ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently")
            }
            Self::UnknownAction { .. } => ("UnknownOperationException", "InvalidAction"),
            Self::MalformedRequest { .. } => ("SerializationException", "MalformedInput"),
        }
    }
}
