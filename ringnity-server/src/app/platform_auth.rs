//! Administrators of the platform: signing in to its console.

use std::net::IpAddr;

use ringnity_store::platform::{self, PlatformAdmin};
use ringnity_store::{Conn, PlatformAdminId};
use ringnity_types::{PlatformLoginRequest, PlatformRole, PlatformSession};

use super::sessions::{self, Pair};
use super::{App, AppError, AppResult, sign_ins};
use crate::secrets::tokens::TokenScope;

/// Signs an administrator in.
pub async fn login_platform_admin(
    app: &App,
    address: IpAddr,
    request: PlatformLoginRequest,
) -> AppResult<PlatformSession> {
    let attempt = sign_ins::begin(app, TokenScope::Platform.as_str(), &request.email, address).await?;
    let email = request.email;
    let admin =
        app.store.read(move |c| platform::platform_admin_by_email(c, &email).map_err(AppError::from)).await?;
    // An unknown account costs as much time as a known one, and is refused in the same words.
    let hash = admin.as_ref().map(|admin| admin.password_hash.clone());
    let matches = attempt.password(app, request.password, hash).await?;
    let admin = admin.filter(|_| matches).ok_or_else(|| sessions::wrong_credentials("Email"))?;
    let refresh = sessions::new_refresh_token()?;
    let now = app.now();
    let hash = refresh.hash.clone();
    let (session, admin) = app
        .store
        .write(move |c| {
            let is = active(c, &admin.id)?;
            sessions::must_still_be(Some(&is.password_hash), Some(&admin.password_hash), "Email")?;
            let session = sessions::begin(c, TokenScope::Platform, None, is.id.as_str(), &hash, now)?;
            platform::platform_admin_signed_in(c, &is.id, now)?;
            Ok::<_, AppError>((session, is))
        })
        .await?;
    let pair = sessions::pair(app, TokenScope::Platform, &session, refresh.text, now)?;
    Ok(answer(admin, pair))
}

/// Trades an administrator's refresh token for the next pair.
pub async fn refresh_platform_admin_session(app: &App, presented: &str) -> AppResult<PlatformSession> {
    let (pair, admin) = sessions::refresh(app, TokenScope::Platform, presented, |c, session| {
        active(c, &PlatformAdminId::from(session.subject_id.as_str()))
    })
    .await?;
    Ok(answer(admin, pair))
}

fn active(c: &mut Conn, id: &PlatformAdminId) -> AppResult<PlatformAdmin> {
    platform::platform_admin_get(c, id)?
        .filter(|admin| admin.is_active)
        .ok_or_else(|| sessions::account_disabled("an owner of the platform"))
}

fn answer(admin: PlatformAdmin, pair: Pair) -> PlatformSession {
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
