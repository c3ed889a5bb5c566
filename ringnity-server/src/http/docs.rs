//! Pages and files beside the contract's operations: the contract itself and its rendered reference, from
//! files inside the binary.

use std::io::Read as _;
use std::sync::LazyLock;

use dropshot::{ApiDescription, Body, HttpError, RequestContext, endpoint};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use http::{Response, StatusCode};

use crate::http::state::State;

/// Scalar's API reference, MIT, as published; compressed as it is sent.
const SCRIPT: &[u8] = include_bytes!("../../assets/scalar.standalone.js.gz");

/// The page. Everything it loads comes from this server.
const PAGE: &str = include_str!("../../assets/docs.html");

/// Starts the reference; a file of its own, so that the page needs no inline script.
const START: &str = include_str!("../../assets/docs.js");

/// Nothing from elsewhere: styles are made by the script, which puts them into the page.
const POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// For clients that take no compression; unpacked when the first of them asks.
static PLAIN_SCRIPT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(SCRIPT).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => Vec::new(),
    }
});

/// Adds the pages to `api`.
pub fn register(api: &mut ApiDescription<State>) -> Result<(), dropshot::ApiDescriptionRegisterError> {
    api.register(get_contract)?;
    api.register(get_docs)?;
    api.register(get_docs_start)?;
    api.register(get_docs_script)?;
    Ok(())
}

/// The effective contract.
#[endpoint { method = GET, path = "/api/openapi.json", unpublished = true }]
async fn get_contract(rqctx: RequestContext<State>) -> Result<Response<Body>, HttpError> {
    file(&rqctx, "application/json", ringnity_api::CONTRACT)
}

/// The rendered reference.
#[endpoint { method = GET, path = "/docs", unpublished = true }]
async fn get_docs(rqctx: RequestContext<State>) -> Result<Response<Body>, HttpError> {
    file(&rqctx, "text/html; charset=utf-8", PAGE)
}

/// What the page runs first.
#[endpoint { method = GET, path = "/docs/start.js", unpublished = true }]
async fn get_docs_start(rqctx: RequestContext<State>) -> Result<Response<Body>, HttpError> {
    file(&rqctx, "text/javascript; charset=utf-8", START)
}

/// Scalar.
#[endpoint { method = GET, path = "/docs/scalar.js", unpublished = true }]
async fn get_docs_script(rqctx: RequestContext<State>) -> Result<Response<Body>, HttpError> {
    let accepted = rqctx.request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let compressed = accepted.is_some_and(|accepted| accepted.contains("gzip"));
    let body = if compressed { SCRIPT } else { PLAIN_SCRIPT.as_slice() };
    let mut response = file(&rqctx, "text/javascript; charset=utf-8", body)?;
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
    body: impl Into<bytes::Bytes>,
) -> Result<Response<Body>, HttpError> {
    Ok(Response::builder()
        .status(StatusCode::OK)
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header("x-content-type-options", "nosniff")
        .header("x-request-id", rqctx.request_id.as_str())
        .body(Body::with_content(body.into()))?)
}
