//! A contract as the servers of these tests obey it: routes, and checks of parameters and bodies. Written
//! apart from the checker on purpose: what is tried here must not judge itself.

use bytes::Bytes;
use hyper::Request;
use jsonschema::{Draft, Validator};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The operations of a document, their schemas compiled.
pub struct Contract {
    operations: Vec<Operation>,
}

/// One operation.
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

/// What a method and a path lead to.
pub enum Found<'c> {
    /// An operation, and the segments that fill its path.
    Operation(&'c Operation, Vec<String>),
    /// A path that has other methods.
    OtherMethods(Vec<&'c str>),
    Nothing,
}

impl Contract {
    /// Compiles a document; a test that has a broken one cannot go on.
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

    /// The parameters by name, or a line for each that the contract forbids.
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

    /// Whether a body of this content type is read here.
    pub fn reads(&self, content_type: Option<&str>) -> bool {
        let Some(body) = &self.body else { return true };
        let mut parts = content_type.unwrap_or_default().split(';').map(|part| part.trim().to_lowercase());
        let essence = parts.next().unwrap_or_default();
        essence == body.media
            && parts.all(|part| {
                part.strip_prefix("charset=").is_none_or(|charset| charset.trim_matches('"') == "utf-8")
            })
    }

    /// The value of a body, not checked; `None` when it is no text, or not the JSON that it should be.
    pub fn parse(&self, bytes: &[u8]) -> Option<Value> {
        let text = std::str::from_utf8(bytes).ok()?;
        match &self.body {
            Some(body) if body.media.ends_with("json") => serde_json::from_str(text).ok(),
            _ => Some(json!(text)),
        }
    }

    /// A line for each place where a body is not what the contract asks for.
    pub fn faults(&self, value: &Value) -> Vec<String> {
        let Some(body) = &self.body else { return Vec::new() };
        // What was sent is not repeated: it may be a secret.
        let line = |error: jsonschema::ValidationError<'_>| {
            format!("/body{}: is not what the contract asks for", error.instance_path())
        };
        body.schema.iter_errors(value).map(line).collect()
    }
}

/// What a value refers to, or itself.
fn resolve<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let target = value["$ref"].as_str().and_then(|target| root.pointer(target.strip_prefix('#')?));
    target.map_or(value, |target| resolve(root, target))
}

fn compile(root: &Value, schema: &Value) -> Validator {
    // Beside the components, the references of a schema find their targets wherever it was taken from.
    let schema = json!({ "allOf": [schema], "components": { "schemas": root["components"]["schemas"] } });
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the contract's schemas compile")
}

/// Decimal digits are a number; everything else stays the text that it is, and is refused as such.
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
