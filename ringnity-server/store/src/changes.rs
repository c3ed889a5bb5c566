//! Applying changes to a row.

/// Replaces a field if there is a new value for it.
pub(crate) fn set_if_some<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}
