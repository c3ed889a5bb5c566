//! JSON pointers and traversals of an OpenAPI document, shared by `lint` and `diff`.

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// The HTTP methods an OpenAPI path item may have, in the order in which they are emitted.
pub const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Escapes one JSON pointer token.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// Appends a segment to `pointer`, escaped according to RFC 6901.
pub(crate) fn join(pointer: &str, segment: impl std::fmt::Display) -> String {
    format!("{pointer}/{}", escape(&segment.to_string()))
}

/// Resolves a local reference (`#/components/…`); `None` if there is no such value.
pub(crate) fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    document.pointer(&percent_decode(pointer))
}

/// Follows `$ref` from `value` to a value without one and returns it with its pointer; `None` if a reference does not
/// resolve, is outside of the document or forms a cycle.
pub(crate) fn follow<'a>(
    document: &'a Value,
    pointer: &str,
    value: &'a Value,
) -> Option<(String, &'a Value)> {
    let (mut pointer, mut value) = (pointer.to_owned(), value);
    for _ in 0..64 {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return Some((pointer, value));
        };
        value = resolve(document, reference)?;
        pointer = format!("#{}", percent_decode(reference.strip_prefix('#')?));
    }
    None
}

fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = text.get(index + 1..index + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[index], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                index += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Whether the document is OpenAPI 3.0.
pub(crate) fn is_3_0(document: &Value) -> bool {
    document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0"))
}

/// The members of an object; none if the value is not an object.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The elements of an array; none if the value is not an array.
pub(crate) fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The strings of an array; none if the value is not an array.
pub(crate) fn strings(value: &Value) -> impl Iterator<Item = &str> {
    elements(value).filter_map(Value::as_str)
}

/// An operation and its place in the document.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a> {
    /// The path template.
    pub(crate) path: &'a str,
    /// The method, in lower case.
    pub(crate) method: &'static str,
    /// Path item.
    pub(crate) item: &'a Value,
    /// The operation object.
    pub(crate) value: &'a Value,
}

impl<'a> Operation<'a> {
    /// The pointer of the path item.
    pub(crate) fn item_pointer(&self) -> String {
        join("#/paths", self.path)
    }

    /// The pointer of the operation.
    pub(crate) fn pointer(&self) -> String {
        join(&self.item_pointer(), self.method)
    }

    /// `getContact`, or `GET /contacts/{id}` if it has no id.
    pub(crate) fn label(&self) -> String {
        match self.id() {
            Some(id) => id.to_owned(),
            None => format!("{} {}", self.method.to_uppercase(), self.path),
        }
    }

    /// The operationId.
    pub(crate) fn id(&self) -> Option<&'a str> {
        self.value["operationId"].as_str()
    }

    /// The security requirements: its own, or those of the document.
    pub(crate) fn security(&self, document: &'a Value) -> Option<&'a Vec<Value>> {
        self.value.get("security").or_else(|| document.get("security")).and_then(Value::as_array)
    }

    /// The parameters of path item and operation, resolved. One of the operation overrides one of the path with the
    /// same name. Unresolved references are left out; the rule `ref-unresolved` reports them.
    pub(crate) fn parameters(&self, document: &'a Value) -> Vec<Parameter<'a>> {
        let mut found: IndexMap<(&str, &str), Parameter<'a>> = IndexMap::new();
        for (holder, pointer) in [(self.item, self.item_pointer()), (self.value, self.pointer())] {
            for (index, declared) in elements(&holder["parameters"]).enumerate() {
                let declared_at = join(&join(&pointer, "parameters"), index);
                let Some((pointer, value)) = follow(document, &declared_at, declared) else { continue };
                let (Some(name), Some(place)) = (value["name"].as_str(), value["in"].as_str()) else {
                    continue;
                };
                found.insert((place, name), Parameter { name, place, declared_at, pointer, value });
            }
        }
        found.into_values().collect()
    }

    /// The request body, resolved, with its pointer.
    pub(crate) fn body(&self, document: &'a Value) -> Option<(String, &'a Value)> {
        let body = self.value.get("requestBody")?;
        follow(document, &join(&self.pointer(), "requestBody"), body)
    }

    /// Each status with the pointer and value of its response, resolved.
    pub(crate) fn responses(&self, document: &'a Value) -> Vec<(&'a str, String, &'a Value)> {
        let pointer = join(&self.pointer(), "responses");
        members(&self.value["responses"])
            .filter(|(status, _)| !status.starts_with("x-"))
            .filter_map(|(status, response)| {
                let (pointer, response) = follow(document, &join(&pointer, status), response)?;
                Some((status.as_str(), pointer, response))
            })
            .collect()
    }
}

/// A parameter, resolved.
#[derive(Clone)]
pub(crate) struct Parameter<'a> {
    /// Name in requests.
    pub(crate) name: &'a str,
    /// `path`, `query`, `header` or `cookie`.
    pub(crate) place: &'a str,
    /// The pointer of its entry in the operation or path item.
    pub(crate) declared_at: String,
    /// The pointer of its definition, which differs if the entry is a reference.
    pub(crate) pointer: String,
    /// Definition.
    pub(crate) value: &'a Value,
}

/// All operations, in document order.
pub(crate) fn operations(document: &Value) -> Vec<Operation<'_>> {
    members(&document["paths"])
        .flat_map(|(path, item)| {
            METHODS.into_iter().filter_map(move |method| {
                let value = item.get(method).filter(|value| value.is_object())?;
                Some(Operation { path, method, item, value })
            })
        })
        .collect()
}

/// The variables of a path template, in order.
pub(crate) fn path_variables(template: &str) -> Vec<&str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// A schema of the document: a component, one under `schema`, or one nested in another.
pub(crate) struct SchemaNode<'a> {
    /// JSON pointer.
    pub(crate) pointer: String,
    /// The schema itself.
    pub(crate) value: &'a Value,
    /// The enclosing schema, as an index into the same list.
    pub(crate) parent: Option<usize>,
    /// The keyword that contains it (`properties`, `items`, `allOf`, …), or `schema` or `schemas`.
    pub(crate) keyword: &'a str,
    /// The property, component or parameter it describes.
    pub(crate) name: Option<&'a str>,
}

const SCHEMA_MAPS: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
const SCHEMA_LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const SCHEMA_SINGLES: [&str; 12] = [
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "additionalItems",
    "propertyNames",
    "contains",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
];
/// Keywords whose keys are chosen by the author: component names, statuses, media types.
const NAME_MAPS: [&str; 11] = [
    "callbacks",
    "content",
    "encoding",
    "headers",
    "links",
    "parameters",
    "paths",
    "requestBodies",
    "responses",
    "schemas",
    "variables",
];
/// Keywords that contain arbitrary values, with no schemas or references.
pub(crate) const FREE_VALUES: [&str; 5] = ["example", "examples", "default", "enum", "const"];

/// Whether the keys below `keyword` are names (of properties, responses, …), even if they are spelled like keywords.
pub(crate) fn holds_names(keyword: &str) -> bool {
    SCHEMA_MAPS.contains(&keyword) || NAME_MAPS.contains(&keyword)
}

/// All schemas of the document, parents before children.
pub(crate) fn schemas(document: &Value) -> Vec<SchemaNode<'_>> {
    let mut found = Vec::new();
    for (key, value) in members(document) {
        let pointer = join("#", key);
        if key == "components" {
            for (kind, named) in members(value).filter(|(kind, _)| *kind != "examples") {
                let pointer = join(&pointer, kind);
                for (name, component) in members(named) {
                    let pointer = join(&pointer, name);
                    if kind == "schemas" {
                        collect_schemas(component, pointer, None, "schemas", Some(name), &mut found);
                    } else {
                        walk_outside(component, &pointer, false, &mut found);
                    }
                }
            }
        } else if !key.starts_with("x-") {
            walk_outside(value, &pointer, holds_names(key), &mut found);
        }
    }
    found
}

/// `names`: the keys of `value` are names, not keywords.
fn walk_outside<'a>(value: &'a Value, pointer: &str, names: bool, found: &mut Vec<SchemaNode<'a>>) {
    let name = value["name"].as_str();
    for (key, child) in members(value) {
        let pointer = join(pointer, key);
        if names {
            walk_outside(child, &pointer, false, found);
        } else if key == "schema" {
            collect_schemas(child, pointer, None, "schema", name, found);
        } else if !key.starts_with("x-") && !FREE_VALUES.contains(&key.as_str()) {
            walk_outside(child, &pointer, holds_names(key), found);
        }
    }
    for (index, child) in elements(value).enumerate() {
        walk_outside(child, &join(pointer, index), false, found);
    }
}

fn collect_schemas<'a>(
    value: &'a Value,
    pointer: String,
    parent: Option<usize>,
    keyword: &'a str,
    name: Option<&'a str>,
    found: &mut Vec<SchemaNode<'a>>,
) {
    if !value.is_object() && !value.is_boolean() {
        return;
    }
    let index = found.len();
    found.push(SchemaNode { pointer: pointer.clone(), value, parent, keyword, name });
    for (keyword, child) in members(value) {
        let pointer = join(&pointer, keyword);
        if SCHEMA_MAPS.contains(&keyword.as_str()) {
            for (name, child) in members(child) {
                collect_schemas(child, join(&pointer, name), Some(index), keyword, Some(name), found);
            }
        } else if SCHEMA_LISTS.contains(&keyword.as_str()) {
            for (position, child) in elements(child).enumerate() {
                collect_schemas(child, join(&pointer, position), Some(index), keyword, None, found);
            }
        } else if SCHEMA_SINGLES.contains(&keyword.as_str()) {
            collect_schemas(child, pointer, Some(index), keyword, None, found);
        }
    }
}

/// All `$ref` values of the document with the pointers of their objects.
pub(crate) fn references(document: &Value) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    collect_references(document, "#", &mut found);
    found
}

/// Collects all `$ref` values below `value`, whose pointer is `pointer`.
pub(crate) fn collect_references<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a str)>) {
    references_below(value, pointer, false, found);
}

/// `names`: the keys of `value` are names, not keywords.
fn references_below<'a>(value: &'a Value, pointer: &str, names: bool, found: &mut Vec<(String, &'a str)>) {
    if names && value.is_object() {
        for (name, child) in members(value) {
            references_below(child, &join(pointer, name), false, found);
        }
        return;
    }
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        found.push((pointer.to_owned(), reference));
    }
    // A discriminator names schemas too, though not under `$ref`.
    if let Some(mapping) = value.pointer("/discriminator/mapping") {
        for (_, target) in members(mapping) {
            if let Some(target) = target.as_str().filter(|target| target.starts_with('#')) {
                found.push((pointer.to_owned(), target));
            }
        }
    }
    // Named examples may be references; what they hold is free.
    if let Some(examples) = value.get("examples") {
        for (name, example) in members(examples) {
            if let Some(reference) = example.get("$ref").and_then(Value::as_str) {
                found.push((join(&join(pointer, "examples"), name), reference));
            }
        }
    }
    for (key, child) in members(value) {
        if !key.starts_with("x-") && !FREE_VALUES.contains(&key.as_str()) {
            references_below(child, &join(pointer, key), holds_names(key), found);
        }
    }
    for (index, child) in elements(value).enumerate() {
        references_below(child, &join(pointer, index), false, found);
    }
}

/// `schema` without annotations. Schemas that differ only in annotations accept the same values.
pub(crate) fn without_annotations(schema: &Value) -> Value {
    const ANNOTATIONS: [&str; 8] =
        ["description", "title", "example", "examples", "externalDocs", "summary", "$comment", "xml"];
    match schema {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (key, value) in members {
                let value = match key.as_str() {
                    "properties" | "patternProperties" | "$defs" => Value::Object(
                        crate::walk::members(value)
                            .map(|(name, schema)| (name.clone(), without_annotations(schema)))
                            .collect(),
                    ),
                    "enum" | "const" | "default" => value.clone(),
                    key if ANNOTATIONS.contains(&key) || key.starts_with("x-") => continue,
                    _ => without_annotations(value),
                };
                kept.insert(key.clone(), value);
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(without_annotations).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn escapes_and_resolves_pointers() {
        let document = json!({"paths": {"/a/{id}": {"get": {"operationId": "getA"}}}});
        let pointer = operations(&document)[0].pointer();
        assert_eq!(pointer, "#/paths/~1a~1{id}/get");
        assert_eq!(resolve(&document, &pointer).unwrap()["operationId"], "getA");
        assert_eq!(resolve(&document, "#/paths/~1a~1%7Bid%7D/get").unwrap()["operationId"], "getA");
        assert!(resolve(&document, "other.json#/paths").is_none());
    }

    #[test]
    fn stops_at_reference_cycles() {
        let document = json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}});
        assert!(follow(&document, "#/a", &document["a"]).is_none());
    }

    #[test]
    fn operation_parameters_override_path_parameters() {
        let document = json!({"paths": {"/a": {
            "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
            "get": {"parameters": [{"name": "q", "in": "query", "schema": {"type": "integer"}}]},
        }}});
        let parameters = operations(&document)[0].parameters(&document);
        assert_eq!(parameters.len(), 1);
        assert_eq!(parameters[0].value["schema"]["type"], "integer");
    }

    #[test]
    fn visits_the_default_response() {
        let document = json!({"paths": {"/a": {"get": {"responses": {"default": {"content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/A"}},
        }}}}}}});
        let at = "#/paths/~1a/get/responses/default/content/application~1json/schema";
        assert_eq!(references(&document), [(at.to_owned(), "#/components/schemas/A")]);
        assert_eq!(schemas(&document)[0].pointer, at);
    }

    #[test]
    fn finds_all_schemas_except_in_examples() {
        let document = json!({
            "paths": {"/a": {"get": {
                "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"content": {"application/json": {
                    "schema": {"properties": {"default": {"items": {"type": "string"}}}},
                    "example": {"schema": {"type": "nothing"}},
                }}}},
            }}},
            "components": {"schemas": {"A": {"anyOf": [{"type": "null"}]}}},
        });
        let pointers: Vec<_> = schemas(&document).into_iter().map(|node| node.pointer).collect();
        assert_eq!(
            pointers,
            [
                "#/paths/~1a/get/parameters/0/schema",
                "#/paths/~1a/get/responses/200/content/application~1json/schema",
                "#/paths/~1a/get/responses/200/content/application~1json/schema/properties/default",
                "#/paths/~1a/get/responses/200/content/application~1json/schema/properties/default/items",
                "#/components/schemas/A",
                "#/components/schemas/A/anyOf/0",
            ]
        );
    }
}
