//! What goes wrong on the way to an answer: one type for every error, turned into the contract's error body.

use std::borrow::Cow;
use std::fmt;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::operation::{ErrorShape, Fill};

/// Problems that generated code finds by itself; each contract has its own code for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The request does not say what the contract asks for.
    Invalid,
    /// The body is too large.
    TooLarge,
    /// The body has a media type that the operation does not read.
    MediaType,
    /// The path does not have this method.
    Method,
    /// There is no such path.
    NotFound,
    /// A credential is missing.
    Unauthenticated,
    /// The credential does not suffice.
    Forbidden,
    /// Too many requests.
    RateLimited,
    /// A mistake of the server.
    Internal,
    /// Something that the server needs is away.
    Unavailable,
    /// The contract has the operation and the server does not have it yet.
    NotBuilt,
}

impl Problem {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotBuilt => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// The code where the contract's settings name none.
    const fn fallback(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_request",
            Self::TooLarge => "request_too_large",
            Self::MediaType => "unsupported_media_type",
            Self::Method => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal_error",
            Self::Unavailable => "unavailable",
            Self::NotBuilt => "not_implemented",
        }
    }
}

/// The stable code of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// This one.
    Named(Cow<'static, str>),
    /// The one that the operation's error body has for this problem.
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

/// An error on its way to the client: status, code, message, details, headers; and a cause that stays here.
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
    /// A fault with its status, stable code and a sentence for people.
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

    /// A problem that every contract has a code for.
    pub fn of(problem: Problem, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(problem.status(), problem, message)
    }

    /// 400: the request does not say what the contract asks for; one line per fault.
    pub fn invalid(details: impl IntoIterator<Item = String>) -> Self {
        let mut fault = Self::of(
            Problem::Invalid,
            "The request is not valid. Mend what details name, and send it again.",
        );
        fault.0.details.extend(details);
        fault
    }

    /// 404 with a code of its own.
    pub fn not_found(code: impl Into<Code>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 500: the cause is logged under the request's id and not told.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::of(
            Problem::Internal,
            "Something went wrong on our side. Tell us the request id, which helps to find it.",
        )
        .cause(cause)
    }

    /// 503: the cause is logged under the request's id and not told.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::of(Problem::Unavailable, "The service is not available right now; try again shortly.")
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

    /// Keeps the reason for the log. It is never sent.
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

    /// The sentence for people.
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

    /// The reason that stays in the log.
    pub fn cause_text(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The body as `shape` writes it.
    pub fn body(&self, shape: &ErrorShape, request_id: &str) -> Value {
        let inner = &*self.0;
        let mut body = Map::new();
        for member in shape.members {
            let value = match member.fill {
                Fill::Code => Value::String(self.code_in(shape).to_owned()),
                Fill::Message => Value::String(inner.message.to_string()),
                Fill::Details if member.optional && inner.details.is_empty() => continue,
                Fill::Details => Value::from(inner.details.clone()),
                Fill::RequestId => Value::String(request_id.to_owned()),
                Fill::Status => Value::from(inner.status.as_u16()),
                Fill::Const(json) => serde_json::from_str(json).unwrap_or(Value::Null),
            };
            body.insert(member.name.to_owned(), value);
        }
        // Where the contract has no list of details they are still worth reading.
        let has_details = shape.members.iter().any(|member| matches!(member.fill, Fill::Details));
        if !has_details
            && !inner.details.is_empty()
            && let Some(member) = shape.members.iter().find(|member| matches!(member.fill, Fill::Message))
        {
            let text = format!("{} {}", inner.message, inner.details.join("; "));
            body.insert(member.name.to_owned(), Value::String(text));
        }
        Value::Object(body)
    }

    /// The code as `shape` names it.
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
                find(*problem).or(general).map_or(problem.fallback(), |(_, code)| *code)
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
