//! A call of an operation: the head of the request, the operation, and the headers that the response will get.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::head::RequestHead;
use super::operation::Operation;

/// A call of an operation. Derefs to the [`RequestHead`]; cheap to clone.
pub struct Call<S>(Arc<Inner<S>>);

struct Inner<S> {
    operation: &'static Operation,
    head: RequestHead<S>,
    response_headers: Mutex<HeaderMap>,
}

impl<S> Call<S> {
    /// A call of `operation` by the request with that head.
    pub fn new(operation: &'static Operation, head: RequestHead<S>) -> Self {
        Self(Arc::new(Inner { operation, head, response_headers: Mutex::default() }))
    }

    /// The operation that is called.
    pub fn operation(&self) -> &'static Operation {
        self.0.operation
    }

    /// Sets a header of the response, success or error. A value that no header can hold is dropped.
    pub fn set_header(&self, name: HeaderName, value: impl TryInto<HeaderValue>) {
        if let Ok(value) = value.try_into() {
            self.response_headers().insert(name, value);
        }
    }

    /// Adds a header of the response and keeps those of the same name: for `Set-Cookie`.
    pub fn add_header(&self, name: HeaderName, value: impl TryInto<HeaderValue>) {
        if let Ok(value) = value.try_into() {
            self.response_headers().append(name, value);
        }
    }

    /// Takes the headers that were set.
    pub(super) fn take_headers(&self) -> HeaderMap {
        std::mem::take(&mut *self.response_headers())
    }

    fn response_headers(&self) -> std::sync::MutexGuard<'_, HeaderMap> {
        self.0.response_headers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for Call<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Deref for Call<S> {
    type Target = RequestHead<S>;

    fn deref(&self) -> &RequestHead<S> {
        &self.0.head
    }
}

impl<S> std::fmt::Debug for Call<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.0.operation.id)
            .field("head", &self.0.head)
            .finish_non_exhaustive()
    }
}
