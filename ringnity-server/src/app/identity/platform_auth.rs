//! Login of platform administrators.

use std::net::IpAddr;

use ringnity_store::identity::{self, PlatformAdmin};
use ringnity_store::{Conn, PlatformAdminId};
use ringnity_types::{PlatformLoginRequest, PlatformRole, PlatformSession};

use crate::app::identity::sessions::{self, TokenPair};
use crate::app::{App, AppError, AppResult, throttle};
use crate::secrets::tokens::TokenScope;

/// Logs an administrator in.
pub async fn login_platform_admin(
    app: &App,
    address: IpAddr,
    request: PlatformLoginRequest,
) -> AppResult<PlatformSession> {
    let attempt = throttle::begin(app, TokenScope::Platform.as_str(), &request.email, address).await?;
    let email = request.email;
    let admin =
        app.store.read(move |c| identity::platform_admin_by_email(c, &email).map_err(AppError::from)).await?;
    let known = admin.map(|admin| (admin.id, Some(admin.password_hash)));
    let signed_in = attempt
        .sign_in(app, "Email", request.password, known, |c, id, hash, now| {
            let admin = active_admin(c, id)?;
            let session = sessions::start(c, TokenScope::Platform, None, id.as_str(), hash, now)?;
            identity::platform_admin_record_login(c, id, now)?;
            let current = admin.password_hash.clone();
            Ok(((session, admin), Some(current)))
        })
        .await?;
    let (session, admin) = signed_in.session;
    let pair =
        sessions::token_pair(app, TokenScope::Platform, &session, signed_in.refresh_token, signed_in.at)?;
    Ok(into_session(admin, pair))
}

/// Exchanges an administrator's refresh token for the next token pair.
pub async fn refresh_platform_admin_session(app: &App, presented: &str) -> AppResult<PlatformSession> {
    let (pair, admin) = sessions::refresh(app, TokenScope::Platform, presented, |c, session| {
        active_admin(c, &PlatformAdminId::from(session.subject_id.as_str()))
    })
    .await?;
    Ok(into_session(admin, pair))
}

fn active_admin(c: &mut Conn, id: &PlatformAdminId) -> AppResult<PlatformAdmin> {
    identity::platform_admin_get(c, id)?
        .filter(|admin| admin.is_active)
        .ok_or_else(|| sessions::account_disabled("an owner of the platform"))
}

fn into_session(admin: PlatformAdmin, pair: TokenPair) -> PlatformSession {
    PlatformSession {
        admin_id: admin.id.into_string(),
        email: admin.email,
        name: admin.name,
        role: PlatformRole::from(admin.role),
        access_token: pair.access_token,
        refresh_token: pair.refresh_token,
        expires_in: pair.expires_in,
    }
}
