//! The one place where refusals of rules become answers: kinds to statuses, causes to the log.

use http::StatusCode;
use ringnity_api::{Fault, Problem};

use crate::app::{AppError, ErrorKind};

/// The answer that tells of a refusal.
pub fn fault(error: AppError) -> Fault {
    let named = |status| Fault::new(status, error.code.to_string(), error.message.clone());
    // Whatever the errors of an operation look like, they have a code of their own for a problem.
    let common = |problem| Fault::of(problem, error.message.clone());
    let mut fault = match error.kind {
        ErrorKind::Invalid => named(StatusCode::BAD_REQUEST),
        ErrorKind::Unauthenticated => named(StatusCode::UNAUTHORIZED),
        ErrorKind::Forbidden => named(StatusCode::FORBIDDEN),
        ErrorKind::NotFound => named(StatusCode::NOT_FOUND),
        ErrorKind::Conflict => named(StatusCode::CONFLICT),
        ErrorKind::Unprocessable => named(StatusCode::UNPROCESSABLE_ENTITY),
        ErrorKind::RateLimited => common(Problem::RateLimited),
        ErrorKind::NotImplemented => common(Problem::NotBuilt),
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

/// A time to wait as headers say it: whole seconds, and long enough.
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
