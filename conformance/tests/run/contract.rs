//! Contract validation for the servers of these tests: routing, parameters and bodies. Independent of the checker on
//! purpose, because the checker must not test itself.

use bytes::Bytes;
use hyper::Request;
use jsonschema::{Draft, Validator};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The operations of a document with compiled schemas.
pub struct Contract {
    operations: Vec<Operation>,
}

/// An operation.
pub struct Operation {
    pub id: String,
    /// The operation object.
    pub raw: Value,
    method: String,
    path: Vec<String>,
    params: Vec<Param>,
    body: Option<Body>,
}

struct Param {
    name: String,
    place: String,
    required: bool,
    integer: bool,
    schema: Validator,
}

struct Body {
    media: String,
    schema: Validator,
}

/// The result of routing.
pub enum Found<'c> {
    /// An operation and its path segments.
    Operation(&'c Operation, Vec<String>),
    /// A path with other methods.
    OtherMethods(Vec<&'c str>),
    Nothing,
}

impl Contract {
    /// Compiles a document. Panics if it is invalid.
    pub fn new(root: &Value) -> Self {
        let mut operations = Vec::new();
        for (path, item) in root["paths"].as_object().expect("there are paths") {
            for method in ["get", "put", "post", "delete", "patch"] {
                if let Some(raw) = item.get(method) {
                    operations.push(Operation::new(root, path, method, item, raw));
                }
            }
        }
        Self { operations }
    }

    pub fn find(&self, method: &str, path: &str) -> Found<'_> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |operation: &&Operation| {
            operation.path.len() == segments.len()
                && operation.path.iter().zip(&segments).all(|(own, sent)| own.starts_with('{') || own == sent)
        };
        let here: Vec<&Operation> = self.operations.iter().filter(fits).collect();
        if here.is_empty() {
            return Found::Nothing;
        }
        let Some(operation) = here.iter().find(|operation| operation.method == method) else {
            return Found::OtherMethods(here.iter().map(|operation| operation.method.as_str()).collect());
        };
        let filled = operation.path.iter().zip(&segments).filter(|(own, _)| own.starts_with('{'));
        Found::Operation(operation, filled.map(|(_, sent)| decoded(sent)).collect())
    }
}

impl Operation {
    fn new(root: &Value, path: &str, method: &str, item: &Value, raw: &Value) -> Self {
        let [shared, own] = [item, raw].map(|holder| holder["parameters"].as_array().into_iter().flatten());
        let params = shared.chain(own).map(|param| {
            let param = resolve(root, param);
            let text = |name: &str| param[name].as_str().expect("a parameter has it").to_owned();
            Param {
                name: text("name"),
                place: text("in"),
                required: param["required"] == true,
                integer: resolve(root, &param["schema"])["type"] == "integer",
                schema: compile(root, &param["schema"]),
            }
        });
        let content = raw["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
        Self {
            id: raw["operationId"].as_str().expect("an operation has an id").to_owned(),
            raw: raw.clone(),
            method: method.to_uppercase(),
            path: path.split('/').map(str::to_owned).collect(),
            params: params.collect(),
            body: content.map(|(media, holder)| Body {
                media: media.clone(),
                schema: compile(root, &holder["schema"]),
            }),
        }
    }

    /// The parameters by name, or one line per fault.
    pub fn params(
        &self,
        path: &[String],
        request: &Request<Bytes>,
    ) -> Result<Map<String, Value>, Vec<String>> {
        let (mut values, mut faults, mut path) = (Map::new(), Vec::new(), path.iter());
        let query: Vec<(String, String)> = pairs(request.uri().query().unwrap_or_default());
        for Param { name, place, required, integer, schema } in &self.params {
            let sent: Vec<String> = match place.as_str() {
                "path" => path.next().into_iter().cloned().collect(),
                "query" => {
                    query.iter().filter(|(other, _)| other == name).map(|(_, text)| text.clone()).collect()
                }
                _ => request.headers().get_all(name).iter().map(|value| lossy(value.as_bytes())).collect(),
            };
            match sent.as_slice() {
                [] if *required => faults.push(format!("/{place}/{name}: is missing")),
                [] => {}
                [text] => {
                    let value = if *integer { whole(text) } else { json!(text) };
                    if schema.is_valid(&value) {
                        values.insert(name.clone(), value);
                    } else {
                        faults.push(format!("/{place}/{name}: is not what the contract asks for"));
                    }
                }
                _ => faults.push(format!("/{place}/{name}: is sent more than once")),
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }

    /// Whether it takes a body.
    pub fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    /// Whether it accepts a body with this content type.
    pub fn reads(&self, content_type: Option<&str>) -> bool {
        let Some(body) = &self.body else { return true };
        let mut parts = content_type.unwrap_or_default().split(';').map(|part| part.trim().to_lowercase());
        let essence = parts.next().unwrap_or_default();
        essence == body.media
            && parts.all(|part| {
                part.strip_prefix("charset=").is_none_or(|charset| charset.trim_matches('"') == "utf-8")
            })
    }

    /// Parses a body without validating it; `None` if it cannot be parsed.
    pub fn parse(&self, bytes: &[u8]) -> Option<Value> {
        let text = std::str::from_utf8(bytes).ok()?;
        match &self.body {
            Some(body) if body.media.ends_with("json") => serde_json::from_str(text).ok(),
            _ => Some(json!(text)),
        }
    }

    /// One line per fault of a body.
    pub fn faults(&self, value: &Value) -> Vec<String> {
        let Some(body) = &self.body else { return Vec::new() };
        // Values are not repeated: they may be secrets.
        let line = |error: jsonschema::ValidationError<'_>| {
            format!("/body{}: is not what the contract asks for", error.instance_path())
        };
        body.schema.iter_errors(value).map(line).collect()
    }
}

/// Follows references.
fn resolve<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let target = value["$ref"].as_str().and_then(|target| root.pointer(target.strip_prefix('#')?));
    target.map_or(value, |target| resolve(root, target))
}

fn compile(root: &Value, schema: &Value) -> Validator {
    // With the components next to it, the references of a schema resolve.
    let schema = json!({ "allOf": [schema], "components": { "schemas": root["components"]["schemas"] } });
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the contract's schemas compile")
}

/// Parses decimal digits. Other text stays text and is rejected later.
fn whole(text: &str) -> Value {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0"
        || (!digits.starts_with('0')
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { serde_json::from_str(text).unwrap_or_else(|_| json!(text)) } else { json!(text) }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
