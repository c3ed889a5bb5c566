//! Passwords: argon2id hashes, made and checked off the async threads.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Failure to hash: the system's randomness or memory is gone.
#[derive(Debug, thiserror::Error)]
#[error("cannot hash a password: {0}")]
pub struct HashFailed(String);

/// A hash that no password matches: checking against it takes as long as checking against a real one, so
/// that the time of an answer does not tell whether an account exists.
/// Written down rather than made, or the first unknown account would take twice as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$SE5dVQ7lyLIEMWf0OvJTbQ$Nh2CyXwY0KzYw3Yb8Gm1cS0aV9uJrQ2tEoLxPdZk4fI";

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
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
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
        assert!(!verify("correct horse".into(), None).await);
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let somebody = hash_now("correct horse").expect("hashes");
        assert_eq!(cost(NOBODY), cost(&somebody));
        assert!(PasswordHash::new(NOBODY).is_ok_and(|hash| {
            hash.hash.is_some_and(|output| {
                Some(output.len())
                    == PasswordHash::new(&somebody)
                        .ok()
                        .and_then(|known| known.hash)
                        .map(|output| output.len())
            })
        }));
    }
}
