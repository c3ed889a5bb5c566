//! Errors of rules, without HTTP. `http::error` maps the kinds to statuses.

use ringnity_store::StoreError;
use ringnity_types::ErrorCode;

use crate::secrets::password::PasswordError;

/// Result of a rule.
pub type AppResult<T> = Result<T, AppError>;

/// Kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input is well-formed but not valid.
    Invalid,
    /// Credentials are missing or not accepted.
    Unauthenticated,
    /// The caller is not allowed to do this.
    Forbidden,
    /// The resource does not exist, or not for this caller.
    NotFound,
    /// The request conflicts with the current state.
    Conflict,
    /// The request contradicts an earlier request of the same client.
    Unprocessable,
    /// Too many requests.
    RateLimited,
    /// The operation is in the contract but not implemented.
    NotImplemented,
    /// A dependency is temporarily unavailable.
    Unavailable,
    /// A bug or an unexpected failure.
    Internal,
}

/// An error of a rule.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// Kind of the error.
    pub kind: ErrorKind,
    /// Stable code for clients.
    pub code: ErrorCode,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// One line for each invalid value.
    pub details: Vec<String>,
    /// How long to wait before a retry, if known.
    pub retry_after: Option<chrono::Duration>,
    /// The cause, for the log only.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl AppError {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), details: Vec::new(), retry_after: None, source: None }
    }

    /// Adds a line to `details`.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Sets how long to wait before a retry.
    #[must_use]
    pub fn retry_after(mut self, wait: chrono::Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// A resource does not exist for this caller.
    pub fn not_found(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, code, message)
    }

    /// An unexpected failure. The cause is logged and not sent.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let message = "Internal server error. Retry; if it persists, send the request id to support.";
        Self {
            source: Some(cause.into()),
            ..Self::new(ErrorKind::Internal, ErrorCode::InternalError, message)
        }
    }

    /// A dependency is unavailable. The cause is logged.
    fn unavailable(cause: impl std::error::Error + Send + Sync + 'static, message: &str) -> Self {
        let source = Some(Box::new(cause) as _);
        Self { source, ..Self::new(ErrorKind::Unavailable, ErrorCode::ServiceUnavailable, message) }
    }

    /// An operation that is not implemented yet.
    pub fn not_implemented() -> Self {
        Self::new(
            ErrorKind::NotImplemented,
            ErrorCode::FeatureNotAvailable,
            "This server does not implement this operation yet.",
        )
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                Self::unavailable(error, "The database is unavailable. Retry in a few seconds.")
            }
            StoreError::Busy(_) => {
                Self::unavailable(error, "The database is overloaded. Retry in a few seconds.")
            }
            StoreError::InvalidText => Self::new(
                ErrorKind::Invalid,
                ErrorCode::RequestInvalid,
                "Text must not contain NUL characters. Remove them and retry.",
            ),
            other => Self::internal(other),
        }
    }
}

impl From<PasswordError> for AppError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::unavailable(
                error,
                "Too many logins are in progress. Wait for the time in Retry-After, then retry.",
            ),
            PasswordError::Failed(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_errors_keep_their_kind_and_hide_their_cause() {
        let gone = AppError::from(StoreError::Unavailable("connection refused at 10.0.0.7".into()));
        assert_eq!((gone.kind, &gone.code), (ErrorKind::Unavailable, &ErrorCode::ServiceUnavailable));
        let busy = AppError::from(StoreError::Busy("the write queue was full".into()));
        assert_eq!(busy.kind, ErrorKind::Unavailable);
        assert_ne!(busy.message, gone.message);
        let defect = AppError::from(StoreError::Panicked("index out of bounds in tenants.rs".into()));
        assert_eq!(defect.kind, ErrorKind::Internal);
        assert!(!defect.message.contains("tenants.rs") && !gone.message.contains("10.0.0.7"));
        assert!(std::error::Error::source(&defect).is_some());
    }
}
