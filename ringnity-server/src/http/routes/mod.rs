//! The contract's operations: one thin file per tag. A route takes typed input that already passed the schema,
//! hands it to the rule of the same name in `app`, and wraps the answer. No rule and no SQL here.

use ringnity_api::Operations;

use crate::app::TenantId;
use crate::http::error::fault;
use crate::http::state::State;

mod admin_reports;
mod agent_crm;
mod ai;
mod calls;
mod chat;
mod dashboard_auth;
mod developer_settings;
mod login_with_ringnity;
mod platform_administration;
mod runtime_bootstrap;
mod server_api;
mod webhooks;

/// The handlers of every operation.
#[derive(Debug, Clone, Copy)]
pub struct Routes;

impl Operations for Routes {
    type Context = State;
}

/// Operations that the contract has and this server does not have yet: each answers 501. `cargo xtask status`
/// counts the lines of these blocks.
macro_rules! later {
    ($($name:ident($($argument:ty),*) -> $output:ty;)*) => {$(
        async fn $name(
            _: &Self::Context,
            _: ::ringnity_api::Call
            $(, _: $argument)*
        ) -> Result<$output, ::ringnity_api::Fault> {
            Err(crate::http::error::fault(crate::app::AppError::not_implemented()))
        }
    )*};
}
use later;

/// A principal's tenant, as the store knows it.
fn tenant_id(tenant: &ringnity_api::principal::Tenant) -> TenantId {
    TenantId::from(tenant.as_str())
}

/// The tenant of whoever is at the dashboard.
fn tenant_of(principal: &ringnity_api::OwnerOrWorkspace) -> TenantId {
    match principal {
        ringnity_api::OwnerOrWorkspace::Owner(owner) => tenant_id(&owner.tenant),
        ringnity_api::OwnerOrWorkspace::Workspace(agent) => tenant_id(&agent.tenant),
    }
}
