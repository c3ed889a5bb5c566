//! Lint rules about what a schema says in words only: enumerations and formats that are not written down.

use super::schemas::{declared_types, described};
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
    // The schema of a list's items goes by the name of the list's description, not by its own.
    let name = node.name.unwrap_or_default();
    let description = schema["description"].as_str().unwrap_or_default();
    if let Some(values) = enumerated(description) {
        report.add(
            "enum-in-words",
            &node.pointer,
            format!("the description of {} lists its values: {}", described(node), listed(&values)),
            "write them down as enum",
        );
    } else if names_a_set(name) {
        report.add(
            "enum-in-words",
            &node.pointer,
            format!("{} sounds like one of a few values", described(node)),
            "write them down as enum, if the set is closed",
        );
    } else if let Some(format) = format_of(name) {
        report.add(
            "format-in-words",
            &node.pointer,
            format!("{} sounds like format {format}", described(node)),
            format!("add format: {format}"),
        );
    }
}

/// Names that stand for one of a few values wherever they are used.
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
    // `typeCall` says the same as `callType`.
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

/// The values that a text such as "Either `a`, `b` or `c`." lists.
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
