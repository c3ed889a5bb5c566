//! A request from head to response: authenticate, read the input, run the handler, finish the response.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use dropshot::{Body, RequestContext, ServerContext};
use futures_util::FutureExt as _;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Response, StatusCode, Version};
use tracing::Instrument as _;

use super::authentication::{Authenticator, authenticate_call};
use super::body::drain;
use super::call::Call;
use super::extract::UnreadRequest;
use super::fault::Fault;
use super::head::RequestHead;
use super::hooks::{CallOf, Cors};
use super::input::{self, ValidatedInput};
use super::operation::Operation;
use super::response::Encoded;
use super::schema::ResponseCheck;

/// A request that is ready for its handler: authenticated, authorized, and with validated input.
#[derive(Debug)]
pub struct Prepared<S, P> {
    /// The call.
    pub call: Call<S>,
    /// The principal, if there is one.
    pub principal: Option<P>,
    /// Parameters and body.
    pub input: ValidatedInput,
}

/// Does everything that comes before the handler. The error is a complete response.
pub async fn prepare<C>(
    rqctx: &RequestContext<C>,
    operation: &'static Operation,
    unread: UnreadRequest,
) -> Result<Prepared<C::RequestState, C::Principal>, Box<Response<Body>>>
where
    C: ServerContext + Authenticator,
{
    let UnreadRequest { request, remote, request_id } = unread;
    let (head, mut body) = request.into_parts();
    let server = rqctx.context();
    let head = RequestHead::new(request_id, head, remote);
    let state = server.request_state(&head);
    let call = Call::new(operation, head.with_state(state));
    let checked = AssertUnwindSafe(check(server, &call, &mut body)).catch_unwind();
    let span = span(&call);
    match checked.instrument(span).await.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
        Ok((principal, input)) => Ok(Prepared { call, principal, input }),
        Err(fault) => {
            drain(call.headers(), &mut body).await;
            Err(Box::new(finish_response(server, &call, Err(fault)).await))
        }
    }
}

async fn check<C: Authenticator>(
    server: &C,
    call: &CallOf<C>,
    body: &mut Body,
) -> Result<(Option<C::Principal>, ValidatedInput), Fault> {
    let operation = call.operation();
    let principal = authenticate_call(server, call).await?;
    let limit = server.body_limit(operation);
    let input = input::read(operation, server.schemas(), call.parts(), body, limit).await?;
    server.input_validated(call, &input);
    Ok((principal, input))
}

/// Runs the handler and makes a response of its result. A panic is a 500.
pub async fn respond<C: Authenticator>(
    server: &C,
    call: &CallOf<C>,
    handler: Pin<Box<dyn Future<Output = Result<Encoded, Fault>> + Send + '_>>,
) -> Response<Body> {
    let outcome = AssertUnwindSafe(handler).catch_unwind().instrument(span(call)).await;
    finish_response(server, call, outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))).await
}

/// The principal of an operation that needs one.
pub fn required_principal<P, T: TryFrom<P>>(principal: Option<P>) -> Result<T, Fault> {
    let principal = principal.and_then(|principal| T::try_from(principal).ok());
    principal.ok_or_else(|| Fault::internal("the handler expects another kind of principal"))
}

/// The principal of an operation that may be called without one.
pub fn optional_principal<P, T: TryFrom<P>>(principal: Option<P>) -> Result<Option<T>, Fault> {
    principal.map(|principal| required_principal(Some(principal))).transpose()
}

fn span<S>(call: &Call<S>) -> tracing::Span {
    tracing::info_span!("request", operation = call.operation().id, request_id = call.request_id())
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    Fault::internal(format!("panic: {}", message.as_deref().unwrap_or("no message")))
}

/// Makes a response of a result: error body, contract check, headers, log.
pub(super) async fn finish_response<C: Authenticator>(
    server: &C,
    call: &CallOf<C>,
    outcome: Result<Encoded, Fault>,
) -> Response<Body> {
    let operation = call.operation();
    let mut encoded = outcome.unwrap_or_else(|fault| error_response(call, &fault));
    let schemas = server.schemas();
    if schemas.response_check != ResponseCheck::Off {
        let content_type = encoded.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let lines = schemas.check_response(operation, encoded.status, content_type, encoded.bytes());
        if !lines.is_empty() {
            tracing::warn!(
                operation = operation.id,
                request_id = call.request_id(),
                status = encoded.status.as_u16(),
                lines = lines.join("; "),
                "the response does not match the contract"
            );
            if schemas.response_check == ResponseCheck::Fatal {
                let mut fault = Fault::internal("the response does not match the contract");
                for line in lines {
                    fault = fault.detail(format!("response {}{line}", encoded.status.as_u16()));
                }
                encoded = Encoded::fault(&fault, operation.errors, call.request_id());
            } else {
                server.invalid_response(call, &lines);
            }
        }
    }
    server.response_headers(call, &mut encoded.headers);
    let set = call.take_headers();
    merge(&mut encoded.headers, set);
    encoded.headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    encoded.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Even without an origin: a cache must not give this response to the page of another origin.
    encoded.headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = call.origin() {
        let cors = AssertUnwindSafe(server.cors(call, origin)).catch_unwind().await.unwrap_or(Cors::Deny);
        allow_origin::<C>(&mut encoded.headers, cors, origin);
    }
    // HTTP/2 has GOAWAY, which is sent when the listener closes.
    if server.is_draining() && call.version() <= Version::HTTP_11 {
        encoded.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    server.response_ready(call, encoded.status);
    encoded.into_response(call.clone())
}

/// The error body. Failures of the server are logged as errors.
fn error_response<S>(call: &Call<S>, fault: &Fault) -> Encoded {
    let operation = call.operation();
    // An operation that is not implemented is no failure, and must not fill the log.
    if fault.status().is_server_error() && fault.status() != StatusCode::NOT_IMPLEMENTED {
        tracing::error!(
            operation = operation.id,
            request_id = call.request_id(),
            status = fault.status().as_u16(),
            cause = fault.cause_text().unwrap_or_else(|| fault.message()),
            "request failed"
        );
    } else {
        tracing::debug!(
            operation = operation.id,
            request_id = call.request_id(),
            status = fault.status().as_u16(),
            code = fault.code_in(operation.errors),
            cause = fault.cause_text(),
            "request rejected"
        );
    }
    Encoded::fault(fault, operation.errors, call.request_id())
}

/// Adds the headers that the handler set, which replace those of the same name. Several of one name are kept.
fn merge(headers: &mut HeaderMap, set: HeaderMap) {
    let mut last = None;
    for (name, value) in set {
        match (name, &last) {
            (Some(name), _) => {
                headers.insert(name.clone(), value);
                last = Some(name);
            }
            (None, Some(name)) => drop(headers.append(name.clone(), value)),
            (None, None) => {}
        }
    }
}

pub(super) fn allow_origin<C: Authenticator>(headers: &mut HeaderMap, cors: Cors, origin: &str) {
    let Ok(origin) = HeaderValue::try_from(origin) else { return };
    if cors == Cors::Deny {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(C::exposed_headers()));
    if cors == Cors::AllowWithCookies {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
