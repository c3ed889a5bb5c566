//! Routes of the area "Dashboard Auth": each hands its principal and input to the rule of the same name.

use http::header::SET_COOKIE;
use ringnity_api::{
    AutoLoginWorkspaceInput, Call, CreateWorkspaceEntryTokenInput, DashboardAuthOperations, Fault,
    GetOwnerSessionInput, LoginOwnerInput, LoginOwnerWithGoogleInput, LoginWorkspaceInput, LogoutOwnerInput,
    LogoutWorkspaceInput, OwnerPrincipal, RefreshOwnerSessionInput, RefreshWorkspaceSessionInput,
};
use ringnity_types as types;

use crate::app::owners;
use crate::auth::tokens::REFRESH_TOKEN_LIFE;

use super::{Routes, State, fault, later, tenant_id};

impl DashboardAuthOperations for Routes {
    async fn login_owner(
        cx: &State,
        call: Call,
        input: LoginOwnerInput,
    ) -> Result<types::OwnerSessionEnvelope, Fault> {
        let data = owners::login_owner(&cx.app, input.body).await.map_err(fault)?;
        // The browser may keep the refresh token where no script can read it.
        let secure = if cx.app.urls.secure { "; Secure" } else { "" };
        let cookie = format!(
            "ownerRefreshToken={}; Path=/api/auth; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            data.refresh_token,
            REFRESH_TOKEN_LIFE.num_seconds()
        );
        call.add_header(SET_COOKIE, cookie);
        Ok(types::OwnerSessionEnvelope::new(data))
    }

    async fn get_owner_session(
        cx: &State,
        _: Call,
        principal: OwnerPrincipal,
        _: GetOwnerSessionInput,
    ) -> Result<types::OwnerMeEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let data =
            owners::get_owner_session(&cx.app, tenant, principal.owner_id.into()).await.map_err(fault)?;
        Ok(types::OwnerMeEnvelope::new(data))
    }

    later! {
        login_owner_with_google(LoginOwnerWithGoogleInput) -> types::OwnerGoogleLoginEnvelope;
        refresh_owner_session(RefreshOwnerSessionInput) -> types::OwnerRefreshEnvelope;
        logout_owner(LogoutOwnerInput) -> types::LogoutEnvelope;
        create_workspace_entry_token(OwnerPrincipal, CreateWorkspaceEntryTokenInput) -> types::WorkspaceEntryTokenEnvelope;
        login_workspace(LoginWorkspaceInput) -> types::WorkspaceSessionEnvelope;
        auto_login_workspace(AutoLoginWorkspaceInput) -> types::WorkspaceAutoLoginEnvelope;
        refresh_workspace_session(RefreshWorkspaceSessionInput) -> types::WorkspaceRefreshEnvelope;
        logout_workspace(LogoutWorkspaceInput) -> types::LogoutEnvelope;
    }
}
