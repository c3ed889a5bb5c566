//! Access tokens: signed here, read here, and good only while the session behind them lives.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ringnity_store::identity::{self, NewSigningKey, SigningKey};
use ringnity_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::secrets;

/// What signing keys of access tokens are kept under.
const PURPOSE: &str = "access-token";

/// Who signs access tokens. No address: a server that moves to another one keeps its sessions.
const ISSUER: &str = "ringnity";

/// Life of an access token.
pub const ACCESS_TOKEN_TTL: Duration = Duration::seconds(900);

/// No token that a signing key signs lives longer, whoever asks for it.
pub const MAX_TOKEN_TTL: Duration = Duration::hours(1);

/// Life of a refresh token.
pub const REFRESH_TOKEN_TTL: Duration = Duration::days(30);

/// How soon a running server signs with a key that another process made.
pub const KEY_REFRESH_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

/// How long a server that met an unknown key does not look again: anybody can make up tokens.
const MIN_RELOAD_INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

/// Which surface an access token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// The owner of a tenant.
    Owner,
    /// A member of a tenant's staff, at the dashboard.
    Workspace,
    /// An administrator of the platform.
    Platform,
    /// A visitor of a tenant's site or app.
    Visitor,
    /// A person who answers conversations, through the customer's own pages.
    Agent,
    /// A tenant's administration, through the customer's own systems.
    Admin,
    /// No surface: it says who a visitor is, to whoever makes the visitor's session.
    VisitorContext,
}

impl TokenScope {
    /// The word in tokens and sessions.
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

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it: always `ringnity`.
    pub iss: String,
    /// Whom it is for: an owner, agent or administrator.
    pub sub: String,
    /// Their tenant; absent for the platform's own people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// Which surface it opens.
    pub scope: TokenScope,
    /// The session it belongs to: when that ends, so does the token.
    pub sid: String,
    /// What only tokens of the SDKs say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<SdkClaims>,
    /// When it was made, in seconds.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
    /// Makes each token another.
    pub jti: String,
}

/// What a token of the SDKs says beside who holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdkClaims {
    /// What it opens.
    pub scopes: Vec<String>,
    /// The role in which it acts. An agent's is read anew at each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The agent's department when the token was made. Read anew at each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// What the customer's backend calls the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who the person is to the customer's backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// What a token of the SDKs is made for.
#[derive(Debug, Clone)]
pub struct SdkGrant<'a> {
    /// Which surface it opens.
    pub scope: TokenScope,
    /// Who holds it.
    pub subject: &'a str,
    /// Whose visitor, agent or administrator.
    pub tenant: &'a str,
    /// The session that it belongs to.
    pub session: &'a str,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// What else it says.
    pub claims: SdkClaims,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is none of ours, or was tampered with.
    Invalid,
    /// Its time is over.
    Expired,
}

/// Failure to get a key or to sign.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The database with the keys cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random numbers.
    #[error(transparent)]
    Random(#[from] secrets::RandomSourceError),
    /// The token cannot be written.
    #[error("cannot sign a token: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Signs and reads access tokens. The keys are in the database, so tokens survive a restart and hold on every node;
/// what is held here is a copy, which [`Signer::spawn_refresh`] and [`Signer::refresh_keys_for`] keep fresh.
pub struct Signer {
    keys: RwLock<Keys>,
    /// When a token with a key that is not known here last made it look, and whether it could.
    last_reload: Mutex<Option<(Instant, bool)>>,
}

/// The keys as they were when the store was last asked.
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

/// Puts a new key in place of the one that signs. Tokens that the old one signed are good until they end; running
/// servers sign with the new one within [`KEY_REFRESH_INTERVAL`], and know its tokens at once.
pub async fn rotate_signing_key(store: &Store, now: DateTime<Utc>) -> Result<SigningKey, SignError> {
    let new = new_key()?;
    Ok(store.write(move |c| identity::signing_key_rotate(c, PURPOSE, &new, now)).await?)
}

/// The keys of access tokens that are still kept, newest first.
pub async fn signing_keys(store: &Store) -> Result<Vec<SigningKey>, StoreError> {
    store.read(|c| identity::signing_key_list(c, PURPOSE)).await
}

fn new_key() -> Result<NewSigningKey, secrets::RandomSourceError> {
    Ok(NewSigningKey { algorithm: "HS256".into(), private_key: secrets::random_hex()?, public_key: None })
}

/// Ends what it stands for when it is dropped.
pub struct KeyRefreshTask(tokio::task::JoinHandle<()>);

impl Drop for KeyRefreshTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Signer {
    /// Takes the signing keys from the store, or makes the first one.
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

    /// Takes up what has changed about the keys, from time to time, as long as the answer is kept.
    pub fn spawn_refresh(self: &Arc<Self>, store: &Store) -> KeyRefreshTask {
        let (signer, store) = (Arc::clone(self), store.clone());
        KeyRefreshTask(tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEY_REFRESH_INTERVAL).await;
                if let Err(error) = signer.reload(&store).await {
                    tracing::debug!("the signing keys cannot be read now: {error}");
                }
            }
        }))
    }

    /// Looks for the key of `token` if it is not known here: another node may have got a new one. Whoever comes when
    /// it was just looked waits for the next look, which answers all who wait. Where it could not look, nobody knows
    /// whether the token is good, and that is an error for all of them.
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
                return Err(StoreError::Unavailable("the signing keys could not be read just now".into()));
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
        // None signs only between two keys, which nobody sees, or when somebody deleted it: then the old one goes on.
        if let Some(current) = all.iter().find(|key| key.retired_at.is_none()) {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Keys::new(current, &all);
        }
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token for `subject` in the session `session`.
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

    /// A token of the SDKs.
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

    /// What `token` says, if it is ours and `now` is within its time.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let keys = self.keys();
        let (_, key) = keys.decoding.iter().find(|(known, _)| *known == kid).ok_or(TokenError::Invalid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Against the server's own clock, below: tests move it.
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
    fn only_our_tokens_within_their_time_are_read() {
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
    async fn tokens_of_a_key_that_another_node_made_are_known_at_once() {
        for engine in ringnity_store::testing::engines() {
            let database = ringnity_store::testing::TestDatabase::new(engine);
            let (store, now) = (Store::open(database.config()).await.expect("opens"), Utc::now());
            let here = Arc::new(Signer::load(&store, now).await.expect("its keys"));
            let made_up =
                signer("k1", "one").sign(TokenScope::Owner, "own_1", None, "ses_1", now).expect("signs");
            for _ in 0..3 {
                // Somebody's who had it look just before.
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
    async fn a_token_whose_key_cannot_be_looked_for_is_no_bad_one_to_anybody_who_waits() {
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
    fn a_token_without_signature_is_refused() {
        // {"alg":"none","kid":"k1"} and claims that would do.
        let token = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJpc3MiOiJyaW5nbml0eSIsInN1YiI6Im93bl8xIiwic2NvcGUiOiJvd25lciIsInNpZCI6InMiLCJpYXQiOjEsImV4cCI6OTk5OTk5OTk5OSwianRpIjoiaiJ9.";
        assert_eq!(signer("k1", "one").verify(token, Utc::now()).map(drop), Err(TokenError::Invalid));
    }
}
