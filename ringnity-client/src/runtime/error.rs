//! Errors: what the contract documents, with its own words and type, and everything else that can go wrong.
//! The enum itself is declared by generated code through [`errors!`], one variant per error schema.

use std::fmt;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::response::request_id;
use crate::generated::Error;

/// The name of each member of an error body that callers ask for; empty when the contract has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorFields {
    /// The stable code.
    pub code: &'static str,
    /// The sentence for people.
    pub message: &'static str,
    /// More sentences.
    pub details: &'static str,
}

/// A schema that the contract uses for error bodies.
pub trait ErrorBody: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// Where code, message and details are in it.
    const FIELDS: ErrorFields;

    /// The variant of the client's error that holds it.
    fn into_error(error: ApiError<Self>) -> Error;
}

/// Stands for the body of operations that document no error.
impl ErrorBody for () {
    const FIELDS: ErrorFields = ErrorFields { code: "", message: "", details: "" };

    fn into_error(error: ApiError<Self>) -> Error {
        Error::Unexpected { status: error.status, headers: Box::new(error.headers), body: Bytes::new() }
    }
}

/// An error that the contract documents.
#[derive(Debug, Clone)]
pub struct ApiError<B> {
    status: StatusCode,
    headers: HeaderMap,
    code: Option<String>,
    message: Option<String>,
    details: Vec<String>,
    body: B,
}

impl<B: ErrorBody> ApiError<B> {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: B) -> Self {
        let json = serde_json::to_value(&body).unwrap_or_default();
        let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let details = match json.get(B::FIELDS.details) {
            Some(Value::Array(all)) => {
                all.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect()
            }
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        Self { code: text(B::FIELDS.code), message: text(B::FIELDS.message), details, status, headers, body }
    }
}

impl<B> ApiError<B> {
    /// HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code: what programs decide by.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The sentence for people.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// More sentences, such as one per fault of the request.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// The server's name for this exchange; say it when you ask for help.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    /// Response headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The whole body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The whole body, by value.
    pub fn into_body(self) -> B {
        self.body
    }
}

impl<B> fmt::Display for ApiError<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status.as_u16())?;
        if let Some(code) = &self.code {
            write!(formatter, " {code}")?;
        }
        if let Some(message) = &self.message {
            write!(formatter, ": {message}")?;
        }
        for detail in &self.details {
            write!(formatter, "; {detail}")?;
        }
        if let Some(id) = self.request_id() {
            write!(formatter, " (request {id})")?;
        }
        Ok(())
    }
}

/// Declares the client's error: a variant per error schema of the contract beside those that every client has.
macro_rules! errors {
    ($($(#[$meta:meta])* $variant:ident($body:ty) = $code:literal, $message:literal, $details:literal;)*) => {
        /// Why a call failed.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$meta])* $variant(Box<$crate::runtime::ApiError<$body>>),)*
            /// No answer: the server was not reached, or the connection broke, or time ran out.
            Transport(reqwest::Error),
            /// An answer that the contract does not know, with all that came.
            Unexpected {
                /// HTTP status.
                status: reqwest::StatusCode,
                /// Response headers.
                headers: Box<reqwest::header::HeaderMap>,
                /// Response body.
                body: bytes::Bytes,
            },
            /// An answer whose status the contract knows and whose body is not what it says.
            Decode {
                /// HTTP status.
                status: reqwest::StatusCode,
                /// Response headers.
                headers: Box<reqwest::header::HeaderMap>,
                /// Response body.
                body: bytes::Bytes,
                /// What was wrong with it.
                source: serde_json::Error,
            },
            /// The request could not be sent as it was given.
            InvalidRequest(String),
        }

        impl Error {
            /// HTTP status, when there was an answer.
            pub fn status(&self) -> Option<reqwest::StatusCode> {
                match self {
                    $(Self::$variant(error) => Some(error.status()),)*
                    Self::Unexpected { status, .. } | Self::Decode { status, .. } => Some(*status),
                    Self::Transport(error) => error.status(),
                    Self::InvalidRequest(_) => None,
                }
            }

            /// The contract's code of the problem: what programs decide by.
            pub fn code(&self) -> Option<&str> {
                match self {
                    $(Self::$variant(error) => error.code(),)*
                    _ => None,
                }
            }

            /// The server's sentence for people.
            pub fn message(&self) -> Option<&str> {
                match self {
                    $(Self::$variant(error) => error.message(),)*
                    _ => None,
                }
            }

            /// More sentences of the server, such as one per fault of the request.
            pub fn details(&self) -> &[String] {
                match self {
                    $(Self::$variant(error) => error.details(),)*
                    _ => &[],
                }
            }

            /// Response headers, when there was an answer.
            pub fn headers(&self) -> Option<&reqwest::header::HeaderMap> {
                match self {
                    $(Self::$variant(error) => Some(error.headers()),)*
                    Self::Unexpected { headers, .. } | Self::Decode { headers, .. } => Some(headers),
                    _ => None,
                }
            }

            /// The server's name for this exchange; say it when you ask for help.
            pub fn request_id(&self) -> Option<&str> {
                self.headers().and_then($crate::runtime::response::request_id)
            }

            /// Whether time ran out.
            pub fn is_timeout(&self) -> bool {
                matches!(self, Self::Transport(error) if error.is_timeout())
            }
        }

        impl std::fmt::Display for Error {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant(error) => std::fmt::Display::fmt(error, formatter),)*
                    Self::Transport(error) if error.is_timeout() => formatter.write_str("the server did not answer in time"),
                    Self::Transport(_) => formatter.write_str("no answer from the server"),
                    Self::Unexpected { status, body, .. } => {
                        write!(formatter, "{status}, which the contract does not know: ")?;
                        $crate::runtime::error::excerpt(formatter, body)
                    }
                    Self::Decode { status, body, .. } => {
                        write!(formatter, "{status} with a body that the contract does not know: ")?;
                        $crate::runtime::error::excerpt(formatter, body)
                    }
                    Self::InvalidRequest(problem) => write!(formatter, "the request cannot be sent: {problem}"),
                }
            }
        }

        impl std::error::Error for Error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    Self::Transport(error) => Some(error),
                    Self::Decode { source, .. } => Some(source),
                    _ => None,
                }
            }
        }

        impl From<reqwest::Error> for Error {
            fn from(error: reqwest::Error) -> Self {
                if error.is_builder() { Self::InvalidRequest(error.to_string()) } else { Self::Transport(error) }
            }
        }

        $(
            impl $crate::runtime::ErrorBody for $body {
                const FIELDS: $crate::runtime::ErrorFields =
                    $crate::runtime::ErrorFields { code: $code, message: $message, details: $details };

                fn into_error(error: $crate::runtime::ApiError<Self>) -> Error {
                    Error::$variant(Box::new(error))
                }
            }
        )*
    };
}
pub(crate) use errors;

/// The beginning of a body, for a message.
pub(crate) fn excerpt(formatter: &mut fmt::Formatter<'_>, body: &[u8]) -> fmt::Result {
    const LIMIT: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(LIMIT)]);
    write!(formatter, "{}{}", text.escape_debug(), if body.len() > LIMIT { "…" } else { "" })
}

/// The error for a body that does not have the documented type. With an error status it is an undocumented error.
pub(crate) fn decode_error(
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    source: serde_json::Error,
) -> Error {
    let headers = Box::new(headers);
    if status.is_client_error() || status.is_server_error() {
        Error::Unexpected { status, headers, body }
    } else {
        Error::Decode { status, headers, body, source }
    }
}

/// Reads a response that the contract does not document.
pub(crate) async fn unexpected_response(response: reqwest::Response) -> Error {
    let status = response.status();
    let headers = Box::new(response.headers().clone());
    match response.bytes().await {
        Ok(body) => Error::Unexpected { status, headers, body },
        Err(error) => error.into(),
    }
}
