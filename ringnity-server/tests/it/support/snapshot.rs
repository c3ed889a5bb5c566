//! Snapshots of whole answers. What differs from run to run is replaced by its kind.
//!
//! `INSTA_UPDATE=always` rewrites the snapshots of the tests that run; review the difference before it is committed.

use chrono::DateTime;
use serde_json::Value;

/// Compares the `data` of an answer with the snapshot of that name. Both engines have the same one.
macro_rules! assert_data {
    ($answer:expr, $name:literal) => {
        insta::assert_json_snapshot!($name, $crate::support::redact($answer.data()))
    };
}
pub(crate) use assert_data;

/// The value with its ids, times, secrets, tokens, local ports, prose and versions replaced.
pub fn redact(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), redact_member(name, value))).collect()
        }
        Value::Array(items) => items.iter().map(redact).collect(),
        Value::String(text) => Value::String(redact_text(text)),
        other => other.clone(),
    }
}

/// Prose and versions change without a change of behaviour.
fn redact_member(name: &str, value: &Value) -> Value {
    match name {
        "message" | "reason" | "warning" | "version" if value.is_string() => {
            Value::String(format!("[{name}]"))
        }
        _ => redact(value),
    }
}

fn redact_text(text: &str) -> String {
    if DateTime::parse_from_rfc3339(text).is_ok() {
        return "[time]".to_owned();
    }
    if text.starts_with("eyJ") && text.split('.').count() == 3 {
        return "[token]".to_owned();
    }
    if let Some((scheme, rest)) = text.split_once("127.0.0.1:") {
        let path = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        return format!("{scheme}[server]{path}");
    }
    // Ids and secrets are a prefix and random characters.
    match text.rsplit_once('_') {
        Some((prefix, random)) if random.len() > 20 && random.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("[{prefix}]")
        }
        Some((prefix, random)) if random.contains('…') => format!("[{prefix}…]"),
        _ => text.to_owned(),
    }
}
