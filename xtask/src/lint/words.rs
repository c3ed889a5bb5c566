//! Lint rules about enumerations and formats that only the name or description of a schema states.

use super::described::{declared_types, described};
use super::{Report, listed};
use crate::name::snake;
use crate::walk::SchemaNode;

pub(super) fn check(node: &SchemaNode<'_>, report: &mut Report) {
    let schema = node.value;
    let is_text = declared_types(schema).contains(&"string");
    let says_more = ["enum", "const", "format", "pattern", "contentMediaType"]
        .iter()
        .any(|keyword| schema.get(keyword).is_some());
    if !is_text || says_more {
        return;
    }
    // The items of a list take the name and description of the list.
    let name = node.name.unwrap_or_default();
    let description = schema["description"].as_str().unwrap_or_default();
    if let Some(values) = enumerated(description) {
        report.add(
            "enum-in-words",
            &node.pointer,
            format!("the description of {} lists its values: {}", described(node), listed(&values)),
            "declare them as enum",
        );
    } else if names_a_set(name) {
        report.add(
            "enum-in-words",
            &node.pointer,
            format!("the name of {} suggests a fixed set of values", described(node)),
            "declare them as enum if the set is closed",
        );
    } else if let Some(format) = format_of(name) {
        report.add(
            "format-in-words",
            &node.pointer,
            format!("the name of {} suggests format {format}", described(node)),
            format!("add format: {format}"),
        );
    }
}

/// Whether a property name usually stands for a fixed set of values.
fn names_a_set(name: &str) -> bool {
    const SETS: [&str; 21] = [
        "alg",
        "category",
        "channel",
        "currency",
        "event",
        "kind",
        "kty",
        "level",
        "mode",
        "period",
        "priority",
        "provider",
        "role",
        "severity",
        "source",
        "stage",
        "status",
        "type",
        "unit",
        "use",
        "visibility",
    ];
    const ENDINGS: [&str; 7] = ["_kind", "_mode", "_period", "_role", "_state", "_status", "_type"];
    let snake = snake(name);
    // `typeCall` means the same as `callType`.
    SETS.contains(&snake.as_str())
        || ENDINGS.iter().any(|ending| snake.ends_with(ending))
        || snake.starts_with("type_")
}

fn format_of(name: &str) -> Option<&'static str> {
    let snake = snake(name);
    let ends = |endings: &[&str]| {
        endings.iter().any(|ending| snake == *ending || snake.ends_with(&format!("_{ending}")))
    };
    if ends(&["url", "uri", "href"]) {
        Some("uri")
    } else if ends(&["email"]) {
        Some("email")
    } else if snake.ends_with("_at") || ends(&["timestamp", "datetime"]) {
        Some("date-time")
    } else if ends(&["date"]) {
        Some("date")
    } else {
        None
    }
}

/// The values listed by a description such as "Either `a`, `b` or `c`."
fn enumerated(description: &str) -> Option<Vec<String>> {
    let lower = description.to_lowercase();
    let quoted: Vec<String> = ['`', '"']
        .iter()
        .flat_map(|quote| description.split(*quote).skip(1).step_by(2))
        .filter(|token| {
            !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        })
        .map(str::to_owned)
        .collect();
    let announces =
        ["one of", "either", "possible values", "allowed values", "valid values", "can be", "must be"]
            .iter()
            .any(|words| lower.contains(words));
    if announces && quoted.len() > 1 {
        return Some(quoted);
    }
    let list = ["one of:", "possible values:", "allowed values:", "valid values:"]
        .iter()
        .find_map(|words| lower.split_once(words))?
        .1;
    let list = list.split('.').next().unwrap_or_default();
    let values: Vec<String> = list
        .split([',', '|'])
        .flat_map(|part| part.split(" or "))
        .map(|value| value.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
        .filter(|value| !value.is_empty() && !value.contains(' '))
        .collect();
    (values.len() > 1).then_some(values)
}
