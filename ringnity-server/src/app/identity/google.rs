//! Login of owners with Google. The identity is the Google account (issuer and subject). The email, verified by Google,
//! only finds the owner to link the account to, once.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ringnity_store::{Conn, OwnerId, TenantId, identity};
use ringnity_types::{ErrorCode, GoogleProfile, OwnerGoogleLogin};

use crate::app::identity::owners::StartedSession;
use crate::app::identity::sessions;
use crate::app::{App, AppError, AppResult, ErrorKind, throttle};
use crate::providers::google::{GoogleAccount, GoogleTokenError, ISSUER};

/// Logs in the owner of a Google account. For an account without an owner, returns its profile for the registration.
pub async fn login_owner_with_google(
    app: &App,
    address: IpAddr,
    id_token: &str,
) -> AppResult<OwnerGoogleLogin> {
    let google = app.auth.google.as_ref().ok_or_else(not_configured)?;
    let now = app.now();
    let attempt = throttle::begin_for_address(app, address).await?;
    // Outside of any transaction: it may fetch Google's keys.
    let verified = google.verify(id_token, now).await;
    if !matches!(verified, Err(GoogleTokenError::Invalid(_))) {
        attempt.succeeded(app).await?;
    }
    let account = verified.map_err(map_token_error)?;
    let refresh = sessions::new_refresh_token()?;
    let (hash, who) = (refresh.hash.clone(), account.clone());
    let session = app
        .store
        .write(move |c| {
            let Some((tenant, owner)) = find_or_link_owner(c, &who, now)? else { return Ok(None) };
            identity::owner_identity_record_login(c, ISSUER, &who.subject, now)?;
            crate::app::identity::owners::start_session(c, &tenant, &owner, &hash, now).map(Some)
        })
        .await?;
    match session {
        Some(session) => login_response(app, session, refresh.text, now),
        None => {
            Ok(OwnerGoogleLogin { google_profile: Some(profile(account)), ..OwnerGoogleLogin::new(true) })
        }
    }
}

/// Finds the owner of a Google account, or links it to the owner with its email.
fn find_or_link_owner(
    c: &mut Conn,
    account: &GoogleAccount,
    now: DateTime<Utc>,
) -> AppResult<Option<(TenantId, OwnerId)>> {
    if let Some(known) = identity::owner_identity_get(c, ISSUER, &account.subject)? {
        return Ok(Some((known.tenant_id, known.owner_id)));
    }
    let Some(owner) = identity::owner_by_email(c, &account.email)? else { return Ok(None) };
    let linked = identity::owner_identity_list(c, &owner.tenant_id, &owner.id)?;
    if linked.iter().any(|identity| identity.issuer == ISSUER) {
        // Google may have reassigned the address to another person.
        return Err(AppError::new(
            ErrorKind::Conflict,
            ErrorCode::ResourceConflict,
            "The owner with this email is linked to another Google account. Log in with that one or with the password.",
        ));
    }
    let (tenant, id) = (&owner.tenant_id, &owner.id);
    identity::owner_identity_insert(c, tenant, id, ISSUER, &account.subject, &account.email, now)?;
    Ok(Some((owner.tenant_id, owner.id)))
}

fn login_response(
    app: &App,
    session: StartedSession,
    refresh: String,
    now: DateTime<Utc>,
) -> AppResult<OwnerGoogleLogin> {
    let session = session.into_response(app, refresh, now)?;
    Ok(OwnerGoogleLogin {
        requires_registration: false,
        client: Some(session.client),
        admin: session.admin,
        subscription: Some(session.subscription),
        access_token: Some(session.access_token),
        refresh_token: Some(session.refresh_token),
        expires_in: Some(session.expires_in),
        session_token: session.session_token,
        dashboard_url: Some(session.dashboard_url),
        google_profile: None,
    })
}

fn profile(account: GoogleAccount) -> GoogleProfile {
    GoogleProfile {
        sub: Some(account.subject),
        email: Some(account.email),
        email_verified: Some(true),
        name: account.name,
        picture: account.picture,
        ..GoogleProfile::default()
    }
}

fn not_configured() -> AppError {
    AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::AuthGoogleNotConfigured,
        "Sign-in with Google is not configured. Log in with email and password, or set --google-client-id on the server.",
    )
}

fn map_token_error(error: GoogleTokenError) -> AppError {
    match error {
        GoogleTokenError::Invalid(reason) => AppError::new(
            ErrorKind::Unauthenticated,
            ErrorCode::AuthGoogleTokenInvalid,
            "The Google ID token is not valid. Start the sign-in with Google again.",
        )
        .detail(reason),
        GoogleTokenError::Unavailable(cause) => AppError {
            source: Some(Box::new(cause)),
            ..AppError::new(
                ErrorKind::Unavailable,
                ErrorCode::ServiceUnavailable,
                "Google's keys are unavailable. Retry in a few seconds, or log in with the password.",
            )
        },
    }
}
