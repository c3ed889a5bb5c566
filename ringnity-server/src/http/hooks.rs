//! What the server does around every operation: request state, rate limit headers, metrics and the access log.

use std::sync::atomic::Ordering;

use http::{HeaderMap, StatusCode};
use ringnity_api::runtime::ValidatedInput;
use ringnity_api::{Call, Cors, Fault, Hooks, RequestHead, SchemaValidator};

use super::client_ip::client_address;
use super::limits;
use super::state::{RequestState, State};
use crate::app::plans;

impl Hooks for State {
    type RequestState = RequestState;

    fn request_state(&self, head: &RequestHead<()>) -> RequestState {
        RequestState::new(client_address(head, &self.trusted_proxies), Some(self.in_flight.enter()))
    }

    fn schemas(&self) -> &SchemaValidator {
        &self.schemas
    }

    async fn cors(&self, call: &Call<RequestState>, origin: &str) -> Cors {
        self.cors_decision(call, origin).await
    }

    fn feature_not_available(&self, feature: &'static str) -> Fault {
        plans::not_included(feature).into()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn input_validated(&self, call: &Call<RequestState>, input: &ValidatedInput) {
        limits::set_idempotency_key(call, input);
    }

    fn response_headers(&self, call: &Call<RequestState>, headers: &mut HeaderMap) {
        limits::add_headers(call.state(), headers);
    }

    /// Counts and logs the response. Nothing of the request is logged but its operation.
    fn response_ready(&self, call: &Call<RequestState>, status: StatusCode) {
        let took = call.elapsed();
        self.metrics.answered(call.operation(), status, took);
        let state = call.state();
        let tenant = state.caller.get().and_then(|caller| caller.tenant.as_ref());
        tracing::info!(
            operation = call.operation().id,
            status = status.as_u16(),
            milliseconds = took.as_millis() as u64,
            request_id = call.request_id(),
            tenant = tenant.map(|tenant| tenant.as_str()),
            client = %state.client_address,
            "answered"
        );
    }

    fn invalid_response(&self, call: &Call<RequestState>, _: &[String]) {
        self.metrics.broken(call.operation());
    }
}
