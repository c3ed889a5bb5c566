//! The operations of the contract, one file per tag. A route gets a principal and validated input, calls the rule of the
//! same name in `app`, and returns the payload: generated code wraps it in its envelope. No rules and no SQL here.

use ringnity_api::Operations;

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

/// What every file of routes uses.
mod prelude {
    pub(super) use ringnity_api::principal::*;
    pub(super) use ringnity_api::*;
    pub(super) use ringnity_types as types;

    pub(super) use super::{Routes, not_implemented};
    pub(super) use crate::http::context::{Cx, RequestFacts as _};
}

/// The handlers of every operation.
#[derive(Debug, Clone, Copy)]
pub struct Routes;

impl Operations for Routes {
    type Context = State;
}

/// Operations that this server does not implement: each answers 501. `cargo xtask status` counts the lines of these
/// blocks.
macro_rules! not_implemented {
    ($($name:ident($($argument:ty),*) -> $output:ty;)*) => {$(
        async fn $name(
            _: crate::http::context::Cx<'_>
            $(, _: $argument)*
        ) -> Result<$output, ::ringnity_api::Fault> {
            Err(crate::app::AppError::not_implemented().into())
        }
    )*};
}
use not_implemented;
