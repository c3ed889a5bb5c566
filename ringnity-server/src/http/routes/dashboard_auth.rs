//! Routes of the area "Dashboard Auth": each hands its principal and input to the rule of the same name.

use http::header::SET_COOKIE;
use ringnity_api::names::parameters::OWNER_REFRESH_TOKEN_COOKIE;
use ringnity_api::{
    AutoLoginWorkspaceInput, Call, CreateWorkspaceEntryTokenInput, DashboardAuthOperations, Fault,
    GetOwnerSessionInput, LoginOwnerInput, LoginOwnerWithGoogleInput, LoginWorkspaceInput, LogoutOwnerInput,
    LogoutWorkspaceInput, OwnerPrincipal, REFRESH_OWNER_SESSION, RefreshOwnerSessionInput,
    RefreshWorkspaceSessionInput,
};
use ringnity_types as types;

use crate::app::ErrorKind;
use crate::app::identity::{google, owners, workspace};
use crate::secrets::tokens::REFRESH_TOKEN_TTL;

use crate::http::routes::{Routes, State, fault, tenant_id};

/// Has the browser keep an owner's refresh `token`, or forget the one that it has: where no script can read it, and sent
/// only to the operations that sign owners in and out, which stand side by side.
fn set_cookie(cx: &State, call: &Call, token: Option<&str>) {
    let secure = if cx.app.urls.secure { "; Secure" } else { "" };
    let life = token.map_or(0, |_| REFRESH_TOKEN_TTL.num_seconds());
    let token = token.unwrap_or_default();
    let path = REFRESH_OWNER_SESSION.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let cookie = format!(
        "{OWNER_REFRESH_TOKEN_COOKIE}={token}; Path={path}; Max-Age={life}; HttpOnly; SameSite=Lax{secure}"
    );
    call.add_header(SET_COOKIE, cookie);
}

/// The refresh token that a browser keeps; an empty one is what it was told to forget.
fn kept(cookie: Option<String>) -> Option<String> {
    cookie.filter(|token| !token.is_empty())
}

impl DashboardAuthOperations for Routes {
    async fn login_owner(
        cx: &State,
        call: Call,
        input: LoginOwnerInput,
    ) -> Result<types::OwnerSessionEnvelope, Fault> {
        let data = owners::login_owner(&cx.app, cx.client_address(&call), input.body).await.map_err(fault)?;
        set_cookie(cx, &call, Some(&data.refresh_token));
        Ok(types::OwnerSessionEnvelope::new(data))
    }

    async fn login_owner_with_google(
        cx: &State,
        call: Call,
        input: LoginOwnerWithGoogleInput,
    ) -> Result<types::OwnerGoogleLoginEnvelope, Fault> {
        let address = cx.client_address(&call);
        let data =
            google::login_owner_with_google(&cx.app, address, &input.body.id_token).await.map_err(fault)?;
        if let Some(token) = &data.refresh_token {
            set_cookie(cx, &call, Some(token));
        }
        Ok(types::OwnerGoogleLoginEnvelope::new(data))
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

    async fn refresh_owner_session(
        cx: &State,
        call: Call,
        input: RefreshOwnerSessionInput,
    ) -> Result<types::OwnerRefreshEnvelope, Fault> {
        let said = input.body.and_then(|body| body.refresh_token);
        let by_cookie = said.is_none();
        let presented = said.or_else(|| kept(input.owner_refresh_token));
        match owners::refresh_owner_session(&cx.app, presented).await {
            Ok(data) => {
                // Also when the token came in the body: a browser that keeps the one before it would end the
                // session by sending it.
                set_cookie(cx, &call, Some(&data.refresh_token));
                Ok(types::OwnerRefreshEnvelope::new(data))
            }
            Err(error) => {
                if by_cookie && error.kind == ErrorKind::Unauthenticated {
                    set_cookie(cx, &call, None);
                }
                Err(fault(error))
            }
        }
    }

    async fn logout_owner(
        cx: &State,
        call: Call,
        input: LogoutOwnerInput,
    ) -> Result<types::LogoutEnvelope, Fault> {
        // Both, where both are sent: the cookie is taken back, and what nobody keeps must not go on.
        let said = input.body.and_then(|body| body.refresh_token);
        let presented = said.into_iter().chain(kept(input.owner_refresh_token));
        let data = owners::logout_owner(&cx.app, presented.collect()).await.map_err(fault)?;
        set_cookie(cx, &call, None);
        Ok(logged_out(data))
    }

    async fn create_workspace_entry_token(
        cx: &State,
        call: Call,
        principal: OwnerPrincipal,
        _: CreateWorkspaceEntryTokenInput,
    ) -> Result<types::WorkspaceEntryTokenEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let (owner, session) = (principal.owner_id.into(), principal.session_id.into());
        let repeat = cx.repeat(&call);
        let data = workspace::create_workspace_entry_token(&cx.app, tenant, owner, session, repeat)
            .await
            .map_err(fault)?;
        Ok(types::WorkspaceEntryTokenEnvelope::new(data))
    }

    async fn login_workspace(
        cx: &State,
        call: Call,
        input: LoginWorkspaceInput,
    ) -> Result<types::WorkspaceSessionEnvelope, Fault> {
        let hints = cx.tenant_hints(&call);
        let data = workspace::login_workspace(&cx.app, hints, cx.client_address(&call), input.body)
            .await
            .map_err(fault)?;
        Ok(types::WorkspaceSessionEnvelope::new(data))
    }

    async fn auto_login_workspace(
        cx: &State,
        call: Call,
        input: AutoLoginWorkspaceInput,
    ) -> Result<types::WorkspaceAutoLoginEnvelope, Fault> {
        let host_slug = cx.tenant_hints(&call).host_slug;
        let data = workspace::auto_login_workspace(&cx.app, host_slug, &input.token).await.map_err(fault)?;
        Ok(types::WorkspaceAutoLoginEnvelope::new(data))
    }

    async fn refresh_workspace_session(
        cx: &State,
        _: Call,
        input: RefreshWorkspaceSessionInput,
    ) -> Result<types::WorkspaceRefreshEnvelope, Fault> {
        let data =
            workspace::refresh_workspace_session(&cx.app, &input.body.refresh_token).await.map_err(fault)?;
        Ok(types::WorkspaceRefreshEnvelope::new(data))
    }

    async fn logout_workspace(
        cx: &State,
        _: Call,
        input: LogoutWorkspaceInput,
    ) -> Result<types::LogoutEnvelope, Fault> {
        let presented = input.body.and_then(|body| body.refresh_token).into_iter().collect();
        let data = workspace::logout_workspace(&cx.app, presented).await.map_err(fault)?;
        Ok(logged_out(data))
    }
}

fn logged_out(data: types::Logout) -> types::LogoutEnvelope {
    types::LogoutEnvelope { success: types::ConstTrue, data: Some(data) }
}
