//! The facts of one request that are not parameters: who asks, from where, under which id. Also where a
//! handler leaves headers for its answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{HeaderName, HeaderValue};
use http::{Extensions, HeaderMap, Method, Uri};

use super::operation::Operation;

/// One request, cheap to clone.
#[derive(Clone)]
pub struct Call(Arc<Facts>);

struct Facts {
    operation: &'static Operation,
    request_id: String,
    parts: http::request::Parts,
    remote: SocketAddr,
    begun: Instant,
    answer: Mutex<HeaderMap>,
    notes: Mutex<Extensions>,
}

impl Call {
    /// Collects the facts.
    pub fn new(
        operation: &'static Operation,
        request_id: String,
        parts: http::request::Parts,
        remote: SocketAddr,
    ) -> Self {
        let (begun, answer, notes) = (Instant::now(), Mutex::default(), Mutex::default());
        Self(Arc::new(Facts { operation, request_id, parts, remote, begun, answer, notes }))
    }

    /// How long ago its head was read.
    pub fn elapsed(&self) -> Duration {
        self.0.begun.elapsed()
    }

    /// The operation that is called.
    pub fn operation(&self) -> &'static Operation {
        self.0.operation
    }

    /// The id that the answer carries as `X-Request-Id` and that log lines are found by.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Head of the request.
    pub(super) fn head(&self) -> &http::request::Parts {
        &self.0.parts
    }

    /// HTTP method.
    pub fn method(&self) -> &Method {
        &self.0.parts.method
    }

    /// Request target.
    pub fn uri(&self) -> &Uri {
        &self.0.parts.uri
    }

    /// Request headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.parts.headers
    }

    /// One request header as text; `None` when absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.parts.headers.get(name)?.to_str().ok()
    }

    /// First value of a query parameter, documented or not.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.0.parts.uri.query()?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (super::input::decode(key, true)? == name).then(|| super::input::decode(value, true)).flatten()
        })
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.0
            .parts
            .headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .find_map(|line| {
                line.split(';').find_map(|pair| {
                    let (key, value) = pair.trim().split_once('=')?;
                    (key == name).then_some(value)
                })
            })
    }

    /// Address of the peer of the connection: a proxy's where there is one.
    pub fn remote(&self) -> SocketAddr {
        self.0.remote
    }

    /// IP address of the peer of the connection.
    pub fn remote_ip(&self) -> IpAddr {
        self.0.remote.ip()
    }

    /// The page that a browser sent the request from. What no browser sends, such as two of them or bytes that
    /// are not text, counts as `null`: the origin of a page that nobody knows.
    pub fn origin(&self) -> Option<&str> {
        let mut values = self.0.parts.headers.get_all(http::header::ORIGIN).iter();
        let first = values.next()?;
        let only = values.next().is_none();
        Some(first.to_str().ok().filter(|_| only).unwrap_or("null"))
    }

    /// The host that the client asked for, port included.
    pub fn host(&self) -> Option<&str> {
        self.header("host").or_else(|| self.0.parts.uri.authority().map(http::uri::Authority::as_str))
    }

    /// What the client calls itself.
    pub fn user_agent(&self) -> Option<&str> {
        self.header("user-agent")
    }

    /// Sets a header of the answer, whichever it becomes. A value that no header can hold is dropped.
    pub fn set_header(&self, name: HeaderName, value: impl TryInto<HeaderValue>) {
        if let Ok(value) = value.try_into() {
            self.answer().insert(name, value);
        }
    }

    /// Adds a header of the answer beside those of the same name: for `Set-Cookie`.
    pub fn add_header(&self, name: HeaderName, value: impl TryInto<HeaderValue>) {
        if let Ok(value) = value.try_into() {
            self.answer().append(name, value);
        }
    }

    /// Keeps something about this request for whoever handles it later, one value of a type: hooks leave here
    /// what handlers ask for.
    pub fn note<T: Clone + Send + Sync + 'static>(&self, value: T) {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(value);
    }

    /// What was kept of that type.
    pub fn noted<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).get::<T>().cloned()
    }

    /// Takes the headers that were set.
    pub(super) fn take_headers(&self) -> HeaderMap {
        std::mem::take(&mut *self.answer())
    }

    fn answer(&self) -> std::sync::MutexGuard<'_, HeaderMap> {
        self.0.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers and query may carry secrets.
        f.debug_struct("Call")
            .field("operation", &self.0.operation.id)
            .field("request_id", &self.0.request_id)
            .field("method", &self.0.parts.method)
            .field("path", &self.0.parts.uri.path())
            .field("remote", &self.0.remote)
            .finish_non_exhaustive()
    }
}
