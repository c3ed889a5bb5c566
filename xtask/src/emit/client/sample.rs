//! Example values: from the contract, or the smallest that a schema allows.

use serde_json::{Map, Value, json};

use crate::lower::resolve;
use crate::model::Contract;

/// An example of `schema`; `null` if there is none.
pub fn value(contract: &Contract, schema: &Value) -> Value {
    sample(contract, schema, 0)
}

fn sample(contract: &Contract, schema: &Value, depth: usize) -> Value {
    if depth > 12 {
        return Value::Null;
    }
    if schema.get("$ref").is_some() {
        let Ok(target) = resolve(contract, schema, "") else { return Value::Null };
        return sample(contract, target, depth + 1);
    }
    if let Some(example) = schema.get("example").or_else(|| schema.get("examples").and_then(|all| all.get(0)))
    {
        return example.clone();
    }
    for key in ["const", "default"] {
        if let Some(value) = schema.get(key).filter(|value| !value.is_null()) {
            return value.clone();
        }
    }
    if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
        return first.clone();
    }
    let own = schema.get("properties").is_some();
    for key in ["allOf", "anyOf", "oneOf"] {
        let Some(branches) = schema.get(key).and_then(Value::as_array) else { continue };
        let branches = branches.iter().filter(|branch| branch["type"] != "null");
        if key == "allOf" {
            let mut all = object(contract, schema, &[], depth);
            for branch in branches {
                if let Value::Object(members) = sample(contract, branch, depth + 1) {
                    all.extend(members);
                }
            }
            return Value::Object(all);
        }
        if let Some(branch) = branches.into_iter().next() {
            if !own {
                return sample(contract, branch, depth + 1);
            }
            let extra: Vec<&str> =
                branch["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            return Value::Object(object(contract, schema, &extra, depth));
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    match kind {
        Some("string") => json!(text(schema)),
        Some("integer") => {
            json!(number("minimum").or(number("exclusiveMinimum").map(|low| low + 1.0)).unwrap_or(1.0) as i64)
        }
        Some("number") => json!(number("minimum").unwrap_or(1.5)),
        Some("boolean") => json!(true),
        Some("array") => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let item = schema.get("items").map_or(Value::Null, |items| sample(contract, items, depth + 1));
            Value::Array(vec![item; least as usize])
        }
        Some("object") => Value::Object(object(contract, schema, &[], depth)),
        _ if own => Value::Object(object(contract, schema, &[], depth)),
        _ => json!({}),
    }
}

fn object(contract: &Contract, schema: &Value, extra: &[&str], depth: usize) -> Map<String, Value> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| required.contains(&name.as_str()) || extra.contains(&name.as_str()))
        .map(|(name, property)| (name.clone(), sample(contract, property, depth + 1)))
        .collect()
}

fn text(schema: &Value) -> String {
    let text = match schema["format"].as_str() {
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("date") => "2026-01-31",
        Some("email") => "ada@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "01890f5e-7c00-7000-8000-000000000000",
        _ => "text",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0) as usize;
    let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX) as usize;
    text.chars().chain(std::iter::repeat('x')).take(text.len().max(least).min(most)).collect()
}
