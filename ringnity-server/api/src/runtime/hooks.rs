//! What generated code asks of the server around every operation.

use std::future::{Future, ready};
use std::ops::Deref;

use http::{HeaderMap, StatusCode};

use super::call::Call;
use super::fault::Fault;
use super::head::RequestHead;
use super::input::ValidatedInput;
use super::operation::Operation;
use super::problem::Problem;
use super::schema::SchemaValidator;

/// Whether a page of another origin may read the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cors {
    /// No: the response has no CORS headers.
    Deny,
    /// Yes, without cookies.
    Allow,
    /// Yes, with cookies.
    AllowWithCookies,
}

/// A call of an operation of the server `C`.
pub type CallOf<C> = Call<<C as Hooks>::RequestState>;

/// The head of a request to the server `C`.
pub type HeadOf<C> = RequestHead<<C as Hooks>::RequestState>;

/// What generated code asks of the server around every operation. Implemented by the server's state.
pub trait Hooks: Sized + Send + Sync + 'static {
    /// What the server keeps for each request, such as the client's address. It is dropped when the request is over:
    /// when the last byte of the response is handed over, or the client has gone.
    type RequestState: Send + Sync + 'static;

    /// Makes the state of a request when its head is read, before anything else is done with it.
    fn request_state(&self, head: &RequestHead<()>) -> Self::RequestState;

    /// The compiled schemas of requests and responses.
    fn schemas(&self) -> &SchemaValidator;

    /// Whether a page at `origin` may read the response. Called for every request with an `Origin`, including
    /// preflights, whose call is of the operation that would follow.
    fn cors(&self, call: &CallOf<Self>, origin: &str) -> impl Future<Output = Cors> + Send {
        let _ = (call, origin);
        ready(Cors::Deny)
    }

    /// Maximum size of a body in bytes; `None` keeps the operation's own limit.
    fn body_limit(&self, operation: &'static Operation) -> Option<usize> {
        let _ = operation;
        None
    }

    /// The response to a principal whose tenant does not have `feature`.
    fn feature_not_available(&self, feature: &'static str) -> Fault {
        let message = format!("The plan does not include {feature}. Change to a plan that does.");
        Fault::of(Problem::FeatureNotAvailable, message)
    }

    /// Whether the server is shutting down. Then each response is the last one on its connection.
    fn is_draining(&self) -> bool {
        false
    }

    /// Called when the input has passed validation, just before the handler runs.
    fn input_validated(&self, call: &CallOf<Self>, input: &ValidatedInput) {
        let _ = (call, input);
    }

    /// Adds headers to every response, such as rate limits. Headers that a handler sets replace them.
    fn response_headers(&self, call: &CallOf<Self>, headers: &mut HeaderMap) {
        let _ = (call, headers);
    }

    /// Called when the response is ready to be sent.
    fn response_ready(&self, call: &CallOf<Self>, status: StatusCode) {
        let _ = (call, status);
    }

    /// Called when a response does not match the contract and [`ResponseCheck::Report`](super::ResponseCheck) is set,
    /// with one line per violation.
    fn invalid_response(&self, call: &CallOf<Self>, lines: &[String]) {
        let _ = (call, lines);
    }
}

/// What every handler is given: the server's state, which it derefs to, and the call.
#[derive(Debug)]
pub struct OperationContext<'a, C: Hooks> {
    /// State of the server.
    pub server: &'a C,
    /// The call.
    pub call: &'a CallOf<C>,
}

impl<C: Hooks> Clone for OperationContext<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Hooks> Copy for OperationContext<'_, C> {}

impl<C: Hooks> Deref for OperationContext<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.server
    }
}
