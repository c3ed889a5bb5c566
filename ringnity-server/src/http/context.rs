//! The context that routes get: the server's state, the call, and what they need to know of the request.

use std::net::IpAddr;

use ringnity_api::{Fault, OperationContext};

use super::state::State;
use super::tenant_hints::tenant_hints;
use crate::app::tenants::TenantHints;
use crate::app::{AppResult, IdempotencyKey};

/// What every route gets. Derefs to the [`State`].
pub type Cx<'a> = OperationContext<'a, State>;

/// What routes need to know of the request.
pub trait RequestFacts {
    /// Address of the client.
    fn client_address(&self) -> IpAddr;

    /// The idempotency key, for [`App::idempotent`](crate::app::App::idempotent).
    fn idempotency_key(&self) -> Result<IdempotencyKey, Fault>;

    /// What the request says about its tenant, with the feature that the operation needs.
    fn tenant_hints(&self) -> TenantHints;

    /// The origin of the page that sends the request; `None` for apps and servers.
    fn origin(&self) -> Option<String>;

    /// Keeps what `outcome` says about the page that sends the request, so that the CORS headers agree with it.
    fn set_page<T>(&self, outcome: &AppResult<T>);
}

impl RequestFacts for Cx<'_> {
    fn client_address(&self) -> IpAddr {
        self.call.state().client_address
    }

    fn idempotency_key(&self) -> Result<IdempotencyKey, Fault> {
        self.call.state().idempotency_key()
    }

    fn tenant_hints(&self) -> TenantHints {
        TenantHints { feature: self.call.operation().feature, ..tenant_hints(&self.app, self.call) }
    }

    fn origin(&self) -> Option<String> {
        self.call.origin().map(str::to_owned)
    }

    fn set_page<T>(&self, outcome: &AppResult<T>) {
        self.call.state().set_page(outcome);
    }
}
