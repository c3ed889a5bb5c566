//! Routes of the area "Developer Settings": each hands its principal and input to the rule of the same name.

use ringnity_api::runtime::Described as _;
use ringnity_api::{
    Call, CreateOauthClientInput, CreateServerApiCredentialInput, DeleteRevokedOauthClientInput,
    DeveloperSettingsOperations, DisableServerApiCredentialInput, Fault, GetDeveloperSettingsInput,
    GetOpenidConfigurationInput, ListOauthClientsInput, ListServerApiCredentialsInput, OwnerOrWorkspace,
    RevokeOauthClientInput, RotateOauthClientSecretInput, RotateServerApiCredentialInput,
    TestDeveloperSdkSettingsInput, UpdateDeveloperAllowedDomainsInput, UpdateOauthClientInput,
    UpdateServerApiCredentialInput,
};
use ringnity_types as types;
use ringnity_types::ConstTrue;

use crate::app::login::oauth_clients;
use crate::app::tenants::{developer, server_keys};

use crate::http::routes::{Routes, State, fault, tenant_of};

impl DeveloperSettingsOperations for Routes {
    async fn get_developer_settings(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        _: GetDeveloperSettingsInput,
    ) -> Result<types::DeveloperSettingsEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = developer::get_developer_settings(&cx.app, tenant).await.map_err(fault)?;
        Ok(types::DeveloperSettingsEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn update_developer_allowed_domains(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: UpdateDeveloperAllowedDomainsInput,
    ) -> Result<types::DeveloperSettingsEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data =
            developer::update_developer_allowed_domains(&cx.app, tenant, input.body).await.map_err(fault)?;
        Ok(types::DeveloperSettingsEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn test_developer_sdk_settings(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: TestDeveloperSdkSettingsInput,
    ) -> Result<types::ReadinessEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data =
            developer::test_developer_sdk_settings(&cx.app, tenant, input.body).await.map_err(fault)?;
        Ok(types::ReadinessEnvelope::new(data))
    }

    async fn list_server_api_credentials(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        _: ListServerApiCredentialsInput,
    ) -> Result<types::ServerApiCredentialListEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = server_keys::list_server_api_credentials(&cx.app, tenant).await.map_err(fault)?;
        Ok(types::ServerApiCredentialListEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn create_server_api_credential(
        cx: &State,
        call: Call,
        principal: OwnerOrWorkspace,
        input: CreateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialSecretEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = server_keys::create_server_api_credential(&cx.app, tenant, input.body, cx.repeat(&call))
            .await
            .map_err(fault)?;
        Ok(types::ServerApiCredentialSecretEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn update_server_api_credential(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: UpdateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = server_keys::update_server_api_credential(
            &cx.app,
            tenant,
            input.credential_id.into(),
            input.body,
        )
        .await
        .map_err(fault)?;
        Ok(types::ServerApiCredentialEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn disable_server_api_credential(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: DisableServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = server_keys::disable_server_api_credential(&cx.app, tenant, input.credential_id.into())
            .await
            .map_err(fault)?;
        Ok(types::ServerApiCredentialEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn rotate_server_api_credential(
        cx: &State,
        call: Call,
        principal: OwnerOrWorkspace,
        input: RotateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialSecretEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = server_keys::rotate_server_api_credential(
            &cx.app,
            tenant,
            input.credential_id.into(),
            cx.repeat(&call),
        )
        .await
        .map_err(fault)?;
        Ok(types::ServerApiCredentialSecretEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn list_oauth_clients(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        _: ListOauthClientsInput,
    ) -> Result<types::OAuthClientListEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let path = GetOpenidConfigurationInput::OPERATION.path;
        let discovery = format!("{}{path}", cx.app.urls.public);
        let data = oauth_clients::list_oauth_clients(&cx.app, tenant, discovery).await.map_err(fault)?;
        Ok(types::OAuthClientListEnvelope::new(data))
    }

    async fn create_oauth_client(
        cx: &State,
        call: Call,
        principal: OwnerOrWorkspace,
        input: CreateOauthClientInput,
    ) -> Result<types::OAuthClientSecretEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = oauth_clients::create_oauth_client(&cx.app, tenant, input.body, cx.repeat(&call))
            .await
            .map_err(fault)?;
        Ok(types::OAuthClientSecretEnvelope::new(data))
    }

    async fn update_oauth_client(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: UpdateOauthClientInput,
    ) -> Result<types::OAuthClientEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data =
            oauth_clients::update_oauth_client(&cx.app, tenant, input.oauth_client_id.into(), input.body)
                .await
                .map_err(fault)?;
        Ok(types::OAuthClientEnvelope::new(data))
    }

    async fn revoke_oauth_client(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: RevokeOauthClientInput,
    ) -> Result<types::OAuthClientEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = oauth_clients::revoke_oauth_client(&cx.app, tenant, input.oauth_client_id.into())
            .await
            .map_err(fault)?;
        Ok(types::OAuthClientEnvelope::new(data))
    }

    async fn rotate_oauth_client_secret(
        cx: &State,
        call: Call,
        principal: OwnerOrWorkspace,
        input: RotateOauthClientSecretInput,
    ) -> Result<types::OAuthClientSecretEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = oauth_clients::rotate_oauth_client_secret(
            &cx.app,
            tenant,
            input.oauth_client_id.into(),
            cx.repeat(&call),
        )
        .await
        .map_err(fault)?;
        Ok(types::OAuthClientSecretEnvelope::new(data))
    }

    async fn delete_revoked_oauth_client(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        input: DeleteRevokedOauthClientInput,
    ) -> Result<types::OAuthClientDeletedEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = oauth_clients::delete_revoked_oauth_client(&cx.app, tenant, input.oauth_client_id.into())
            .await
            .map_err(fault)?;
        Ok(types::OAuthClientDeletedEnvelope::new(data))
    }
}
