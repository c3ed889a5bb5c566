//! Lint rules about references, components, tags and descriptions.

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::{Report, listed};
use crate::name::snake;
use crate::walk::{
    collect_references, elements, follow, is_3_0, join, members, operations, references, resolve, strings,
    without_annotations,
};

pub(super) fn check(document: &Value, report: &mut Report) {
    reference_targets(document, report);
    reference_siblings(document, report);
    names(document, report);
    unused(document, report);
    duplicates(document, report);
    tags(document, report);
    descriptions(document, report);
}

fn reference_targets(document: &Value, report: &mut Report) {
    for (pointer, reference) in references(document) {
        let at = join(&pointer, "$ref");
        if !reference.starts_with('#') {
            report.add(
                "ref-external",
                at,
                format!("{reference} is outside of the document"),
                "move the target to components",
            );
        } else if resolve(document, reference).is_none() {
            report.add(
                "ref-unresolved",
                at,
                format!("{reference} does not resolve"),
                "correct the name, or add the component",
            );
        } else if resolve(document, reference).is_some_and(|target| is_reference_cycle(document, target)) {
            report.add(
                "ref-circle",
                at,
                format!("{reference} references itself"),
                "replace one of the references by a schema",
            );
        }
    }
}

/// Whether the references from `target` never end.
fn is_reference_cycle(document: &Value, target: &Value) -> bool {
    let mut seen = HashSet::new();
    let mut value = target;
    while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        if !seen.insert(reference) {
            return true;
        }
        match resolve(document, reference) {
            Some(next) => value = next,
            // Reported as unresolved.
            None => return false,
        }
    }
    false
}

fn reference_siblings(document: &Value, report: &mut Report) {
    let old = is_3_0(document);
    for (pointer, reference) in references(document) {
        let Some(holder) = resolve(document, &pointer) else { continue };
        if holder.get("$ref").and_then(Value::as_str) != Some(reference) {
            continue;
        }
        let beside: Vec<&str> = members(holder)
            .map(|(key, _)| key.as_str())
            .filter(|key| !["$ref", "description", "summary"].contains(key) && !key.starts_with("x-"))
            .collect();
        // A path item may have other keys beside its reference.
        let in_path = pointer.starts_with("#/paths/") && pointer.matches('/').count() == 2;
        if beside.is_empty() || in_path {
            continue;
        }
        let message = format!("{} beside $ref to {reference}", listed(&beside));
        if old {
            report.add("ref-siblings-ignored", pointer, message, "use allOf with the reference in it");
        } else {
            report.add("ref-siblings", pointer, message, "generated code must apply both");
        }
    }
}

fn names(document: &Value, report: &mut Report) {
    for (kind, named) in members(&document["components"]) {
        if kind.starts_with("x-") {
            continue;
        }
        let pointer = join("#/components", kind);
        let mut taken: HashMap<String, &str> = HashMap::new();
        for (name, _) in members(named) {
            let valid = !name.is_empty()
                && name
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "._-".contains(character));
            if !valid {
                report.add(
                    "component-name",
                    join(&pointer, name),
                    format!("{name:?} is not a valid component name"),
                    "use letters, digits, dots, hyphens and underscores",
                );
            }
            if kind == "schemas"
                && let Some(other) = taken.insert(snake(name), name)
            {
                report.add(
                    "schema-name-collision",
                    join(&pointer, name),
                    format!("{name} and {other} become the same Rust name"),
                    "rename one of them",
                );
            }
        }
    }
}

/// The components that operations and webhooks reference, directly or indirectly.
fn reached(document: &Value) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut found = Vec::new();
    for part in ["paths", "webhooks"] {
        collect_references(&document[part], &join("#", part), &mut found);
    }
    let mut waiting: Vec<&str> = found.into_iter().map(|(_, reference)| reference).collect();
    while let Some(reference) = waiting.pop() {
        // A reference into a component uses the whole component.
        let component: String = reference.split('/').take(4).collect::<Vec<_>>().join("/");
        if let Some(target) = resolve(document, &component)
            && reached.insert(component)
        {
            let mut found = Vec::new();
            collect_references(target, "", &mut found);
            waiting.extend(found.into_iter().map(|(_, reference)| reference));
        }
    }
    reached
}

fn unused(document: &Value, report: &mut Report) {
    let reached = reached(document);
    let mut schemes_in_use = HashSet::new();
    let requirements = operations(document)
        .into_iter()
        .filter_map(|operation| operation.security(document))
        .flatten()
        .chain(elements(&document["security"]));
    for requirement in requirements {
        schemes_in_use.extend(members(requirement).map(|(name, _)| name.as_str()));
    }
    for (kind, named) in members(&document["components"]) {
        for (name, _) in members(named) {
            let pointer = join(&join("#/components", kind), name);
            if kind == "securitySchemes" {
                if !schemes_in_use.contains(name.as_str()) {
                    report.add(
                        "security-scheme-unused",
                        pointer,
                        format!("no operation requires {name}"),
                        "use it, or remove it",
                    );
                }
            } else if !kind.starts_with("x-") && !reached.contains(&pointer) {
                report.add(
                    "component-unused",
                    pointer,
                    format!("no operation uses {name} ({kind})"),
                    "use it, or remove it",
                );
            }
        }
    }
}

fn duplicates(document: &Value, report: &mut Report) {
    let mut same: IndexMap<String, Vec<&str>> = IndexMap::new();
    for (name, schema) in members(&document["components"]["schemas"]) {
        // Equal scalars and lists may be coincidence; equal objects and enums are not.
        if ["properties", "enum", "allOf", "anyOf", "oneOf"]
            .iter()
            .any(|keyword| schema.get(keyword).is_some())
        {
            same.entry(without_annotations(schema).to_string()).or_default().push(name);
        }
    }
    for names in same.into_values().filter(|names| names.len() > 1) {
        report.add(
            "schema-duplicate",
            join("#/components/schemas", names[0]),
            format!("{} is the same as {}", names[0], listed(&names[1..])),
            "share one, unless they will diverge",
        );
    }
}

fn tags(document: &Value, report: &mut Report) {
    let declared: Vec<&str> = elements(&document["tags"]).filter_map(|tag| tag["name"].as_str()).collect();
    let mut used = HashSet::new();
    for operation in operations(document) {
        for (index, tag) in strings(&operation.value["tags"]).enumerate() {
            used.insert(tag);
            if !declared.contains(&tag) {
                report.add(
                    "tag-undeclared",
                    join(&join(&operation.pointer(), "tags"), index),
                    format!("{} has tag {tag}, which is not declared", operation.label()),
                    "declare it under tags, with a description",
                );
            }
        }
    }
    for (index, tag) in elements(&document["tags"]).enumerate() {
        let name = tag["name"].as_str().unwrap_or_default();
        if !used.contains(name) {
            report.add(
                "tag-unused",
                join("#/tags", index),
                format!("no operation has tag {name:?}"),
                "use it, or remove it",
            );
        }
    }
}

fn descriptions(document: &Value, report: &mut Report) {
    let lacks = |value: &Value| value["description"].as_str().is_none_or(|text| text.trim().is_empty());
    let mut report_missing = |pointer: String, what: String| {
        report.add("description-missing", pointer, format!("{what} has no description"), "add one");
    };
    for operation in operations(document) {
        if lacks(operation.value) {
            report_missing(operation.pointer(), operation.label());
        }
        for parameter in operation.parameters(document) {
            if parameter.pointer == parameter.declared_at && lacks(parameter.value) {
                report_missing(
                    parameter.pointer,
                    format!("parameter {} of {}", parameter.name, operation.label()),
                );
            }
        }
    }
    for kind in ["parameters", "schemas"] {
        let at = join("#/components", kind);
        for (name, component) in members(&document["components"][kind]) {
            let pointer = join(&at, name);
            if follow(document, &pointer, component).is_some_and(|(target, _)| target == pointer)
                && lacks(component)
            {
                report_missing(pointer, name.clone());
            }
        }
    }
}
