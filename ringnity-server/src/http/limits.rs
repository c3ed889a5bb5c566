//! What is asked of every request before its handler runs: that its credential has not asked too often, and
//! whether it may be a repeat. The headers of both are HTTP's; the rules are in `app`.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use http::header::RETRY_AFTER;
use ringnity_api::names::headers::{RATE_LIMIT_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET};
use ringnity_api::names::parameters::IDEMPOTENCY_KEY_HEADER;
use ringnity_api::runtime::{Parts, Place};
use ringnity_api::{Call, Fault, Principal, Problem};
use sha2::{Digest as _, Sha256};

use crate::app::{IdempotencyKey, RateLimitStatus};
use crate::http::auth::caller::Caller;
use crate::http::error::{fault, seconds};
use crate::http::state::State;
use crate::secrets::hex;

/// The header in which proxies say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";

impl State {
    /// Counts the request against its credential's limit, and tells the limit in the answer, whatever it becomes.
    /// Who has none, or none that is accepted, counts by address.
    pub(crate) async fn count(&self, call: &Call, principal: Option<&Principal>) -> Result<(), Fault> {
        let Some(principal) = principal else {
            let address = self.client_address(call);
            call.note(Caller::nobody(call, address));
            let Some(wait) = self.app.rates.count_anonymous(address, self.app.now()) else { return Ok(()) };
            if call.header(FORWARDED_FOR).is_some() && address == call.remote_ip().to_canonical() {
                warn_of_proxy(address);
            }
            return Err(too_often(
                wait,
                "Requests without an accepted credential come too fast from this address.",
            ));
        };
        let caller = Caller::of(principal);
        let counted =
            self.app.rates.count(&self.app.store, &caller.name, caller.tenant.as_ref(), self.app.now()).await;
        call.note(caller);
        let Some(standing) = counted.map_err(fault)? else { return Ok(()) };
        let RateLimitStatus { limit, remaining, full_at, wait } = standing;
        call.set_header(RATE_LIMIT_LIMIT, limit);
        call.set_header(RATE_LIMIT_REMAINING, remaining);
        call.set_header(
            RATE_LIMIT_RESET,
            full_at.timestamp() + i64::from(full_at.timestamp_subsec_nanos() > 0),
        );
        let Some(wait) = wait else { return Ok(()) };
        Err(too_often(wait, &format!("This credential may send {limit} requests a minute.")))
    }

    /// Makes of a request with an idempotency key what its rule asks [`State::repeat`] for.
    pub(crate) fn note_repeat(&self, call: &Call, parts: &Parts) {
        let Some(key) = parts.text_param(Place::Header, IDEMPOTENCY_KEY_HEADER) else { return };
        let Some(caller) = call.noted::<Caller>() else { return };
        let mut hash = Sha256::new();
        parts.tell(&mut |piece| hash.update(piece));
        let request_hash = hex(&hash.finalize());
        call.note(IdempotencyKey::new(&caller.name, call.operation().id, key, request_hash));
    }

    /// Whether this request may be a repeat, for [`App::idempotent`](crate::app::App::idempotent).
    pub fn repeat(&self, call: &Call) -> IdempotencyKey {
        call.noted().unwrap_or_default()
    }

    /// Where the client is: the peer of the connection, or, where that is a trusted proxy, the last address before
    /// it that is none.
    pub fn client_address(&self, call: &Call) -> IpAddr {
        let mut address = call.remote_ip().to_canonical();
        let forwarded = call.headers().get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        let hops: Vec<&str> = forwarded.flat_map(|line| line.split(',')).collect();
        for hop in hops.into_iter().rev() {
            if !self.trusted_proxies.iter().any(|proxies| proxies.contains(&address)) {
                break;
            }
            let Some(before) = hop_address(hop) else { break };
            address = before.to_canonical();
        }
        address
    }
}

/// Tells, once for each address and never of many, that all who come by it count as one.
fn warn_of_proxy(address: IpAddr) {
    static TOLD: Mutex<Vec<IpAddr>> = Mutex::new(Vec::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() < 16 && !told.contains(&address) {
        told.push(address);
        tracing::warn!(
            %address,
            "whoever comes by this address counts as one and came too often: if it is a proxy of yours, name it with \
             --trusted-proxy, so that each client counts by itself; otherwise it is a client that makes up X-Forwarded-For"
        );
    }
}

fn too_often(wait: TimeDelta, why: &str) -> Fault {
    let message = format!("{why} Wait as long as Retry-After says, then go on more slowly.");
    Fault::of(Problem::RateLimited, message).header(RETRY_AFTER, seconds(wait))
}

/// The address of one entry of `X-Forwarded-For`. Some proxies add the port, put IPv6 addresses in brackets, or all of
/// it in quotes.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let hop = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"')).unwrap_or(hop);
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_address_with_or_without_port_brackets_and_quotes() {
        for (entry, address) in [
            (" 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("\"203.0.113.9:4711\" ", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]\"", "2001:db8::1"),
        ] {
            assert_eq!(hop_address(entry), address.parse().ok(), "{entry}");
        }
        for none in ["", "unknown", "_hidden", "203.0.113.9:", ":80", "[2001:db8::1", "2001:db8::1]:80", "\""]
        {
            assert_eq!(hop_address(none), None, "{none}");
        }
    }
}
