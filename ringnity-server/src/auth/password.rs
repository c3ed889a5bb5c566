//! Passwords: argon2id hashes, made and checked off the async threads.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Failure to hash: the system's randomness or memory is gone.
#[derive(Debug, thiserror::Error)]
#[error("cannot hash a password: {0}")]
pub struct HashFailed(String);

/// A hash that no password matches: checking against it takes as long as checking against a real one, so
/// that the time of an answer does not tell whether an account exists.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash_now("a password that nobody has").unwrap_or_default());

/// The argon2id hash of `password` in PHC form.
pub async fn hash(password: String) -> Result<String, HashFailed> {
    tokio::task::spawn_blocking(move || hash_now(&password))
        .await
        .map_err(|error| HashFailed(error.to_string()))?
}

/// Whether `password` is the one behind `hash`; with no hash, takes as long and is false.
pub async fn verify(password: String, hash: Option<String>) -> bool {
    tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches = PasswordHash::new(&hash)
            .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok());
        matches && known
    })
    .await
    .unwrap_or(false)
}

fn hash_now(password: &str) -> Result<String, HashFailed> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| HashFailed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_matches_its_hash() {
        let hashed = hash("correct horse".into()).await.expect("hashes");
        assert!(hashed.starts_with("$argon2id$"), "{hashed}");
        assert!(verify("correct horse".into(), Some(hashed.clone())).await);
        assert!(!verify("battery staple".into(), Some(hashed)).await);
        assert!(!verify("a password that nobody has".into(), None).await);
    }
}
