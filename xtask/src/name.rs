//! Gives every inline object and enum a component name, so that all emitters agree on names.
//!
//! In goes the effective document, 3.0 or 3.1; out comes a document in 3.1's terms in which the schema of
//! every body, property and parameter is a reference, a primitive, or a list or map of these. No Rust here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use heck::ToUpperCamelCase as _;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::source::NameSettings;

/// The HTTP methods an OpenAPI path item may have, in the order in which they are emitted.
pub const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Component references begin with this.
pub const SCHEMA_PREFIX: &str = "#/components/schemas/";

/// A document whose inline types have names.
#[derive(Debug)]
pub struct Named {
    /// The document: components.schemas holds every named type.
    pub document: Value,
    /// Names that were given here, with the JSON pointer of the inline schema.
    pub hoisted: IndexMap<String, String>,
}

/// Names what is inline in `effective`.
pub fn name(effective: &Value, settings: &NameSettings) -> Result<Named> {
    let mut document = effective.clone();
    raise(&mut document);
    let renamed = settle(&mut document);
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

/// Names that generated code needs for itself.
const RESERVED: [&str; 17] = [
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

/// Gives components another name where two would become one Rust type, or one that is taken. Answers the new
/// names with the JSON pointers of what they name.
fn settle(document: &mut Value) -> IndexMap<String, String> {
    let names: Vec<String> = document
        .pointer("/components/schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    let is_free = |name: &str, taken: &BTreeSet<String>| !taken.contains(name) && !RESERVED.contains(&name);
    let mut taken = BTreeSet::new();
    // Who is spelled like the type keeps the name.
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

/// Makes references lead where their targets went.
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

struct Namer<'a> {
    taken: std::collections::HashSet<String>,
    /// Value lists that already have a name.
    enums: Vec<(Vec<Value>, String)>,
    hoisted: IndexMap<String, String>,
    settings: &'a NameSettings,
}

impl Namer<'_> {
    /// Hoists what is inline directly below `schema`, which itself is called `name`.
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

    /// Replaces `schema` by a reference to a component called `proposed` when it is a type of its own.
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

    /// What an inline schema at `property` of `parent` is called.
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
        bail!("no free name for an inline schema called {base}; give one of them a component name")
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

/// Rewrites 3.0's ways into 3.1's: `nullable`, boolean exclusive bounds, single-reference `allOf`.
fn raise(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, child) in object.iter_mut() {
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum" | "const") {
                    raise(child);
                }
            }
            if object.get("nullable").is_some_and(Value::is_boolean) {
                let nullable = object.remove("nullable") == Some(Value::Bool(true));
                if nullable {
                    make_nullable(object);
                }
            }
            for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
                if let Some(Value::Bool(exclusive)) = object.get(flag).cloned() {
                    object.remove(flag);
                    if exclusive && let Some(limit) = object.remove(bound) {
                        object.insert(flag.into(), limit);
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(raise),
        _ => {}
    }
}

fn make_nullable(object: &mut Map<String, Value>) {
    if let Some(Value::String(kind)) = object.get("type").cloned() {
        object.insert("type".into(), json!([kind, "null"]));
        if let Some(Value::Array(values)) = object.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
    } else if let Some(reference) = object.remove("$ref") {
        object.insert("anyOf".into(), json!([{ "$ref": reference }, { "type": "null" }]));
    } else if let Some(Value::Array(branches)) = object.remove("allOf") {
        let inner = if branches.len() == 1 { branches[0].clone() } else { json!({ "allOf": branches }) };
        object.insert("anyOf".into(), json!([inner, { "type": "null" }]));
    }
}

/// Merges an `allOf` whose branches are all plain objects (or references to such) into one object.
fn flatten_all_of(schema: &mut Value, schemas: &Map<String, Value>) {
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

fn enum_values(schema: &Value) -> Option<Vec<Value>> {
    let kind = schema.get("type")?;
    let text = kind == "string" || (kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string"))));
    let values: Vec<Value> =
        schema.get("enum")?.as_array()?.iter().filter(|value| !value.is_null()).cloned().collect();
    (text && !values.is_empty() && values.iter().all(Value::is_string)).then_some(values)
}

/// Whether a schema becomes a type of its own rather than a primitive, list, map or reference.
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

/// Escapes one JSON pointer token.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// `PascalCase`, word by word as typify does it, so that both call a type the same.
pub fn pascal(text: &str) -> String {
    let out = text.replace(|character: char| !character.is_alphanumeric(), " ").to_upper_camel_case();
    if out.starts_with(|first: char| first.is_ascii_digit()) { format!("X{out}") } else { out }
}

/// `snake_case`; runs of capitals are one word: `getRingnityOAuthJwks` → `get_ringnity_oauth_jwks`.
pub fn snake(text: &str) -> String {
    let text = text.replace("OAuth", "Oauth").replace("OpenId", "Openid").replace("IDs", "Ids");
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            if !out.ends_with('_') && !out.is_empty() {
                out.push('_');
            }
            continue;
        }
        if character.is_uppercase() && index > 0 {
            let before = characters[index - 1];
            let next_lower = characters.get(index + 1).is_some_and(|next| next.is_lowercase());
            if (before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && next_lower))
                && !out.ends_with('_')
            {
                out.push('_');
            }
        }
        out.extend(character.to_lowercase());
    }
    let out = out.trim_matches('_').to_owned();
    if out.starts_with(|first: char| first.is_ascii_digit()) { format!("x_{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> NameSettings {
        NameSettings { wrapper: Some("Envelope".into()), payload: Some("data".into()) }
    }

    #[test]
    fn a_payload_is_called_after_what_it_holds() {
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
    fn one_list_of_values_is_one_enum() {
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
    fn all_of_plain_objects_becomes_one_object() {
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
    fn words_are_split_where_people_split_them() {
        assert_eq!(snake("getRingnityOAuthJwks"), "get_ringnity_oauth_jwks");
        assert_eq!(snake("listOAuthClients"), "list_oauth_clients");
        assert_eq!(snake("createAiVisitorRealtimeCall"), "create_ai_visitor_realtime_call");
        assert_eq!(snake("inputCostPer1mUsd"), "input_cost_per1m_usd");
        assert_eq!(snake("X-Ringnity-SDK-Session"), "x_ringnity_sdk_session");
        assert_eq!(pascal("native-phone"), "NativePhone");
    }
}
