//! Sign-in for other applications: the OAuth clients of a tenant.

mod oauth_clients;

pub use oauth_clients::*;
