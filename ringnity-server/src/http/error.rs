//! Maps the errors of business rules to error responses: kinds to statuses, causes to the log. The only place that does.

use http::StatusCode;
use ringnity_api::{AuthFailure, Fault, Problem};

use crate::app::{AppError, ErrorKind};

impl From<AppError> for Fault {
    fn from(error: AppError) -> Self {
        fault(error)
    }
}

impl From<AppError> for AuthFailure {
    fn from(error: AppError) -> Self {
        Self::Fault(error.into())
    }
}

fn fault(error: AppError) -> Fault {
    let named = |status| Fault::new(status, error.code.to_string(), error.message.clone());
    // Each shape of error bodies has its own code for a problem.
    let common = |problem| Fault::of(problem, error.message.clone());
    let mut fault = match error.kind {
        ErrorKind::Invalid => named(StatusCode::BAD_REQUEST),
        ErrorKind::Unauthenticated => named(StatusCode::UNAUTHORIZED),
        ErrorKind::Forbidden => named(StatusCode::FORBIDDEN),
        ErrorKind::NotFound => named(StatusCode::NOT_FOUND),
        ErrorKind::Conflict => named(StatusCode::CONFLICT),
        ErrorKind::Unprocessable => named(StatusCode::UNPROCESSABLE_ENTITY),
        ErrorKind::RateLimited => common(Problem::RateLimited),
        ErrorKind::NotImplemented => common(Problem::NotImplemented),
        ErrorKind::Unavailable => common(Problem::Unavailable).header(http::header::RETRY_AFTER, "5"),
        ErrorKind::Internal => common(Problem::Internal),
    };
    if let Some(wait) = error.retry_after {
        fault = fault.header(http::header::RETRY_AFTER, seconds(wait));
    }
    for line in error.details {
        fault = fault.detail(line);
    }
    match error.source {
        Some(source) => fault.cause(chain(&*source)),
        None => fault,
    }
}

/// A time in whole seconds for `Retry-After`, rounded up, at least 1.
pub fn seconds(wait: chrono::Duration) -> i64 {
    (wait.num_milliseconds().saturating_add(999) / 1000).max(1)
}

/// An error with everything that caused it, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
