//! Rate limits of callers, and the idempotency keys of requests. The rules are in `app`; headers are here.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName};
use ringnity_api::names::headers::{RATE_LIMIT_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET};
use ringnity_api::names::parameters::IDEMPOTENCY_KEY_HEADER;
use ringnity_api::runtime::{ParamLocation, ValidatedInput};
use ringnity_api::{Call, Fault, Principal, Problem, RequestHead};
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::client_ip::FORWARDED_FOR;
use super::error::seconds;
use super::state::{RequestState, State};
use crate::app::{IdempotencyKey, RateLimitStatus};
use crate::secrets::hex;

impl State {
    /// Counts a request against the limit of its principal, or of its address where it has no valid credential.
    pub(super) async fn count(
        &self,
        head: &RequestHead<RequestState>,
        principal: Option<&Principal>,
    ) -> Result<(), Fault> {
        let state = head.state();
        let Some(principal) = principal else {
            let address = state.client_address;
            state.caller.get_or_init(|| Caller::anonymous(head, address));
            let Some(wait) = self.app.limits.requests.count_anonymous(address, self.app.now()) else {
                return Ok(());
            };
            if head.header(FORWARDED_FOR).is_some() && address == head.remote_ip().to_canonical() {
                warn_of_proxy(address);
            }
            return Err(rate_limited(
                wait,
                "Requests without a valid credential come too fast from this address.",
            ));
        };
        let caller = state.caller.get_or_init(|| Caller::of(principal));
        let rates = &self.app.limits.requests;
        let counted =
            rates.count(&self.app.store, &caller.name, caller.tenant.as_ref(), self.app.now()).await;
        let Some(standing) = counted? else { return Ok(()) };
        let (limit, wait) = (standing.limit, standing.wait);
        let _ = state.rate_limit.set(standing);
        let Some(wait) = wait else { return Ok(()) };
        Err(rate_limited(wait, &format!("This credential may send {limit} requests a minute.")))
    }
}

/// Adds the headers that tell a caller its limit.
pub(super) fn add_headers(state: &RequestState, headers: &mut HeaderMap) {
    let Some(RateLimitStatus { limit, remaining, resets_at, .. }) = state.rate_limit.get() else { return };
    let mut add = |name: HeaderName, value: i64| drop(headers.insert(name, value.into()));
    add(RATE_LIMIT_LIMIT, *limit);
    add(RATE_LIMIT_REMAINING, *remaining);
    add(RATE_LIMIT_RESET, resets_at.timestamp() + i64::from(resets_at.timestamp_subsec_nanos() > 0));
}

/// Sets the idempotency key of a request, which is empty where the client sent none.
pub(super) fn set_idempotency_key(call: &Call<RequestState>, input: &ValidatedInput) {
    let state = call.state();
    let key = input.text_param(ParamLocation::Header, IDEMPOTENCY_KEY_HEADER);
    let _ = state.idempotency_key.set(key.map_or_else(IdempotencyKey::default, |key| {
        let caller = state.caller.get_or_init(|| Caller::anonymous(call, state.client_address));
        let mut hash = Sha256::new();
        input.hash_into(&mut |piece| hash.update(piece));
        IdempotencyKey::new(&caller.name, call.operation().id, key, hex(&hash.finalize()))
    }));
}

/// Warns, once for each address and for 16 addresses at most, that all clients behind it share one limit.
fn warn_of_proxy(address: IpAddr) {
    static WARNED: Mutex<Vec<IpAddr>> = Mutex::new(Vec::new());
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.len() < 16 && !warned.contains(&address) {
        warned.push(address);
        tracing::warn!(
            %address,
            "all requests from this address share one rate limit, which they exceed: if it is your proxy, name it with \
             --trusted-proxy, so that each client has its own limit; otherwise it is a client that forges X-Forwarded-For"
        );
    }
}

fn rate_limited(wait: TimeDelta, why: &str) -> Fault {
    let message = format!("{why} Wait as long as Retry-After says, then send requests more slowly.");
    Fault::of(Problem::RateLimited, message).header(RETRY_AFTER, seconds(wait))
}
