//! OpenAPI 3.0 schemas read as JSON Schema 2020-12, in memory, so that one set of rules serves both.
//! Pointers stay as they are: no schema moves.

use serde_json::{Map, Value, json};

use crate::walk::is_3_0;

/// `document` with its schemas in the words of 3.1. A document that already is 3.1 comes back as it is.
pub(crate) fn modern(document: &Value) -> Value {
    if is_3_0(document) { rewrite(document, false) } else { document.clone() }
}

/// `names` tells that the keys of this object are names (of properties), not keywords.
fn rewrite(value: &Value, names: bool) -> Value {
    match value {
        Value::Object(members) => {
            let mut rewritten: Map<String, Value> = members
                .iter()
                .map(|(key, value)| {
                    let free = ["example", "examples", "default", "enum", "const"].contains(&key.as_str());
                    let value = if !names && (free || key.starts_with("x-")) {
                        value.clone()
                    } else {
                        rewrite(value, !names && key == "properties")
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
    // Without a type, 3.0.3 says that nullable does nothing.
    if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
        schema.insert("type".to_owned(), json!([kind, "null"]));
        if let Some(Value::Array(values)) = schema.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
    }
    schema.remove("nullable");
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
    fn nullable_and_exclusive_limits_become_what_3_1_says() {
        let document = json!({"openapi": "3.0.3", "components": {"schemas": {"A": {"properties": {
            "nullable": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "nullable": true},
            "kind": {"type": "string", "enum": ["a"], "nullable": true},
        }}}}});
        assert_eq!(
            modern(&document)["components"]["schemas"]["A"]["properties"],
            json!({
                "nullable": {"type": ["integer", "null"], "exclusiveMinimum": 0},
                "kind": {"type": ["string", "null"], "enum": ["a", null]},
            })
        );
    }

    #[test]
    fn a_3_1_document_stays_as_it_is() {
        let document = json!({"openapi": "3.1.0", "components": {"schemas": {"A": {"nullable": true}}}});
        assert_eq!(modern(&document), document);
    }
}
