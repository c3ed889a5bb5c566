//! What makes and proves credentials: random secrets and their hashes here, passwords and signed tokens beside. Whom a
//! credential stands for is found in `auth`, what may be done with it is decided in `app`; both build on this room,
//! and it knows neither.

pub mod password;
pub mod tokens;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// A secret that was just made: the text to show once, and what may be stored.
pub struct NewSecret {
    /// The text its holder keeps. Never stored, never logged.
    pub text: String,
    /// Hex SHA-256 of the text.
    pub hash: String,
    /// Enough of the text to recognise it by.
    pub preview: String,
}

/// Failure of the system's random source.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct RandomSourceError(#[from] getrandom::Error);

/// 256 random bits in lower-case hexadecimal.
pub fn random_hex() -> Result<String, RandomSourceError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Makes a secret of 256 random bits behind `prefix`.
pub fn generate(prefix: &str) -> Result<NewSecret, RandomSourceError> {
    let text = format!("{prefix}{}", random_hex()?);
    let preview = format!("{}…{}", &text[..prefix.len() + 4], &text[text.len() - 4..]);
    Ok(NewSecret { hash: hash(&text), preview, text })
}

/// The digest under which a secret is stored and found. Secrets have 256 random bits, so a plain hash is
/// as good as a slow one, and a lookup by hash leaks nothing through its timing.
pub fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_recognisable() {
        let (one, other) =
            (generate("rn_sk_live_").expect("random"), generate("rn_sk_live_").expect("random"));
        assert_ne!(one.text, other.text);
        assert_eq!(one.text.len(), "rn_sk_live_".len() + 64);
        assert_eq!(one.hash, hash(&one.text));
        assert!(
            one.preview.starts_with("rn_sk_live_") && one.preview.chars().count() < 24,
            "{}",
            one.preview
        );
        assert!(!one.hash.contains(&one.text[11..]));
    }
}
