//! Errors: one type for everything that goes wrong while a request is handled, and its body as the contract wants it.

use std::borrow::Cow;
use std::fmt;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::operation::{ErrorField, ErrorShape};
use super::problem::Problem;

/// The stable code of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A code of the contract.
    Named(Cow<'static, str>),
    /// The code that the contract has for this problem, by the error body of the operation.
    Of(Problem),
}

impl From<&'static str> for Code {
    fn from(code: &'static str) -> Self {
        Self::Named(Cow::Borrowed(code))
    }
}

impl From<String> for Code {
    fn from(code: String) -> Self {
        Self::Named(Cow::Owned(code))
    }
}

impl From<Problem> for Code {
    fn from(problem: Problem) -> Self {
        Self::Of(problem)
    }
}

/// An error response: status, code, message, details and headers. The cause is only logged.
#[derive(Clone)]
pub struct Fault(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: StatusCode,
    code: Code,
    message: Cow<'static, str>,
    details: Vec<String>,
    headers: HeaderMap,
    cause: Option<String>,
}

impl Fault {
    /// A fault with a status, a stable code, and a message for people.
    pub fn new(status: StatusCode, code: impl Into<Code>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// A fault for a problem of which the contract has a code.
    pub fn of(problem: Problem, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(problem.status(), problem, message)
    }

    /// 400: the request does not match the contract. `details` has one line per violation.
    pub fn invalid(details: impl IntoIterator<Item = String>) -> Self {
        let mut fault = Self::of(
            Problem::Invalid,
            "The request is not valid. Fix the fields listed in `details` and retry.",
        );
        fault.0.details.extend(details);
        fault
    }

    /// 404 with a code of its own.
    pub fn not_found(code: impl Into<Code>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 500: the cause is logged with the request id and not sent.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::of(
            Problem::Internal,
            "The server failed to handle the request. Report the request id if it happens again.",
        )
        .cause(cause)
    }

    /// 503: the cause is logged with the request id and not sent.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::of(Problem::Unavailable, "The service is not available right now. Try again shortly.")
            .cause(cause)
    }

    /// Adds one line to the details.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.0.details.push(line.into());
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers.append(name, value);
        }
        self
    }

    /// Adds the cause for the log. It is never sent.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Stable code.
    pub fn code(&self) -> &Code {
        &self.0.code
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// One line per detail.
    pub fn details(&self) -> &[String] {
        &self.0.details
    }

    /// Response headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The cause, for the log.
    pub fn cause_text(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The error body in that shape.
    pub fn body(&self, shape: &ErrorShape, request_id: &str) -> Value {
        let inner = &*self.0;
        let mut body = Map::new();
        for member in shape.members {
            let value = match member.field {
                ErrorField::Code => Value::String(self.code_in(shape).to_owned()),
                ErrorField::Message => Value::String(inner.message.to_string()),
                ErrorField::Details if member.optional && inner.details.is_empty() => continue,
                ErrorField::Details => Value::from(inner.details.clone()),
                ErrorField::RequestId => Value::String(request_id.to_owned()),
                ErrorField::Status => Value::from(inner.status.as_u16()),
                ErrorField::Const(json) => serde_json::from_str(json).unwrap_or(Value::Null),
            };
            body.insert(member.name.to_owned(), value);
        }
        // Where the shape has no list for details, they go into the message.
        let has_details = shape.members.iter().any(|member| matches!(member.field, ErrorField::Details));
        if !has_details
            && !inner.details.is_empty()
            && let Some(member) =
                shape.members.iter().find(|member| matches!(member.field, ErrorField::Message))
        {
            let text = format!("{} {}", inner.message, inner.details.join("; "));
            body.insert(member.name.to_owned(), Value::String(text));
        }
        Value::Object(body)
    }

    /// The code in that shape.
    pub fn code_in<'a>(&'a self, shape: &'a ErrorShape) -> &'a str {
        match &self.0.code {
            Code::Named(code) => code,
            Code::Of(problem) => {
                let find = |wanted: Problem| shape.codes.iter().find(|(known, _)| *known == wanted);
                let general = match problem {
                    Problem::NotFound | Problem::Method | Problem::TooLarge | Problem::MediaType => {
                        find(Problem::Invalid)
                    }
                    _ => None,
                };
                find(*problem).or(general).map_or(problem.default_code(), |(_, code)| *code)
            }
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("details", &self.0.details)
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status, self.0.message)?;
        if let Some(cause) = &self.0.cause {
            write!(f, " ({cause})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
