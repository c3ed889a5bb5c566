//! Responses: the output of a handler as status, headers and body.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use dropshot::{ApiEndpointResponse, Body, HttpError, HttpResponse};
use futures_util::Stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde::Serialize;

use super::content::{BoxError, Chunks, Content, Payload, Redirect, TextBody};
use super::fault::Fault;
use super::operation::{ErrorShape, HasOperation};

/// A response that is ready to be sent.
pub struct Encoded {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    payload: Payload,
}

impl Encoded {
    /// A JSON body.
    pub fn json<T: Serialize>(status: u16, content_type: &'static str, value: &T) -> Result<Self, Fault> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Fault::internal(format!("the response cannot be written as JSON: {error}")))?;
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

    /// An error response.
    pub(super) fn fault(fault: &Fault, shape: &ErrorShape, request_id: &str) -> Self {
        let body = fault.body(shape, request_id);
        let mut headers = fault.headers().clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(shape.content_type));
        Self { status: fault.status(), headers, payload: Payload::Bytes(body.to_string().into()) }
    }

    /// The body, unless it is a stream.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Bytes(bytes) => Some(bytes),
            Payload::Stream(_) => None,
        }
    }

    /// The response for dropshot. `guard` is dropped when the last byte is handed over, or the client has gone.
    pub(super) fn into_response<G: Send + Sync + 'static>(self, guard: G) -> Response<Body> {
        let body = match self.payload {
            Payload::Bytes(bytes) if bytes.is_empty() => Body::empty(),
            Payload::Bytes(bytes) => Body::with_content(bytes),
            Payload::Stream(chunks) => {
                let chunks = GuardedChunks { chunks: Mutex::new(chunks), _guard: guard };
                Body::wrap(StreamBody::new(chunks))
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

/// dropshot needs bodies to be `Sync`. They are never shared, so the lock is never contended.
struct GuardedChunks<G> {
    chunks: Mutex<Chunks>,
    _guard: G,
}

// Nothing in it is pinned by address: the chunks are boxed and the guard is never polled.
impl<G> Unpin for GuardedChunks<G> {}

impl<G> Stream for GuardedChunks<G> {
    type Item = Result<Frame<Bytes>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunks = self.chunks.get_mut().unwrap_or_else(PoisonError::into_inner);
        chunks.as_mut().poll_next(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// Return type of generated endpoints: a complete response, success or error.
#[derive(Debug)]
pub struct Reply<I>(Response<Body>, PhantomData<fn() -> I>);

impl<I> From<Response<Body>> for Reply<I> {
    fn from(response: Response<Body>) -> Self {
        Self(response, PhantomData)
    }
}

impl<I: HasOperation> HttpResponse for Reply<I> {
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
