//! Routes of the tag "Dashboard Auth". Each calls the rule of the same name.

use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use http::header::SET_COOKIE;
use ringnity_api::names::parameters::OWNER_REFRESH_TOKEN_COOKIE;

use super::prelude::*;
use crate::app::ErrorKind;
use crate::app::identity::{google, owners, workspace};
use crate::secrets::tokens::REFRESH_TOKEN_TTL;

/// Sets the cookie with an owner's refresh token, or removes it. Scripts cannot read it, and browsers send it only to
/// the operations that sign owners in and out, whose paths have the same parent.
fn set_cookie(cx: Cx<'_>, token: Option<&str>) {
    let life = token.map_or(0, |_| REFRESH_TOKEN_TTL.num_seconds());
    let path = REFRESH_OWNER_SESSION.path.rsplit_once('/').map_or("/", |(parent, _)| parent);
    let mut cookie = Cookie::build((OWNER_REFRESH_TOKEN_COOKIE, token.unwrap_or_default()))
        .path(path)
        .max_age(Duration::seconds(life))
        .http_only(true)
        .same_site(SameSite::Lax)
        .build();
    if cx.app.urls.secure {
        cookie.set_secure(true);
    }
    cx.call.add_header(SET_COOKIE, cookie.to_string());
}

/// The refresh token in a cookie. An empty cookie is one that was removed.
fn non_empty(cookie: Option<String>) -> Option<String> {
    cookie.filter(|token| !token.is_empty())
}

impl DashboardAuthOperations for Routes {
    async fn login_owner(cx: Cx<'_>, input: LoginOwnerInput) -> Result<types::OwnerSession, Fault> {
        let session = owners::login_owner(&cx.app, cx.client_address(), input.body).await?;
        set_cookie(cx, Some(&session.refresh_token));
        Ok(session)
    }

    async fn login_owner_with_google(
        cx: Cx<'_>,
        input: LoginOwnerWithGoogleInput,
    ) -> Result<types::OwnerGoogleLogin, Fault> {
        let address = cx.client_address();
        let login = google::login_owner_with_google(&cx.app, address, &input.body.id_token).await?;
        if let Some(token) = &login.refresh_token {
            set_cookie(cx, Some(token));
        }
        Ok(login)
    }

    async fn get_owner_session(
        cx: Cx<'_>,
        principal: OwnerPrincipal,
        _: GetOwnerSessionInput,
    ) -> Result<types::OwnerMe, Fault> {
        Ok(owners::get_owner_session(&cx.app, principal.tenant, principal.owner_id).await?)
    }

    async fn refresh_owner_session(
        cx: Cx<'_>,
        input: RefreshOwnerSessionInput,
    ) -> Result<types::OwnerRefresh, Fault> {
        let in_body = input.body.and_then(|body| body.refresh_token);
        let by_cookie = in_body.is_none();
        let token = in_body.or_else(|| non_empty(input.owner_refresh_token));
        match owners::refresh_owner_session(&cx.app, token).await {
            Ok(session) => {
                // Even when the token came in the body: a browser that kept the previous one would end the session by
                // sending it.
                set_cookie(cx, Some(&session.refresh_token));
                Ok(session)
            }
            Err(error) => {
                if by_cookie && error.kind == ErrorKind::Unauthenticated {
                    set_cookie(cx, None);
                }
                Err(error.into())
            }
        }
    }

    async fn logout_owner(cx: Cx<'_>, input: LogoutOwnerInput) -> Result<types::Logout, Fault> {
        // Both, where both are sent: the cookie is removed, and a token that nobody holds must not stay valid.
        let in_body = input.body.and_then(|body| body.refresh_token);
        let tokens = in_body.into_iter().chain(non_empty(input.owner_refresh_token)).collect();
        let logout = owners::logout_owner(&cx.app, tokens).await?;
        set_cookie(cx, None);
        Ok(logout)
    }

    async fn create_workspace_entry_token(
        cx: Cx<'_>,
        principal: OwnerPrincipal,
        _: CreateWorkspaceEntryTokenInput,
    ) -> Result<types::WorkspaceEntryToken, Fault> {
        let OwnerPrincipal { tenant, owner_id, session_id, .. } = principal;
        let idempotency_key = cx.idempotency_key()?;
        Ok(workspace::create_workspace_entry_token(&cx.app, tenant, owner_id, session_id, idempotency_key)
            .await?)
    }

    async fn login_workspace(
        cx: Cx<'_>,
        input: LoginWorkspaceInput,
    ) -> Result<types::WorkspaceSession, Fault> {
        let hints = cx.tenant_hints();
        Ok(workspace::login_workspace(&cx.app, hints, cx.client_address(), input.body).await?)
    }

    async fn auto_login_workspace(
        cx: Cx<'_>,
        input: AutoLoginWorkspaceInput,
    ) -> Result<types::WorkspaceAutoLogin, Fault> {
        let host_slug = cx.tenant_hints().host_slug;
        Ok(workspace::auto_login_workspace(&cx.app, host_slug, &input.token).await?)
    }

    async fn refresh_workspace_session(
        cx: Cx<'_>,
        input: RefreshWorkspaceSessionInput,
    ) -> Result<types::WorkspaceRefresh, Fault> {
        Ok(workspace::refresh_workspace_session(&cx.app, &input.body.refresh_token).await?)
    }

    async fn logout_workspace(cx: Cx<'_>, input: LogoutWorkspaceInput) -> Result<types::Logout, Fault> {
        let tokens = input.body.and_then(|body| body.refresh_token).into_iter().collect();
        Ok(workspace::logout_workspace(&cx.app, tokens).await?)
    }
}
