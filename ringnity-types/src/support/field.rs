//! A member that can be absent, null, or hold a value.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// A member of an object for which "not mentioned" and "set to null" mean different things.
///
/// In a change request, absent leaves the stored value alone and null clears it.
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
/// let nobody: Change = serde_json::from_str(r#"{"agent":null}"#)?;
/// assert_eq!(nobody.agent, Field::Null);
/// let untouched: Change = serde_json::from_str("{}")?;
/// assert_eq!(serde_json::to_string(&untouched)?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field<T> {
    /// Not mentioned at all.
    #[default]
    Absent,
    /// Mentioned as `null`.
    Null,
    /// Holds a value.
    Value(T),
}

impl<T> Field<T> {
    /// Whether the member is not mentioned.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the member is mentioned as `null`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value, if there is one.
    pub const fn as_value(&self) -> Option<&T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// The value, if there is one; absent and null both become `None`.
    pub fn into_value(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// A value, or no mention of it.
    pub fn or_absent(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }

    /// `None` when absent, `Some(None)` when null: the form in which stores take changes.
    pub fn into_change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// Applies `change` to the value.
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
    /// `None` becomes null: an answer that mentions the member. [`Field::or_absent`] leaves it out.
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
        // Called only when the member is there: `serde(default)` makes the absent one.
        Option::<T>::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_states_become_three_changes() {
        assert_eq!(Field::<i64>::Absent.into_change(), None);
        assert_eq!(Field::<i64>::Null.into_change(), Some(None));
        assert_eq!(Field::Value(1).into_change(), Some(Some(1)));
        assert_eq!(Field::<i64>::from(None), Field::Null);
        assert_eq!(Field::<i64>::from(2).map(|value| value + 1), Field::Value(3));
    }
}
