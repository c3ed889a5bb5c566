//! Lint rules about responses: statuses, media types and schemas.

use serde_json::Value;

use super::operations::is_json;
use super::{Report, listed};
use crate::walk::{Operation, elements, follow, join, members, operations, path_variables};

pub(super) fn check(document: &Value, report: &mut Report) {
    let mut seen = Vec::new();
    for operation in operations(document) {
        documented(document, &operation, report);
        for (status, pointer, response) in operation.responses(document) {
            success(document, &operation, status, &pointer, response, report);
            if !seen.contains(&pointer) {
                described(&pointer, response, report);
                seen.push(pointer);
            }
        }
    }
}

fn documented(document: &Value, operation: &Operation<'_>, report: &mut Report) {
    let label = operation.label();
    let responses = operation.responses(document);
    let at = join(&operation.pointer(), "responses");
    let statuses: Vec<String> = responses.iter().map(|(status, ..)| status.to_uppercase()).collect();
    let has = |wanted: &[&str]| statuses.iter().any(|status| wanted.contains(&status.as_str()));
    let begins = |digits: &[char]| statuses.iter().any(|status| status.starts_with(digits));
    let has_default = has(&["DEFAULT"]);

    for (status, ..) in &responses {
        let begins_well = status.len() == 3 && status.starts_with(['1', '2', '3', '4', '5']);
        let ends_well = status.get(1..).is_some_and(|rest| {
            rest.bytes().all(|byte| byte.is_ascii_digit()) || rest.eq_ignore_ascii_case("XX")
        });
        if *status != "default" && !(begins_well && ends_well) {
            report.add(
                "response-status",
                join(&at, status),
                format!("{label} has status {status:?}"),
                "use 100 to 599, 1XX to 5XX or default",
            );
        }
    }
    if !begins(&['1', '2', '3']) {
        report.add(
            "response-success-missing",
            &at,
            format!("{label} documents no success response"),
            "add its success response",
        );
    }
    if !begins(&['4']) && !has_default {
        report.add(
            "response-4xx-missing",
            &at,
            format!("{label} documents no client error"),
            "add 4XX, or each status it can return",
        );
    }
    if !begins(&['5']) && !has_default {
        report.add(
            "response-5xx-missing",
            &at,
            format!("{label} documents no server error"),
            "add 5XX or default",
        );
    }
    let secured = operation.security(document).is_some_and(|requirements| !requirements.is_empty());
    if secured && !has_default && !has(&["401", "403", "4XX"]) {
        report.add(
            "response-auth-missing",
            &at,
            format!("{label} requires credentials, but documents no 401, 403 or 4XX"),
            "document the response to missing credentials",
        );
    }
    // These two require a specific error if others are documented one by one. An operation without any client error is
    // reported above.
    let takes_input = operation.value.get("requestBody").is_some()
        || operation.parameters(document).iter().any(|parameter| parameter.place == "query");
    if takes_input && !has_default && !has(&["400", "422", "4XX"]) {
        report.add(
            "response-400-missing",
            &at,
            format!("{label} has input, but documents no 400, 422 or 4XX"),
            "document the response to invalid input",
        );
    }
    if !path_variables(operation.path).is_empty() && !has_default && !has(&["404", "4XX"]) {
        report.add(
            "response-404-missing",
            &at,
            format!("{label} has a path variable, but documents no 404 or 4XX"),
            "document the response to an unknown resource",
        );
    }
    let successes: Vec<_> = responses.iter().filter(|(status, ..)| status.starts_with('2')).collect();
    let differ = successes.windows(2).any(|pair| pair[0].2["content"] != pair[1].2["content"]);
    if differ {
        let statuses: Vec<_> = successes.iter().map(|(status, ..)| *status).collect();
        report.add(
            "response-successes-several",
            &at,
            format!("{label} returns {} with different bodies", listed(&statuses)),
            "the client type is an enum",
        );
    }
}

fn success(
    document: &Value,
    operation: &Operation<'_>,
    status: &str,
    pointer: &str,
    response: &Value,
    report: &mut Report,
) {
    let label = operation.label();
    if status.starts_with('3') {
        report.add(
            "response-redirect",
            pointer,
            format!("{label} returns {status}"),
            "clients must not follow the redirect automatically",
        );
    }
    if !status.starts_with('2') {
        return;
    }
    let content: Vec<_> = members(&response["content"]).collect();
    if content.len() > 1 {
        let types: Vec<_> = content.iter().map(|(media, _)| media.as_str()).collect();
        report.add(
            "response-media-types-several",
            join(pointer, "content"),
            format!("{label} returns {status} as {}", listed(&types)),
            "keep one, or let callers choose",
        );
    }
    for (media, content) in content {
        let at = join(&join(pointer, "content"), media);
        if !is_json(media) {
            report.add(
                "response-not-json",
                &at,
                format!("{label} returns {status} as {media}"),
                "the client type is text or bytes",
            );
            continue;
        }
        let Some(schema) = content.get("schema") else { continue };
        if let Some(part) = untyped_part(document, schema) {
            report.add(
                "response-untyped",
                &at,
                format!("{label} returns {status} with {part} that has no schema"),
                "add a schema with its properties",
            );
        }
    }
}

/// The part of a response (itself or a direct property) that accepts any object or any value.
fn untyped_part(document: &Value, schema: &Value) -> Option<String> {
    let (_, schema) = follow(document, "", schema)?;
    if is_untyped(schema) {
        return Some("a body".to_owned());
    }
    members(&schema["properties"])
        .filter_map(|(name, property)| Some((name, follow(document, "", property)?.1)))
        .find(|(name, property)| is_untyped(property) && is_payload(name, schema))
        .map(|(name, _)| format!("a property {name}"))
}

/// In an envelope, only the payload beside the flag counts; other free-form properties (metadata) do not.
fn is_payload(name: &str, envelope: &Value) -> bool {
    let typed = members(&envelope["properties"])
        .filter(|(other, property)| *other != name && !is_scalar(property))
        .count();
    ["data", "result", "payload", "body", "content", "value", "item"].contains(&name) || typed == 0
}

fn is_scalar(schema: &Value) -> bool {
    schema.get("const").is_some()
        || schema["type"].as_str().is_some_and(|kind| !["object", "array"].contains(&kind))
}

/// Whether a schema accepts anything: it has no type, or is an object with neither properties nor a value schema.
pub(super) fn is_untyped(schema: &Value) -> bool {
    const SAYING: [&str; 12] = [
        "$ref",
        "properties",
        "patternProperties",
        "items",
        "enum",
        "const",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "required",
        "contentMediaType",
    ];
    if schema == &Value::Bool(true) {
        return true;
    }
    let free_values = schema.get("additionalProperties").is_none_or(|values| {
        values == &Value::Bool(true) || values.as_object().is_some_and(|v| v.is_empty())
    });
    schema.is_object()
        && SAYING.iter().all(|keyword| schema.get(keyword).is_none())
        && match &schema["type"] {
            Value::Null => true,
            Value::String(kind) => kind == "object" && free_values,
            kinds => elements(kinds).all(|kind| kind == "object" || kind == "null") && free_values,
        }
}

fn described(pointer: &str, response: &Value, report: &mut Report) {
    if response["description"].as_str().is_none() {
        report.add(
            "response-description-missing",
            pointer,
            "the response has no description",
            "add one; OpenAPI requires it",
        );
    }
    for (media, content) in members(&response["content"]) {
        if content.get("schema").is_none() {
            report.add(
                "response-without-schema",
                join(&join(pointer, "content"), media),
                format!("{media} has no schema"),
                "add a schema",
            );
        }
    }
}
