//! Login with Ringnity: OAuth clients and the scopes that they may request.

pub mod oauth_clients;
pub mod oauth_scopes;
