//! Signs and verifies access tokens. A token is valid only while its session is active.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ringnity_store::identity::{self, NewSigningKey, SigningKey};
use ringnity_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::secrets;

/// Purpose of the signing keys in the store.
const PURPOSE: &str = "access-token";

/// Issuer of access tokens. Not a URL, so that sessions survive a move of the server.
const ISSUER: &str = "ringnity";

/// Lifetime of an access token.
pub const ACCESS_TOKEN_TTL: Duration = Duration::seconds(900);

/// Longest lifetime of any signed token.
pub const MAX_TOKEN_TTL: Duration = Duration::hours(1);

/// Lifetime of a refresh token.
pub const REFRESH_TOKEN_TTL: Duration = Duration::days(30);

/// How often a running server reloads the signing keys.
pub const KEY_REFRESH_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

/// Minimum time between reloads for unknown keys: anybody can send made-up tokens.
const MIN_RELOAD_INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

/// Scope of an access token: the part of the API that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// The owner of a tenant.
    Owner,
    /// A staff account in the workspace.
    Workspace,
    /// An administrator of the platform.
    Platform,
    /// A visitor of a tenant's site or app.
    Visitor,
    /// An agent in the customer's own pages.
    Agent,
    /// An administrator in the customer's own systems.
    Admin,
    /// Proves the identity of a visitor when a visitor session is created.
    VisitorContext,
}

impl TokenScope {
    /// The name in tokens and sessions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Workspace => "workspace",
            Self::Platform => "platform",
            Self::Visitor => "visitor",
            Self::Agent => "agent",
            Self::Admin => "admin",
            Self::VisitorContext => "visitor_context",
        }
    }
}

/// Claims of an access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer: always `ringnity`.
    pub iss: String,
    /// Subject: id of an owner, agent, administrator or visitor.
    pub sub: String,
    /// Tenant; absent for platform administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// Scope of the token.
    pub scope: TokenScope,
    /// Session of the token: the token is invalid when it ends.
    pub sid: String,
    /// Claims of SDK tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<SdkClaims>,
    /// Issue time, Unix time in seconds.
    pub iat: i64,
    /// Expiry, Unix time in seconds.
    pub exp: i64,
    /// Unique id of the token.
    pub jti: String,
}

/// Additional claims of SDK tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdkClaims {
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// Role. For agents, the current role is read with each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Department of the agent at creation. The current one is read with each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Name of the person in the customer's system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the person in the customer's system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// Input for an SDK token.
#[derive(Debug, Clone)]
pub struct SdkGrant<'a> {
    /// Scope of the token.
    pub scope: TokenScope,
    /// Id of the holder.
    pub subject: &'a str,
    /// Tenant.
    pub tenant: &'a str,
    /// Session of the token.
    pub session: &'a str,
    /// Expiry.
    pub expires_at: DateTime<Utc>,
    /// Additional claims.
    pub claims: SdkClaims,
}

/// Why a token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// Not signed by this server, or malformed.
    Invalid,
    /// Expired.
    Expired,
}

/// Error while loading keys or signing.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random numbers are available.
    #[error(transparent)]
    Random(#[from] secrets::RandomSourceError),
    /// The token cannot be signed.
    #[error("cannot sign a token: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Signs and verifies access tokens. The keys are in the database, so tokens are valid after a restart and on every
/// node. [`Signer::spawn_refresh`] and [`Signer::refresh_keys_for`] keep the copy in memory up to date.
pub struct Signer {
    keys: RwLock<Keys>,
    /// Time of the last reload for an unknown key, and whether it succeeded.
    last_reload: Mutex<Option<(Instant, bool)>>,
}

/// The keys at the last reload.
struct Keys {
    kid: String,
    encoding: EncodingKey,
    decoding: Vec<(String, DecodingKey)>,
}

impl Keys {
    fn new(current: &SigningKey, all: &[SigningKey]) -> Self {
        let secret = |key: &SigningKey| DecodingKey::from_secret(key.private_key.as_bytes());
        Self {
            kid: current.kid.to_string(),
            encoding: EncodingKey::from_secret(current.private_key.as_bytes()),
            decoding: all.iter().map(|key| (key.kid.to_string(), secret(key))).collect(),
        }
    }
}

/// Replaces the active key. Tokens of the old key stay valid until they expire. Running servers sign with the new key
/// within [`KEY_REFRESH_INTERVAL`] and accept its tokens immediately.
pub async fn rotate_signing_key(store: &Store, now: DateTime<Utc>) -> Result<SigningKey, SignError> {
    let new = new_key()?;
    Ok(store.write(move |c| identity::signing_key_rotate(c, PURPOSE, &new, now)).await?)
}

/// Returns the signing keys, newest first.
pub async fn signing_keys(store: &Store) -> Result<Vec<SigningKey>, StoreError> {
    store.read(|c| identity::signing_key_list(c, PURPOSE)).await
}

fn new_key() -> Result<NewSigningKey, secrets::RandomSourceError> {
    Ok(NewSigningKey { algorithm: "HS256".into(), private_key: secrets::random_hex()?, public_key: None })
}

/// A background task that is stopped when this is dropped.
pub struct KeyRefreshTask(tokio::task::JoinHandle<()>);

impl Drop for KeyRefreshTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Signer {
    /// Loads the signing keys, or creates the first one.
    pub async fn load(store: &Store, now: DateTime<Utc>) -> Result<Self, SignError> {
        let known = signing_keys(store).await?;
        let (current, all) = match known.iter().find(|key| key.retired_at.is_none()).cloned() {
            Some(current) => (current, known),
            None => {
                let new = new_key()?;
                store
                    .write(move |c| {
                        let current = identity::signing_key_ensure(c, PURPOSE, &new, now)?;
                        Ok::<_, StoreError>((current, identity::signing_key_list(c, PURPOSE)?))
                    })
                    .await?
            }
        };
        Ok(Self { keys: RwLock::new(Keys::new(&current, &all)), last_reload: Mutex::default() })
    }

    /// Reloads the keys periodically until the result is dropped.
    pub fn spawn_refresh(self: &Arc<Self>, store: &Store) -> KeyRefreshTask {
        let (signer, store) = (Arc::clone(self), store.clone());
        KeyRefreshTask(tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEY_REFRESH_INTERVAL).await;
                if let Err(error) = signer.reload(&store).await {
                    tracing::debug!("cannot reload the signing keys: {error}");
                }
            }
        }))
    }

    /// Reloads the keys if the key of `token` is unknown: another node may have created it. Concurrent calls wait for
    /// the same reload. If it fails, the validity of the token is unknown, so all of them return the error.
    pub async fn refresh_keys_for(&self, store: &Store, token: &str) -> Result<(), StoreError> {
        let Some(kid) = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid) else {
            return Ok(());
        };
        if self.has_key(&kid) {
            return Ok(());
        }
        let arrived = Instant::now();
        let mut last_reload = self.last_reload.lock().await;
        if self.has_key(&kid) {
            return Ok(());
        }
        match *last_reload {
            Some((at, true)) if at > arrived => return Ok(()),
            Some((at, false)) if at > arrived => {
                return Err(StoreError::Unavailable("the signing keys could not be loaded".into()));
            }
            Some((at, _)) => tokio::time::sleep_until((at + MIN_RELOAD_INTERVAL).into()).await,
            None => {}
        }
        let started = Instant::now();
        let done = self.reload(store).await;
        *last_reload = Some((started, done.is_ok()));
        done
    }

    fn has_key(&self, kid: &str) -> bool {
        self.keys().decoding.iter().any(|(known, _)| known == kid)
    }

    async fn reload(&self, store: &Store) -> Result<(), StoreError> {
        let all = signing_keys(store).await?;
        // Without an active key in the store, keep the current ones.
        if let Some(current) = all.iter().find(|key| key.retired_at.is_none()) {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Keys::new(current, &all);
        }
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs a token for `subject` in the session `session`.
    pub fn sign(
        &self,
        scope: TokenScope,
        subject: &str,
        tenant: Option<&str>,
        session: &str,
        now: DateTime<Utc>,
    ) -> Result<String, SignError> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject.to_owned(),
            tid: tenant.map(str::to_owned),
            scope,
            sid: session.to_owned(),
            sdk: None,
            iat: now.timestamp(),
            exp: (now + ACCESS_TOKEN_TTL).timestamp(),
            jti: uuid::Uuid::now_v7().simple().to_string(),
        };
        self.encode(&claims)
    }

    /// Signs an SDK token.
    pub fn sign_sdk(&self, grant: SdkGrant<'_>, now: DateTime<Utc>) -> Result<String, SignError> {
        self.encode(&Claims {
            iss: ISSUER.to_owned(),
            sub: grant.subject.to_owned(),
            tid: Some(grant.tenant.to_owned()),
            scope: grant.scope,
            sid: grant.session.to_owned(),
            sdk: Some(grant.claims),
            iat: now.timestamp(),
            exp: grant.expires_at.timestamp(),
            jti: uuid::Uuid::now_v7().simple().to_string(),
        })
    }

    fn encode(&self, claims: &Claims) -> Result<String, SignError> {
        let keys = self.keys();
        let header = Header { kid: Some(keys.kid.clone()), ..Header::new(Algorithm::HS256) };
        Ok(jsonwebtoken::encode(&header, claims, &keys.encoding)?)
    }

    /// Verifies signature, issuer and expiry of `token` at `now`.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let keys = self.keys();
        let (_, key) = keys.decoding.iter().find(|(known, _)| *known == kid).ok_or(TokenError::Invalid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Checked below against the server's clock, which tests move.
        validation.validate_exp = false;
        let claims =
            jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|_| TokenError::Invalid)?.claims;
        if claims.exp <= now.timestamp() { Err(TokenError::Expired) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(kid: &str, secret: &str) -> Signer {
        let keys = Keys {
            kid: kid.into(),
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: vec![(kid.into(), DecodingKey::from_secret(secret.as_bytes()))],
        };
        Signer { keys: RwLock::new(keys), last_reload: Mutex::default() }
    }

    #[test]
    fn accepts_only_own_unexpired_tokens() {
        let now = Utc::now();
        let ours = signer("k1", "one");
        let token = ours.sign(TokenScope::Owner, "own_1", Some("ten_1"), "ses_1", now).expect("signs");
        let claims = ours.verify(&token, now).expect("reads");
        assert_eq!(
            (claims.scope, claims.tid.as_deref(), claims.sid.as_str()),
            (TokenScope::Owner, Some("ten_1"), "ses_1")
        );
        assert_eq!(ours.verify(&token, now + ACCESS_TOKEN_TTL).map(drop), Err(TokenError::Expired));
        for other in [signer("k1", "two"), signer("k2", "one")] {
            assert_eq!(other.verify(&token, now).map(drop), Err(TokenError::Invalid));
        }
        for bad in ["", "x", "a.b.c", &token[..token.len() - 2]] {
            assert_eq!(ours.verify(bad, now).map(drop), Err(TokenError::Invalid));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn accepts_tokens_of_a_new_key_immediately() {
        for engine in ringnity_store::testing::engines() {
            let database = ringnity_store::testing::TestDatabase::new(engine);
            let (store, now) = (Store::open(database.config()).await.expect("opens"), Utc::now());
            let here = Arc::new(Signer::load(&store, now).await.expect("its keys"));
            let made_up =
                signer("k1", "one").sign(TokenScope::Owner, "own_1", None, "ses_1", now).expect("signs");
            for _ in 0..3 {
                // A reload for another unknown key just before.
                here.refresh_keys_for(&store, &made_up).await.expect("looks");
                rotate_signing_key(&store, now).await.expect("another key");
                let elsewhere = Signer::load(&store, now).await.expect("its keys");
                let token = elsewhere.sign(TokenScope::Owner, "own_1", None, "ses_1", now).expect("signs");
                assert!(here.verify(&token, now).is_err(), "it cannot know that key yet");
                let mut asked = tokio::task::JoinSet::new();
                for _ in 0..16 {
                    let (here, store, token) = (here.clone(), store.clone(), token.clone());
                    asked.spawn(async move {
                        here.refresh_keys_for(&store, &token).await.expect("looks");
                        here.verify(&token, now).is_ok()
                    });
                }
                assert_eq!(asked.join_all().await, [true; 16]);
            }
            let since = Instant::now();
            for _ in 0..5 {
                here.refresh_keys_for(&store, &made_up).await.expect("looks");
            }
            assert!(since.elapsed() >= MIN_RELOAD_INTERVAL * 4, "it looked for each: {:?}", since.elapsed());
            store.close().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn failed_reload_is_an_error_for_all_callers() {
        for engine in ringnity_store::testing::engines() {
            let database = ringnity_store::testing::TestDatabase::new(engine);
            let (store, now) = (Store::open(database.config()).await.expect("opens"), Utc::now());
            let here = Arc::new(Signer::load(&store, now).await.expect("its keys"));
            let token =
                signer("k1", "one").sign(TokenScope::Owner, "own_1", None, "ses_1", now).expect("signs");
            store.close().await;
            let mut asked = tokio::task::JoinSet::new();
            for _ in 0..16 {
                let (here, store, token) = (here.clone(), store.clone(), token.clone());
                asked.spawn(async move { here.refresh_keys_for(&store, &token).await.is_err() });
            }
            assert_eq!(asked.join_all().await, [true; 16]);
        }
    }

    #[test]
    fn rejects_unsigned_tokens() {
        // {"alg":"none","kid":"k1"} and claims that would do.
        let token = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJpc3MiOiJyaW5nbml0eSIsInN1YiI6Im93bl8xIiwic2NvcGUiOiJvd25lciIsInNpZCI6InMiLCJpYXQiOjEsImV4cCI6OTk5OTk5OTk5OSwianRpIjoiaiJ9.";
        assert_eq!(signer("k1", "one").verify(token, Utc::now()).map(drop), Err(TokenError::Invalid));
    }
}
