//! The head of a request: who sends it, from where, under which id. It has no operation, so the head of a WebSocket
//! upgrade is one, too.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Uri, Version};

use super::decode;

/// The head of a request, with the server's own state for it.
pub struct RequestHead<S> {
    request_id: String,
    parts: http::request::Parts,
    remote: SocketAddr,
    received: Instant,
    state: S,
}

impl RequestHead<()> {
    /// A head that has just been read. `remote` is the peer of the connection.
    pub fn new(request_id: String, parts: http::request::Parts, remote: SocketAddr) -> Self {
        Self { request_id, parts, remote, received: Instant::now(), state: () }
    }

    /// The same head with the server's state for the request.
    pub fn with_state<S>(self, state: S) -> RequestHead<S> {
        let Self { request_id, parts, remote, received, state: () } = self;
        RequestHead { request_id, parts, remote, received, state }
    }
}

impl<S> RequestHead<S> {
    /// What the server keeps for this request.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Time since the head was read.
    pub fn elapsed(&self) -> Duration {
        self.received.elapsed()
    }

    /// The id that the response carries as `X-Request-Id`. Log lines have it, too.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The head as the `http` crate has it.
    pub(super) fn parts(&self) -> &http::request::Parts {
        &self.parts
    }

    /// HTTP method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// Request target.
    pub fn uri(&self) -> &Uri {
        &self.parts.uri
    }

    /// HTTP version.
    pub fn version(&self) -> Version {
        self.parts.version
    }

    /// Request headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// A request header as text; `None` when it is absent or not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// First value of a query parameter, whether it is documented or not.
    pub fn query(&self, name: &str) -> Option<String> {
        decode::query_pairs(self.parts.uri.query()).find_map(|(key, value)| {
            (decode::percent_decode(key, true)? == name)
                .then(|| decode::percent_decode(value, true))
                .flatten()
        })
    }

    /// First value of a cookie; `None` when it is absent or not UTF-8.
    pub fn cookie(&self, name: &str) -> Option<String> {
        decode::cookies(&self.parts.headers, name).into_iter().flatten().next()
    }

    /// Address of the connection's peer: a proxy's where there is one.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// IP address of the connection's peer.
    pub fn remote_ip(&self) -> IpAddr {
        self.remote.ip()
    }

    /// The origin of the page that a browser sent the request from. What no browser sends, such as two origins or
    /// bytes that are not text, counts as `null`, the opaque origin.
    pub fn origin(&self) -> Option<&str> {
        let mut values = self.parts.headers.get_all(http::header::ORIGIN).iter();
        let first = values.next()?;
        let only = values.next().is_none();
        Some(first.to_str().ok().filter(|_| only).unwrap_or("null"))
    }

    /// The host that the client asked for, with the port if there is one.
    pub fn host(&self) -> Option<&str> {
        self.header("host").or_else(|| self.parts.uri.authority().map(http::uri::Authority::as_str))
    }

    /// The `User-Agent` header.
    pub fn user_agent(&self) -> Option<&str> {
        self.header("user-agent")
    }
}

impl<S> std::fmt::Debug for RequestHead<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers and query may carry secrets.
        f.debug_struct("RequestHead")
            .field("request_id", &self.request_id)
            .field("method", &self.parts.method)
            .field("path", &self.parts.uri.path())
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
