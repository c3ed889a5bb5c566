//! Merges `allOf` of plain objects into one object.

use serde_json::{Map, Value, json};

use super::SCHEMA_PREFIX;

/// Merges an `allOf` whose branches are all plain objects (or references to such) into one object.
pub(super) fn flatten_all_of(schema: &mut Value, schemas: &Map<String, Value>) {
    let Some(branches) = schema.get("allOf").and_then(Value::as_array).cloned() else { return };
    if let [only] = branches.as_slice()
        && only.get("$ref").is_some()
        && schema.get("properties").is_none()
    {
        let Value::Object(object) = schema else { return };
        object.remove("allOf");
        object.remove("type");
        object.insert("$ref".into(), only["$ref"].clone());
        return;
    }
    let mut merged = Map::new();
    let mut own = schema.clone();
    if let Value::Object(own) = &mut own {
        own.remove("allOf");
    }
    let mut parts = branches;
    if own.get("properties").is_some() || own.get("required").is_some() {
        parts.push(json!({ "type": "object", "properties": own.get("properties").cloned().unwrap_or(json!({})), "required": own.get("required").cloned().unwrap_or(json!([])) }));
    }
    let mut required: Vec<Value> = Vec::new();
    let mut properties = Map::new();
    for part in &parts {
        let Some(part) = plain_object(part, schemas, 0) else { return };
        for (key, value) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            properties.insert(key.clone(), value.clone());
        }
        for name in part.get("required").and_then(Value::as_array).into_iter().flatten() {
            if !required.contains(name) {
                required.push(name.clone());
            }
        }
        if let Some(more) = part.get("additionalProperties") {
            merged.insert("additionalProperties".into(), more.clone());
        }
    }
    merged.insert("type".into(), json!("object"));
    if !required.is_empty() {
        merged.insert("required".into(), Value::Array(required));
    }
    merged.insert("properties".into(), Value::Object(properties));
    if let Value::Object(own) = own {
        for (key, value) in own {
            merged.entry(key).or_insert(value);
        }
    }
    *schema = Value::Object(merged);
}

/// The object that `schema` is, following references and nested `allOf`; `None` when it is anything else.
fn plain_object(schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Option<Value> {
    if depth > 16 {
        return None;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = schemas.get(reference.strip_prefix(SCHEMA_PREFIX)?)?;
        return plain_object(target, schemas, depth + 1);
    }
    let mut schema = schema.clone();
    flatten_all_of(&mut schema, schemas);
    let object = schema.as_object()?;
    let known = |key: &String| {
        matches!(
            key.as_str(),
            "type"
                | "properties"
                | "required"
                | "additionalProperties"
                | "description"
                | "title"
                | "example"
                | "examples"
        ) || key.starts_with("x-")
    };
    let is_object = object.get("type").is_none_or(|kind| kind == "object");
    (is_object && object.keys().all(known)).then_some(schema)
}
