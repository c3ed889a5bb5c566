//! Verifies ID tokens of Google.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::providers::jwks::{FetchError, JwksSource};

/// Issuer that is stored with an identity. Tokens contain it with or without the scheme.
pub const ISSUER: &str = "https://accounts.google.com";
const ISSUERS: [&str; 2] = [ISSUER, "accounts.google.com"];

/// Minimum time between two fetches of the key set.
const REFETCH_INTERVAL: Duration = Duration::seconds(30);

/// How long a key set is used without a new fetch.
const FRESH_FOR: Duration = Duration::hours(1);

/// How long it is used if fetching fails. Google publishes keys days before it signs with them.
const STALE_FOR: Duration = Duration::hours(24);

/// How far Google's clock may be ahead.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// The account of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleAccount {
    /// Account id; Google never reassigns it.
    pub subject: String,
    /// Email, verified by Google.
    pub email: String,
    /// Display name.
    pub name: Option<String>,
    /// URL of the picture.
    pub picture: Option<String>,
}

/// Why a token is rejected.
#[derive(Debug, thiserror::Error)]
pub enum GoogleTokenError {
    /// Not signed by Google, not for this server, or expired.
    #[error("{0}")]
    Invalid(&'static str),
    /// Google's keys are not available.
    #[error(transparent)]
    Unavailable(#[from] FetchError),
}

/// Claims of a token. Times must be numbers and the audience one string.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(rename = "aud")]
    _aud: String,
    exp: i64,
    iat: i64,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    name: Option<String>,
    picture: Option<String>,
}

/// Verifies Google's ID tokens.
pub struct Google {
    client_id: String,
    keys: KeyCache,
}

impl Google {
    /// Verifies tokens for `client_id` with the keys of `source`.
    pub fn new(client_id: impl Into<String>, source: Arc<dyn JwksSource>) -> Self {
        let keys = KeyCache { source, cached: RwLock::default(), fetching: Mutex::default() };
        Self { client_id: client_id.into(), keys }
    }

    /// The account of `token`, if it is valid at `now`.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<GoogleAccount, GoogleTokenError> {
        let invalid = GoogleTokenError::Invalid;
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| invalid("it is not a signed ID token"))?;
        if header.alg != Algorithm::RS256 {
            return Err(invalid("it is not signed with RS256"));
        }
        // Keys come only from Google's key set, never from the token.
        let has_own_key = header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some();
        if has_own_key || header.x5c.is_some() || header.crit.is_some() {
            return Err(invalid("its header contains or refers to keys"));
        }
        let kid = header.kid.ok_or(invalid("it has no key id"))?;
        let key = self.keys.get(&kid, now).await?.ok_or(invalid("its key id is not in Google's key set"))?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&ISSUERS);
        validation.set_audience(&[&self.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Checked below against the server's clock, which tests move.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|_| invalid("signature, issuer, audience or claims are invalid"))?
            .claims;
        if claims.exp <= now.timestamp() {
            return Err(invalid("it has expired"));
        }
        if claims.iat > (now + CLOCK_SKEW).timestamp() {
            return Err(invalid("it was issued in the future"));
        }
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err(invalid("it has no valid subject"));
        }
        let email = claims.email.filter(|email| claims.email_verified && is_plausible_email(email));
        let email = email.ok_or(invalid("Google has not verified the account's email"))?;
        Ok(GoogleAccount {
            subject: claims.sub,
            email,
            name: claims.name.filter(|name| !name.trim().is_empty()),
            picture: claims
                .picture
                .filter(|url| url.starts_with("https://") && !url.contains(char::is_whitespace)),
        })
    }
}

fn is_plausible_email(email: &str) -> bool {
    email.len() <= 254
        && !email.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        && email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// Google's keys, fetched when an unknown one is needed. They change every few days.
struct KeyCache {
    source: Arc<dyn JwksSource>,
    cached: RwLock<CachedKeys>,
    /// Serializes fetches. Callers whose key is cached do not wait.
    fetching: Mutex<LastFetch>,
}

#[derive(Default)]
struct CachedKeys {
    keys: HashMap<String, DecodingKey>,
    fetched_at: Option<DateTime<Utc>>,
}

/// The last fetch.
#[derive(Default)]
struct LastFetch {
    at: Option<DateTime<Utc>>,
    failed: bool,
}

impl KeyCache {
    /// The key `kid`, if Google has it.
    async fn get(&self, kid: &str, now: DateTime<Utc>) -> Result<Option<DecodingKey>, FetchError> {
        if let Some(key) = self.cached_key(kid, now, FRESH_FOR) {
            return Ok(Some(key));
        }
        let mut last_fetch = self.fetching.lock().await;
        // The previous holder of the lock may have fetched it.
        if let Some(key) = self.cached_key(kid, now, FRESH_FOR) {
            return Ok(Some(key));
        }
        let fetched = if last_fetch.at.is_some_and(|at| at <= now && now - at < REFETCH_INTERVAL) {
            if last_fetch.failed { Err(FetchError::RecentlyFailed) } else { Ok(()) }
        } else {
            // Set before the fetch, so that a cancelled caller does not reset the interval.
            *last_fetch = LastFetch { at: Some(now), failed: true };
            let fetched = self.refetch(now).await;
            last_fetch.failed = fetched.is_err();
            fetched
        };
        match (self.cached_key(kid, now, STALE_FOR), fetched) {
            (Some(key), _) => Ok(Some(key)),
            (None, fetched) => fetched.map(|()| None),
        }
    }

    /// The cached key, if the key set is not older than `max_age`.
    fn cached_key(&self, kid: &str, now: DateTime<Utc>, max_age: Duration) -> Option<DecodingKey> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = cached.fetched_at.is_some_and(|at| now - at < max_age);
        cached.keys.get(kid).filter(|_| fresh).cloned()
    }

    /// Replaces all keys, so that revoked ones disappear.
    async fn refetch(&self, now: DateTime<Utc>) -> Result<(), FetchError> {
        let keys = parse_key_set(&self.source.fetch().await?)?;
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) =
            CachedKeys { keys, fetched_at: Some(now) };
        Ok(())
    }
}

/// The RSA keys for RS256 in a key set. Other keys are ignored.
fn parse_key_set(document: &[u8]) -> Result<HashMap<String, DecodingKey>, FetchError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Key {
        kid: String,
        kty: String,
        n: String,
        e: String,
        alg: Option<String>,
        #[serde(rename = "use")]
        usage: Option<String>,
    }
    let set: Set = serde_json::from_slice(document)?;
    let keys = set.keys.into_iter().filter_map(|key| {
        let key: Key = serde_json::from_value(key).ok()?;
        let fits = key.kty == "RSA"
            && key.alg.is_none_or(|alg| alg == "RS256")
            && key.usage.is_none_or(|usage| usage == "sig");
        let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
        fits.then_some((key.kid, decoding))
    });
    Ok(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_rsa_signing_keys() {
        let keys = parse_key_set(
            br#"{"keys":[
                {"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256","use":"sig"},
                {"kid":"b","kty":"RSA","n":"AQAB","e":"AQAB"},
                {"kid":"c","kty":"RSA","n":"AQAB","e":"AQAB","use":"enc"},
                {"kid":"d","kty":"RSA","n":"AQAB","e":"AQAB","alg":"PS256"},
                {"kid":"e","kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"},
                {"kid":"f","kty":"oct","k":"AQAB"},
                {"kty":"RSA","n":"AQAB","e":"AQAB"},
                17
            ]}"#,
        )
        .expect("a key set");
        let mut kids: Vec<_> = keys.into_keys().collect();
        kids.sort();
        assert_eq!(kids, ["a", "b"]);
        assert!(parse_key_set(b"<html>").is_err() && parse_key_set(b"{}").is_err());
    }

    #[test]
    fn email_needs_a_name_and_a_host() {
        assert!(is_plausible_email("ada@example.com"));
        for text in ["", "ada", "@example.com", "ada@", "a da@example.com", "ada@example.com\n"] {
            assert!(!is_plausible_email(text), "{text:?}");
        }
    }
}
