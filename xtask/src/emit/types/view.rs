//! What typify is shown, and what it makes of it: schemas without the constraints that types do not carry.
//! No change of typify's output here; that is `mod.rs`.

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Map, Value, json};

use crate::model::Contract;
use crate::name::{SCHEMA_PREFIX, pascal};

/// Keywords that a type does not carry: the server checks them at its boundary, a client tolerates.
pub const BOUNDARY_KEYWORDS: [&str; 16] = [
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "contentEncoding",
    "contentMediaType",
    "not",
];

/// Formats that decide the Rust type; every other format is left to the boundary.
pub const TYPED_FORMATS: [&str; 4] = ["date-time", "date", "int32", "int64"];

/// What typify writes for the schemas of `contract`.
pub(super) fn raw(contract: &Contract) -> Result<syn::File> {
    let mut settings = typify_impl::TypeSpaceSettings::default();
    settings.with_map_type(typify_impl::MapType::new("::std::collections::BTreeMap"));
    for (name, _) in CONSTANTS {
        settings.with_replacement(name, format!("crate::support::{name}"), std::iter::empty());
    }
    let mut definitions = Vec::new();
    for (name, _) in CONSTANTS {
        definitions.push((name.to_owned(), schema(&json!({ "type": "boolean" }), name)?));
    }
    for (name, value) in &contract.schemas {
        let pointer = format!("{SCHEMA_PREFIX}{name}");
        definitions.push((pascal(name), schema(&view(value), &pointer)?));
    }
    let file = &contract.file_name;
    let tokens = std::panic::catch_unwind(|| -> Result<_> {
        let mut space = typify_impl::TypeSpace::new(&settings);
        space.add_ref_types(definitions).map_err(|error| anyhow!("{file}: #/components/schemas: {error}"))?;
        Ok(space.to_stream())
    })
    .map_err(|_| {
        anyhow!("{file}: #/components/schemas: typify cannot express one of the schemas (its panic is above)")
    })??;
    syn::parse2(tokens).with_context(|| format!("{file}: typify wrote code that does not parse"))
}

const CONSTANTS: [(&str, bool); 2] = [("ConstTrue", true), ("ConstFalse", false)];

fn schema(value: &Value, pointer: &str) -> Result<schemars::schema::Schema> {
    serde_json::from_value(value.clone()).with_context(|| format!("{pointer}: not a schema that can be read"))
}

/// The schema as typify is to see it: types only, no constraints, draft 7 references.
fn view(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            if let Some(constant) = object.get("const") {
                for (name, value) in CONSTANTS {
                    if *constant == Value::Bool(value) {
                        return json!({ "$ref": format!("#/definitions/{name}") });
                    }
                }
            }
            let mut out = Map::new();
            for (key, child) in object {
                match key.as_str() {
                    "$ref" => {
                        let name = child.as_str().and_then(|reference| reference.strip_prefix(SCHEMA_PREFIX));
                        let reference = name.map_or_else(
                            || child.clone(),
                            |name| json!(format!("#/definitions/{}", pascal(name))),
                        );
                        out.insert(key.clone(), reference);
                    }
                    "properties" => {
                        let mut properties = Map::new();
                        let required = object.get("required").and_then(Value::as_array);
                        for (name, child) in child.as_object().into_iter().flatten() {
                            let optional = !required.is_some_and(|all| all.contains(&json!(name)));
                            let mut seen = view(child);
                            if optional
                                && seen.get("default").is_none()
                                && (seen["type"] == "array" || seen["type"] == "object")
                            {
                                // An optional list would otherwise be skipped when empty: absent and [] differ.
                                seen["type"] = json!([seen["type"].clone(), "null"]);
                            }
                            properties.insert(name.clone(), seen);
                        }
                        out.insert(key.clone(), Value::Object(properties));
                    }
                    "format" if child.as_str().is_some_and(|format| TYPED_FORMATS.contains(&format)) => {
                        out.insert(key.clone(), child.clone());
                    }
                    "additionalProperties" if *child == Value::Bool(false) => {}
                    "additionalProperties"
                        if *child == Value::Bool(true) && object.contains_key("properties") =>
                    {
                        // typify takes `true` for silence and would drop what is expressly welcome.
                        out.insert(key.clone(), json!({}));
                    }
                    "default" | "enum" | "required" | "type" | "const" => {
                        out.insert(key.clone(), child.clone());
                    }
                    "anyOf" | "oneOf" if requires_only(child) => {}
                    "anyOf" | "oneOf" | "allOf" => {
                        let branches = child.as_array().into_iter().flatten().map(view).collect();
                        // typify flattens `anyOf` into a struct of options, which loses values that are no
                        // objects; as `oneOf` it is an enum of the alternatives.
                        let keyword = if key == "anyOf" { "oneOf" } else { key.as_str() };
                        out.insert(keyword.to_owned(), Value::Array(branches));
                    }
                    "items" | "additionalProperties" => {
                        out.insert(key.clone(), view(child));
                    }
                    "title" => {
                        out.insert(key.clone(), child.clone());
                    }
                    _ => {}
                }
            }
            if out.contains_key("$ref") && out.len() > 1 {
                let reference = out.remove("$ref").unwrap_or_default();
                out.insert("allOf".into(), json!([{ "$ref": reference }]));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

/// Whether every branch only lists required members: a rule about presence, not a type.
pub fn requires_only(branches: &Value) -> bool {
    branches.as_array().is_some_and(|branches| {
        branches.iter().all(|branch| {
            branch.as_object().is_some_and(|object| {
                object.contains_key("required")
                    && object
                        .keys()
                        .all(|key| matches!(key.as_str(), "required" | "type" | "description" | "title"))
            })
        })
    })
}
