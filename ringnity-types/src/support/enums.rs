//! String enums. Open enums keep unknown values, closed enums reject them.

use std::fmt;

/// Error of parsing a string that is not a value of a closed enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue {
    /// Name of the enum type.
    pub enum_name: &'static str,
    /// The rejected text.
    pub value: String,
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not a value of {}", self.value, self.enum_name)
    }
}

impl std::error::Error for UnknownValue {}

/// Declares an enum that servers send. Unknown values become `Unknown` and serialize to the same string.
macro_rules! open_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = concat!("The value `", $text, "`.")] $variant,)*
            /// A value that this version of the contract does not define.
            Unknown(String),
        }

        impl $name {
            /// Every value that the contract defines, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value as serialized.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(text) => text,
                }
            }

            /// Whether this version of the contract defines the value.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown(text.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown(text),
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as ::serde::Deserialize>::deserialize(deserializer).map(Self::from)
            }
        }

        $crate::support::text_enum!($name);
    };
}

/// Declares an enum of requests. Unknown values are an error.
macro_rules! closed_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = concat!("The value `", $text, "`.")] $variant,)*
        }

        impl $name {
            /// Every value that the contract defines, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value as serialized.
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::support::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::support::UnknownValue { enum_name: stringify!($name), value: text.to_owned() }),
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(|_| <D::Error as ::serde::de::Error>::unknown_variant(&text, &[$($text,)*]))
            }
        }

        $crate::support::text_enum!($name);
    };
}

/// Traits of both kinds: they print and serialize as strings.
macro_rules! text_enum {
    ($name:ident) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(crate) use {closed_enum, open_enum, text_enum};

#[cfg(test)]
mod tests {
    open_enum! {
        /// Sent by a server.
        pub enum Open {
            On = "on",
            Off = "switched-off",
        }
    }
    closed_enum! {
        /// Sent by a client.
        pub enum Closed {
            On = "on",
        }
    }

    #[test]
    fn open_enum_keeps_unknown_values() {
        let value: Open = serde_json::from_str("\"later\"").expect("reads");
        assert_eq!(value, Open::Unknown("later".into()));
        assert!(!value.is_known());
        assert_eq!(serde_json::to_string(&value).expect("writes"), "\"later\"");
        assert_eq!("switched-off".parse(), Ok(Open::Off));
        assert_eq!(Open::ALL.len(), 2);
    }

    #[test]
    fn closed_enum_rejects_unknown_values() {
        let error = serde_json::from_str::<Closed>("\"later\"").expect_err("refuses").to_string();
        assert!(error.contains("`later`") && error.contains("`on`"), "{error}");
        assert_eq!(Closed::ALL, [Closed::On]);
        assert_eq!(
            "later".parse::<Closed>().expect_err("refuses").to_string(),
            "`later` is not a value of Closed"
        );
    }
}
