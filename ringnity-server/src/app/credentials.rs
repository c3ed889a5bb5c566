//! Server API credentials of a tenant: made with a secret that is shown once, listed without it.

use ringnity_store::TenantId;
use ringnity_store::credentials::{self, NewServerCredential, ServerCredential};
use ringnity_types::{
    CreateServerApiCredentialRequest, ErrorCode, ServerApiCredential, ServerApiCredentialEnvironment,
    ServerApiCredentialList, ServerApiCredentialSecret, ServerApiScope,
};

use super::{App, AppError, AppResult, Kind, Repeat};
use crate::auth::secrets;

/// Makes a credential; the only time its secret is told.
pub async fn create_server_api_credential(
    app: &App,
    tenant: TenantId,
    request: CreateServerApiCredentialRequest,
    repeat: Repeat,
) -> AppResult<ServerApiCredentialSecret> {
    let name = request.name.trim().to_owned();
    if name.is_empty() {
        return Err(AppError::new(
            Kind::Invalid,
            ErrorCode::ServerCredentialValidationFailed,
            "A credential needs a name that people can tell it by.",
        )
        .detail("/body/name: is blank"));
    }
    let prefix = format!("rn_sk_{}_", request.environment);
    let secret = secrets::generate(&prefix).map_err(AppError::internal)?;
    let now = app.now();
    let new = NewServerCredential {
        name,
        environment: request.environment.to_string(),
        scopes: request.scopes.iter().map(ToString::to_string).collect(),
        secret_hash: secret.hash,
        secret_preview: secret.preview,
    };
    app.once(repeat, move |c| {
        let stored = credentials::server_credential_insert(c, &tenant, &new, now)?;
        Ok(ServerApiCredentialSecret {
            credential: Some(credential(stored)),
            secret: Some(secret.text.clone()),
        })
    })
    .await
}

/// Every credential of the tenant, disabled ones too.
pub async fn list_server_api_credentials(app: &App, tenant: TenantId) -> AppResult<ServerApiCredentialList> {
    let stored = app
        .store
        .read(move |c| credentials::server_credential_list(c, &tenant).map_err(AppError::from))
        .await?;
    Ok(ServerApiCredentialList { credentials: Some(stored.into_iter().map(credential).collect()) })
}

fn credential(stored: ServerCredential) -> ServerApiCredential {
    ServerApiCredential {
        id: stored.id.into_string(),
        name: stored.name,
        environment: Some(ServerApiCredentialEnvironment::from(stored.environment)),
        scopes: stored.scopes.into_iter().map(ServerApiScope::from).collect(),
        is_active: Some(stored.is_active),
        secret_preview: Some(stored.secret_preview),
        last_used_at: stored.last_used_at,
        created_at: Some(stored.created_at),
        updated_at: Some(stored.updated_at),
    }
}
