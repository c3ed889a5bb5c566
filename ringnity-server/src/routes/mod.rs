//! The contract's operations: one thin file per tag. A route takes typed input that already passed the schema,
//! hands it to the rule of the same name in `app`, and wraps the answer. No rule and no SQL here.

use http::StatusCode;
use ringnity_api::{Call, Fault, Operations, Problem, TenantHints as Said};

use crate::app::tenants::TenantHints;
use crate::app::{AppError, Kind, TenantId};
use crate::state::State;

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
            Err(super::fault(crate::app::AppError::not_built()))
        }
    )*};
}
use later;

/// The one place where refusals of rules become answers.
pub(crate) fn fault(error: AppError) -> Fault {
    let named = |status| Fault::new(status, error.code.to_string(), error.message.clone());
    // Whatever the errors of an operation look like, they have a code of their own for a problem.
    let common = |problem| Fault::of(problem, error.message.clone());
    let mut fault = match error.kind {
        Kind::Invalid => named(StatusCode::BAD_REQUEST),
        Kind::Unauthenticated => named(StatusCode::UNAUTHORIZED),
        Kind::Forbidden => named(StatusCode::FORBIDDEN),
        Kind::NotFound => named(StatusCode::NOT_FOUND),
        Kind::Conflict => named(StatusCode::CONFLICT),
        Kind::NotBuilt => common(Problem::NotBuilt),
        Kind::Unavailable => common(Problem::Unavailable).header(http::header::RETRY_AFTER, "5"),
        Kind::Internal => common(Problem::Internal),
    };
    for line in error.details {
        fault = fault.detail(line);
    }
    match error.source {
        Some(source) => fault.cause(chain(&*source)),
        None => fault,
    }
}

/// An error with everything that caused it, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

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

/// What a request without a credential says of its tenant.
pub(crate) fn hints(cx: &State, call: &Call) -> TenantHints {
    let said = Said::of(call);
    TenantHints {
        host_slug: said.host.and_then(|host| cx.app.urls.slug_of_host(&host)),
        public_key: said.public_key,
        slug: said.slug,
    }
}
