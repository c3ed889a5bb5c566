//! Converts the named 3.1 document to OpenAPI 3.0 for tools that support nothing newer, and records every keyword that
//! 3.0 does not have.
//!
//! Paths of the lowered document include the server prefix, as clients use them.

use anyhow::{Context as _, Result, anyhow};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::{Contract, Operation};
use crate::name::escape;

/// A construct that a step of the generator cannot express.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss {
    /// JSON pointer of the place in the named document.
    pub pointer: String,
    /// The keyword or construct.
    pub keyword: String,
    /// Why, and what replaces it.
    pub reason: String,
}

/// A document in OpenAPI 3.0.3.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// The document.
    pub document: Value,
    /// What 3.0.3 cannot express.
    pub losses: Vec<Loss>,
}

/// Keywords of JSON Schema 2020-12 that OpenAPI 3.0 lacks and cannot express otherwise.
const UNSUPPORTED: [&str; 22] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$schema",
    "$vocabulary",
    "contains",
    "contentSchema",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Lowers the contract.
///
/// # Errors
///
/// When a reference does not resolve.
pub fn lower(contract: &Contract) -> Result<Lowered> {
    let mut lowerer = Lowerer::default();
    let named = &contract.named;
    let mut document = Map::new();
    document.insert("openapi".into(), json!("3.0.3"));
    document.insert("info".into(), lowerer.info(&named["info"]));
    if let Some(origin) = origin(named) {
        document.insert("servers".into(), json!([{ "url": origin }]));
    }
    for key in ["security", "tags", "externalDocs"] {
        if let Some(value) = named.get(key) {
            document.insert(key.into(), value.clone());
        }
    }
    for key in ["webhooks", "jsonSchemaDialect"] {
        if named.get(key).is_some() {
            lowerer.lose("#", key, "OpenAPI 3.0 has no such member");
        }
    }
    let mut paths: Map<String, Value> = Map::new();
    for operation in &contract.operations {
        let item = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        item[operation.method.to_lowercase()] = lowerer.operation(contract, operation)?;
    }
    document.insert("paths".into(), Value::Object(paths));
    if let Some(Value::Object(components)) = named.get("components") {
        let mut lowered = Map::new();
        for (section, entries) in components {
            let pointer = format!("#/components/{section}");
            if section == "pathItems" {
                lowerer.lose(&pointer, section, "OpenAPI 3.0 has no such member; its operations are inline");
                continue;
            }
            let Value::Object(entries) = entries else { continue };
            let mut section_out = Map::new();
            for (name, entry) in entries {
                let pointer = format!("{pointer}/{}", escape(name));
                let entry = match section.as_str() {
                    "schemas" => lowerer.schema(entry, &pointer),
                    "securitySchemes" if entry["type"] == "mutualTLS" => {
                        lowerer.lose(&pointer, "mutualTLS", "OpenAPI 3.0 has no such security scheme");
                        continue;
                    }
                    "parameters" | "headers" | "responses" | "requestBodies" => {
                        lowerer.holder(entry, &pointer)
                    }
                    _ => entry.clone(),
                };
                section_out.insert(name.clone(), entry);
            }
            lowered.insert(section.clone(), Value::Object(section_out));
        }
        document.insert("components".into(), Value::Object(lowered));
    }
    for (key, value) in named.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("x-")) {
        document.insert(key.clone(), value.clone());
    }
    lowerer.losses.sort();
    Ok(Lowered { document: Value::Object(document), losses: lowerer.losses })
}

/// Scheme and host of the document's first server; `None` when it names none.
pub fn origin(document: &Value) -> Option<String> {
    let url = document["servers"][0]["url"].as_str()?;
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    (!host.is_empty() && !host.contains('{')).then(|| format!("{scheme}://{host}"))
}

/// The operation object in the named document.
pub fn raw<'c>(contract: &'c Contract, operation: &Operation) -> Result<&'c Value> {
    contract
        .named
        .pointer(operation.pointer.trim_start_matches('#'))
        .with_context(|| format!("{}: {} does not resolve", contract.file_name, operation.pointer))
}

/// Follows a `$ref` to any component.
pub fn resolve<'c>(contract: &'c Contract, value: &'c Value, pointer: &str) -> Result<&'c Value> {
    let mut value = value;
    for _ in 0..16 {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
        value = reference
            .strip_prefix('#')
            .and_then(|pointer| contract.named.pointer(pointer))
            .with_context(|| format!("{}: {pointer}: {reference} does not resolve", contract.file_name))?;
    }
    Err(anyhow!("{}: {pointer}: references form a cycle", contract.file_name))
}

#[derive(Default)]
struct Lowerer {
    losses: Vec<Loss>,
}

impl Lowerer {
    fn lose(&mut self, pointer: &str, keyword: &str, reason: &str) {
        self.losses.push(Loss {
            pointer: pointer.to_owned(),
            keyword: keyword.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn info(&mut self, info: &Value) -> Value {
        let mut info = info.clone();
        if let Value::Object(object) = &mut info {
            if object.remove("summary").is_some() {
                self.lose("#/info", "summary", "OpenAPI 3.0 has no such member");
            }
            if let Some(Value::Object(license)) = object.get_mut("license")
                && license.remove("identifier").is_some()
            {
                self.lose("#/info/license", "identifier", "OpenAPI 3.0 has no such member");
            }
        }
        info
    }

    fn operation(&mut self, contract: &Contract, operation: &Operation) -> Result<Value> {
        let pointer = &operation.pointer;
        let mut out = raw(contract, operation)?.clone();
        let item = pointer.rsplit_once('/').map_or("", |(item, _)| item);
        let item = contract.named.pointer(item.trim_start_matches('#')).unwrap_or(&Value::Null);
        let Value::Object(object) = &mut out else {
            return Err(anyhow!("{}: {pointer} is not an operation", contract.file_name));
        };
        object.remove("servers");
        let mut parameters: Vec<Value> = Vec::new();
        let mut keys: Vec<(Value, Value)> = Vec::new();
        for source in [object.get("parameters"), item.get("parameters")] {
            for parameter in source.and_then(Value::as_array).into_iter().flatten() {
                let target = resolve(contract, parameter, pointer)?;
                let key = (target["name"].clone(), target["in"].clone());
                if !keys.contains(&key) {
                    keys.push(key);
                    parameters
                        .push(self.holder(parameter, &format!("{pointer}/parameters/{}", parameters.len())));
                }
            }
        }
        if parameters.is_empty() {
            object.remove("parameters");
        } else {
            object.insert("parameters".into(), Value::Array(parameters));
        }
        if let Some(body) = object.get_mut("requestBody") {
            *body = self.holder(body, &format!("{pointer}/requestBody"));
        }
        for (status, response) in
            object.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten()
        {
            *response = self.holder(response, &format!("{pointer}/responses/{status}"));
            if response.get("$ref").is_none() && response.get("description").is_none() {
                response["description"] = json!("");
            }
        }
        Ok(out)
    }

    /// Lowers a parameter, header, body or response.
    fn holder(&mut self, holder: &Value, pointer: &str) -> Value {
        let mut out = holder.clone();
        let Value::Object(object) = &mut out else { return out };
        if object.contains_key("$ref") && object.len() > 1 {
            object.retain(|key, _| key == "$ref");
        }
        if let Some(schema) = object.get_mut("schema") {
            *schema = self.schema(schema, &format!("{pointer}/schema"));
        }
        for (section, below) in [("content", true), ("headers", false)] {
            for (name, entry) in object.get_mut(section).and_then(Value::as_object_mut).into_iter().flatten()
            {
                let pointer = format!("{pointer}/{section}/{}", escape(name));
                if below {
                    if let Some(schema) = entry.get_mut("schema") {
                        *schema = self.schema(schema, &format!("{pointer}/schema"));
                    }
                } else {
                    *entry = self.holder(entry, &pointer);
                }
            }
        }
        out
    }

    /// Lowers one schema.
    fn schema(&mut self, schema: &Value, pointer: &str) -> Value {
        let object = match schema {
            Value::Bool(true) => return json!({}),
            Value::Bool(false) => return json!({ "not": {} }),
            Value::Object(object) => object,
            other => return other.clone(),
        };
        let mut out = Map::new();
        let mut nullable = false;
        for (key, value) in object {
            match key.as_str() {
                "$ref" if object.len() > 1 => {
                    out.insert("allOf".into(), json!([{ "$ref": value }]));
                }
                "type" => nullable |= self.kind(value, &mut out, pointer),
                "const" => {
                    out.insert("enum".into(), json!([value]));
                    if !object.contains_key("type")
                        && let Some(kind) = kind_of(value)
                    {
                        out.insert("type".into(), json!(kind));
                    }
                }
                "anyOf" | "oneOf" => nullable |= self.branches(key, value, &mut out, pointer),
                "allOf" => {
                    let branches = self.list(value, &format!("{pointer}/{key}"));
                    out.insert(key.clone(), branches);
                }
                "not" | "items" | "additionalProperties" if value.is_object() => {
                    out.insert(key.clone(), self.schema(value, &format!("{pointer}/{key}")));
                }
                "items" => {
                    out.insert(key.clone(), json!({}));
                }
                "properties" => {
                    let properties: Map<String, Value> = value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, child)| {
                            let pointer = format!("{pointer}/properties/{}", escape(name));
                            (name.clone(), self.schema(child, &pointer))
                        })
                        .collect();
                    out.insert(key.clone(), Value::Object(properties));
                }
                "required" if value.as_array().is_some_and(Vec::is_empty) => {}
                "exclusiveMinimum" | "exclusiveMaximum" if value.is_number() => {
                    let bound = if key == "exclusiveMinimum" { "minimum" } else { "maximum" };
                    if object.contains_key(bound) {
                        self.lose(pointer, bound, "3.0 allows only one of this and the exclusive bound");
                    }
                    out.insert(bound.into(), value.clone());
                    out.insert(key.clone(), json!(true));
                }
                "minimum" if object.get("exclusiveMinimum").is_some_and(Value::is_number) => {}
                "maximum" if object.get("exclusiveMaximum").is_some_and(Value::is_number) => {}
                "examples" => {
                    if let Some(first) = value.as_array().and_then(|all| all.first()) {
                        out.entry("example").or_insert_with(|| first.clone());
                    }
                    if value.as_array().is_some_and(|all| all.len() > 1) {
                        self.lose(pointer, key, "3.0 allows one example; the first is used");
                    }
                }
                "contentEncoding" if value == "base64" => {
                    out.insert("format".into(), json!("byte"));
                }
                "contentMediaType" if !object.contains_key("contentEncoding") => {
                    out.insert("format".into(), json!("binary"));
                    out.entry("type").or_insert_with(|| json!("string"));
                }
                "contentEncoding" | "contentMediaType" => {
                    self.lose(pointer, key, "OpenAPI 3.0 has no such keyword");
                }
                keyword if UNSUPPORTED.contains(&keyword) => {
                    self.lose(pointer, key, "OpenAPI 3.0 has no such keyword");
                }
                _ => {
                    out.insert(key.clone(), value.clone());
                }
            }
        }
        if out.get("type") == Some(&json!("array")) && !out.contains_key("items") {
            out.insert("items".into(), json!({}));
        }
        if nullable {
            out.insert("nullable".into(), json!(true));
        }
        Value::Object(out)
    }

    /// Writes `type`; returns whether null is one of the types.
    fn kind(&mut self, value: &Value, out: &mut Map<String, Value>, pointer: &str) -> bool {
        let kinds: Vec<&str> = match value {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let solid: Vec<&str> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
        match solid.as_slice() {
            [] if kinds.is_empty() => {}
            [] => {
                out.insert("enum".into(), json!([null]));
            }
            [only] => {
                out.insert("type".into(), json!(only));
            }
            several => {
                self.lose(pointer, "type", "3.0 allows one type; any value is allowed instead");
                let _ = several;
            }
        }
        kinds.len() > solid.len()
    }

    /// Writes `anyOf` or `oneOf` without null alternatives; returns whether there was one.
    fn branches(&mut self, key: &str, value: &Value, out: &mut Map<String, Value>, pointer: &str) -> bool {
        let all: &[Value] = value.as_array().map_or(&[], Vec::as_slice);
        let solid: Vec<Value> = all.iter().filter(|branch| branch["type"] != "null").cloned().collect();
        let null = solid.len() < all.len();
        let mut lowered = self.list(&Value::Array(solid), &format!("{pointer}/{key}"));
        if null && lowered.as_array().is_some_and(|all| all.len() == 1) {
            // A nullable reference: 3.0 writes it as an `allOf` of one beside `nullable`.
            let only = lowered[0].take();
            if only.get("$ref").is_some() {
                out.insert("allOf".into(), json!([only]));
            } else if let Value::Object(only) = only {
                for (name, value) in only {
                    out.entry(name).or_insert(value);
                }
            }
        } else {
            out.insert(key.to_owned(), lowered);
        }
        null
    }

    fn list(&mut self, value: &Value, pointer: &str) -> Value {
        value
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, branch)| self.schema(branch, &format!("{pointer}/{index}")))
            .collect()
    }
}

fn kind_of(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(value: Value) -> (Value, Vec<Loss>) {
        let mut lowerer = Lowerer::default();
        let out = lowerer.schema(&value, "#");
        (out, lowerer.losses)
    }

    #[test]
    fn converts_null_to_nullable() {
        assert_eq!(
            schema(json!({ "type": ["string", "null"] })),
            (json!({ "type": "string", "nullable": true }), vec![])
        );
        assert_eq!(
            schema(json!({ "anyOf": [{ "$ref": "#/components/schemas/A" }, { "type": "null" }] })).0,
            json!({ "allOf": [{ "$ref": "#/components/schemas/A" }], "nullable": true })
        );
    }

    #[test]
    fn converts_const_to_an_enum() {
        assert_eq!(schema(json!({ "const": true })).0, json!({ "enum": [true], "type": "boolean" }));
    }

    #[test]
    fn converts_exclusive_bounds_to_flags() {
        assert_eq!(
            schema(json!({ "type": "number", "exclusiveMinimum": 0 })).0,
            json!({ "type": "number", "minimum": 0, "exclusiveMinimum": true })
        );
    }

    #[test]
    fn records_keywords_without_an_equivalent() {
        let (out, losses) = schema(json!({ "type": "object", "patternProperties": { "^x": true } }));
        assert_eq!(out, json!({ "type": "object" }));
        assert_eq!((losses[0].pointer.as_str(), losses[0].keyword.as_str()), ("#", "patternProperties"));
    }

    #[test]
    fn lowered_contract_parses_as_openapi_3_0() {
        let source =
            crate::source::load(&crate::source::Inputs { contract: None, overlay: None, settings: None })
                .expect("loads");
        let contract = Contract::build(source).expect("builds");
        let lowered = lower(&contract).expect("lowers");
        let parsed: openapiv3::OpenAPI = serde_json::from_value(lowered.document).expect("is OpenAPI 3.0");
        assert_eq!(parsed.operations().count(), contract.operations.len());
        assert!(parsed.paths.paths.keys().any(|path| path == "/oauth/token"));
        assert!(parsed.paths.paths.keys().any(|path| path == "/api/server/contacts"));
    }
}
