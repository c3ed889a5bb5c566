//! Whether the server answers, and whether a credential does.

use ringnity_types::{HealthStatus, RuntimeHealth, ServerApiCredentialEnvironment, ServerApiHealth, ServerApiScope};

use super::App;

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The answer to anybody.
pub fn get_runtime_health(app: &App) -> RuntimeHealth {
    RuntimeHealth {
        status: Some(HealthStatus::Ok),
        version: Some(VERSION.to_owned()),
        time: Some(app.now()),
        ..RuntimeHealth::default()
    }
}

/// Who a Server API credential is, as the server sees it.
pub struct CredentialFacts {
    /// Whose.
    pub client_id: String,
    /// Its id.
    pub credential_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// What it opens.
    pub scopes: Vec<String>,
}

/// The answer to the holder of a Server API key.
pub fn get_server_api_health(app: &App, credential: CredentialFacts) -> ServerApiHealth {
    ServerApiHealth {
        status: Some(HealthStatus::Ok),
        version: Some(VERSION.to_owned()),
        time: Some(app.now()),
        client_id: Some(credential.client_id),
        credential_id: Some(credential.credential_id),
        environment: Some(ServerApiCredentialEnvironment::from(credential.environment)),
        scopes: Some(credential.scopes.into_iter().map(ServerApiScope::from).collect()),
        ..ServerApiHealth::default()
    }
}
