//! Access tokens: signed here, read here, and good only while the session behind them lives.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ringnity_store::signing_keys::{self, NewSigningKey};
use ringnity_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use super::secrets;

/// What signing keys of access tokens are kept under.
const PURPOSE: &str = "access-token";

/// Who signs access tokens. No address: a server that moves to another one keeps its sessions.
const ISSUER: &str = "ringnity";

/// Life of an access token.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::seconds(900);

/// No token that a signing key signs lives longer, whoever asks for it.
pub const LONGEST_TOKEN_LIFE: Duration = Duration::hours(1);

/// Life of a refresh token.
pub const REFRESH_TOKEN_LIFE: Duration = Duration::days(30);

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
pub enum TokenProblem {
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
    Random(#[from] secrets::NoRandomness),
    /// The token cannot be written.
    #[error("cannot sign a token: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Signs and reads access tokens. The key is in the database, so tokens survive a restart and hold on every
/// node.
pub struct Signer {
    kid: String,
    encoding: EncodingKey,
    decoding: Vec<(String, DecodingKey)>,
}

impl Signer {
    /// Takes the signing key from the store, or makes the first one.
    pub async fn load(store: &Store, now: DateTime<Utc>) -> Result<Self, SignError> {
        let new = NewSigningKey {
            algorithm: "HS256".into(),
            private_key: secrets::random_hex()?,
            public_key: None,
        };
        let (current, all) = store
            .write(move |c| {
                let current = signing_keys::signing_key_ensure(c, PURPOSE, &new, now)?;
                Ok::<_, StoreError>((current, signing_keys::signing_key_list(c, PURPOSE)?))
            })
            .await?;
        Ok(Self {
            kid: current.kid.to_string(),
            encoding: EncodingKey::from_secret(current.private_key.as_bytes()),
            decoding: all
                .into_iter()
                .map(|key| (key.kid.into_string(), DecodingKey::from_secret(key.private_key.as_bytes())))
                .collect(),
        })
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
            exp: (now + ACCESS_TOKEN_LIFE).timestamp(),
            jti: uuid::Uuid::now_v7().simple().to_string(),
        };
        self.write(&claims)
    }

    /// A token of the SDKs.
    pub fn sign_sdk(&self, grant: SdkGrant<'_>, now: DateTime<Utc>) -> Result<String, SignError> {
        self.write(&Claims {
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

    fn write(&self, claims: &Claims) -> Result<String, SignError> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::HS256) };
        Ok(jsonwebtoken::encode(&header, claims, &self.encoding)?)
    }

    /// What `token` says, if it is ours and `now` is within its time.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenProblem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenProblem::Invalid)?;
        let kid = header.kid.ok_or(TokenProblem::Invalid)?;
        let (_, key) = self.decoding.iter().find(|(known, _)| *known == kid).ok_or(TokenProblem::Invalid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Against the server's own clock, below: tests move it.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation)
            .map_err(|_| TokenProblem::Invalid)?
            .claims;
        if claims.exp <= now.timestamp() { Err(TokenProblem::Expired) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(kid: &str, secret: &str) -> Signer {
        Signer {
            kid: kid.into(),
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: vec![(kid.into(), DecodingKey::from_secret(secret.as_bytes()))],
        }
    }

    #[test]
    fn only_our_tokens_within_their_time_are_read() {
        let now = Utc::now();
        let ours = signer("k1", "one");
        let token = ours.sign(TokenScope::Owner, "own_1", Some("ten_1"), "ses_1", now).expect("signs");
        let claims = ours.read(&token, now).expect("reads");
        assert_eq!(
            (claims.scope, claims.tid.as_deref(), claims.sid.as_str()),
            (TokenScope::Owner, Some("ten_1"), "ses_1")
        );
        assert_eq!(ours.read(&token, now + ACCESS_TOKEN_LIFE).map(drop), Err(TokenProblem::Expired));
        for other in [signer("k1", "two"), signer("k2", "one")] {
            assert_eq!(other.read(&token, now).map(drop), Err(TokenProblem::Invalid));
        }
        for bad in ["", "x", "a.b.c", &token[..token.len() - 2]] {
            assert_eq!(ours.read(bad, now).map(drop), Err(TokenProblem::Invalid));
        }
    }

    #[test]
    fn a_token_without_signature_is_refused() {
        // {"alg":"none","kid":"k1"} and claims that would do.
        let token = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJpc3MiOiJyaW5nbml0eSIsInN1YiI6Im93bl8xIiwic2NvcGUiOiJvd25lciIsInNpZCI6InMiLCJpYXQiOjEsImV4cCI6OTk5OTk5OTk5OSwianRpIjoiaiJ9.";
        assert_eq!(signer("k1", "one").read(token, Utc::now()).map(drop), Err(TokenProblem::Invalid));
    }
}
