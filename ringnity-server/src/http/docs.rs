//! Pages beside the contract's operations: an index, the contract itself and its rendered reference, embedded in
//! the binary.

use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use dropshot::{
    ApiDescription, ApiDescriptionRegisterError, ApiEndpoint, ApiEndpointVersions, Body, HttpError,
    RawRequest, RequestContext,
};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use http::{Method, Response, StatusCode};

use crate::app::health::VERSION;
use crate::http::state::State;

/// Scalar's API reference, MIT, as published; compressed as it is sent.
const SCRIPT: &[u8] = include_bytes!("../../assets/scalar.standalone.js.gz");

/// The index, with `{version}` and `{health}` to be filled in.
const INDEX: &str = include_str!("../../assets/index.html");

/// The reference page. Everything it loads comes from this server.
const PAGE: &str = include_str!("../../assets/docs.html");

/// Starts the reference. A file of its own, so that the page needs no inline script.
const START: &str = include_str!("../../assets/docs.js");

/// Allows nothing from other origins. Inline styles are allowed because the script writes them into the page.
const POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// For clients that do not accept gzip. Decompressed on first use.
static PLAIN_SCRIPT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(SCRIPT).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => Vec::new(),
    }
});

/// Registers each page for GET and HEAD.
pub fn register(api: &mut ApiDescription<State>) -> Result<(), ApiDescriptionRegisterError> {
    page(api, "/", "text/html; charset=utf-8", || {
        INDEX
            .replace("{version}", VERSION)
            .replace("{health}", ringnity_api::runtime_bootstrap::GET_RUNTIME_HEALTH.path)
            .into()
    })?;
    page(api, "/api/openapi.json", "application/json", || ringnity_api::CONTRACT.into())?;
    page(api, "/docs", "text/html; charset=utf-8", || PAGE.into())?;
    page(api, "/docs/start.js", "text/javascript; charset=utf-8", || START.into())?;
    for method in [Method::GET, Method::HEAD] {
        register_on(api, method, "/docs/scalar.js", script)?;
    }
    Ok(())
}

/// Registers a page whose body is the same for every request.
fn page(
    api: &mut ApiDescription<State>,
    path: &'static str,
    content_type: &'static str,
    body: fn() -> Bytes,
) -> Result<(), ApiDescriptionRegisterError> {
    let body = body();
    for method in [Method::GET, Method::HEAD] {
        let body = body.clone();
        register_on(api, method, path, move |rqctx| file(rqctx, content_type, body.clone()))?;
    }
    Ok(())
}

fn register_on(
    api: &mut ApiDescription<State>,
    method: Method,
    path: &'static str,
    answer: impl Fn(&RequestContext<State>) -> Result<Response<Body>, HttpError> + Send + Sync + 'static,
) -> Result<(), ApiDescriptionRegisterError> {
    let answer = Arc::new(answer);
    let handler = move |rqctx: RequestContext<State>, _: RawRequest| {
        let answer = Arc::clone(&answer);
        async move { answer(&rqctx) }
    };
    let name = format!("{method} {path}");
    let endpoint =
        ApiEndpoint::new(name, handler, method, "application/json", path, ApiEndpointVersions::All);
    api.register(endpoint.visible(false))
}

/// Scalar, compressed where the client accepts it.
fn script(rqctx: &RequestContext<State>) -> Result<Response<Body>, HttpError> {
    let accepted = rqctx.request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let compressed = accepted.is_some_and(|accepted| accepted.contains("gzip"));
    let body = if compressed { SCRIPT } else { PLAIN_SCRIPT.as_slice() };
    let mut response = file(rqctx, "text/javascript; charset=utf-8", body)?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("public, max-age=86400"));
    headers.insert(VARY, http::HeaderValue::from_static("Accept-Encoding"));
    if compressed {
        headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn file(
    rqctx: &RequestContext<State>,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Result<Response<Body>, HttpError> {
    Ok(Response::builder()
        .status(StatusCode::OK)
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header("x-content-type-options", "nosniff")
        .header("x-request-id", rqctx.request_id.as_str())
        .body(Body::with_content(body.into()))?)
}
