//! What generated code asks of the server around every operation.

use std::future::{Future, ready};

use http::StatusCode;

use super::boundary::Boundary;
use super::call::Call;
use super::input::Parts;
use super::operation::Operation;

/// Whether a page of another origin may read the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cors {
    /// No: the answer has no CORS headers.
    Deny,
    /// Yes, without cookies.
    Allow,
    /// Yes, cookies included.
    AllowWithCookies,
}

/// What generated code asks of the server around every operation.
pub trait Hooks: Send + Sync + 'static {
    /// The checks of requests and answers, compiled once at start.
    fn boundary(&self) -> &Boundary;

    /// Whether a page at `origin` may read the answer; asked for every request with an `Origin`, preflights
    /// included. A preflight's call names the operation that would follow.
    fn cors(&self, call: &Call, origin: &str) -> impl Future<Output = Cors> + Send {
        let _ = (call, origin);
        ready(Cors::Deny)
    }

    /// How many bytes a body may have; `None` leaves the operation's own limit.
    fn body_limit(&self, operation: &'static Operation) -> Option<usize> {
        let _ = operation;
        None
    }

    /// Whether clients had better look elsewhere, because this server is about to stop: each answer then is the last
    /// one on its connection.
    fn is_leaving(&self) -> bool {
        false
    }

    /// Called when a request's head is read, before anything is asked of it. What is noted there is dropped with the
    /// call: when the answer is ready, the last chunk included where it is a stream, or the request has come to
    /// another end.
    fn begun(&self, call: &Call) {
        let _ = call;
    }

    /// Called when the input is read and checked, just before the handler runs.
    fn received(&self, call: &Call, parts: &Parts) {
        let _ = (call, parts);
    }

    /// Called when the answer is ready to be sent.
    fn answered(&self, call: &Call, status: StatusCode) {
        let _ = (call, status);
    }

    /// Called with one line per fault when an answer breaks the contract and the check only reports.
    fn broken_answer(&self, call: &Call, lines: &[String]) {
        let _ = (call, lines);
    }
}
