//! Errors. Generated code declares the enum with [`errors!`], one variant for each error schema of the contract.

use std::fmt;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::response::request_id;
use crate::generated::Error;

/// Names of the JSON properties of an error body that hold code, message and details. Empty: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorFields {
    /// Property that holds the machine-readable code.
    pub code: &'static str,
    /// Property that holds the human-readable message.
    pub message: &'static str,
    /// Property that holds further messages, a string or a list of strings.
    pub details: &'static str,
}

/// A schema that the contract uses for error bodies.
pub trait ErrorBody: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// Which of its properties hold code, message and details.
    const FIELDS: ErrorFields;

    /// Wraps the error in the variant of [`Error`] for this schema.
    fn into_error(error: ApiError<Self>) -> Error;
}

/// Error body of operations that document no error.
impl ErrorBody for () {
    const FIELDS: ErrorFields = ErrorFields { code: "", message: "", details: "" };

    fn into_error(error: ApiError<Self>) -> Error {
        Error::Unexpected { status: error.status, headers: Box::new(error.headers), body: Bytes::new() }
    }
}

/// An error response that the contract documents.
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
    /// HTTP status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Machine-readable error code. Codes are stable; match on them rather than on messages.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Human-readable message. Its wording may change.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Further messages, for example one for each invalid field of the request.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// The server's id of this request (`X-Request-Id`). Include it in support requests.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    /// Response headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The typed response body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// Returns the typed response body.
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

/// Declares the client's error: one variant for each error schema of the contract, and those of every client.
macro_rules! errors {
    ($($(#[$meta:meta])* $variant:ident($body:ty) = $code:literal, $message:literal, $details:literal;)*) => {
        /// Reason why a request failed.
        ///
        /// The accessors return what the server sent, whichever variant it is; they are empty for errors without
        /// a response.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$meta])* $variant(Box<$crate::runtime::ApiError<$body>>),)*
            /// There is no complete response: the server could not be reached, the connection was lost, or the
            /// timeout expired. The request may or may not have taken effect.
            Transport(reqwest::Error),
            /// A response with a status, media type or error body that the contract does not document, for
            /// example an error page from a proxy.
            Unexpected {
                /// HTTP status.
                status: reqwest::StatusCode,
                /// Response headers.
                headers: Box<reqwest::header::HeaderMap>,
                /// Response body.
                body: bytes::Bytes,
            },
            /// A successful response whose body does not match the contract.
            Decode {
                /// HTTP status.
                status: reqwest::StatusCode,
                /// Response headers.
                headers: Box<reqwest::header::HeaderMap>,
                /// Response body.
                body: bytes::Bytes,
                /// Why the body could not be parsed.
                source: serde_json::Error,
            },
            /// The request was not sent because an argument is invalid: a path parameter that is empty, a value
            /// that is not allowed in a header, or a file that cannot be read. Holds the message.
            InvalidRequest(String),
        }

        impl Error {
            /// HTTP status code; `None` without a response.
            pub fn status(&self) -> Option<reqwest::StatusCode> {
                match self {
                    $(Self::$variant(error) => Some(error.status()),)*
                    Self::Unexpected { status, .. } | Self::Decode { status, .. } => Some(*status),
                    Self::Transport(error) => error.status(),
                    Self::InvalidRequest(_) => None,
                }
            }

            /// Machine-readable error code of the contract. Codes are stable; match on them rather than on messages.
            pub fn code(&self) -> Option<&str> {
                match self {
                    $(Self::$variant(error) => error.code(),)*
                    _ => None,
                }
            }

            /// The server's human-readable message. Its wording may change.
            pub fn message(&self) -> Option<&str> {
                match self {
                    $(Self::$variant(error) => error.message(),)*
                    _ => None,
                }
            }

            /// Further messages of the server, for example one for each invalid field of the request.
            pub fn details(&self) -> &[String] {
                match self {
                    $(Self::$variant(error) => error.details(),)*
                    _ => &[],
                }
            }

            /// Response headers; `None` without a response.
            pub fn headers(&self) -> Option<&reqwest::header::HeaderMap> {
                match self {
                    $(Self::$variant(error) => Some(error.headers()),)*
                    Self::Unexpected { headers, .. } | Self::Decode { headers, .. } => Some(headers),
                    _ => None,
                }
            }

            /// The server's id of this request (`X-Request-Id`). Include it in support requests.
            pub fn request_id(&self) -> Option<&str> {
                self.headers().and_then($crate::runtime::response::request_id)
            }

            /// Whether the timeout of the client expired.
            pub fn is_timeout(&self) -> bool {
                matches!(self, Self::Transport(error) if error.is_timeout())
            }
        }

        impl std::fmt::Display for Error {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant(error) => std::fmt::Display::fmt(error, formatter),)*
                    Self::Transport(error) if error.is_timeout() => formatter.write_str("the request timed out"),
                    Self::Transport(_) => formatter.write_str("no response from the server"),
                    Self::Unexpected { status, body, .. } => {
                        write!(formatter, "unexpected response {status}: ")?;
                        $crate::runtime::error::excerpt(formatter, body)
                    }
                    Self::Decode { status, body, .. } => {
                        write!(formatter, "response {status} has a body that does not match the contract: ")?;
                        $crate::runtime::error::excerpt(formatter, body)
                    }
                    Self::InvalidRequest(message) => write!(formatter, "invalid request: {message}"),
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

/// Writes the first bytes of a body for an error message.
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
