//! Sessions of the three dashboards: a pair of tokens, traded for the next pair, ended. Whose session it may be,
//! and whether they still may, is asked of the area that calls.

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, NewSession, Rotation, SessionFamily};
use ringnity_store::{Conn, SessionFamilyId, StoreError, TenantId};
use ringnity_types::{ErrorCode, Logout};

use crate::app::{App, AppError, AppResult, ErrorKind};
use crate::secrets::tokens::{ACCESS_TOKEN_TTL, REFRESH_TOKEN_TTL, TokenScope};
use crate::secrets::{self, NewSecret};

/// Prefix of refresh tokens, so that a leaked one is recognised.
const REFRESH_PREFIX: &str = "rn_rt_";

/// What a dashboard holds: one token to work with, one to get the next pair.
pub struct TokenPair {
    /// Opens operations.
    pub access_token: String,
    /// Gets the next pair, once.
    pub refresh_token: String,
    /// Life of the access token in seconds.
    pub expires_in: i64,
}

/// A refresh token that is about to be stored.
pub fn new_refresh_token() -> AppResult<NewSecret> {
    secrets::generate(REFRESH_PREFIX).map_err(AppError::internal)
}

/// Begins a session whose first refresh token has that hash.
pub fn start(
    c: &mut Conn,
    scope: TokenScope,
    tenant: Option<&TenantId>,
    subject: &str,
    refresh_hash: &str,
    now: DateTime<Utc>,
) -> AppResult<SessionFamily> {
    let new = NewSession {
        subject_kind: scope.as_str(),
        subject_id: subject,
        credential_id: None,
        refresh_hash: Some(refresh_hash),
        expires_at: now + REFRESH_TOKEN_TTL,
    };
    Ok(identity::session_insert(c, tenant, &new, now)?)
}

/// The tokens of a session, once its write is durable.
pub fn token_pair(
    app: &App,
    scope: TokenScope,
    session: &SessionFamily,
    refresh_token: String,
    now: DateTime<Utc>,
) -> AppResult<TokenPair> {
    let tenant = session.tenant_id.as_ref().map(TenantId::as_str);
    let access_token = app
        .auth
        .signer
        .sign(scope, &session.subject_id, tenant, session.id.as_str(), now)
        .map_err(AppError::internal)?;
    Ok(TokenPair { access_token, refresh_token, expires_in: ACCESS_TOKEN_TTL.num_seconds() })
}

enum RefreshOutcome<T> {
    Rotated(SessionFamily, T),
    Reused(SessionFamilyId),
    Rejected,
}

/// Trades a refresh token of that scope for the next pair. `authorize` says whether whoever signed in still may, and
/// what to tell of them; when it refuses, the token is not used up. A token that was used before ends its
/// session.
pub async fn refresh<T, F>(
    app: &App,
    scope: TokenScope,
    presented: &str,
    authorize: F,
) -> AppResult<(TokenPair, T)>
where
    T: Send + 'static,
    F: Fn(&mut Conn, &SessionFamily) -> AppResult<T> + Send + 'static,
{
    let next = new_refresh_token()?;
    let (hash, next_hash) = (secrets::hash(presented), next.hash.clone());
    let now = app.now();
    let outcome = app
        .store
        .write(move |c| {
            // A token of another dashboard is not known here, and is not used up by trying.
            let ours = identity::session_by_token(c, &hash)?
                .is_some_and(|session| session.subject_kind == scope.as_str());
            if !ours {
                return Ok(RefreshOutcome::Rejected);
            }
            match identity::session_rotate(c, &hash, &next_hash, now + REFRESH_TOKEN_TTL, now)? {
                Rotation::Rotated(session) => {
                    let subject = authorize(c, &session)?;
                    Ok(RefreshOutcome::Rotated(session, subject))
                }
                // Both are committed, and refused below: an error here would take the ending back.
                Rotation::Reused(session) => Ok(RefreshOutcome::Reused(session.id)),
                Rotation::Ended(_) | Rotation::Unknown => Ok::<_, AppError>(RefreshOutcome::Rejected),
            }
        })
        .await?;
    match outcome {
        RefreshOutcome::Rotated(session, subject) => {
            Ok((token_pair(app, scope, &session, next.text, now)?, subject))
        }
        RefreshOutcome::Reused(session) => {
            tracing::warn!(%session, "a refresh token came twice, so its session was ended");
            Err(refresh_token_invalid())
        }
        RefreshOutcome::Rejected => Err(refresh_token_invalid()),
    }
}

/// Ends the session of a refresh token, also of one that was used. Nothing to end is no failure.
pub async fn end(app: &App, scope: TokenScope, presented: Vec<String>) -> AppResult<Logout> {
    let now = app.now();
    let hashes: Vec<String> = presented.iter().map(|token| secrets::hash(token)).collect();
    let mut ended = false;
    if !hashes.is_empty() {
        let end = move |c: &mut Conn| {
            let mut ended = false;
            for hash in &hashes {
                // One that is over may be forgotten already: it counts as that before it is, too.
                let session = identity::session_by_token(c, hash)?
                    .filter(|session| session.subject_kind == scope.as_str() && session.expires_at > now);
                if let Some(session) = session {
                    ended |= identity::session_revoke(c, &session.id, "signed out", now)?;
                }
            }
            Ok::<_, StoreError>(ended)
        };
        ended = app.store.write(end).await?;
    }
    Ok(Logout { logged_out: Some(ended), ..Logout::default() })
}

/// Refuses a request that brings no refresh token.
pub fn refresh_token_missing() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthRefreshTokenMissing,
        "No refresh token was sent. Send it in the body, or let the browser send its cookie; or sign in again.",
    )
}

fn refresh_token_invalid() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthRefreshTokenInvalid,
        "This refresh token is not good, or not any more. Sign in again.",
    )
}

/// Refuses a sign-in: the same words for an account that is not there as for a wrong password.
pub fn wrong_credentials(name: &str) -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthCredentialsInvalid,
        format!("{name} or password is not right. Check both, or have the password reset."),
    )
}

/// Refuses an account that is switched off.
pub fn account_disabled(who: &str) -> AppError {
    AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::AuthAccountDisabled,
        format!("This account is switched off. Ask {who} to switch it on."),
    )
}
