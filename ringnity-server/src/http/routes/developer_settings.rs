//! Routes of the tag "Developer Settings". Each calls the rule of the same name.

use super::prelude::*;
use crate::app::login::oauth_clients;
use crate::app::tenants::{developer, server_keys};

impl DeveloperSettingsOperations for Routes {
    async fn get_developer_settings(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        _: GetDeveloperSettingsInput,
    ) -> Result<types::DeveloperSettings, Fault> {
        Ok(developer::get_developer_settings(&cx.app, principal.into_tenant()).await?)
    }

    async fn update_developer_allowed_domains(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: UpdateDeveloperAllowedDomainsInput,
    ) -> Result<types::DeveloperSettings, Fault> {
        Ok(developer::update_developer_allowed_domains(&cx.app, principal.into_tenant(), input.body).await?)
    }

    async fn test_developer_sdk_settings(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: TestDeveloperSdkSettingsInput,
    ) -> Result<types::Readiness, Fault> {
        Ok(developer::test_developer_sdk_settings(&cx.app, principal.into_tenant(), input.body).await?)
    }

    async fn list_server_api_credentials(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        _: ListServerApiCredentialsInput,
    ) -> Result<types::ServerApiCredentialList, Fault> {
        Ok(server_keys::list_server_api_credentials(&cx.app, principal.into_tenant()).await?)
    }

    async fn create_server_api_credential(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: CreateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialSecret, Fault> {
        Ok(server_keys::create_server_api_credential(
            &cx.app,
            principal.into_tenant(),
            input.body,
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn update_server_api_credential(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: UpdateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialData, Fault> {
        let (features, id) = (principal.features(), input.credential_id.into());
        let tenant = principal.into_tenant();
        Ok(server_keys::update_server_api_credential(&cx.app, tenant, features, id, input.body).await?)
    }

    async fn disable_server_api_credential(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: DisableServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialData, Fault> {
        Ok(server_keys::disable_server_api_credential(
            &cx.app,
            principal.into_tenant(),
            input.credential_id.into(),
        )
        .await?)
    }

    async fn rotate_server_api_credential(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: RotateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialSecret, Fault> {
        Ok(server_keys::rotate_server_api_credential(
            &cx.app,
            principal.into_tenant(),
            input.credential_id.into(),
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn list_oauth_clients(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        _: ListOauthClientsInput,
    ) -> Result<types::OAuthClientList, Fault> {
        let discovery = format!("{}{}", cx.app.urls.public, GET_OPENID_CONFIGURATION.path);
        Ok(oauth_clients::list_oauth_clients(&cx.app, principal.into_tenant(), discovery).await?)
    }

    async fn create_oauth_client(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: CreateOauthClientInput,
    ) -> Result<types::OAuthClientSecret, Fault> {
        Ok(oauth_clients::create_oauth_client(
            &cx.app,
            principal.into_tenant(),
            input.body,
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn update_oauth_client(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: UpdateOauthClientInput,
    ) -> Result<types::OAuthClientData, Fault> {
        let (features, id) = (principal.features(), input.oauth_client_id.into());
        Ok(oauth_clients::update_oauth_client(&cx.app, principal.into_tenant(), features, id, input.body)
            .await?)
    }

    async fn revoke_oauth_client(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: RevokeOauthClientInput,
    ) -> Result<types::OAuthClientData, Fault> {
        Ok(oauth_clients::revoke_oauth_client(&cx.app, principal.into_tenant(), input.oauth_client_id.into())
            .await?)
    }

    async fn rotate_oauth_client_secret(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: RotateOauthClientSecretInput,
    ) -> Result<types::OAuthClientSecret, Fault> {
        Ok(oauth_clients::rotate_oauth_client_secret(
            &cx.app,
            principal.into_tenant(),
            input.oauth_client_id.into(),
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn delete_revoked_oauth_client(
        cx: Cx<'_>,
        principal: OwnerOrWorkspace,
        input: DeleteRevokedOauthClientInput,
    ) -> Result<types::OAuthClientDeleted, Fault> {
        Ok(oauth_clients::delete_revoked_oauth_client(
            &cx.app,
            principal.into_tenant(),
            input.oauth_client_id.into(),
        )
        .await?)
    }
}
