//! Google's ID tokens: whether one was signed by Google, for this server, and is still good.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::providers::jwks::{FetchError, JwksSource};

/// Google as it is kept with an identity. Its tokens say it with and without the scheme.
pub const ISSUER: &str = "https://accounts.google.com";
const ISSUERS: [&str; 2] = [ISSUER, "accounts.google.com"];

/// How often the key set is asked for at most, whatever tokens name.
const REFETCH_INTERVAL: Duration = Duration::seconds(30);

/// How long a key set counts as fresh.
const FRESH_FOR: Duration = Duration::hours(1);

/// How long it is used where no fresh one can be had. Google announces keys days before it signs with them.
const STALE_FOR: Duration = Duration::hours(24);

/// How far Google's clock may be ahead of ours.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// Whom a good token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleAccount {
    /// The account: never given to anybody else.
    pub subject: String,
    /// Its email, which Google has verified.
    pub email: String,
    /// Display name.
    pub name: Option<String>,
    /// Where its picture is.
    pub picture: Option<String>,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum GoogleTokenError {
    /// It is none of Google's, not for this server, or over.
    #[error("{0}")]
    Invalid(&'static str),
    /// Google's keys cannot be had, so nobody can tell.
    #[error(transparent)]
    Unavailable(#[from] FetchError),
}

/// What is read of a token. Times are numbers and the audience is one text: nothing else is taken for them.
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

/// Judges Google's ID tokens.
pub struct Google {
    client_id: String,
    keys: KeyCache,
}

impl Google {
    /// Judges tokens that Google made for `client_id`, by the keys of `source`.
    pub fn new(client_id: impl Into<String>, source: Arc<dyn JwksSource>) -> Self {
        let keys = KeyCache { source, cached: RwLock::default(), fetching: Mutex::default() };
        Self { client_id: client_id.into(), keys }
    }

    /// Whom `token` is about, if it is good at `now`.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<GoogleAccount, GoogleTokenError> {
        let invalid = GoogleTokenError::Invalid;
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| invalid("it is no signed ID token of Google's"))?;
        if header.alg != Algorithm::RS256 {
            return Err(invalid("it is not signed with RS256"));
        }
        // Keys come from Google's key set only, and a token that brings its own is up to no good.
        let has_own_key = header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some();
        if has_own_key || header.x5c.is_some() || header.crit.is_some() {
            return Err(invalid("its header names keys or rules of its own"));
        }
        let kid = header.kid.ok_or(invalid("it does not name its key"))?;
        let key = self.keys.get(&kid, now).await?.ok_or(invalid("its key is none of Google's"))?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&ISSUERS);
        validation.set_audience(&[&self.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Against the server's own clock, below: tests move it.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|_| invalid("signature, issuer, audience or claims are not right"))?
            .claims;
        if claims.exp <= now.timestamp() {
            return Err(invalid("it has expired"));
        }
        if claims.iat > (now + CLOCK_SKEW).timestamp() {
            return Err(invalid("it was made in the future"));
        }
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err(invalid("it names no account"));
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

/// Google's keys, fetched when one is needed that is not there. They change every few days.
struct KeyCache {
    source: Arc<dyn JwksSource>,
    cached: RwLock<CachedKeys>,
    /// One at a time asks for the key set; those who have their key do not wait for it.
    fetching: Mutex<LastFetch>,
}

#[derive(Default)]
struct CachedKeys {
    keys: HashMap<String, DecodingKey>,
    fetched_at: Option<DateTime<Utc>>,
}

/// The last time the key set was asked for.
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
        // Whoever held the lock may have fetched it.
        if let Some(key) = self.cached_key(kid, now, FRESH_FOR) {
            return Ok(Some(key));
        }
        let fetched = if last_fetch.at.is_some_and(|at| at <= now && now - at < REFETCH_INTERVAL) {
            if last_fetch.failed { Err(FetchError::RecentlyFailed) } else { Ok(()) }
        } else {
            // Noted before the outcome is known: a caller that goes away in between must not lift the pause.
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

    /// The key as it was fetched no longer than `life` ago.
    fn cached_key(&self, kid: &str, now: DateTime<Utc>, max_age: Duration) -> Option<DecodingKey> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = cached.fetched_at.is_some_and(|at| now - at < max_age);
        cached.keys.get(kid).filter(|_| fresh).cloned()
    }

    /// Replaces the keys: those that Google took back are gone with that.
    async fn refetch(&self, now: DateTime<Utc>) -> Result<(), FetchError> {
        let keys = parse_key_set(&self.source.fetch().await?)?;
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) =
            CachedKeys { keys, fetched_at: Some(now) };
        Ok(())
    }
}

/// The RSA keys of a key set that sign with RS256. Others stand beside them in peace.
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
    fn only_rsa_keys_that_sign_are_taken_from_a_key_set() {
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
    fn an_email_has_a_name_and_a_host() {
        assert!(is_plausible_email("ada@example.com"));
        for text in ["", "ada", "@example.com", "ada@", "a da@example.com", "ada@example.com\n"] {
            assert!(!is_plausible_email(text), "{text:?}");
        }
    }
}
