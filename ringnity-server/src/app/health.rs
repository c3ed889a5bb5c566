//! Whether the server answers, and whether a credential does.

use ringnity_store::credentials;
use ringnity_store::{ServerCredentialId, TenantId};
use ringnity_types::{
    HealthStatus, RuntimeHealth, ServerApiCredentialEnvironment, ServerApiHealth, ServerApiScope,
};

use super::{App, AppError, AppResult};

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

/// The answer to the holder of a Server API key: what that key is.
pub async fn get_server_api_health(
    app: &App,
    tenant: TenantId,
    credential: ServerCredentialId,
) -> AppResult<ServerApiHealth> {
    let stored = app
        .store
        .read(move |c| {
            let found = credentials::server_credential_get(c, &tenant, &credential)?;
            found.ok_or_else(|| AppError::internal("a credential vanished while it was used"))
        })
        .await?;
    Ok(ServerApiHealth {
        status: Some(HealthStatus::Ok),
        version: Some(VERSION.to_owned()),
        time: Some(app.now()),
        client_id: Some(stored.tenant_id.into_string()),
        credential_id: Some(stored.id.into_string()),
        environment: Some(ServerApiCredentialEnvironment::from(stored.environment)),
        scopes: Some(stored.scopes.into_iter().map(ServerApiScope::from).collect()),
        ..ServerApiHealth::default()
    })
}
