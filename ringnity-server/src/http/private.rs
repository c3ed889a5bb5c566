//! The private listener, for those who run the server: what it counts, whether it lives, whether it is ready. It
//! knows no tenant and takes no credential, so it belongs on an address that only they reach.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use dropshot::{ApiDescription, Body, HttpError, HttpServer, RequestContext, endpoint};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Response, StatusCode};
use ringnity_store::{Store, jobs};

use crate::clock::Clock;
use crate::telemetry::metrics::Metrics;

/// Time in which the database must answer a health check.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// State of the private listener.
#[derive(Debug)]
pub struct Private {
    /// Metrics of the public listener.
    pub metrics: Arc<Metrics>,
    /// The database that is checked.
    pub store: Store,
    /// Clock of the server.
    pub clock: Clock,
    /// Set when the server begins to stop.
    pub stopping: Arc<AtomicBool>,
}

/// A running private listener.
pub type PrivateServer = HttpServer<Private>;

/// Starts the private listener.
pub fn start(private: Private, listen: SocketAddr) -> Result<PrivateServer> {
    let mut api = ApiDescription::new();
    let registered = [api.register(get_metrics), api.register(get_health), api.register(get_ready)];
    for outcome in registered {
        outcome.map_err(|error| anyhow!("{error}"))?;
    }
    ringnity_api::runtime::start(api, private, listen, None)
        .with_context(|| format!("cannot listen on {listen}; choose another address with --private-listen"))
}

impl Private {
    async fn database_answers(&self) -> bool {
        let asked = tokio::time::timeout(STORE_TIMEOUT, self.store.check());
        matches!(asked.await, Ok(Ok(())))
    }
}

/// Metrics in the text format of Prometheus.
#[endpoint { method = GET, path = "/metrics", unpublished = true }]
async fn get_metrics(rqctx: RequestContext<Private>) -> Result<Response<Body>, HttpError> {
    let private = rqctx.context();
    let now = private.clock.now();
    let asked = private.store.read(move |c| jobs::job_backlog(c, now));
    let backlog = tokio::time::timeout(STORE_TIMEOUT, asked).await.ok().and_then(Result::ok);
    let text = private.metrics.text(backlog.as_ref());
    let text = text.map_err(|error| HttpError::for_internal_error(error.to_string()))?;
    answer(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}

/// 200 as long as the process can answer: restart it where this fails.
#[endpoint { method = GET, path = "/health", unpublished = true }]
async fn get_health(_: RequestContext<Private>) -> Result<Response<Body>, HttpError> {
    answer(StatusCode::OK, "application/json", "{\"status\":\"ok\"}\n".to_owned())
}

/// 200 while requests should be sent here, 503 while they should not.
#[endpoint { method = GET, path = "/ready", unpublished = true }]
async fn get_ready(rqctx: RequestContext<Private>) -> Result<Response<Body>, HttpError> {
    let private = rqctx.context();
    let (status, word) = if private.stopping.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if private.database_answers().await {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
    };
    answer(status, "application/json", format!("{{\"status\":\"{word}\"}}\n"))
}

fn answer(status: StatusCode, content_type: &str, body: String) -> Result<Response<Body>, HttpError> {
    Ok(Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .body(Body::with_content(body))?)
}
