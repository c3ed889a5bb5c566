//! Lint rules about operations: ids, parameters, request bodies, security.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Report, listed};
use crate::name::snake;
use crate::walk::{Operation, elements, follow, join, members, operations, strings};

pub(super) fn check(document: &Value, report: &mut Report) {
    let operations = operations(document);
    ids(&operations, report);
    for operation in &operations {
        tags(operation, report);
        parameter_lists(document, operation, report);
        body(document, operation, report);
        security(document, operation, report);
    }
    parameters(document, &operations, report);
}

fn ids(operations: &[Operation<'_>], report: &mut Report) {
    let mut by_id: IndexMap<&str, Vec<&Operation<'_>>> = IndexMap::new();
    for operation in operations {
        match operation.id() {
            Some(id) if !id.is_empty() => by_id.entry(id).or_default().push(operation),
            _ => report.add(
                "operation-id-missing",
                operation.pointer(),
                format!("{} has no operationId", operation.label()),
                "add one; calls, trait methods and types are named after it",
            ),
        }
    }
    let mut by_name: IndexMap<String, &str> = IndexMap::new();
    for (id, sharing) in &by_id {
        for operation in &sharing[1..] {
            report.add(
                "operation-id-duplicate",
                join(&operation.pointer(), "operationId"),
                format!("{id} also names {} {}", sharing[0].method.to_uppercase(), sharing[0].path),
                "give each operation a unique id",
            );
        }
        let name = snake(id);
        match by_name.get(&name) {
            Some(other) => report.add(
                "operation-id-collision",
                join(&sharing[0].pointer(), "operationId"),
                format!("{id} and {other} both become {name}"),
                "rename one of them",
            ),
            None => {
                by_name.insert(name, id);
            }
        }
    }
}

fn tags(operation: &Operation<'_>, report: &mut Report) {
    if strings(&operation.value["tags"]).next().is_none() {
        report.add(
            "operation-untagged",
            operation.pointer(),
            format!("{} has no tag", operation.label()),
            "add one; generated code and documentation are split by tag",
        );
    }
}

fn parameter_lists(document: &Value, operation: &Operation<'_>, report: &mut Report) {
    for (holder, pointer) in
        [(operation.item, operation.item_pointer()), (operation.value, operation.pointer())]
    {
        let mut seen = HashSet::new();
        for (index, declared) in elements(&holder["parameters"]).enumerate() {
            let at = join(&join(&pointer, "parameters"), index);
            let Some((_, value)) = follow(document, &at, declared) else { continue };
            let (name, place) = (value["name"].as_str(), value["in"].as_str());
            if name.is_some() && !seen.insert((name, place)) {
                report.add(
                    "parameter-duplicate",
                    at,
                    format!(
                        "{} declares {} parameter {} twice",
                        operation.label(),
                        place.unwrap_or("a"),
                        name.unwrap_or_default()
                    ),
                    "remove one of them",
                );
            }
        }
    }
}

/// Each parameter definition once, however many operations list it.
fn parameters(document: &Value, operations: &[Operation<'_>], report: &mut Report) {
    let mut definitions: IndexMap<String, &Value> = IndexMap::new();
    for (name, parameter) in members(&document["components"]["parameters"]) {
        if parameter.get("$ref").is_none() {
            definitions.insert(join("#/components/parameters", name), parameter);
        }
    }
    for operation in operations {
        for (holder, pointer) in
            [(operation.item, operation.item_pointer()), (operation.value, operation.pointer())]
        {
            for (index, declared) in elements(&holder["parameters"]).enumerate() {
                let at = join(&join(&pointer, "parameters"), index);
                if let Some((pointer, value)) = follow(document, &at, declared) {
                    definitions.insert(pointer, value);
                }
            }
        }
    }
    for (pointer, parameter) in definitions {
        parameter_definition(&pointer, parameter, report);
    }
}

fn parameter_definition(pointer: &str, parameter: &Value, report: &mut Report) {
    let name = parameter["name"].as_str().unwrap_or_default();
    let place = parameter["in"].as_str().unwrap_or_default();
    if name.is_empty() || !["path", "query", "header", "cookie"].contains(&place) {
        report.add(
            "parameter-place",
            pointer,
            format!("parameter {name:?} is in {place:?}"),
            "give it a name and one of path, query, header, cookie",
        );
    }
    let schema = match parameter.get("schema") {
        Some(schema) => Some(schema),
        None => members(&parameter["content"]).find_map(|(_, media)| media.get("schema")),
    };
    let Some(schema) = schema else {
        report.add(
            "parameter-without-schema",
            pointer,
            format!("parameter {name} has neither schema nor content"),
            "add a schema",
        );
        return;
    };
    if place == "header" && ["accept", "content-type", "authorization"].contains(&&*name.to_lowercase()) {
        report.add(
            "parameter-header-reserved",
            pointer,
            format!("header {name} is ignored as a parameter"),
            "declare media types or a security scheme instead",
        );
    }
    let description = parameter["description"].as_str().unwrap_or_default().to_lowercase();
    let described_as_list = ["comma-separated", "comma separated", "separated by comma", "space-separated"]
        .iter()
        .any(|words| description.contains(words));
    if described_as_list && schema["type"] == "string" {
        report.add(
            "parameter-array-in-words",
            pointer,
            format!("{place} parameter {name} is described as a list, but its schema is a string"),
            "declare an array of strings with style form and explode false",
        );
    }
}

fn body(document: &Value, operation: &Operation<'_>, report: &mut Report) {
    let Some((pointer, body)) = operation.body(document) else { return };
    let at = join(&operation.pointer(), "requestBody");
    let label = operation.label();
    match operation.method {
        "get" | "head" => report.add(
            "request-body-on-get",
            &at,
            format!("{label} is {} with a body", operation.method.to_uppercase()),
            "use query parameters or POST",
        ),
        "delete" => report.add(
            "request-body-on-delete",
            &at,
            format!("{label} is DELETE with a body"),
            "check that clients, proxies and server transmit it",
        ),
        _ => {}
    }
    if body["required"] != Value::Bool(true) {
        report.add(
            "request-body-optional",
            &at,
            format!("the body of {label} is optional"),
            "clients and server must distinguish a missing body from an empty one",
        );
    }
    let content: Vec<_> = members(&body["content"]).collect();
    if content.len() > 1 {
        let types: Vec<_> = content.iter().map(|(media, _)| media.as_str()).collect();
        report.add(
            "request-media-types-several",
            join(&pointer, "content"),
            format!("{label} accepts {}", listed(&types)),
            "keep one, or let callers choose",
        );
    }
    for (media, content) in content {
        let at = join(&join(&pointer, "content"), media);
        let Some(schema) = content.get("schema") else {
            report.add(
                "request-body-in-words",
                &at,
                format!("{label} accepts {media} without a schema"),
                "add a schema",
            );
            continue;
        };
        if !is_json(media) {
            report.add(
                "request-body-not-json",
                &at,
                format!("{label} accepts {media}"),
                "clients and server need special code for it",
            );
        }
        let requires_nothing = follow(document, "", schema)
            .is_some_and(|(_, schema)| body_members_all_optional(document, schema, 0));
        if body["required"] == Value::Bool(true) && requires_nothing {
            report.add(
                "request-body-all-optional",
                &at,
                format!("{label} accepts {{}}"),
                "add `required` if {} is not a meaningful request",
            );
        }
    }
}

/// Whether an object with properties requires none of them, neither itself nor in any part of its `allOf`.
fn body_members_all_optional(document: &Value, schema: &Value, depth: usize) -> bool {
    let parts: Vec<&Value> =
        elements(&schema["allOf"]).filter_map(|part| Some(follow(document, "", part)?.1)).collect();
    let has_members = schema.get("properties").is_some() || !parts.is_empty();
    has_members
        && depth < 16
        && elements(&schema["required"]).next().is_none()
        && ["anyOf", "oneOf", "minProperties"].iter().all(|keyword| schema.get(keyword).is_none())
        && parts.iter().all(|part| body_members_all_optional(document, part, depth + 1))
}

/// Whether a media type is JSON.
pub(super) fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_lowercase();
    essence == "application/json" || essence.ends_with("+json") || essence == "*/*"
}

fn security(document: &Value, operation: &Operation<'_>, report: &mut Report) {
    let label = operation.label();
    let requirements = operation.security(document);
    let Some(requirements) = requirements.filter(|requirements| !requirements.is_empty()) else {
        report.add(
            "operation-public",
            operation.pointer(),
            format!("{label} requires no credentials"),
            "check that this is intended",
        );
        return;
    };
    let at = match operation.value.get("security") {
        Some(_) => join(&operation.pointer(), "security"),
        None => "#/security".to_owned(),
    };
    for (index, requirement) in requirements.iter().enumerate() {
        if requirement.as_object().is_some_and(|schemes| schemes.is_empty()) {
            report.add(
                "operation-security-optional",
                join(&at, index),
                format!("credentials of {label} are optional"),
                "handlers must accept a missing principal",
            );
        }
        for (name, scopes) in members(requirement) {
            let Some(scheme) = document["components"]["securitySchemes"].get(name) else {
                report.add(
                    "security-scheme-undeclared",
                    join(&join(&at, index), name),
                    format!("{label} requires {name}, which is not declared"),
                    "declare it under components.securitySchemes",
                );
                continue;
            };
            if scheme["type"] != "oauth2" {
                continue;
            }
            for scope in strings(scopes) {
                let declared = members(&scheme["flows"]).any(|(_, flow)| flow["scopes"].get(scope).is_some());
                if !declared {
                    report.add(
                        "security-scope-undeclared",
                        join(&join(&at, index), name),
                        format!("{label} requires scope {scope}, which no flow of {name} declares"),
                        "declare it in the flow's scopes",
                    );
                }
            }
        }
    }
}
