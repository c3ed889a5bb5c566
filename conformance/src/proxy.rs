//! A reverse proxy that forwards everything unchanged and checks each exchange against the contract. Requests and
//! responses are reported separately, so it is clear which side to fix.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::checker::{Checker, Finding};
use crate::contract::Contract;
use crate::report::Rule;
use crate::wire::{Client, Request, Response, SendError};

/// Headers that belong to one connection and are not forwarded.
const HOP_BY_HOP_HEADERS: [&str; 9] = [
    "connection",
    "host",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Which side violated the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The client.
    Request,
    /// The server.
    Response,
}

/// A contract violation in one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeViolation {
    /// Which side.
    pub side: Side,
    /// Which rule.
    pub rule: Rule,
    /// The operationId; empty when the contract has no such operation.
    pub operation: String,
    /// Method, path and status.
    pub exchange: String,
    /// JSON pointer into the body or, if it starts with `#`, into the contract.
    pub pointer: String,
    /// What the contract requires.
    pub expected: String,
    /// What was sent.
    pub seen: String,
}

impl std::fmt::Display for ExchangeViolation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = match self.side {
            Side::Request => "request ",
            Side::Response => "response",
        };
        writeln!(formatter, "{side} {:<12} {} ({})", self.rule, self.operation, self.exchange)?;
        if !self.pointer.is_empty() {
            writeln!(formatter, "  at        {}", self.pointer)?;
        }
        writeln!(formatter, "  expected  {}", self.expected)?;
        write!(formatter, "  seen      {}", self.seen)
    }
}

/// Number of exchanges, in total and with violations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All exchanges.
    pub exchanges: usize,
    /// Exchanges whose request violates the contract.
    pub requests: usize,
    /// Exchanges whose response violates the contract.
    pub responses: usize,
}

/// A checking reverse proxy.
pub struct Proxy {
    contract: Arc<Contract>,
    checker: Checker,
    client: Client,
    counts: Mutex<Counts>,
    on_violation: Box<dyn Fn(&ExchangeViolation) + Send + Sync>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Proxy").field("upstream", &self.client.base).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Creates a proxy in front of the server of `client`. `on_violation` is called for each violation.
    pub fn new(
        contract: Arc<Contract>,
        client: Client,
        on_violation: impl Fn(&ExchangeViolation) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let checker = Checker::new(Arc::clone(&contract), Vec::new());
        Arc::new(Self {
            contract,
            checker,
            client,
            counts: Mutex::default(),
            on_violation: Box::new(on_violation),
        })
    }

    /// Returns the numbers so far.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves connections from `listener` until it fails.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<Infallible> {
        loop {
            let (stream, _) = listener.accept().await.context("cannot accept connections")?;
            let proxy = Arc::clone(&self);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let proxy = Arc::clone(&proxy);
                    async move { Ok::<_, Infallible>(proxy.forward(request).await) }
                });
                // An error of one connection does not matter to the others.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn forward(&self, request: hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return text_response(
                    StatusCode::BAD_REQUEST,
                    &format!("cannot read the request body: {error}"),
                );
            }
        };
        let request = Request {
            method: head.method.to_string(),
            target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            headers: end_to_end_headers(&head.headers)
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            body: (!body.is_empty()).then_some(body),
        };
        let result = self.client.send(&request).await;
        self.check_exchange(&request, result.as_ref().ok());
        match result {
            Ok(response) => {
                let mut out = hyper::Response::new(Full::new(response.body.clone()));
                *out.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY);
                for (name, value) in end_to_end_headers(&response.headers) {
                    out.headers_mut().append(name.clone(), value.clone());
                }
                out
            }
            Err(SendError::Timeout) => {
                text_response(StatusCode::GATEWAY_TIMEOUT, "the upstream server did not respond in time")
            }
            Err(SendError::Connection(problem) | SendError::InvalidRequest(problem)) => text_response(
                StatusCode::BAD_GATEWAY,
                &format!("the upstream server cannot be reached: {problem}"),
            ),
        }
    }

    /// Checks one exchange and reports violations.
    fn check_exchange(&self, request: &Request, response: Option<&Response>) {
        let status =
            response.map_or_else(|| "no response".to_owned(), |response| response.status.to_string());
        let exchange = format!("{} {} → {status}", request.method, request.path());
        let report = |side: Side, operation: &str, findings: Vec<Finding>| -> bool {
            for finding in &findings {
                (self.on_violation)(&ExchangeViolation {
                    side,
                    rule: finding.rule,
                    operation: operation.to_owned(),
                    exchange: exchange.clone(),
                    pointer: finding.pointer.clone(),
                    expected: finding.expected.clone(),
                    seen: finding.seen.clone(),
                });
            }
            !findings.is_empty()
        };
        let (request_violated, response_violated) = match self.contract.route(&request.method, request.path())
        {
            Some(operation) => {
                let request_violated = self.checker.check_request(operation, request).unwrap_or_default();
                let response_violated =
                    response.map(|response| self.checker.check_response(operation, response));
                let response_violated = response_violated.unwrap_or_default();
                (
                    report(Side::Request, &operation.id, request_violated),
                    report(Side::Response, &operation.id, response_violated),
                )
            }
            // CORS preflights belong to no operation.
            None if request.method == "OPTIONS" => (false, false),
            None => {
                let expected = "an operation of the contract";
                let seen = format!("{} {}", request.method, request.path());
                let finding = Finding::new(Rule::Method, "#/paths", expected, seen);
                (report(Side::Request, "", vec![finding]), false)
            }
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.exchanges += 1;
        counts.requests += usize::from(request_violated);
        counts.responses += usize::from(response_violated);
    }
}

/// Listens on `address`.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn end_to_end_headers(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &http::HeaderValue)> {
    headers.iter().filter(|(name, _)| !HOP_BY_HOP_HEADERS.contains(&name.as_str()))
}

fn text_response(status: StatusCode, text: &str) -> hyper::Response<Full<Bytes>> {
    let mut out = hyper::Response::new(Full::new(Bytes::from(format!("conformance proxy: {text}\n"))));
    *out.status_mut() = status;
    out
}
