//! The state of a running server, and the state of a request.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ringnity_api::{Fault, SchemaValidator};
use tokio::sync::watch;

use super::caller::Caller;
use super::cors_cache::CorsCache;
use crate::app::{App, IdempotencyKey, RateLimitStatus};
use crate::telemetry::metrics::Metrics;

/// The state of a running server.
pub struct State {
    /// The business rules with their store.
    pub app: Arc<App>,
    /// Schemas of requests and responses.
    pub schemas: SchemaValidator,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Metrics of the server.
    pub metrics: Arc<Metrics>,
    /// Set when the server begins to shut down.
    pub draining: Arc<AtomicBool>,
    /// Requests that are in flight.
    pub in_flight: InFlight,
    /// CORS decisions for requests whose tenant is not known.
    pub cors_cache: CorsCache,
}

/// The state of a request. It is made when the head is read, so the client's address is always there. The rest is set
/// once, when it is known.
#[derive(Debug)]
pub struct RequestState {
    /// Address of the client.
    pub client_address: IpAddr,
    /// Set when authentication has ended, successful or not.
    pub(super) caller: OnceLock<Caller>,
    /// Set when the request has been counted against the rate limit of its caller.
    pub(super) rate_limit: OnceLock<RateLimitStatus>,
    /// Set when the tenant was known and the page that sends the request was checked against its domains.
    pub(super) page: OnceLock<PageDecision>,
    /// Set when the input has passed validation.
    pub(super) idempotency_key: OnceLock<IdempotencyKey>,
    _in_flight: Option<InFlightGuard>,
}

impl RequestState {
    /// The state of a request by a client with that address.
    pub fn new(client_address: IpAddr, in_flight: Option<InFlightGuard>) -> Self {
        Self {
            client_address,
            caller: OnceLock::new(),
            rate_limit: OnceLock::new(),
            page: OnceLock::new(),
            idempotency_key: OnceLock::new(),
            _in_flight: in_flight,
        }
    }

    /// The idempotency key of the request; the default where it has none.
    ///
    /// # Errors
    ///
    /// 500 before the input has been validated, when it is not known whether there is a key.
    pub fn idempotency_key(&self) -> Result<IdempotencyKey, Fault> {
        let missing = || Fault::internal("the idempotency key was asked for before the input was validated");
        self.idempotency_key.get().cloned().ok_or_else(missing)
    }
}

/// Whether the page that sends a request is on one of the tenant's domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageDecision {
    /// It is, or no browser sent the request.
    Allowed,
    /// It is not.
    Denied,
}

/// Counts the requests that are in flight.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<watch::Sender<usize>>);

/// A request that is in flight, until this is dropped.
#[derive(Debug)]
pub struct InFlightGuard(InFlight);

impl InFlight {
    /// Counts a request until the guard is dropped.
    pub fn enter(&self) -> InFlightGuard {
        self.0.send_modify(|number| *number += 1);
        InFlightGuard(self.clone())
    }

    /// Number of requests in flight.
    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until no request has been in flight for that time.
    pub async fn wait_idle(&self, time: Duration) {
        let mut number = self.0.subscribe();
        loop {
            // The channel cannot close: its sender is `self`.
            let _ = number.wait_for(|number| *number == 0).await;
            if tokio::time::timeout(time, number.wait_for(|number| *number > 0)).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|number| *number -= 1);
    }
}
