//! Answers: what a handler gives, written as bytes or a stream with status and media type.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use dropshot::{ApiEndpointResponse, Body, HttpError, HttpResponse};
use futures_util::{Stream, StreamExt as _};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde::Serialize;

use super::body::TextBody;
use super::call::Call;
use super::fault::Fault;
use super::input::Described;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// An answer that is not JSON: bytes, text or a stream.
pub struct Content {
    content_type: Option<String>,
    file_name: Option<String>,
    payload: Payload,
}

enum Payload {
    Bytes(Bytes),
    Stream(Chunks),
}

impl Content {
    /// Bytes that are all there.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: None, file_name: None, payload: Payload::Bytes(bytes.into()) }
    }

    /// Bytes that come one chunk after another. An error cuts the answer off.
    pub fn stream<S, E>(chunks: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let chunks = Box::pin(chunks.map(|chunk| chunk.map_err(Into::into)));
        Self { content_type: None, file_name: None, payload: Payload::Stream(chunks) }
    }

    /// A media type other than the documented one, such as one with parameters.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Makes browsers save it under this name.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("content_type", &self.content_type)
            .field("file_name", &self.file_name)
            .finish_non_exhaustive()
    }
}

/// An answer that sends the client elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Where to.
    pub location: String,
}

impl Redirect {
    /// Sends the client to `location`.
    pub fn to(location: impl Into<String>) -> Self {
        Self { location: location.into() }
    }
}

/// An answer ready to be sent.
pub struct Encoded {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    payload: Payload,
}

impl Encoded {
    /// A JSON value.
    pub fn json<T: Serialize>(status: u16, content_type: &'static str, value: &T) -> Result<Self, Fault> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Fault::internal(format!("the answer cannot be written as JSON: {error}")))?;
        let mut encoded = Self::empty(status)?;
        encoded.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        encoded.payload = Payload::Bytes(bytes.into());
        Ok(encoded)
    }

    /// No body.
    pub fn empty(status: u16) -> Result<Self, Fault> {
        let status = StatusCode::from_u16(status).map_err(Fault::internal)?;
        Ok(Self { status, headers: HeaderMap::new(), payload: Payload::Bytes(Bytes::new()) })
    }

    /// Text of one of the documented media types.
    pub fn text(status: u16, text: TextBody) -> Result<Self, Fault> {
        let content_type = text.content_type;
        Self::content(status, "text/plain", Content::bytes(text.text).content_type(content_type))
    }

    /// Bytes, text or a stream.
    pub fn content(status: u16, documented: &str, content: Content) -> Result<Self, Fault> {
        let mut encoded = Self::empty(status)?;
        let content_type = content.content_type.unwrap_or_else(|| documented.to_owned());
        encoded.headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).map_err(Fault::internal)?);
        if let Some(name) = content.file_name {
            // Quotes and control characters would end the parameter early.
            let safe: String =
                name.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).collect();
            let value =
                HeaderValue::try_from(format!("attachment; filename=\"{safe}\"")).map_err(Fault::internal)?;
            encoded.headers.insert(CONTENT_DISPOSITION, value);
        }
        encoded.payload = content.payload;
        Ok(encoded)
    }

    /// A redirect.
    pub fn redirect(status: u16, redirect: Redirect) -> Result<Self, Fault> {
        let mut encoded = Self::empty(status)?;
        let location = HeaderValue::try_from(redirect.location).map_err(Fault::internal)?;
        encoded.headers.insert(LOCATION, location);
        Ok(encoded)
    }

    /// A fault as the contract writes it.
    pub(super) fn fault(fault: &Fault, shape: &super::operation::ErrorShape, request_id: &str) -> Self {
        let body = fault.body(shape, request_id);
        let mut headers = fault.headers().clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(shape.content_type));
        Self { status: fault.status(), headers, payload: Payload::Bytes(body.to_string().into()) }
    }

    /// The body when it is all there.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Bytes(bytes) => Some(bytes),
            Payload::Stream(_) => None,
        }
    }

    /// The answer to `call`, which lasts as long as its body is being made.
    pub(super) fn into_response(self, call: &Call) -> Response<Body> {
        let body = match self.payload {
            Payload::Bytes(bytes) if bytes.is_empty() => Body::empty(),
            Payload::Bytes(bytes) => Body::with_content(bytes),
            Payload::Stream(chunks) => {
                let body = Shared { chunks: Mutex::new(chunks), _call: call.clone() };
                Body::wrap(StreamBody::new(body))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoded").field("status", &self.status).finish_non_exhaustive()
    }
}

/// dropshot wants bodies that threads may share; nobody ever does, so the lock is never contended.
struct Shared {
    chunks: Mutex<Chunks>,
    /// A request lives, with what was noted of it, until the last chunk of its answer is handed over.
    _call: Call,
}

impl Stream for Shared {
    type Item = Result<Frame<Bytes>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunks = self.chunks.get_mut().unwrap_or_else(PoisonError::into_inner);
        chunks.as_mut().poll_next(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// What generated endpoints answer: a response that is complete, errors included.
#[derive(Debug)]
pub struct Reply<I>(Response<Body>, PhantomData<fn() -> I>);

impl<I> From<Response<Body>> for Reply<I> {
    fn from(response: Response<Body>) -> Self {
        Self(response, PhantomData)
    }
}

impl<I: Described> HttpResponse for Reply<I> {
    fn to_result(self) -> Result<Response<Body>, HttpError> {
        Ok(self.0)
    }

    fn response_metadata() -> ApiEndpointResponse {
        ApiEndpointResponse { success: StatusCode::from_u16(I::OPERATION.success).ok(), ..Default::default() }
    }

    fn status_code(&self) -> StatusCode {
        self.0.status()
    }
}
