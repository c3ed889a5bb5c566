//! Types with a single value, for properties whose schema is a boolean `const`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

macro_rules! constant {
    ($(#[$doc:meta])* $name:ident, $value:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name;

        impl $name {
            /// The only value.
            pub const VALUE: bool = $value;
        }

        impl From<$name> for bool {
            fn from(_: $name) -> bool {
                $value
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bool($value)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ConstantVisitor;
                impl Visitor<'_> for ConstantVisitor {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(formatter, "the constant {}", $value)
                    }

                    fn visit_bool<E: Error>(self, value: bool) -> Result<$name, E> {
                        if value == $value { Ok($name) } else { Err(E::invalid_value(Unexpected::Bool(value), &self)) }
                    }
                }
                deserializer.deserialize_bool(ConstantVisitor)
            }
        }
    };
}

constant! {
    /// The constant `true`. Deserializing any other value fails.
    ConstTrue, true
}
constant! {
    /// The constant `false`. Deserializing any other value fails.
    ConstFalse, false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_other_values() {
        assert_eq!(serde_json::to_string(&ConstTrue).expect("serialises"), "true");
        assert!(serde_json::from_str::<ConstTrue>("true").is_ok());
        assert!(serde_json::from_str::<ConstTrue>("false").is_err());
        assert!(serde_json::from_str::<ConstTrue>("1").is_err());
        assert!(serde_json::from_str::<ConstFalse>("false").is_ok());
        assert!(serde_json::from_str::<ConstFalse>("true").is_err());
    }
}
