//! Converts OpenAPI 3.0 schemas to JSON Schema 2020-12 in memory, so that one set of rules and one generator handle both.
//! Pointers do not change, except that nullable references and `allOf` move below an `anyOf`.

use serde_json::{Map, Value, json};

use crate::walk::{FREE_VALUES, holds_names, is_3_0};

/// `document` with its schemas converted to 3.1. A 3.1 document is returned unchanged.
pub(crate) fn to_3_1(document: &Value) -> Value {
    if is_3_0(document) { rewrite(document, false) } else { document.clone() }
}

/// `names`: the keys of this object are names (of properties, say), not keywords.
fn rewrite(value: &Value, names: bool) -> Value {
    match value {
        Value::Object(members) => {
            let mut rewritten: Map<String, Value> = members
                .iter()
                .map(|(key, value)| {
                    let free = FREE_VALUES.contains(&key.as_str()) || key.starts_with("x-");
                    let value = if !names && free {
                        value.clone()
                    } else {
                        rewrite(value, !names && holds_names(key))
                    };
                    (key.clone(), value)
                })
                .collect();
            if !names {
                nullable(&mut rewritten);
                exclusive(&mut rewritten, "exclusiveMinimum", "minimum");
                exclusive(&mut rewritten, "exclusiveMaximum", "maximum");
            }
            Value::Object(rewritten)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| rewrite(item, false)).collect()),
        other => other.clone(),
    }
}

fn nullable(schema: &mut Map<String, Value>) {
    match schema.get("nullable") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => {
            schema.remove("nullable");
            return;
        }
        _ => return,
    }
    schema.remove("nullable");
    if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
        schema.insert("type".to_owned(), json!([kind, "null"]));
        if let Some(Value::Array(values)) = schema.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        return;
    }
    // According to 3.0.3, nullable without a type has no effect, but authors use it with these keywords.
    let inner = match (schema.remove("$ref"), schema.remove("allOf")) {
        (Some(reference), _) => json!({ "$ref": reference }),
        (None, Some(Value::Array(mut branches))) if branches.len() == 1 => branches.remove(0),
        (None, Some(branches)) => json!({ "allOf": branches }),
        (None, None) => return,
    };
    schema.insert("anyOf".to_owned(), json!([inner, { "type": "null" }]));
}

fn exclusive(schema: &mut Map<String, Value>, flag: &str, limit: &str) {
    let Some(Value::Bool(exclusive)) = schema.get(flag).cloned() else { return };
    schema.remove(flag);
    if exclusive && let Some(bound) = schema.remove(limit) {
        schema.insert(flag.to_owned(), bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_nullable_and_exclusive_limits() {
        let document = json!({"openapi": "3.0.3", "components": {"schemas": {"A": {"properties": {
            "nullable": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "nullable": true},
            "kind": {"type": "string", "enum": ["a"], "nullable": true},
        }}}}});
        assert_eq!(
            to_3_1(&document)["components"]["schemas"]["A"]["properties"],
            json!({
                "nullable": {"type": ["integer", "null"], "exclusiveMinimum": 0},
                "kind": {"type": ["string", "null"], "enum": ["a", null]},
            })
        );
    }

    #[test]
    fn converts_nullable_references() {
        let reference = json!({"$ref": "#/components/schemas/B"});
        let document = json!({"openapi": "3.0.3", "components": {"schemas": {
            "one": {"allOf": [reference], "nullable": true, "description": "One."},
            "two": {"allOf": [reference, {"type": "object"}], "nullable": true},
            "bare": {"$ref": "#/components/schemas/B", "nullable": true},
            "never": {"allOf": [reference], "nullable": false},
            "nothing": {"description": "Anything.", "nullable": true},
        }}});
        let absent = json!({"type": "null"});
        assert_eq!(
            to_3_1(&document)["components"]["schemas"],
            json!({
                "one": {"anyOf": [reference, absent], "description": "One."},
                "two": {"anyOf": [{"allOf": [reference, {"type": "object"}]}, absent]},
                "bare": {"anyOf": [reference, absent]},
                "never": {"allOf": [reference]},
                "nothing": {"description": "Anything."},
            })
        );
    }

    #[test]
    fn converts_properties_named_like_keywords() {
        let old = json!({"type": "string", "nullable": true});
        let new = json!({"type": ["string", "null"]});
        let document = |schema: &Value| {
            json!({"openapi": "3.0.3", "paths": {"/a": {"get": {"responses": {
                "default": {"content": {"example": {"schema": schema}}},
            }}}}, "components": {"schemas": {
                "enum": {"properties": {"default": schema, "example": schema, "x-a": schema, "properties": {
                    "properties": {"const": schema},
                }}, "example": old, "x-old": old},
            }}})
        };
        assert_eq!(to_3_1(&document(&old))["paths"], document(&new)["paths"]);
        assert_eq!(to_3_1(&document(&old))["components"], document(&new)["components"]);
    }

    #[test]
    fn leaves_3_1_documents_unchanged() {
        let document = json!({"openapi": "3.1.0", "components": {"schemas": {"A": {"nullable": true}}}});
        assert_eq!(to_3_1(&document), document);
    }
}
