//! Renames components whose names would become the same Rust type, or a reserved one.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::{SCHEMA_PREFIX, escape, pascal};

/// Names that generated code uses itself.
pub(super) const RESERVED: [&str; 17] = [
    "Box",
    "ConstFalse",
    "ConstTrue",
    "Default",
    "Err",
    "Field",
    "From",
    "Into",
    "None",
    "Ok",
    "Option",
    "Result",
    "Self",
    "Some",
    "String",
    "UnknownValue",
    "Vec",
];

/// Renames components whose names would become the same Rust type, or a reserved one. Returns the new names with the
/// JSON pointers of the components.
pub(super) fn resolve_collisions(document: &mut Value) -> IndexMap<String, String> {
    let names: Vec<String> = document
        .pointer("/components/schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    let is_free = |name: &str, taken: &BTreeSet<String>| !taken.contains(name) && !RESERVED.contains(&name);
    let mut taken = BTreeSet::new();
    // A component spelled like the type keeps its name.
    for name in names.iter().filter(|name| pascal(name) == **name && !RESERVED.contains(&name.as_str())) {
        taken.insert(name.clone());
    }
    let mut renamed = IndexMap::new();
    let mut changes: Vec<(String, String)> = Vec::new();
    let others: Vec<&String> = names.iter().filter(|name| !taken.contains(*name)).collect();
    for name in others {
        let base = pascal(name);
        let base = if base.is_empty() { "Unnamed".to_owned() } else { base };
        if is_free(&base, &taken) && !pascal(name).is_empty() {
            taken.insert(base);
            continue;
        }
        let other = std::iter::once("Value".to_owned())
            .chain((2..).map(|number: usize| number.to_string()))
            .map(|suffix| format!("{base}{suffix}"))
            .find(|other| is_free(other, &taken));
        let Some(other) = other else { continue };
        taken.insert(other.clone());
        renamed.insert(other.clone(), format!("{SCHEMA_PREFIX}{}", escape(name)));
        changes.push((name.clone(), other));
    }
    if changes.is_empty() {
        return renamed;
    }
    let changes: BTreeMap<String, String> = changes
        .into_iter()
        .map(|(old, new)| (format!("{SCHEMA_PREFIX}{}", escape(&old)), format!("{SCHEMA_PREFIX}{new}")))
        .collect();
    redirect(document, &changes);
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        let old = std::mem::take(schemas);
        for (name, schema) in old {
            let name = changes
                .get(&format!("{SCHEMA_PREFIX}{}", escape(&name)))
                .and_then(|reference| reference.strip_prefix(SCHEMA_PREFIX))
                .map_or(name, str::to_owned);
            schemas.insert(name, schema);
        }
    }
    renamed
}

/// Updates references to renamed components.
fn redirect(value: &mut Value, changes: &BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(new) = changes.get(reference)
            {
                reference.clone_from(new);
            }
            for (key, child) in object {
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum" | "const") {
                    redirect(child, changes);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, changes)),
        _ => {}
    }
}
