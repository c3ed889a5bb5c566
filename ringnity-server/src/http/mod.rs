//! Everything that is HTTP: routes, authentication, limits, errors, the reference page and the private listener.

pub mod auth;
mod caller;
mod client_ip;
pub mod context;
mod cors;
pub mod cors_cache;
pub mod docs;
pub mod error;
mod hooks;
pub mod limits;
pub mod private;
pub mod routes;
pub mod state;
mod tenant_hints;
