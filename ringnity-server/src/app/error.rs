//! What a rule can refuse, in words for people and without HTTP. `fault` maps the kinds to statuses.

use ringnity_store::StoreError;
use ringnity_types::ErrorCode;

use crate::secrets::password::PasswordError;

/// What every rule answers with.
pub type AppResult<T> = Result<T, AppError>;

/// In what way a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It makes no sense, however well-formed it is.
    Invalid,
    /// Whoever asks is not who they must be.
    Unauthenticated,
    /// Whoever asks may not do this.
    Forbidden,
    /// What it names does not exist for whoever asks.
    NotFound,
    /// It cannot go together with what is there.
    Conflict,
    /// It makes sense, and contradicts what the same client said before.
    Unprocessable,
    /// Whoever asks has asked too often.
    RateLimited,
    /// The server has it in its contract and not yet in its code.
    NotImplemented,
    /// Something that the server needs is gone for now.
    Unavailable,
    /// A defect of the server.
    Internal,
}

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// In what way.
    pub kind: ErrorKind,
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence that says what to do.
    pub message: String,
    /// Further sentences, one a fault.
    pub details: Vec<String>,
    /// When to try again, where that is known.
    pub retry_after: Option<chrono::Duration>,
    /// What went wrong inside, for the log only.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl AppError {
    /// A refusal of `kind`.
    pub fn new(kind: ErrorKind, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), details: Vec::new(), retry_after: None, source: None }
    }

    /// Adds a sentence.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: chrono::Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Something does not exist for whoever asks.
    pub fn not_found(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, code, message)
    }

    /// A defect of the server: the cause is logged, the answer says nothing of it.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let message = "Something went wrong here. Try again; if it stays, tell support the request id.";
        Self {
            source: Some(cause.into()),
            ..Self::new(ErrorKind::Internal, ErrorCode::InternalError, message)
        }
    }

    /// Something that the server needs is gone for now: the cause is logged.
    fn unavailable(cause: impl std::error::Error + Send + Sync + 'static, message: &str) -> Self {
        let source = Some(Box::new(cause) as _);
        Self { source, ..Self::new(ErrorKind::Unavailable, ErrorCode::ServiceUnavailable, message) }
    }

    /// An operation that the contract has and this server does not have yet.
    pub fn not_implemented() -> Self {
        Self::new(
            ErrorKind::NotImplemented,
            ErrorCode::FeatureNotAvailable,
            "This server does not offer this operation yet. The README lists what it offers.",
        )
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(
                error,
                "The database is not available right now. Try again in a few seconds.",
            ),
            StoreError::Busy(_) => Self::unavailable(
                error,
                "The database has too much to do right now. Try again in a few seconds.",
            ),
            StoreError::InvalidText => Self::new(
                ErrorKind::Invalid,
                ErrorCode::RequestInvalid,
                "Text must not hold a NUL character. Remove it and send the request again.",
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
                "Too many people sign in right now. Wait as long as Retry-After says, then try again.",
            ),
            PasswordError::Failed(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_gone_is_no_defect_and_a_defect_tells_nothing() {
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
