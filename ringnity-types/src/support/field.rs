//! A property that is absent, null, or has a value.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// A property for which "absent" and "null" have different meanings.
///
/// In an update, an absent property keeps the stored value and null clears it.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use ringnity_types::support::Field;
///
/// #[derive(Serialize, Deserialize)]
/// struct Change {
///     #[serde(default, skip_serializing_if = "Field::is_absent")]
///     agent: Field<String>,
/// }
///
/// let cleared: Change = serde_json::from_str(r#"{"agent":null}"#)?;
/// assert_eq!(cleared.agent, Field::Null);
/// let unchanged: Change = serde_json::from_str("{}")?;
/// assert_eq!(serde_json::to_string(&unchanged)?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field<T> {
    /// The property is absent.
    #[default]
    Absent,
    /// The property is `null`.
    Null,
    /// The property has a value.
    Value(T),
}

impl<T> Field<T> {
    /// Whether the property is absent.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the property is `null`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value; `None` if absent or null.
    pub const fn as_value(&self) -> Option<&T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// The value; `None` if absent or null.
    pub fn into_value(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// `None` becomes absent. To make it null, use `Field::from`.
    pub fn or_absent(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }

    /// Absent becomes `None`, null `Some(None)`: the form of a changeset for a nullable column.
    pub fn into_change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// Converts the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Null => Field::Null,
            Self::Value(value) => Field::Value(change(value)),
        }
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl<T> From<Option<T>> for Field<T> {
    /// `None` becomes null. To leave the property out, use [`Field::or_absent`].
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Absent | Self::Null => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Called only if the property is present: `serde(default)` makes it absent otherwise.
        Option::<T>::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_to_changesets() {
        assert_eq!(Field::<i64>::Absent.into_change(), None);
        assert_eq!(Field::<i64>::Null.into_change(), Some(None));
        assert_eq!(Field::Value(1).into_change(), Some(Some(1)));
        assert_eq!(Field::<i64>::from(None), Field::Null);
        assert_eq!(Field::<i64>::from(2).map(|value| value + 1), Field::Value(3));
    }
}
