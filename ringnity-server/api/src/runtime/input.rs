//! Reads the input of an operation, parameters by declared type and the body by media type, and validates it against
//! the contract.

use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::body;
use super::content::{BytesBody, Form, TextBody};
use super::decode::{cookies, essence, essence_matches, percent_decode, query_pairs};
use super::fault::Fault;
use super::json;
use super::operation::{MediaForm, Operation, Param, ParamLocation, ValueType};
use super::path::path_variables;
use super::problem::Problem;
use super::schema::SchemaValidator;
use super::violations::{self, escape};

/// A request body.
#[derive(Debug)]
pub enum ReceivedBody {
    /// Nothing.
    Empty,
    /// A JSON value, from JSON or from `name=value` pairs.
    Value(Value),
    /// A multipart form.
    Form(Form),
    /// Text.
    Text(TextBody),
    /// Bytes.
    Bytes(BytesBody),
}

/// Parameters and body of a request that have passed validation. Generated code moves inputs out of it.
#[derive(Debug)]
pub struct ValidatedInput {
    params: Map<String, Value>,
    body: ReceivedBody,
}

impl ValidatedInput {
    /// A text parameter, as sent or by default.
    pub fn text_param(&self, location: ParamLocation, name: &str) -> Option<&str> {
        self.params.get(location.token())?.get(name)?.as_str()
    }

    /// Feeds path, query and body, but no headers, to a hash. Requests with equal values feed equal bytes, however
    /// their JSON is written.
    pub fn hash_into(&self, sink: &mut dyn FnMut(&[u8])) {
        for location in [ParamLocation::Path, ParamLocation::Query] {
            json::canonical(self.params.get(location.token()).unwrap_or(&Value::Null), sink);
        }
        match &self.body {
            ReceivedBody::Empty => sink(b"nothing"),
            ReceivedBody::Value(value) => {
                sink(b"value");
                json::canonical(value, sink);
            }
            ReceivedBody::Text(text) => {
                sink(b"text");
                json::canonical(&Value::from([text.content_type.as_str(), &text.text].as_slice()), sink);
            }
            ReceivedBody::Bytes(bytes) => {
                sink(b"bytes");
                json::canonical(&Value::from(bytes.content_type.as_str()), sink);
                sink(&bytes.bytes);
            }
            ReceivedBody::Form(form) => form.hash_into(sink),
        }
    }

    /// Moves a parameter out that is required or has a default.
    pub fn param<T: DeserializeOwned>(&mut self, location: ParamLocation, name: &str) -> Result<T, Fault> {
        let value = self.optional_param(location, name)?;
        value.ok_or_else(|| Fault::invalid([format!("/{}/{}: is required", location.token(), escape(name))]))
    }

    /// Moves an optional parameter out.
    pub fn optional_param<T: DeserializeOwned>(
        &mut self,
        location: ParamLocation,
        name: &str,
    ) -> Result<Option<T>, Fault> {
        let group = self.params.get_mut(location.token()).and_then(Value::as_object_mut);
        let Some(value) = group.and_then(|group| group.remove(name)) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| {
            Fault::invalid([format!(
                "/{}/{}: does not have the documented form",
                location.token(),
                escape(name)
            )])
        })
    }

    /// Moves a required body out, as a typed value.
    pub fn body<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        self.optional_body()?.ok_or_else(missing_body)
    }

    /// Moves an optional body out, as a typed value.
    pub fn optional_body<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        match std::mem::replace(&mut self.body, ReceivedBody::Empty) {
            ReceivedBody::Value(value) => serde_json::from_value(value).map(Some).map_err(|error| {
                // It matches the schema, but not the type: usually a number out of range.
                let line = "/body: holds a value that cannot be read, such as a number out of range";
                Fault::invalid([line.to_owned()]).cause(kind_of(&error))
            }),
            _ => Ok(None),
        }
    }

    /// Moves a text body out.
    pub fn text(&mut self) -> Option<TextBody> {
        match std::mem::replace(&mut self.body, ReceivedBody::Empty) {
            ReceivedBody::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Moves a body of bytes out.
    pub fn bytes(&mut self) -> Option<BytesBody> {
        match std::mem::replace(&mut self.body, ReceivedBody::Empty) {
            ReceivedBody::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Moves a form out.
    pub fn form(&mut self) -> Option<Form> {
        match std::mem::replace(&mut self.body, ReceivedBody::Empty) {
            ReceivedBody::Form(form) => Some(form),
            _ => None,
        }
    }
}

/// The kind of error without the value, which may be a secret.
fn kind_of(error: &serde_json::Error) -> String {
    format!("{:?} error between schema and type", error.classify())
}

/// The fault for a required body that is absent.
pub fn missing_body() -> Fault {
    Fault::invalid(["/body: is required".into()])
}

/// Reads and validates parameters and body.
pub async fn read(
    operation: &'static Operation,
    schemas: &SchemaValidator,
    head: &http::request::Parts,
    body: &mut dropshot::Body,
    limit: Option<usize>,
) -> Result<ValidatedInput, Fault> {
    let mut lines = Vec::new();
    let params = read_params(operation, head, &mut lines);
    let unreadable = lines.len();
    let params = Value::Object(params);
    if lines.is_empty() {
        lines.extend(schemas.check_params(operation, &params));
    }
    let received = read_body(operation, head, body, limit).await;
    let received = match received {
        Ok(received) => received,
        // A malformed body is reported together with invalid parameters; its size, speed or media type alone.
        Err(fault) if fault.status() == StatusCode::BAD_REQUEST && unreadable == 0 => {
            lines.extend(fault.details().iter().cloned());
            return Err(Fault::invalid(lines));
        }
        Err(fault) => return Err(fault),
    };
    match &received {
        ReceivedBody::Value(value) => lines.extend(schemas.check_body(operation, value)),
        ReceivedBody::Form(form) => lines.extend(schemas.check_body(operation, &form.as_value())),
        ReceivedBody::Empty if operation.body.as_ref().is_some_and(|body| body.required) => {
            lines.push("/body: is required".into());
        }
        _ => {}
    }
    if !lines.is_empty() {
        lines.truncate(violations::MAX_LINES);
        return Err(Fault::invalid(lines));
    }
    let Value::Object(params) = params else { return Err(Fault::internal("parameters are an object")) };
    Ok(ValidatedInput { params, body: received })
}

fn read_params(
    operation: &Operation,
    head: &http::request::Parts,
    lines: &mut Vec<String>,
) -> Map<String, Value> {
    let mut out = Map::new();
    let query: Vec<(&str, &str)> = query_pairs(head.uri.query()).collect();
    let variables = path_variables(operation.path, head.uri.path());
    for param in operation.params {
        let pointer = format!("/{}/{}", param.location.token(), escape(param.name));
        let found: Option<Vec<String>> = match param.location {
            ParamLocation::Path => variables
                .iter()
                .filter(|(name, _)| *name == param.name)
                .map(|(_, value)| value.clone())
                .collect(),
            ParamLocation::Query => query
                .iter()
                .filter(|(name, _)| percent_decode(name, true).as_deref() == Some(param.name))
                .map(|(_, value)| percent_decode(value, true))
                .collect(),
            ParamLocation::Header => head
                .headers
                .get_all(param.name)
                .iter()
                .map(|value| std::str::from_utf8(value.as_bytes()).ok().map(|text| text.trim().to_owned()))
                .collect(),
            ParamLocation::Cookie => cookies(&head.headers, param.name).into_iter().collect(),
        };
        let Some(values) = found else {
            lines.push(format!("{pointer}: holds a character that is not UTF-8, or NUL"));
            continue;
        };
        if let Some(value) = param_value(param, &values, &pointer, lines) {
            let group = out.entry(param.location.token()).or_insert_with(|| Value::Object(Map::new()));
            group[param.name] = value;
        }
    }
    // An object per location, so that validation finds parameters that are required and absent.
    for param in operation.params {
        out.entry(param.location.token()).or_insert_with(|| Value::Object(Map::new()));
    }
    out
}

fn param_value(param: &Param, values: &[String], pointer: &str, lines: &mut Vec<String>) -> Option<Value> {
    let default = || param.default.and_then(|json| serde_json::from_str(json).ok());
    if let ValueType::List(inner) = param.value_type {
        if values.is_empty() {
            return default();
        }
        let mut items = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match inner.parse(value) {
                Ok(value) => items.push(value),
                Err(problem) => lines.push(format!("{pointer}/{index}: {problem}")),
            }
        }
        return Some(Value::Array(items));
    }
    match values {
        [] => default(),
        [only] => match param.value_type.parse(only) {
            Ok(value) => Some(value),
            Err(problem) => {
                lines.push(format!("{pointer}: {problem}"));
                None
            }
        },
        _ => {
            lines.push(format!("{pointer}: is sent more than once"));
            None
        }
    }
}

async fn read_body(
    operation: &'static Operation,
    head: &http::request::Parts,
    body: &mut dropshot::Body,
    limit: Option<usize>,
) -> Result<ReceivedBody, Fault> {
    use hyper::body::Body as _;
    let Some(expected) = &operation.body else { return Ok(ReceivedBody::Empty) };
    if body.is_end_stream() {
        return Ok(ReceivedBody::Empty);
    }
    // The media type is checked before the body is read.
    let text = content_type(&head.headers);
    let media = text.as_deref().and_then(|text| {
        let actual = essence(text);
        expected.media.iter().find(|media| {
            essence_matches(media.content_type, &actual)
                || matches!(media.form, MediaForm::Json)
                    && actual.starts_with("application/")
                    && actual.ends_with("+json")
        })
    });
    let limit = limit.unwrap_or(expected.limit);
    let Some(media) = media else {
        // An empty body needs no media type.
        let bytes = body::read(&head.headers, body, limit).await?;
        return if bytes.is_empty() {
            Ok(ReceivedBody::Empty)
        } else {
            Err(wrong_media(expected, text.as_deref()))
        };
    };
    let text = text.unwrap_or_default();
    if head.headers.get(http::header::CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes() != b"identity")
    {
        return Err(Fault::of(
            Problem::MediaType,
            "Compressed request bodies are not supported. Send the body without Content-Encoding.",
        ));
    }
    if !matches!(media.form, MediaForm::Bytes | MediaForm::Multipart(_)) && !is_utf8(&text) {
        return Err(Fault::of(
            Problem::MediaType,
            "Only UTF-8 is supported. Leave `charset` out or set it to utf-8.",
        ));
    }
    let bytes = body::read(&head.headers, body, limit).await?;
    if bytes.is_empty() && !matches!(media.form, MediaForm::Bytes) {
        return Ok(ReceivedBody::Empty);
    }
    let invalid = |line: String| Fault::invalid([line]);
    Ok(match media.form {
        MediaForm::Json if bytes.iter().all(u8::is_ascii_whitespace) => ReceivedBody::Empty,
        MediaForm::Json => ReceivedBody::Value(json::parse(&bytes, "/body").map_err(invalid)?),
        MediaForm::UrlEncoded(kinds) => ReceivedBody::Value(body::url_encoded(&bytes, kinds)?),
        MediaForm::Multipart(fields) => ReceivedBody::Form(body::multipart(&text, bytes, fields).await?),
        MediaForm::Text => {
            let content = std::str::from_utf8(&bytes).map_err(|_| invalid("/body: is not UTF-8".into()))?;
            if content.contains('\0') {
                return Err(invalid("/body: holds a NUL character".into()));
            }
            ReceivedBody::Text(TextBody::new(essence(&text), content))
        }
        MediaForm::Bytes => ReceivedBody::Bytes(BytesBody { content_type: essence(&text), bytes }),
    })
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(http::header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
}

fn is_utf8(content_type: &str) -> bool {
    content_type.split(';').skip(1).all(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return true };
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || value.eq_ignore_ascii_case("utf-8")
            || value.eq_ignore_ascii_case("us-ascii")
    })
}

fn wrong_media(expected: &super::operation::Body, actual: Option<&str>) -> Fault {
    let names: Vec<&str> = expected.media.iter().map(|media| media.content_type).collect();
    let actual = if actual.is_some() { "is another media type" } else { "is absent" };
    Fault::of(
        Problem::MediaType,
        "The media type of the body is not supported. Send one that `details` lists.",
    )
    .detail(format!("/header/content-type: {actual}; must be {}", names.join(" or ")))
}
