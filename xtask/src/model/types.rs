//! Types of the contract, independent of the code that is generated for them.

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::name::{SCHEMA_PREFIX, is_nullable, pascal};

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeRef {
    /// A component schema.
    Named(String),
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// `i64`.
    I64,
    /// `i32`.
    I32,
    /// `f64`.
    F64,
    /// `bool`.
    Bool,
    /// A point in time.
    DateTime,
    /// A day.
    Date,
    /// A list.
    List(Box<TypeRef>),
    /// A map by name.
    Map(Box<TypeRef>),
    /// A value or null.
    Nullable(Box<TypeRef>),
    /// Any JSON value.
    Any,
}

impl TypeRef {
    /// The type of `schema`, whose inline types have names.
    ///
    /// # Errors
    ///
    /// When a reference is not to a component schema.
    pub fn of(schema: &Value, pointer: &str) -> Result<Self> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.strip_prefix(SCHEMA_PREFIX).ok_or_else(|| {
                anyhow!(
                    "{pointer}: reference {reference} is not below {SCHEMA_PREFIX}; move its target there"
                )
            })?;
            return Ok(Self::Named(pascal(name)));
        }
        if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
        {
            let solid: Vec<&Value> = branches.iter().filter(|branch| branch["type"] != "null").collect();
            if let [only] = solid.as_slice() {
                let inner = Self::of(only, pointer)?;
                return Ok(if solid.len() < branches.len() {
                    Self::Nullable(Box::new(inner))
                } else {
                    inner
                });
            }
            if solid.iter().all(|branch| branch["type"] == "string") {
                return Ok(Self::String);
            }
            return Ok(Self::Any);
        }
        let nullable = is_nullable(schema);
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => Some(kind.as_str()),
            Some(Value::Array(kinds)) => {
                let solid: Vec<&str> =
                    kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
                if let [only] = solid.as_slice() { Some(*only) } else { None }
            }
            _ => None,
        };
        let format = schema.get("format").and_then(Value::as_str);
        let inner = match kind {
            Some("string") => match format {
                Some("date-time") => Self::DateTime,
                Some("date") => Self::Date,
                Some("binary") => Self::Bytes,
                _ => Self::String,
            },
            Some("integer") if format == Some("int32") => Self::I32,
            Some("integer") => Self::I64,
            Some("number") => Self::F64,
            Some("boolean") => Self::Bool,
            Some("array") => {
                let items = schema.get("items").cloned().unwrap_or(Value::Bool(true));
                Self::List(Box::new(Self::of(&items, pointer)?))
            }
            Some("object") => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Self::Map(Box::new(Self::of(values, pointer)?)),
                _ => Self::Map(Box::new(Self::Any)),
            },
            _ => Self::Any,
        };
        Ok(if nullable { Self::Nullable(Box::new(inner)) } else { inner })
    }
}

/// Names of the component schemas that `value` references directly.
pub fn references(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    collect_references(value, &mut out);
    out
}

fn collect_references(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(name) =
                object.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(SCHEMA_PREFIX))
            {
                out.push(name.to_owned());
            }
            for (key, child) in object {
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum" | "const") {
                    collect_references(child, out);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, out)),
        _ => {}
    }
}
