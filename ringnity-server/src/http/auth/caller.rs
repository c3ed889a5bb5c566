//! Who calls, in a word that is the same over all requests of one credential: what limits and repeats are counted
//! by.

use ringnity_api::{Call, Principal, TenantHints};
use ringnity_store::TenantId;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Names the credential. People have one name over all their sessions, so that who signs in again can still
    /// repeat what was sent before.
    pub name: String,
    /// Whose plan counts.
    pub tenant: Option<TenantId>,
}

impl Caller {
    /// Who holds an accepted credential.
    pub fn of(principal: &Principal) -> Self {
        let (kind, tenant, id) = match principal {
            Principal::Server(one) => ("server", Some(&one.tenant), one.credential_id.clone()),
            Principal::Visitor(one) => ("visitor", Some(&one.tenant), one.session_id.clone()),
            Principal::Agent(one) => ("agent", Some(&one.tenant), one.agent_id.clone()),
            Principal::Admin(one) => ("admin", Some(&one.tenant), one.session_id.clone()),
            Principal::Owner(one) => ("owner", Some(&one.tenant), one.owner_id.clone()),
            Principal::Workspace(one) => ("workspace", Some(&one.tenant), one.agent_id.clone()),
            Principal::Platform(one) => ("platform", None, one.admin_id.clone()),
            Principal::Oauth(one) => {
                ("oauth", Some(&one.tenant), format!("{} {}", one.client_id, one.subject))
            }
        };
        let tenant = tenant.map(|tenant| TenantId::from(tenant.as_str()));
        Self { name: format!("{kind} {} {id}", tenant.as_ref().map_or("", TenantId::as_str)), tenant }
    }

    /// Somebody without a credential: an address and a program that ask one tenant. Strangers who share all that
    /// and choose the same idempotency key for the same request cannot be told apart.
    pub fn nobody(call: &Call, address: std::net::IpAddr) -> Self {
        let said = TenantHints::of(call);
        let parts = [said.host, said.public_key, said.slug, call.user_agent().map(str::to_owned)];
        Self { name: format!("nobody {address} {parts:?}"), tenant: None }
    }
}
