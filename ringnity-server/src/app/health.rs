//! Health of the server and of a Server API key.

use std::time::Duration;

use ringnity_store::{ServerCredentialId, TenantId, tenants};
use ringnity_types::{
    HealthStatus, RuntimeHealth, ServerApiCredentialEnvironment, ServerApiHealth, ServerApiScope,
};

use super::{App, AppError, AppResult};

/// Version of the server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Time after which a database that does not answer makes the server `degraded`.
const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Health of the server: `degraded` if the database does not answer.
pub async fn get_runtime_health(app: &App) -> RuntimeHealth {
    let database = tokio::time::timeout(HEALTH_CHECK_TIMEOUT, app.store.check()).await;
    let status = match database {
        Ok(Ok(())) => HealthStatus::Ok,
        Ok(Err(_)) | Err(_) => HealthStatus::Degraded,
    };
    RuntimeHealth {
        status: Some(status),
        version: Some(VERSION.to_owned()),
        time: Some(app.now()),
        ..RuntimeHealth::default()
    }
}

/// Health for the holder of a Server API key, with the properties of the key.
pub async fn get_server_api_health(
    app: &App,
    tenant: TenantId,
    credential: ServerCredentialId,
) -> AppResult<ServerApiHealth> {
    let stored = app
        .store
        .read(move |c| {
            let found = tenants::server_credential_get(c, &tenant, &credential)?;
            found.ok_or_else(|| AppError::internal("a credential was deleted while it was used"))
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
