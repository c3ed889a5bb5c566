//! Paths: which operation a request names when dropshot's router cannot tell, 405 with `Allow`, preflights.

use dropshot::{
    ApiDescription, ApiEndpoint, ApiEndpointParameterLocation, ApiEndpointVersions, Body, HttpError,
    RawRequest, RequestContext, ServerContext,
};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderValue, VARY,
};
use http::{Method, Response};
use std::collections::{BTreeMap, BTreeSet};

use super::answer::Encoded;
use super::body::forget;
use super::call::Call;
use super::fault::{Fault, Problem};
use super::gate::{Gate, Source};
use super::hooks::Cors;
use super::input::{Raw, parameter};
use super::operation::{Operation, Place};
use super::serve::conclude;

/// Methods that every path answers, if only with 405.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

/// Variables of `template` in `path`, decoded where that is possible.
pub fn variables<'t>(template: &'t str, path: &str) -> Vec<(&'t str, Option<String>)> {
    let wanted = template.split('/').filter(|segment| !segment.is_empty());
    let actual = path.split('/').filter(|segment| !segment.is_empty());
    wanted
        .zip(actual)
        .filter_map(|(wanted, actual)| Some((variable(wanted)?, super::input::decode(actual, false))))
        .collect()
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Whether `path` fits `template`; the more literal segments, the higher the answer.
fn fit(template: &str, path: &str) -> Option<Vec<bool>> {
    let wanted: Vec<&str> = template.split('/').filter(|segment| !segment.is_empty()).collect();
    let actual: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if wanted.len() != actual.len() {
        return None;
    }
    wanted
        .iter()
        .zip(&actual)
        .map(|(wanted, actual)| match variable(wanted) {
            Some(_) => Some(false),
            None => (super::input::decode(actual, false).as_deref() == Some(*wanted)).then_some(true),
        })
        .collect()
}

/// The operations on the path that a request names: literal segments come before variables.
fn on_path(operations: &'static [&'static Operation], path: &str) -> Vec<&'static Operation> {
    let mut best: Option<(Vec<bool>, Vec<&'static Operation>)> = None;
    for operation in operations {
        let Some(rank) = fit(operation.path, path) else { continue };
        match &mut best {
            Some((known, found)) if *known == rank => found.push(operation),
            Some((known, _)) if *known > rank => {}
            _ => best = Some((rank, vec![operation])),
        }
    }
    best.map_or_else(Vec::new, |(_, found)| found)
}

/// The operation that a request names, where a literal and a variable share a place in the path.
pub fn pick(
    operations: &'static [&'static Operation],
    method: &Method,
    path: &str,
) -> Option<&'static Operation> {
    on_path(operations, path).into_iter().find(|operation| operation.method == method.as_str())
}

/// Answers a request that names no operation: preflights, 405 with `Allow`, 404.
pub async fn unrouted<C>(
    rqctx: &RequestContext<C>,
    operations: &'static [&'static Operation],
    raw: Raw,
) -> Response<Body>
where
    C: ServerContext + Gate,
{
    let Raw { request, remote, request_id } = raw;
    let (head, mut body) = request.into_parts();
    let found = on_path(operations, head.uri.path());
    let asked = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|value| value.to_str().ok());
    let preflight = head.method == Method::OPTIONS && asked.is_some();
    // A preflight is about the operation that would follow; other errors look like those of the path.
    let meant = asked
        .filter(|_| preflight)
        .and_then(|asked| found.iter().find(|operation| operation.method == asked));
    let Some(operation) = meant.or(found.first()).or(operations.first()) else {
        return Response::new(Body::empty());
    };
    let call = Call::new(operation, request_id, head, remote);
    let cx = rqctx.context();
    forget(call.headers(), &mut body).await;
    // Whoever sends what no operation takes has asked, too; preflights are a browser's, and counted where they cost.
    if call.method() != Method::OPTIONS
        && let Err(fault) = cx.admitted(&call, None).await
    {
        return conclude(cx, &call, Err(fault)).await;
    }
    if found.is_empty() {
        let message =
            "There is no such path. Compare it with those of the API's description, letter by letter.";
        return conclude(cx, &call, Err(Fault::of(Problem::NotFound, message))).await;
    }
    let mut methods: BTreeSet<&str> = found.iter().map(|operation| operation.method).collect();
    methods.insert("OPTIONS");
    let allow = methods.into_iter().collect::<Vec<_>>().join(", ");
    if call.method() != Method::OPTIONS {
        let message =
            format!("This path does not have the method {}. Send one that it has: {allow}.", call.method());
        let fault = Fault::of(Problem::Method, message).header(ALLOW, allow);
        return conclude(cx, &call, Err(fault)).await;
    }
    let mut response = match Encoded::empty(204) {
        Ok(encoded) => conclude_options(cx, &call, encoded).await,
        Err(fault) => return conclude(cx, &call, Err(fault)).await,
    };
    let headers = response.headers_mut();
    let granted = headers.contains_key(http::header::ACCESS_CONTROL_ALLOW_ORIGIN);
    if let Ok(allow) = HeaderValue::try_from(allow) {
        if preflight && granted {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            if let Ok(names) = HeaderValue::try_from(request_headers::<C>(&found)) {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
        }
        headers.insert(ALLOW, allow);
    }
    response
}

/// An answer to OPTIONS is not one of the contract's, so only its headers are made.
async fn conclude_options<C: Gate>(cx: &C, call: &Call, encoded: Encoded) -> Response<Body> {
    let mut response = encoded.into_response(call);
    response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = call.origin() {
        let cors: Cors = cx.cors(call, origin).await;
        super::serve::allow_origin::<C>(response.headers_mut(), cors, origin);
    }
    cx.answered(call, response.status());
    response
}

/// Headers that requests to these operations may carry.
fn request_headers<C: Gate>(operations: &[&'static Operation]) -> String {
    let mut names: BTreeSet<String> = ["Content-Type".to_owned()].into();
    for operation in operations {
        let params = operation.params.iter().filter(|param| param.place == Place::Header);
        names.extend(params.map(|param| param.name.to_owned()));
        for access in operation.accepts {
            let kind = C::kinds().iter().find(|kind| kind.kind == access.kind);
            for source in kind.into_iter().flat_map(|kind| kind.sources) {
                match source {
                    Source::Bearer | Source::Basic => drop(names.insert("Authorization".to_owned())),
                    Source::Header(name) => drop(names.insert((*name).to_owned())),
                    Source::Query(_) | Source::Cookie(_) => {}
                }
            }
        }
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Registers, for every path that `routes` lists with its methods, an answer for the methods it lacks.
/// Paths are those that dropshot routes by: where a literal stands beside a variable, the variable's.
pub fn register_missing<C>(
    api: &mut ApiDescription<C>,
    routes: &[(&str, &str)],
    operations: &'static [&'static Operation],
) -> Result<(), dropshot::ApiDescriptionRegisterError>
where
    C: ServerContext + Gate,
{
    let mut paths: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (method, path) in routes {
        paths.entry(path).or_default().insert(method);
    }
    for (path, present) in paths {
        for method in METHODS {
            if present.contains(method.as_str()) {
                continue;
            }
            let answer = move |rqctx: RequestContext<C>, request: RawRequest| async move {
                let raw = Raw {
                    request: request.into_inner(),
                    remote: rqctx.request.remote_addr(),
                    request_id: rqctx.request_id.clone(),
                };
                Ok::<_, HttpError>(unrouted(&rqctx, operations, raw).await)
            };
            let name = format!("{} {path}", method.as_str());
            let mut endpoint =
                ApiEndpoint::new(name, answer, method, "application/json", path, ApiEndpointVersions::All)
                    .visible(false);
            endpoint.parameters = path
                .split('/')
                .filter_map(variable)
                .filter_map(|name| parameter(&ApiEndpointParameterLocation::Path, name, "", true))
                .collect();
            api.register(endpoint)?;
        }
    }
    Ok(())
}
