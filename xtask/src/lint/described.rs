//! How messages name a schema, and the types that a schema declares.

use serde_json::Value;

use crate::walk::{SchemaNode, strings};

/// Names a schema in a message.
pub(super) fn described(node: &SchemaNode<'_>) -> String {
    match (node.keyword, node.name) {
        ("properties", Some(name)) => format!("property {name}"),
        ("schemas", Some(name)) => name.to_owned(),
        ("schema", Some(name)) => format!("parameter {name}"),
        _ => "the schema".to_owned(),
    }
}

/// The types that a schema declares, including `null`.
pub(super) fn declared_types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        kinds => strings(kinds).collect(),
    }
}
