//! Random secrets and their hashes; passwords and signed tokens in submodules. `http::auth` finds the holder of a
//! credential, `app` decides what the holder may do.

pub mod password;
pub mod tokens;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// A generated secret: the text to show once, and what is stored.
pub struct NewSecret {
    /// The secret. Never stored or logged.
    pub text: String,
    /// Hex SHA-256 of the text.
    pub hash: String,
    /// First and last characters, to recognize it.
    pub preview: String,
}

/// Failure of the system's random source.
#[derive(Debug, thiserror::Error)]
#[error("the system has no random numbers: {0}")]
pub struct RandomSourceError(#[from] getrandom::Error);

/// 256 random bits in lower-case hexadecimal.
pub fn random_hex() -> Result<String, RandomSourceError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Generates a secret: `prefix` and 256 random bits.
pub fn generate(prefix: &str) -> Result<NewSecret, RandomSourceError> {
    let text = format!("{prefix}{}", random_hex()?);
    let preview = format!("{}…{}", &text[..prefix.len() + 4], &text[text.len() - 4..]);
    Ok(NewSecret { hash: hash(&text), preview, text })
}

/// The hash under which a secret is stored and looked up. Secrets have 256 random bits, so a fast hash is enough, and
/// the timing of a lookup by hash reveals nothing.
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
    fn secret_is_random_and_has_a_preview() {
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
