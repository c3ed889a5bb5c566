//! Credentials: secrets that do not show, and where each kind travels. Which kinds there are is generated.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Take care where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[hidden]")
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A kind of credential: what a [`Client`](super::Client) holds, and with that which operations it offers.
pub trait Credential: Clone + fmt::Debug + Send + Sync + 'static {
    /// The kind's name, as operations list it.
    const KIND: &'static str;

    /// What to add to a request.
    fn placement(&self) -> CredentialPlacement;
}

/// No credential: for operations that need none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Anonymous;

impl Credential for Anonymous {
    const KIND: &'static str = "";

    fn placement(&self) -> CredentialPlacement {
        CredentialPlacement::None
    }
}

/// What a credential adds to a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CredentialPlacement {
    /// Nothing.
    None,
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A member of the query.
    Query(&'static str, Secret),
    /// The credential cannot travel; every call that needs it fails with this sentence.
    Invalid(&'static str),
}

impl CredentialPlacement {
    fn value(text: &str, header: HeaderName) -> Self {
        match HeaderValue::from_str(text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Self::Header(header, value)
            }
            Err(_) => Self::Invalid("the credential holds characters that a header cannot carry"),
        }
    }

    /// `Authorization: Bearer …`
    pub fn bearer(secret: &Secret) -> Self {
        Self::value(&format!("Bearer {}", secret.expose()), AUTHORIZATION)
    }

    /// `Authorization: Basic …`, for a secret written `user:password`.
    pub fn basic(secret: &Secret) -> Self {
        Self::value(&format!("Basic {}", BASE64.encode(secret.expose())), AUTHORIZATION)
    }

    /// A header of its own.
    pub fn header(name: &'static str, secret: &Secret) -> Self {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Self::value(secret.expose(), name),
            Err(_) => Self::Invalid("the contract's name for the credential's header is not a header name"),
        }
    }

    /// A member of the query.
    pub fn query(name: &'static str, secret: &Secret) -> Self {
        Self::Query(name, secret.clone())
    }

    /// A cookie.
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
                /// Wraps the secret text.
                pub fn new(secret: impl Into<$crate::runtime::Secret>) -> Self {
                    Self(secret.into())
                }

                /// The secret text. Take care where it goes.
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
    fn secrets_do_not_show() {
        let secret = Secret::new("hush-hush");
        assert!(!format!("{secret:?} {:?}", CredentialPlacement::bearer(&secret)).contains("hush"));
    }

    #[test]
    fn a_secret_that_no_header_carries_is_an_error_and_no_panic() {
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
