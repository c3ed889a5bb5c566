//! Identifies who sends a request, by a name that is the same for all requests of one credential. Rate limits and
//! idempotency keys belong to it.

use std::net::IpAddr;

use ringnity_api::{Principal, RequestHead, TenantHints};
use ringnity_store::TenantId;

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Identifies the credential. A person has one name over all sessions, so that a request can be repeated after
    /// signing in again.
    pub name: String,
    /// The tenant whose plan sets the rate limit.
    pub tenant: Option<TenantId>,
}

impl Caller {
    /// The holder of a valid credential.
    pub fn of(principal: &Principal) -> Self {
        let (kind, tenant, id) = match principal {
            Principal::Server(one) => ("server", Some(&one.tenant), one.credential_id.as_str()),
            Principal::Visitor(one) => ("visitor", Some(&one.tenant), one.session_id.as_str()),
            Principal::Agent(one) => ("agent", Some(&one.tenant), one.agent_id.as_str()),
            Principal::Admin(one) => ("admin", Some(&one.tenant), one.session_id.as_str()),
            Principal::Owner(one) => ("owner", Some(&one.tenant), one.owner_id.as_str()),
            Principal::Workspace(one) => ("workspace", Some(&one.tenant), one.agent_id.as_str()),
            Principal::Platform(one) => ("platform", None, one.admin_id.as_str()),
            Principal::Oauth(one) => {
                let name = format!("oauth {} {} {}", one.tenant, one.client_id, one.subject);
                return Self { name, tenant: Some(one.tenant.clone()) };
            }
        };
        let tenant = tenant.cloned();
        Self { name: format!("{kind} {} {id}", tenant.as_ref().map_or("", TenantId::as_str)), tenant }
    }

    /// A client without a credential: an address and a program that call one tenant. Clients that share all of this
    /// and choose the same idempotency key for the same request cannot be told apart.
    pub fn anonymous<S>(head: &RequestHead<S>, address: IpAddr) -> Self {
        let hints = TenantHints::of(head);
        let parts = [hints.host, hints.public_key, hints.slug, head.user_agent().map(str::to_owned)];
        Self { name: format!("nobody {address} {parts:?}"), tenant: None }
    }
}
