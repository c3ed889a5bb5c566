//! The schemas of the contract, compiled once at start, for parameters, bodies and responses. Nothing is fetched.

use std::fmt;
use std::sync::OnceLock;

use http::StatusCode;
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value, json};

use super::decode::{essence, essence_matches};
use super::operation::Operation;
use super::violations;

/// Base URI under which the document's schemas refer to each other. It is never fetched.
const BASE: &str = "https://contract.invalid/openapi.json";

/// What to do with a response that does not match the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseCheck {
    /// Do not validate responses.
    #[default]
    Off,
    /// Send the response, log the violations and call [`Hooks::invalid_response`](super::Hooks::invalid_response).
    Report,
    /// Replace the response by a 500 that lists the violations: for tests.
    Fatal,
}

/// The schemas of the document cannot be compiled.
#[derive(Debug)]
pub struct SchemaError(String);

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the contract's schemas cannot be compiled: {}", self.0)
    }
}

impl std::error::Error for SchemaError {}

/// Validates requests and responses of every operation.
pub struct SchemaValidator {
    document: Value,
    registry: Registry<'static>,
    operations: Vec<OperationSchemas>,
    /// What to do with responses that do not match the contract.
    pub response_check: ResponseCheck,
}

#[derive(Default)]
struct OperationSchemas {
    params: Option<Validator>,
    body: Option<Validator>,
    /// Compiled when the first response is validated.
    responses: OnceLock<Result<Vec<ResponseSchema>, String>>,
}

struct ResponseSchema {
    status: String,
    /// Media types, each with its schema if it is JSON. Empty when the response has no body.
    media: Vec<(String, Option<Validator>)>,
}

impl SchemaValidator {
    /// Compiles the schemas of requests. `document` is the effective contract.
    pub fn new(document: &str, operations: &[&'static Operation]) -> Result<Self, SchemaError> {
        let mut document: Value =
            serde_json::from_str(document).map_err(|error| SchemaError(error.to_string()))?;
        if document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0")) {
            upgrade_from_3_0(&mut document);
        }
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(BASE, document.clone())
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|error| SchemaError(error.to_string()))?;
        let mut validator =
            Self { document, registry, operations: Vec::new(), response_check: ResponseCheck::Off };
        for operation in operations {
            let schemas = validator.request_schemas(operation)?;
            validator.operations.push(schemas);
        }
        Ok(validator)
    }

    /// Sets what to do with responses that do not match the contract.
    #[must_use]
    pub fn with_response_check(mut self, check: ResponseCheck) -> Self {
        self.response_check = check;
        self
    }

    /// The effective contract.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Compiles a check for one component schema.
    pub fn schema(&self, name: &str) -> Result<Validator, SchemaError> {
        self.compile(
            &json!({ "$ref": format!("{BASE}#/components/schemas/{}", violations::escape(name)) }),
            name,
        )
    }

    /// One line per violation in a value of one component schema.
    pub fn check_schema(&self, name: &str, value: &Value) -> Result<Vec<String>, SchemaError> {
        Ok(check(Some(&self.schema(name)?), value, ""))
    }

    /// One line per violation in the parameters, an object of objects: `{"query": {"page": 1}}`.
    pub fn check_params(&self, operation: &Operation, params: &Value) -> Vec<String> {
        check(self.operations.get(operation.index).and_then(|schemas| schemas.params.as_ref()), params, "")
    }

    /// One line per violation in a request body.
    pub fn check_body(&self, operation: &Operation, body: &Value) -> Vec<String> {
        check(self.operations.get(operation.index).and_then(|schemas| schemas.body.as_ref()), body, "/body")
    }

    /// One line per violation in a response: its status, media type and, for JSON, its value.
    pub fn check_response(
        &self,
        operation: &Operation,
        status: StatusCode,
        content_type: Option<&str>,
        body: Option<&[u8]>,
    ) -> Vec<String> {
        let Some(schemas) = self.operations.get(operation.index) else { return Vec::new() };
        let documented = match schemas.responses.get_or_init(|| self.response_schemas(operation)) {
            Ok(documented) => documented,
            Err(error) => return vec![error.clone()],
        };
        let class = format!("{}XX", status.as_u16() / 100);
        let found = [status.as_str(), class.as_str(), "default"].into_iter().find_map(|wanted| {
            documented.iter().find(|response| response.status.eq_ignore_ascii_case(wanted))
        });
        let Some(response) = found else {
            return vec![format!("/status: {} is not documented", status.as_u16())];
        };
        let empty = body.is_some_and(<[u8]>::is_empty);
        if response.media.is_empty() || content_type.is_none() {
            return match (response.media.is_empty(), empty) {
                (true, false) => vec!["/body: the contract documents none".into()],
                (false, _) => vec!["/body: is absent, but the contract documents one".into()],
                (true, true) => Vec::new(),
            };
        }
        let essence = essence(content_type.unwrap_or_default());
        let Some((_, validator)) = response.media.iter().find(|(media, _)| essence_matches(media, &essence))
        else {
            return vec![format!(
                "/headers/content-type: {essence} is not documented for {}",
                status.as_u16()
            )];
        };
        match (validator, body) {
            (Some(validator), Some(bytes)) => match serde_json::from_slice::<Value>(bytes) {
                Ok(value) => check(Some(validator), &value, "/body"),
                Err(_) => vec!["/body: is not valid JSON".into()],
            },
            _ => Vec::new(),
        }
    }

    fn request_schemas(&self, operation: &Operation) -> Result<OperationSchemas, SchemaError> {
        let (item, raw) = self.find(operation)?;
        let mut locations = Map::new();
        let shared = item["parameters"].as_array().into_iter().flatten();
        let own = raw["parameters"].as_array().into_iter().flatten();
        for param in shared.chain(own) {
            let param = self.resolve(param);
            let (Some(name), Some(location)) = (param["name"].as_str(), param["in"].as_str()) else {
                continue;
            };
            let schema =
                param.get("schema").or_else(|| first_schema(param)).cloned().unwrap_or(Value::Bool(true));
            let group = locations
                .entry(location.to_owned())
                .or_insert_with(|| json!({ "type": "object", "properties": {}, "required": [] }));
            group["properties"][name] = rebase(schema);
            if let Some(required) = group["required"].as_array_mut() {
                required.retain(|other| other != name);
                if location == "path" || param["required"] == Value::Bool(true) {
                    required.push(json!(name));
                }
            }
        }
        let params = match locations.is_empty() {
            true => None,
            false => Some(self.compile(&json!({ "properties": locations }), operation.pointer)?),
        };
        let mut body = None;
        let request = self.resolve(&raw["requestBody"]);
        // Every media type of one body carries the same value.
        if let Some(schema) = first_schema(request)
            && operation.body.as_ref().is_some_and(|body| body.media.iter().any(|media| !is_raw(&media.form)))
        {
            body = Some(self.compile(&rebase(schema.clone()), operation.pointer)?);
        }
        Ok(OperationSchemas { params, body, responses: OnceLock::new() })
    }

    fn response_schemas(&self, operation: &Operation) -> Result<Vec<ResponseSchema>, String> {
        let (_, raw) = self.find(operation).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        for (status, response) in raw["responses"].as_object().into_iter().flatten() {
            let response = self.resolve(response);
            let mut media = Vec::new();
            for (content_type, holder) in response["content"].as_object().into_iter().flatten() {
                let validator = match holder.get("schema") {
                    Some(schema) if content_type.contains("json") => Some(
                        self.compile(&rebase(schema.clone()), operation.pointer)
                            .map_err(|error| error.to_string())?,
                    ),
                    _ => None,
                };
                media.push((content_type.clone(), validator));
            }
            out.push(ResponseSchema { status: status.clone(), media });
        }
        Ok(out)
    }

    /// Path item and operation object.
    fn find(&self, operation: &Operation) -> Result<(&Value, &Value), SchemaError> {
        let pointer = operation.pointer.trim_start_matches('#');
        let item = pointer.rsplit_once('/').and_then(|(item, _)| self.document.pointer(item));
        match (item, self.document.pointer(pointer)) {
            (Some(item), Some(operation)) => Ok((item, operation)),
            _ => Err(SchemaError(format!("{} is not in the document", operation.pointer))),
        }
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        let target =
            value["$ref"].as_str().and_then(|reference| self.document.pointer(reference.strip_prefix('#')?));
        target.map_or(value, |target| self.resolve(target))
    }

    fn compile(&self, schema: &Value, pointer: &str) -> Result<Validator, SchemaError> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&self.registry)
            .offline()
            .should_validate_formats(true)
            .build(schema)
            .map_err(|error| SchemaError(format!("{pointer}: {error}")))
    }
}

impl fmt::Debug for SchemaValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaValidator")
            .field("operations", &self.operations.len())
            .field("response_check", &self.response_check)
            .finish_non_exhaustive()
    }
}

fn is_raw(form: &super::operation::MediaForm) -> bool {
    matches!(form, super::operation::MediaForm::Text | super::operation::MediaForm::Bytes)
}

fn first_schema(holder: &Value) -> Option<&Value> {
    holder["content"].as_object()?.values().next()?.get("schema")
}

fn check(validator: Option<&Validator>, value: &Value, root: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(validator) = validator
        && !validator.is_valid(value)
    {
        for error in validator.iter_errors(value) {
            violations::describe(&error, root, &mut out);
            if out.len() >= violations::MAX_LINES {
                break;
            }
        }
    }
    out
}

/// Makes the references of a schema absolute, so that they resolve outside of the document.
fn rebase(mut schema: Value) -> Value {
    each_object(&mut schema, false, &mut |object| {
        if let Some(Value::String(reference)) = object.get_mut("$ref")
            && reference.starts_with('#')
        {
            reference.insert_str(0, BASE);
        }
    });
    schema
}

/// Rewrites OpenAPI 3.0's `nullable` and boolean exclusive bounds into JSON Schema.
fn upgrade_from_3_0(document: &mut Value) {
    each_object(document, false, &mut |object| {
        for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
            if let Some(Value::Bool(exclusive)) = object.get(flag).cloned() {
                object.remove(flag);
                if exclusive && let Some(limit) = object.remove(bound) {
                    object.insert(flag.into(), limit);
                }
            }
        }
        if object.get("nullable").is_some_and(Value::is_boolean)
            && object.remove("nullable") == Some(Value::Bool(true))
        {
            let inner = Value::Object(std::mem::take(object));
            object.insert("anyOf".into(), json!([inner, { "type": "null" }]));
        }
    });
}

/// Calls `work` with every object whose keys are keywords, inner ones first. `names` says that the keys of `value` are
/// names instead: a property may be called `default` or `nullable`. Examples and constant values are skipped.
fn each_object(value: &mut Value, names: bool, work: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            for (key, child) in object.iter_mut() {
                if names || !matches!(key.as_str(), "example" | "examples" | "default" | "enum" | "const") {
                    each_object(child, !names && holds_names(key), work);
                }
            }
            if !names {
                work(object);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_object(item, false, work)),
        _ => {}
    }
}

fn holds_names(keyword: &str) -> bool {
    matches!(
        keyword,
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "schemas"
    ) || matches!(keyword, "parameters" | "headers" | "requestBodies" | "responses" | "content" | "paths")
}

#[cfg(test)]
mod tests {
    use super::super::operation::{ErrorShape, Param};
    use super::*;

    static LIST: Operation = Operation {
        index: 0,
        id: "list",
        name: "list",
        method: "GET",
        path: "/list",
        pointer: "#/paths/~1list/get",
        tag: "list",
        success: 204,
        addition: false,
        tenant: false,
        params: &[] as &[Param],
        body: None,
        accepts: &[],
        feature: None,
        anonymous: true,
        errors: &ErrorShape { schema: "", content_type: "", members: &[], codes: &[] },
    };

    fn validator() -> SchemaValidator {
        let name = json!({"type": "string", "maxLength": 2, "nullable": true});
        let named = json!({"$ref": "#/components/schemas/name"});
        let document = json!({
            "openapi": "3.0.3",
            "paths": {"/list": {"get": {
                "parameters": [{"name": "filter", "in": "query", "schema": {"properties": {"default": named}}}],
                "responses": {"default": {"content": {"application/json": {"schema": name}}}},
            }}},
            "components": {"schemas": {
                "name": name,
                "odd": {
                    "type": "object",
                    "properties": {"default": name, "enum": named, "nullable": {"type": "boolean"}},
                    "default": {"nullable": true},
                },
            }},
        });
        SchemaValidator::new(&document.to_string(), &[&LIST]).expect("compiles")
    }

    #[test]
    fn a_property_called_like_a_keyword_is_a_property() {
        let odd = |value| validator().check_schema("odd", &value).expect("compiles");
        assert_eq!(odd(json!({"default": null, "enum": null, "nullable": true})), Vec::<String>::new());
        assert_eq!(odd(json!({"default": "long", "enum": "long", "nullable": null})).len(), 3);
    }

    #[test]
    fn an_answer_called_default_may_be_null() {
        let check = |body: &[u8]| {
            validator().check_response(&LIST, StatusCode::OK, Some("application/json"), Some(body))
        };
        assert_eq!(check(b"null"), Vec::<String>::new());
        assert_eq!(check(b"7").len(), 1);
    }

    #[test]
    fn a_reference_below_a_property_called_like_a_keyword_finds_its_target() {
        let check =
            |value| validator().check_params(&LIST, &json!({"query": {"filter": {"default": value}}}));
        assert_eq!(check("a"), Vec::<String>::new());
        assert_eq!(check("long").len(), 1);
    }
}
