//! One request from end to end: facts, credential, input, handler, answer. Every way out of here has the
//! contract's error body and the same headers.

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

use super::answer::Encoded;
use super::body::forget;
use super::boundary::ResponseCheck;
use super::call::Call;
use super::fault::Fault;
use super::gate::{Gate, authenticate};
use super::hooks::Cors;
use super::input::{self, Parts, Raw};
use super::operation::Operation;

/// A request that may be handled: it is known who calls, and the input is read and checked.
#[derive(Debug)]
pub struct Turn<P> {
    /// The facts.
    pub call: Call,
    /// Who calls.
    pub principal: Option<P>,
    /// What was sent.
    pub parts: Parts,
}

/// Takes a request up to its handler. The error is a whole answer.
pub async fn begin<C>(
    rqctx: &RequestContext<C>,
    operation: &'static Operation,
    raw: Raw,
) -> Result<Turn<C::Principal>, Box<Response<Body>>>
where
    C: ServerContext + Gate,
{
    let Raw { request, remote, request_id } = raw;
    let (head, mut body) = request.into_parts();
    let call = Call::new(operation, request_id, head, remote);
    let cx = rqctx.context();
    cx.begun(&call);
    let checked = AssertUnwindSafe(check(cx, &call, &mut body)).catch_unwind();
    let span = span(&call);
    match checked.instrument(span).await.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
        Ok((principal, parts)) => Ok(Turn { call, principal, parts }),
        Err(fault) => {
            forget(call.headers(), &mut body).await;
            Err(Box::new(conclude(cx, &call, Err(fault)).await))
        }
    }
}

async fn check<C: Gate>(
    cx: &C,
    call: &Call,
    body: &mut Body,
) -> Result<(Option<C::Principal>, Parts), Fault> {
    let operation = call.operation();
    let principal = authenticate(cx, call).await?;
    let limit = cx.body_limit(operation);
    let parts = input::read(operation, cx.boundary(), call.head(), body, limit).await?;
    cx.received(call, &parts);
    Ok((principal, parts))
}

/// Runs the handler and makes its result an answer, whatever happens.
pub async fn finish<C: Gate>(
    cx: &C,
    call: &Call,
    handler: Pin<Box<dyn Future<Output = Result<Encoded, Fault>> + Send + '_>>,
) -> Response<Body> {
    let outcome = AssertUnwindSafe(handler).catch_unwind().instrument(span(call)).await;
    conclude(cx, call, outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))).await
}

/// The principal of an operation that always has one.
pub fn due<P, T: TryFrom<P>>(principal: Option<P>) -> Result<T, Fault> {
    let principal = principal.and_then(|principal| T::try_from(principal).ok());
    principal.ok_or_else(|| Fault::internal("the handler expects another kind of principal"))
}

/// The principal of an operation that may have one.
pub fn maybe<P, T: TryFrom<P>>(principal: Option<P>) -> Result<Option<T>, Fault> {
    principal.map(|principal| due(Some(principal))).transpose()
}

fn span(call: &Call) -> tracing::Span {
    tracing::info_span!("request", operation = call.operation().id, request_id = call.request_id())
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    Fault::internal(format!("panic: {}", words.as_deref().unwrap_or("without words")))
}

/// Makes a result an answer: error body, contract check, headers, log.
pub(super) async fn conclude<C: Gate>(
    cx: &C,
    call: &Call,
    outcome: Result<Encoded, Fault>,
) -> Response<Body> {
    let operation = call.operation();
    let mut encoded = outcome.unwrap_or_else(|fault| refuse(call, &fault));
    let boundary = cx.boundary();
    if boundary.responses != ResponseCheck::Off {
        let content_type = encoded.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let lines = boundary.check_answer(operation, encoded.status, content_type, encoded.bytes());
        if !lines.is_empty() {
            tracing::warn!(
                operation = operation.id,
                request_id = call.request_id(),
                status = encoded.status.as_u16(),
                lines = lines.join("; "),
                "an answer breaks the contract"
            );
            if boundary.responses == ResponseCheck::Fatal {
                let mut fault = Fault::internal("the answer breaks the contract");
                for line in lines {
                    fault = fault.detail(format!("answer {}{line}", encoded.status.as_u16()));
                }
                encoded = Encoded::fault(&fault, operation.errors, call.request_id());
            } else {
                cx.broken_answer(call, &lines);
            }
        }
    }
    let set = call.take_headers();
    merge(&mut encoded.headers, set);
    encoded.headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    encoded.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Also where no origin was sent: a cache must not keep that answer for the pages of one.
    encoded.headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = call.origin() {
        let cors = AssertUnwindSafe(cx.cors(call, origin)).catch_unwind().await.unwrap_or(Cors::Deny);
        allow_origin::<C>(&mut encoded.headers, cors, origin);
    }
    // HTTP/2 says it in a way of its own, when the listener closes.
    if cx.is_leaving() && call.head().version <= Version::HTTP_11 {
        encoded.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    cx.answered(call, encoded.status);
    encoded.into_response(call)
}

/// The error body, and the log line when the fault is ours.
fn refuse(call: &Call, fault: &Fault) -> Encoded {
    let operation = call.operation();
    // What is not built yet is no failure, and whoever asks for it must not fill the log.
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
            "request refused"
        );
    }
    Encoded::fault(fault, operation.errors, call.request_id())
}

/// Headers that the handler set win over those that came with the answer; several of one name stay several.
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

pub(super) fn allow_origin<C: Gate>(headers: &mut HeaderMap, cors: Cors, origin: &str) {
    let Ok(origin) = HeaderValue::try_from(origin) else { return };
    if cors == Cors::Deny {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(C::exposed()));
    if cors == Cors::AllowWithCookies {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
