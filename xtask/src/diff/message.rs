//! Formats lists, values and limits for messages of `diff`.

use serde_json::Value;

/// `a, b and 3 more`.
pub(super) fn names<T: AsRef<str>>(names: &[T], shown: usize) -> String {
    let first: Vec<&str> = names.iter().take(shown).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(shown) {
        0 => first.join(", "),
        rest => format!("{} and {rest} more", first.join(", ")),
    }
}

/// The first few values as JSON.
pub(super) fn values(values: &[Value]) -> String {
    names(&values.iter().map(short).collect::<Vec<_>>(), 6)
}

/// A value as JSON; long ones are shortened.
pub(super) fn short(value: &Value) -> String {
    const SHOWN: usize = 100;
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    match value {
        Value::String(string) => {
            let start: String = string.chars().take(12).collect();
            format!("a string of {} characters, {start:?}…", string.chars().count())
        }
        _ => format!("{}…", text.chars().take(SHOWN).collect::<String>()),
    }
}

/// A limit without a needless fraction: `5`, not `5.0`.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { value.to_string() }
}

/// `none` or the value.
pub(super) fn or_none(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), short)
}
