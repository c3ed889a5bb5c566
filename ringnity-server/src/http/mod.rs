//! Everything that is HTTP: routes, authentication, limits, errors, the reference page and the private listener.

pub mod auth;
pub mod docs;
pub mod error;
pub mod limits;
pub mod private;
pub mod routes;
pub mod state;
