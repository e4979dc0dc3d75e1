//! What went wrong, as RFC 9457 has it said.

use ledger::rules::AmountOverflow;
use ledger::store::StoreError;
use serde_json::json;

use crate::answer::Answer;

/// Why a request is not answered with what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is no such path, or nothing is known of what it names.
    NotFound,
    /// The path answers `GET` only.
    MethodNotAllowed,
    /// No token was checked.
    Unauthorized,
    /// The token is for something else.
    Forbidden,
    /// A parameter is not what the contract says.
    InvalidParameter {
        /// The parameter.
        name: String,
        /// What it should be.
        expected: String,
    },
    /// A cursor that no answer of this list held.
    InvalidCursor,
    /// Storage is not available; later it may be.
    Unavailable {
        /// For the log only.
        message: String,
    },
    /// Something that should not be. The log says what.
    Internal {
        /// For the log only.
        message: String,
    },
}

impl Problem {
    /// Says that a parameter is not what it should be.
    pub(crate) fn invalid(name: &str, expected: impl Into<String>) -> Self {
        Self::InvalidParameter { name: name.to_owned(), expected: expected.into() }
    }

    /// Says that stored values contradict each other.
    pub(crate) fn inconsistent(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into() }
    }

    fn status(&self) -> u16 {
        match self {
            Self::InvalidParameter { .. } | Self::InvalidCursor => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Internal { .. } => 500,
            Self::Unavailable { .. } => 503,
        }
    }

    /// The last part of the type, which never changes, and the title.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("not-found", "There is nothing here"),
            Self::MethodNotAllowed => ("method-not-allowed", "Only GET is answered"),
            Self::Unauthorized => ("unauthorized", "A valid token is needed"),
            Self::Forbidden => ("forbidden", "The token does not allow this"),
            Self::InvalidParameter { .. } => {
                ("invalid-parameter", "A parameter is not what the contract says")
            }
            Self::InvalidCursor => ("invalid-cursor", "The cursor is not one of this list"),
            Self::Internal { .. } => ("internal", "The answer could not be made"),
            Self::Unavailable { .. } => ("unavailable", "Storage is not available; try again"),
        }
    }

    /// Logs what a caller is not told.
    pub(crate) fn log(&self, request_id: Option<&str>) {
        if let Self::Internal { message } | Self::Unavailable { message } = self {
            tracing::error!(request_id, "a request failed: {message}");
        }
    }

    /// The problem document.
    pub(crate) fn into_answer(self) -> Answer {
        let (kind, title) = self.kind();
        let status = self.status();
        let mut document = json!({
            "type": format!("urn:problem-type:contribution:{kind}"),
            "title": title,
            "status": status,
        });
        if let Self::InvalidParameter { name, expected } = &self {
            document["detail"] = format!("`{name}` must be {expected}").into();
            document["parameter"] = name.as_str().into();
        }
        let answer = Answer::problem(status, &document);
        match self {
            Self::Unauthorized => answer.with_header("www-authenticate", "Bearer"),
            Self::MethodNotAllowed => answer.with_header("allow", "GET"),
            Self::Unavailable { .. } => answer.with_header("retry-after", "1"),
            _ => answer,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Unavailable { .. } => Self::Unavailable { message },
            StoreError::Rejected { .. } | StoreError::Corrupt { .. } => Self::Internal { message },
        }
    }
}

impl From<AmountOverflow> for Problem {
    fn from(error: AmountOverflow) -> Self {
        Self::inconsistent(error.to_string())
    }
}
