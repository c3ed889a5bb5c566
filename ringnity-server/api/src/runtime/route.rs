//! Requests that name no operation: preflights, 405 with `Allow`, 404.

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
use std::pin::Pin;

use super::authentication::{Authenticator, CredentialLocation};
use super::body::drain;
use super::call::Call;
use super::extract::{UnreadRequest, parameter};
use super::fault::Fault;
use super::head::RequestHead;
use super::hooks::{CallOf, Cors};
use super::operation::{Operation, ParamLocation};
use super::path::{match_operation, operations_on_path, variable};
use super::problem::Problem;
use super::response::Encoded;
use super::serve::{allow_origin, finish_response};

/// Serves an operation whose method is GET for a HEAD request.
pub type HeadHandler<C> = for<'a> fn(
    &'a RequestContext<C>,
    &'static Operation,
    UnreadRequest,
) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// Methods that every path is registered with.
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

/// Responds to a request that names no operation.
pub async fn respond_unrouted<C>(
    rqctx: &RequestContext<C>,
    operations: &'static [&'static Operation],
    unread: UnreadRequest,
) -> Response<Body>
where
    C: ServerContext + Authenticator,
{
    let UnreadRequest { request, remote, request_id } = unread;
    let (head, mut body) = request.into_parts();
    let found = operations_on_path(operations, head.uri.path());
    let asked = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|value| value.to_str().ok());
    let preflight = head.method == Method::OPTIONS && asked.is_some();
    // A preflight is for the operation that would follow. Errors have the shape of the path's first operation.
    let preflighted = asked
        .filter(|_| preflight)
        .and_then(|asked| found.iter().find(|operation| operation.method == asked));
    let Some(operation) = preflighted.or(found.first()).or(operations.first()) else {
        return Response::new(Body::empty());
    };
    let server = rqctx.context();
    let head = RequestHead::new(request_id, head, remote);
    let state = server.request_state(&head);
    let call = Call::new(operation, head.with_state(state));
    drain(call.headers(), &mut body).await;
    // 405 and 404 count against the rate limit of anonymous requests. Preflights do not: browsers send them.
    if call.method() != Method::OPTIONS
        && let Err(fault) = server.after_authentication(&call, None).await
    {
        return finish_response(server, &call, Err(fault)).await;
    }
    if found.is_empty() {
        let message = "There is no such path. Compare it with the paths in the API's description.";
        return finish_response(server, &call, Err(Fault::of(Problem::NotFound, message))).await;
    }
    let mut methods: BTreeSet<&str> = found.iter().map(|operation| operation.method).collect();
    methods.insert("OPTIONS");
    if methods.contains("GET") {
        methods.insert("HEAD");
    }
    let allow = methods.into_iter().collect::<Vec<_>>().join(", ");
    if call.method() != Method::OPTIONS {
        let message =
            format!("This path does not have the method {}. Send one that it has: {allow}.", call.method());
        let fault = Fault::of(Problem::Method, message).header(ALLOW, allow);
        return finish_response(server, &call, Err(fault)).await;
    }
    let mut response = match Encoded::empty(204) {
        Ok(encoded) => options_response(server, &call, encoded).await,
        Err(fault) => return finish_response(server, &call, Err(fault)).await,
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

/// The contract has no responses to OPTIONS, so nothing is validated.
async fn options_response<C: Authenticator>(
    server: &C,
    call: &CallOf<C>,
    encoded: Encoded,
) -> Response<Body> {
    let mut response = encoded.into_response(call.clone());
    response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = call.origin() {
        let cors: Cors = server.cors(call, origin).await;
        allow_origin::<C>(response.headers_mut(), cors, origin);
    }
    server.response_ready(call, response.status());
    response
}

/// Headers that requests to these operations may carry.
fn request_headers<C: Authenticator>(operations: &[&'static Operation]) -> String {
    let mut names: BTreeSet<String> = ["Content-Type".to_owned()].into();
    for operation in operations {
        let params = operation.params.iter().filter(|param| param.location == ParamLocation::Header);
        names.extend(params.map(|param| param.name.to_owned()));
        for access in operation.accepts {
            let kind = C::kinds().iter().find(|kind| kind.kind == access.kind);
            for location in kind.into_iter().flat_map(|kind| kind.locations) {
                names.extend(match location {
                    CredentialLocation::Bearer | CredentialLocation::Basic => {
                        Some("Authorization".to_owned())
                    }
                    CredentialLocation::Header(name) => Some((*name).to_owned()),
                    CredentialLocation::Query(_) | CredentialLocation::Cookie(_) => None,
                });
            }
        }
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Registers `head` for HEAD on paths that have GET, and a 405 response for every other method that a path of `routes`
/// lacks. Paths are those that dropshot routes by:
/// where a literal and a variable share a position, the path of the variable.
pub fn register_missing_methods<C>(
    api: &mut ApiDescription<C>,
    routes: &[(&str, &str)],
    operations: &'static [&'static Operation],
    head: HeadHandler<C>,
) -> Result<(), dropshot::ApiDescriptionRegisterError>
where
    C: ServerContext + Authenticator,
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
            let handler = move |rqctx: RequestContext<C>, request: RawRequest| async move {
                let unread = UnreadRequest {
                    request: request.into_inner(),
                    remote: rqctx.request.remote_addr(),
                    request_id: rqctx.request_id.clone(),
                };
                let path = rqctx.request.uri().path();
                let served = match *rqctx.request.method() {
                    Method::HEAD => match_operation(operations, &Method::GET, path),
                    _ => None,
                };
                Ok::<_, HttpError>(match served {
                    Some(operation) => head(&rqctx, operation, unread).await,
                    None => respond_unrouted(&rqctx, operations, unread).await,
                })
            };
            let name = format!("{} {path}", method.as_str());
            let mut endpoint =
                ApiEndpoint::new(name, handler, method, "application/json", path, ApiEndpointVersions::All)
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
