//! Sessions of owners, staff and platform administrators: issue, refresh and revoke token pairs. The caller checks the
//! account.

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, NewSession, Rotation, SessionFamily};
use ringnity_store::{Conn, SessionFamilyId, StoreError, TenantId};
use ringnity_types::{ErrorCode, Logout};

use crate::app::{App, AppError, AppResult, ErrorKind};
use crate::secrets::tokens::{ACCESS_TOKEN_TTL, REFRESH_TOKEN_TTL, TokenScope};
use crate::secrets::{self, NewSecret};

/// Prefix of refresh tokens, by which a leaked one is recognized.
const REFRESH_PREFIX: &str = "rn_rt_";

/// Access token and refresh token of a session.
pub struct TokenPair {
    /// Authenticates requests.
    pub access_token: String,
    /// Gets the next pair; valid once.
    pub refresh_token: String,
    /// Lifetime of the access token in seconds.
    pub expires_in: i64,
}

/// Generates a refresh token.
pub fn new_refresh_token() -> AppResult<NewSecret> {
    secrets::generate(REFRESH_PREFIX).map_err(AppError::internal)
}

/// Starts a session whose first refresh token has that hash.
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

/// The tokens of a session, after it was committed.
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

/// Exchanges a refresh token of that scope for the next token pair. `authorize` checks the account in the same
/// transaction and returns what the response needs; if it fails, the token stays valid. Reuse of a token ends its
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
            // A token of another scope is unknown here and stays valid.
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
                // Committed and rejected below: an error here would roll back the end of the session.
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
            tracing::warn!(%session, "a refresh token was used twice; its session was ended");
            Err(refresh_token_invalid())
        }
        RefreshOutcome::Rejected => Err(refresh_token_invalid()),
    }
}

/// Ends the sessions of refresh tokens, including used ones. An unknown token is not an error.
pub async fn end(app: &App, scope: TokenScope, presented: Vec<String>) -> AppResult<Logout> {
    let now = app.now();
    let hashes: Vec<String> = presented.iter().map(|token| secrets::hash(token)).collect();
    let mut ended = false;
    if !hashes.is_empty() {
        let end = move |c: &mut Conn| {
            let mut ended = false;
            for hash in &hashes {
                // Expired sessions count as absent, whether or not their rows are deleted.
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

/// The error for a request without a refresh token.
pub fn refresh_token_missing() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthRefreshTokenMissing,
        "The refresh token is missing. Send it in the body or as the cookie, or log in again.",
    )
}

fn refresh_token_invalid() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthRefreshTokenInvalid,
        "The refresh token is invalid or expired. Log in again.",
    )
}

/// The error for a failed login, the same for an unknown account and a wrong password.
pub fn wrong_credentials(name: &str) -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthCredentialsInvalid,
        format!("{name} or password is wrong. Check both, or have the password reset."),
    )
}

/// The error for a disabled account. `who` can enable it.
pub fn account_disabled(who: &str) -> AppError {
    AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::AuthAccountDisabled,
        format!("The account is disabled. Ask {who} to enable it."),
    )
}
