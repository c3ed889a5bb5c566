//! Responses: a value with status and headers. Streams, texts and redirects are values, too.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::generated::Error;

/// Header with the server's id of the request.
const REQUEST_ID: &str = "x-request-id";

pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(REQUEST_ID)?.to_str().ok()
}

/// A successful response. Dereferences to the value of its body.
#[derive(Debug, Clone)]
pub struct Response<T> {
    status: StatusCode,
    headers: HeaderMap,
    value: T,
}

impl<T> Response<T> {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, value: T) -> Self {
        Self { status, headers, value }
    }

    /// HTTP status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Response headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The server's id of this request (`X-Request-Id`). Include it in support requests.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    /// Returns the value of the body.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Converts the value and keeps status and headers.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Response<U> {
        Response { status: self.status, headers: self.headers, value: change(self.value) }
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Response<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A text body with its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Media type in lower case, without parameters; empty if the server sent none.
    pub content_type: String,
    /// The decoded text.
    pub text: String,
}

/// A redirect. The client does not follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The `Location` header: an absolute URL or a path.
    pub location: String,
}

/// A response body that is read as it arrives. Implements [`Stream`].
pub struct ByteStream(Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send + Sync>>);

impl ByteStream {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self(Box::pin(response.bytes_stream()))
    }

    /// Waits for the next chunk. Returns `None` at the end of the body.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] if the connection is lost or the timeout expires.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match std::future::poll_fn(|context| self.0.as_mut().poll_next(context)).await {
            Some(chunk) => Ok(Some(chunk?)),
            None => Ok(None),
        }
    }

    /// Reads the whole body into memory.
    ///
    /// # Errors
    ///
    /// See [`ByteStream::chunk`].
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Reads the whole body as text. Invalid UTF-8 is replaced by `U+FFFD`.
    ///
    /// # Errors
    ///
    /// See [`ByteStream::chunk`].
    pub async fn text(self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context).map(|item| item.map(|chunk| chunk.map_err(Error::from)))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ByteStream")
    }
}
