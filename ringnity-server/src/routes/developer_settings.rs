//! Routes of the area "Developer Settings": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    Call, CreateOauthClientInput, CreateServerApiCredentialInput, DeleteRevokedOauthClientInput,
    DeveloperSettingsOperations, DisableServerApiCredentialInput, Fault, GetDeveloperSettingsInput,
    ListOauthClientsInput, ListServerApiCredentialsInput, OwnerOrWorkspace, RevokeOauthClientInput,
    RotateOauthClientSecretInput, RotateServerApiCredentialInput, TestDeveloperSdkSettingsInput,
    UpdateDeveloperAllowedDomainsInput, UpdateOauthClientInput, UpdateServerApiCredentialInput,
};
use ringnity_types as types;
use ringnity_types::ConstTrue;

use crate::app::credentials;

use super::{Routes, State, fault, later, tenant_of};

impl DeveloperSettingsOperations for Routes {
    async fn list_server_api_credentials(
        cx: &State,
        _: Call,
        principal: OwnerOrWorkspace,
        _: ListServerApiCredentialsInput,
    ) -> Result<types::ServerApiCredentialListEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = credentials::list_server_api_credentials(&cx.app, tenant).await.map_err(fault)?;
        Ok(types::ServerApiCredentialListEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    async fn create_server_api_credential(
        cx: &State,
        call: Call,
        principal: OwnerOrWorkspace,
        input: CreateServerApiCredentialInput,
    ) -> Result<types::ServerApiCredentialSecretEnvelope, Fault> {
        let tenant = tenant_of(&principal);
        let data = credentials::create_server_api_credential(&cx.app, tenant, input.body, cx.repeat(&call))
            .await
            .map_err(fault)?;
        Ok(types::ServerApiCredentialSecretEnvelope { success: Some(ConstTrue), data: Some(data) })
    }

    later! {
        get_developer_settings(OwnerOrWorkspace, GetDeveloperSettingsInput) -> types::DeveloperSettingsEnvelope;
        update_developer_allowed_domains(OwnerOrWorkspace, UpdateDeveloperAllowedDomainsInput) -> types::DeveloperSettingsEnvelope;
        test_developer_sdk_settings(OwnerOrWorkspace, TestDeveloperSdkSettingsInput) -> types::ReadinessEnvelope;
        disable_server_api_credential(OwnerOrWorkspace, DisableServerApiCredentialInput) -> types::ServerApiCredentialEnvelope;
        update_server_api_credential(OwnerOrWorkspace, UpdateServerApiCredentialInput) -> types::ServerApiCredentialEnvelope;
        rotate_server_api_credential(OwnerOrWorkspace, RotateServerApiCredentialInput) -> types::ServerApiCredentialSecretEnvelope;
        list_oauth_clients(OwnerOrWorkspace, ListOauthClientsInput) -> types::OAuthClientListEnvelope;
        create_oauth_client(OwnerOrWorkspace, CreateOauthClientInput) -> types::OAuthClientSecretEnvelope;
        revoke_oauth_client(OwnerOrWorkspace, RevokeOauthClientInput) -> types::OAuthClientEnvelope;
        update_oauth_client(OwnerOrWorkspace, UpdateOauthClientInput) -> types::OAuthClientEnvelope;
        rotate_oauth_client_secret(OwnerOrWorkspace, RotateOauthClientSecretInput) -> types::OAuthClientSecretEnvelope;
        delete_revoked_oauth_client(OwnerOrWorkspace, DeleteRevokedOauthClientInput) -> types::OAuthClientDeletedEnvelope;
    }
}
