//! Credentials: secrets that are redacted in `Debug`, and where each kind is sent. The kinds are generated.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};

/// A string that `Debug` prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret in plain text. Do not log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A kind of credential. The credential of a [`Client`](super::Client) decides which operations it can call.
pub trait Credential: Clone + fmt::Debug + Send + Sync + 'static {
    /// Name of the kind, as in [`Operation::credentials`](super::Operation::credentials).
    const KIND: &'static str;

    /// Where and how the credential is sent.
    fn placement(&self) -> CredentialPlacement;
}

/// No credential, for operations that can be called without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Anonymous;

impl Credential for Anonymous {
    const KIND: &'static str = "";

    fn placement(&self) -> CredentialPlacement {
        CredentialPlacement::None
    }
}

/// What a credential adds to a request, and where.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CredentialPlacement {
    /// Nothing.
    None,
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A query parameter.
    Query(&'static str, Secret),
    /// The credential cannot be sent. Requests that need it fail with this message.
    Invalid(&'static str),
}

impl CredentialPlacement {
    fn value(text: &str, header: HeaderName) -> Self {
        match HeaderValue::from_str(text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Self::Header(header, value)
            }
            Err(_) => Self::Invalid("the credential contains characters that are not allowed in a header"),
        }
    }

    /// `Authorization: Bearer SECRET`.
    pub fn bearer(secret: &Secret) -> Self {
        Self::value(&format!("Bearer {}", secret.expose()), AUTHORIZATION)
    }

    /// `Authorization: Basic …`. The secret has the form `user:password`.
    pub fn basic(secret: &Secret) -> Self {
        Self::value(&format!("Basic {}", BASE64.encode(secret.expose())), AUTHORIZATION)
    }

    /// A header called `name`.
    pub fn header(name: &'static str, secret: &Secret) -> Self {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Self::value(secret.expose(), name),
            Err(_) => {
                Self::Invalid("the contract's header name for this credential is not a valid header name")
            }
        }
    }

    /// A query parameter called `name`.
    pub fn query(name: &'static str, secret: &Secret) -> Self {
        Self::Query(name, secret.clone())
    }

    /// A cookie called `name`.
    pub fn cookie(name: &'static str, secret: &Secret) -> Self {
        Self::value(&format!("{name}={}", secret.expose()), COOKIE)
    }
}

/// Declares the kinds of credential of a contract.
macro_rules! credentials {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $how:ident $(($($argument:literal),*))?;)*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name($crate::runtime::Secret);

            impl $name {
                /// Creates the credential from its secret.
                pub fn new(secret: impl Into<$crate::runtime::Secret>) -> Self {
                    Self(secret.into())
                }

                /// The secret in plain text. Do not log it.
                pub fn expose(&self) -> &str {
                    self.0.expose()
                }
            }

            impl $crate::runtime::Credential for $name {
                const KIND: &'static str = $kind;

                fn placement(&self) -> $crate::runtime::CredentialPlacement {
                    $crate::runtime::CredentialPlacement::$how($($($argument,)*)? &self.0)
                }
            }
        )*
    };
}
#[allow(unused_imports, reason = "a contract may have no credentials")]
pub(crate) use credentials;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_redacts_secrets() {
        let secret = Secret::new("hush-hush");
        assert!(!format!("{secret:?} {:?}", CredentialPlacement::bearer(&secret)).contains("hush"));
    }

    #[test]
    fn rejects_a_secret_that_is_not_a_header_value() {
        assert!(matches!(CredentialPlacement::bearer(&Secret::new("a\nb")), CredentialPlacement::Invalid(_)));
    }

    #[test]
    fn basic_credentials_are_base64() {
        for (plain, encoded) in [("a:b", "Basic YTpi"), ("user:pass", "Basic dXNlcjpwYXNz"), ("", "Basic ")] {
            let CredentialPlacement::Header(name, value) = CredentialPlacement::basic(&Secret::new(plain))
            else {
                panic!("{plain:?} is not sent in a header");
            };
            assert_eq!((name, value.to_str().expect("is text")), (AUTHORIZATION, encoded));
        }
    }
}
