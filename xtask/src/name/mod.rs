//! Gives every inline object and enum a component name, so that all emitters agree on names.
//!
//! The input is the effective document, 3.0 or 3.1. The output is a 3.1 document in which the schema of every body,
//! property and parameter is a reference, a primitive, or a list or map of these.

use anyhow::{Result, bail};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::dialect::to_3_1;
use crate::source::NameSettings;
pub use crate::walk::{METHODS, escape};

mod case;
mod collisions;
mod shape;

pub use case::{pascal, snake};
use collisions::{RESERVED, resolve_collisions};
use shape::flatten_all_of;

/// The prefix of references to component schemas.
pub const SCHEMA_PREFIX: &str = "#/components/schemas/";

/// A document whose inline types have names.
#[derive(Debug)]
pub struct Named {
    /// The document: components.schemas holds every named type.
    pub document: Value,
    /// Generated names, with the JSON pointer of the inline schema.
    pub hoisted: IndexMap<String, String>,
}

/// Names the inline schemas of `effective`.
///
/// # Errors
///
/// When there is no free name for an inline schema.
pub fn name(effective: &Value, settings: &NameSettings) -> Result<Named> {
    let mut document = to_3_1(effective);
    let renamed = resolve_collisions(&mut document);
    let mut schemas = match document.pointer_mut("/components/schemas").map(Value::take) {
        Some(Value::Object(schemas)) => schemas,
        _ => Map::new(),
    };
    let mut namer = Namer {
        taken: schemas
            .keys()
            .flat_map(|name| [name.clone(), pascal(name)])
            .chain(RESERVED.map(str::to_owned))
            .collect(),
        enums: Vec::new(),
        hoisted: renamed,
        settings,
    };
    let flat = schemas.clone();
    for (name, schema) in &mut schemas {
        flatten_all_of(schema, &flat);
        if let Some(values) = enum_values(schema) {
            namer.enums.push((values, name.clone()));
        }
    }
    let mut out = IndexMap::new();
    for (name, mut schema) in schemas {
        namer.children(&name, &mut schema, &format!("{SCHEMA_PREFIX}{name}"), &flat, &mut out)?;
        out.insert(name, schema);
    }
    namer.operations(&mut document, &flat, &mut out)?;
    let schemas: Map<String, Value> = out.into_iter().collect();
    match document.get_mut("components") {
        Some(Value::Object(components)) => {
            components.insert("schemas".into(), Value::Object(schemas));
        }
        _ => document["components"] = json!({ "schemas": schemas }),
    }
    Ok(Named { document, hoisted: namer.hoisted })
}

struct Namer<'a> {
    taken: std::collections::HashSet<String>,
    /// Value lists that already have a name.
    enums: Vec<(Vec<Value>, String)>,
    hoisted: IndexMap<String, String>,
    settings: &'a NameSettings,
}

impl Namer<'_> {
    /// Hoists the inline schemas directly below `schema`, which is named `name`.
    fn children(
        &mut self,
        name: &str,
        schema: &mut Value,
        pointer: &str,
        flat: &Map<String, Value>,
        out: &mut IndexMap<String, Value>,
    ) -> Result<()> {
        let Value::Object(object) = schema else { return Ok(()) };
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            for (property, child) in properties {
                let pointer = format!("{pointer}/properties/{}", escape(property));
                let proposed = self.property_name(name, property);
                self.hoist(&proposed, child, &pointer, flat, out)?;
            }
        }
        if let Some(items) = object.get_mut("items") {
            self.hoist(&format!("{name}Item"), items, &format!("{pointer}/items"), flat, out)?;
        }
        if let Some(values) = object.get_mut("additionalProperties").filter(|value| value.is_object()) {
            self.hoist(
                &format!("{name}Value"),
                values,
                &format!("{pointer}/additionalProperties"),
                flat,
                out,
            )?;
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let Some(Value::Array(branches)) = object.get_mut(keyword) else { continue };
            for (index, branch) in branches.iter_mut().enumerate() {
                let title = branch.get("title").and_then(Value::as_str).map(pascal);
                let proposed =
                    title.map_or_else(|| format!("{name}{}", index + 1), |title| format!("{name}{title}"));
                if branch.get("properties").is_some() {
                    self.hoist(&proposed, branch, &format!("{pointer}/{keyword}/{index}"), flat, out)?;
                } else {
                    self.children(&proposed, branch, &format!("{pointer}/{keyword}/{index}"), flat, out)?;
                }
            }
        }
        Ok(())
    }

    /// Replaces `schema` by a reference to a new component named `proposed`, if it is an object or enum.
    fn hoist(
        &mut self,
        proposed: &str,
        schema: &mut Value,
        pointer: &str,
        flat: &Map<String, Value>,
        out: &mut IndexMap<String, Value>,
    ) -> Result<()> {
        flatten_all_of(schema, flat);
        if let Some(values) = enum_values(schema) {
            let known = self.enums.iter().find(|(other, _)| *other == values).map(|(_, name)| name.clone());
            let name = match known {
                Some(name) => name,
                None => {
                    let name = self.free(proposed)?;
                    self.enums.push((values.clone(), name.clone()));
                    self.hoisted.insert(name.clone(), pointer.to_owned());
                    let mut component = json!({ "type": "string", "enum": values });
                    copy(schema, &mut component, &["description", "x-ringnity-extension"]);
                    out.insert(name.clone(), component);
                    name
                }
            };
            let nullable = is_nullable(schema);
            let mut reference = json!({ "$ref": format!("{SCHEMA_PREFIX}{name}") });
            if nullable {
                reference = json!({ "anyOf": [reference, { "type": "null" }] });
            }
            copy(schema, &mut reference, &["description", "default", "deprecated", "example", "examples"]);
            *schema = reference;
        } else if is_object_type(schema) {
            let name = self.free(proposed)?;
            self.hoisted.insert(name.clone(), pointer.to_owned());
            let nullable = is_nullable(schema);
            let mut component = schema.take();
            if nullable {
                component["type"] = json!("object");
            }
            let mut reference = json!({ "$ref": format!("{SCHEMA_PREFIX}{name}") });
            if nullable {
                reference = json!({ "anyOf": [reference, { "type": "null" }] });
            }
            copy(&component, &mut reference, &["description", "default", "deprecated"]);
            self.children(&name, &mut component, pointer, flat, out)?;
            out.insert(name, component);
            *schema = reference;
        } else {
            self.children(proposed, schema, pointer, flat, out)?;
        }
        Ok(())
    }

    /// The name of an inline schema at `property` of `parent`.
    fn property_name(&self, parent: &str, property: &str) -> String {
        let wrapped = self.settings.wrapper.as_deref().and_then(|suffix| parent.strip_suffix(suffix));
        match wrapped {
            Some(payload) if self.settings.payload.as_deref() == Some(property) => {
                if self.taken.contains(payload) { format!("{payload}Data") } else { payload.to_owned() }
            }
            _ => format!("{}{}", pascal(parent), pascal(property)),
        }
    }

    fn free(&mut self, proposed: &str) -> Result<String> {
        let base = pascal(proposed);
        for suffix in ["", "Value", "2", "3", "4", "5", "6", "7", "8", "9"] {
            let name = format!("{base}{suffix}");
            if self.taken.insert(name.clone()) {
                return Ok(name);
            }
        }
        bail!("no free name for an inline schema {base}; move one of the schemas of this name to components")
    }

    /// Hoists inline schemas of parameters, request bodies and responses.
    fn operations(
        &mut self,
        document: &mut Value,
        flat: &Map<String, Value>,
        out: &mut IndexMap<String, Value>,
    ) -> Result<()> {
        if let Some(Value::Object(parameters)) = document.pointer_mut("/components/parameters") {
            for (key, parameter) in parameters {
                let pointer = format!("#/components/parameters/{}/schema", escape(key));
                if let Some(schema) = parameter.get_mut("schema") {
                    self.hoist(key, schema, &pointer, flat, out)?;
                }
            }
        }
        for (section, suffix) in [("requestBodies", "Request"), ("responses", "Response")] {
            let Some(Value::Object(entries)) = document.pointer_mut(&format!("/components/{section}")) else {
                continue;
            };
            for (key, entry) in entries {
                let base = pascal(key);
                let proposed = if base.ends_with(suffix) { base } else { format!("{base}{suffix}") };
                self.media(&proposed, entry, &format!("#/components/{section}/{}", escape(key)), flat, out)?;
            }
        }
        let Some(Value::Object(paths)) = document.get_mut("paths") else { return Ok(()) };
        for (path, item) in paths {
            let Value::Object(item) = item else { continue };
            for (method, operation) in item {
                if !METHODS.contains(&method.as_str()) {
                    continue;
                }
                let pointer = format!("#/paths/{}/{method}", escape(path));
                let id = operation
                    .get("operationId")
                    .and_then(Value::as_str)
                    .map_or_else(|| pascal(&format!("{method} {path}")), pascal);
                if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
                    for (index, parameter) in parameters.iter_mut().enumerate() {
                        let name =
                            parameter.get("name").and_then(Value::as_str).map(pascal).unwrap_or_default();
                        if let Some(schema) = parameter.get_mut("schema") {
                            let pointer = format!("{pointer}/parameters/{index}/schema");
                            self.hoist(&format!("{id}{name}"), schema, &pointer, flat, out)?;
                        }
                    }
                }
                if let Some(body) = operation.get_mut("requestBody") {
                    self.media(&format!("{id}Request"), body, &format!("{pointer}/requestBody"), flat, out)?;
                }
                if let Some(Value::Object(responses)) = operation.get_mut("responses") {
                    for (status, response) in responses {
                        let proposed = if status.starts_with('2') {
                            format!("{id}Response")
                        } else {
                            format!("{id}{}Response", pascal(status))
                        };
                        self.media(&proposed, response, &format!("{pointer}/responses/{status}"), flat, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn media(
        &mut self,
        proposed: &str,
        holder: &mut Value,
        pointer: &str,
        flat: &Map<String, Value>,
        out: &mut IndexMap<String, Value>,
    ) -> Result<()> {
        let Some(Value::Object(content)) = holder.get_mut("content") else { return Ok(()) };
        for (media_type, media) in content {
            let Some(schema) = media.get_mut("schema") else { continue };
            let pointer = format!("{pointer}/content/{}/schema", escape(media_type));
            if media_type.starts_with("multipart/") {
                // A form is not a value: emitters read its fields one by one.
                continue;
            }
            self.hoist(proposed, schema, &pointer, flat, out)?;
        }
        Ok(())
    }
}

fn enum_values(schema: &Value) -> Option<Vec<Value>> {
    let kind = schema.get("type")?;
    let text = kind == "string" || (kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string"))));
    let values: Vec<Value> =
        schema.get("enum")?.as_array()?.iter().filter(|value| !value.is_null()).cloned().collect();
    (text && !values.is_empty() && values.iter().all(Value::is_string)).then_some(values)
}

/// Whether a schema becomes a struct rather than a primitive, list, map or reference.
fn is_object_type(schema: &Value) -> bool {
    if schema.get("$ref").is_some() {
        return false;
    }
    let properties = schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    let composed = ["allOf", "oneOf", "anyOf"].iter().any(|keyword| {
        schema.get(keyword).and_then(Value::as_array).is_some_and(|branches| {
            let solid: Vec<&Value> = branches.iter().filter(|branch| branch["type"] != "null").collect();
            !(solid.is_empty()
                || solid.len() == 1 && branches.len() == 2 && solid[0].get("properties").is_none())
        })
    });
    properties || composed
}

/// Whether `null` is among the values that `schema` allows by its own words.
pub fn is_nullable(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.contains(&json!("null")),
        Some(Value::String(kind)) => kind == "null",
        _ => schema
            .get("anyOf")
            .or_else(|| schema.get("oneOf"))
            .and_then(Value::as_array)
            .is_some_and(|branches| branches.iter().any(is_nullable)),
    }
}

fn copy(from: &Value, to: &mut Value, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.get(*key) {
            to[*key] = value.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> NameSettings {
        NameSettings { wrapper: Some("Envelope".into()), payload: Some("data".into()) }
    }

    #[test]
    fn names_a_payload_after_its_wrapper() {
        let document = json!({ "openapi": "3.1.0", "paths": {}, "components": { "schemas": {
            "OwnerMeEnvelope": { "type": "object", "properties": { "data": { "type": "object", "properties": { "id": { "type": "string" } } } } },
            "Tenant": { "type": "object", "properties": { "id": { "type": "string" } } },
            "TenantEnvelope": { "type": "object", "properties": { "data": { "type": "object", "properties": { "tenant": { "$ref": "#/components/schemas/Tenant" } } } } },
        } } });
        let named = name(&document, &settings()).expect("names");
        assert_eq!(named.hoisted.keys().collect::<Vec<_>>(), ["OwnerMe", "TenantData"]);
        assert_eq!(
            named.document.pointer("/components/schemas/OwnerMeEnvelope/properties/data/$ref"),
            Some(&json!("#/components/schemas/OwnerMe"))
        );
    }

    #[test]
    fn shares_one_enum_for_equal_values() {
        let status = json!({ "type": "string", "enum": ["on", "off"] });
        let document = json!({ "openapi": "3.1.0", "components": { "schemas": {
            "A": { "type": "object", "properties": { "status": status.clone() } },
            "B": { "type": "object", "properties": { "state": status.clone(), "maybe": { "type": ["string", "null"], "enum": ["on", "off", null] } } },
        } }, "paths": { "/a": { "get": { "operationId": "getA", "parameters": [ { "name": "s", "in": "query", "schema": status } ] } } } });
        let named = name(&document, &settings()).expect("names");
        assert_eq!(named.hoisted.keys().collect::<Vec<_>>(), ["AStatus"]);
        assert_eq!(
            named.document.pointer("/components/schemas/B/properties/maybe/anyOf/0/$ref"),
            Some(&json!("#/components/schemas/AStatus"))
        );
    }

    #[test]
    fn merges_all_of_plain_objects() {
        let document = json!({ "openapi": "3.0.3", "paths": {}, "components": { "schemas": {
            "Base": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string", "nullable": true } } },
            "Full": { "allOf": [ { "$ref": "#/components/schemas/Base" }, { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } } ] },
        } } });
        let named = name(&document, &settings()).expect("names");
        let full = &named.document["components"]["schemas"]["Full"];
        assert_eq!(full["required"], json!(["name", "id"]));
        assert_eq!(full["properties"]["name"]["type"], json!(["string", "null"]));
    }

    #[test]
    fn accepts_null_for_a_property_named_default() {
        let text = json!({ "type": "string", "nullable": true });
        let document = json!({ "openapi": "3.0.3", "paths": {}, "components": { "schemas": {
            "Setting": { "type": "object", "properties": { "default": text, "enum": text, "example": text } },
        } } });
        let named = name(&document, &settings()).expect("names");
        for property in ["default", "enum", "example"] {
            let schema = &named.document["components"]["schemas"]["Setting"]["properties"][property];
            assert_eq!(schema, &json!({ "type": ["string", "null"] }), "{property}");
        }
    }

    #[test]
    fn splits_acronyms_in_names() {
        assert_eq!(snake("getRingnityOAuthJwks"), "get_ringnity_oauth_jwks");
        assert_eq!(snake("listOAuthClients"), "list_oauth_clients");
        assert_eq!(snake("createAiVisitorRealtimeCall"), "create_ai_visitor_realtime_call");
        assert_eq!(snake("inputCostPer1mUsd"), "input_cost_per1m_usd");
        assert_eq!(snake("X-Ringnity-SDK-Session"), "x_ringnity_sdk_session");
        assert_eq!(pascal("native-phone"), "NativePhone");
    }
}
