//! From a request to an operation's input: parameters by declared type, the body by media type, all checked
//! against the contract. Reading never rejects in dropshot's own words; faults travel on as values.

use std::marker::PhantomData;
use std::net::SocketAddr;

use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ApiEndpointParameter, ApiEndpointParameterLocation, ExclusiveExtractor,
    ExtensionMode, ExtractorMetadata, HttpError, Query, RequestContext, ServerContext, SharedExtractor,
};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::body::{self, BytesBody, Form, TextBody};
use super::boundary::{Boundary, essence, essence_matches};
use super::fault::{Fault, Problem};
use super::json;
use super::lines::escape;
use super::operation::{Kind, MediaForm, Operation, Param, Place};

/// What dropshot is told about an endpoint: generated, for the input of every operation.
pub trait Described: Send + Sync + 'static {
    /// The operation.
    const OPERATION: &'static Operation;
}

/// A request as dropshot hands it over, unread.
#[derive(Debug)]
pub struct Raw {
    /// Head and unread body.
    pub request: http::Request<dropshot::Body>,
    /// Address of the peer.
    pub remote: SocketAddr,
    /// The id that dropshot gave it and puts into the answer.
    pub request_id: String,
}

/// Extractor that never rejects: it describes the parameters of `I` and takes the request as it is.
#[derive(Debug)]
pub struct Incoming<I>(Raw, PhantomData<fn() -> I>);

impl<I> Incoming<I> {
    /// The request.
    pub fn into_raw(self) -> Raw {
        self.0
    }
}

#[async_trait]
impl<I: Described> ExclusiveExtractor for Incoming<I> {
    async fn from_request<Context: ServerContext>(
        rqctx: &RequestContext<Context>,
        request: http::Request<dropshot::Body>,
    ) -> Result<Self, HttpError> {
        let raw = Raw { request, remote: rqctx.request.remote_addr(), request_id: rqctx.request_id.clone() };
        Ok(Self(raw, PhantomData))
    }

    fn metadata(_: ApiEndpointBodyContentType) -> ExtractorMetadata {
        ExtractorMetadata { extension_mode: ExtensionMode::None, parameters: parameters(I::OPERATION) }
    }
}

/// What dropshot is told about the parameters of an operation: names, places, necessity.
pub fn parameters(operation: &Operation) -> Vec<ApiEndpointParameter> {
    let mut out = Vec::new();
    for param in operation.params {
        let place = match param.place {
            Place::Path => ApiEndpointParameterLocation::Path,
            Place::Query => ApiEndpointParameterLocation::Query,
            Place::Header => ApiEndpointParameterLocation::Header,
            Place::Cookie => continue,
        };
        out.extend(parameter(&place, param.name, param.description, param.required));
    }
    if let Some(body) = &operation.body
        && let Some(media) = body.media.first()
    {
        let content_type = match media.form {
            MediaForm::Json => ApiEndpointBodyContentType::Json,
            MediaForm::UrlEncoded(_) => ApiEndpointBodyContentType::UrlEncoded,
            MediaForm::Multipart(_) => ApiEndpointBodyContentType::MultipartFormData,
            MediaForm::Text | MediaForm::Bytes => ApiEndpointBodyContentType::Bytes,
        };
        out.extend(
            probe().map(|probe| {
                ApiEndpointParameter::new_body(content_type, body.required, probe.schema, vec![])
            }),
        );
    }
    out
}

/// A text parameter for dropshot.
pub fn parameter(
    place: &ApiEndpointParameterLocation,
    name: &str,
    description: &str,
    required: bool,
) -> Option<ApiEndpointParameter> {
    let description = (!description.is_empty()).then(|| description.to_owned());
    let schema = probe()?.schema;
    Some(ApiEndpointParameter::new_named(place, name.to_owned(), description, required, schema, vec![]))
}

/// The schema that dropshot is told for every parameter: text. The contract's own is checked elsewhere. The
/// type of a schema cannot be named from outside, so one is borrowed from a query of one text member.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Probe {
    #[allow(dead_code, reason = "only its schema is used")]
    text: String,
}

fn probe() -> Option<ApiEndpointParameter> {
    <Query<Probe> as SharedExtractor>::metadata(ApiEndpointBodyContentType::Json).parameters.pop()
}

/// A body as it was read.
#[derive(Debug)]
pub enum Received {
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

/// A request's parameters and body, read and checked; inputs are taken out of it.
#[derive(Debug)]
pub struct Parts {
    params: Map<String, Value>,
    body: Received,
}

impl Parts {
    /// A parameter that was sent as text, or has a text as its default.
    pub fn text_param(&self, place: Place, name: &str) -> Option<&str> {
        self.params.get(place.token())?.get(name)?.as_str()
    }

    /// Tells `sink` what the request asks for, piece by piece: path, query and body, and neither headers nor
    /// the spelling of it. Requests that ask for the same tell the same bytes.
    pub fn tell(&self, sink: &mut dyn FnMut(&[u8])) {
        for place in [Place::Path, Place::Query] {
            json::canonical(self.params.get(place.token()).unwrap_or(&Value::Null), sink);
        }
        match &self.body {
            Received::Empty => sink(b"nothing"),
            Received::Value(value) => {
                sink(b"value");
                json::canonical(value, sink);
            }
            Received::Text(text) => {
                sink(b"text");
                json::canonical(&Value::from([text.content_type.as_str(), &text.text].as_slice()), sink);
            }
            Received::Bytes(bytes) => {
                sink(b"bytes");
                json::canonical(&Value::from(bytes.content_type.as_str()), sink);
                sink(&bytes.bytes);
            }
            Received::Form(form) => form.tell(sink),
        }
    }

    /// Takes a parameter that is there: required, or with a default.
    pub fn param<T: DeserializeOwned>(&mut self, place: Place, name: &str) -> Result<T, Fault> {
        let value = self.optional_param(place, name)?;
        value.ok_or_else(|| Fault::invalid([format!("/{}/{}: is required", place.token(), escape(name))]))
    }

    /// Takes a parameter.
    pub fn optional_param<T: DeserializeOwned>(
        &mut self,
        place: Place,
        name: &str,
    ) -> Result<Option<T>, Fault> {
        let group = self.params.get_mut(place.token()).and_then(Value::as_object_mut);
        let Some(value) = group.and_then(|group| group.remove(name)) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| {
            Fault::invalid([format!(
                "/{}/{}: does not have the documented form",
                place.token(),
                escape(name)
            )])
        })
    }

    /// Takes a body that must be there, as a typed value.
    pub fn body<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        self.optional_body()?.ok_or_else(missing_body)
    }

    /// Takes the body as a typed value.
    pub fn optional_body<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        match std::mem::replace(&mut self.body, Received::Empty) {
            Received::Value(value) => serde_json::from_value(value).map(Some).map_err(|error| {
                // The schema was content and the type is not: a number out of range, mostly.
                let line = "/body: holds a value that cannot be read, such as a number out of range";
                Fault::invalid([line.to_owned()]).cause(kind_of(&error))
            }),
            _ => Ok(None),
        }
    }

    /// Takes a text body.
    pub fn text(&mut self) -> Option<TextBody> {
        match std::mem::replace(&mut self.body, Received::Empty) {
            Received::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a body of bytes.
    pub fn bytes(&mut self) -> Option<BytesBody> {
        match std::mem::replace(&mut self.body, Received::Empty) {
            Received::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Takes a form.
    pub fn form(&mut self) -> Option<Form> {
        match std::mem::replace(&mut self.body, Received::Empty) {
            Received::Form(form) => Some(form),
            _ => None,
        }
    }
}

/// What serde says without the value, which may be a secret.
fn kind_of(error: &serde_json::Error) -> String {
    format!("{:?} error between schema and type", error.classify())
}

/// The fault of a body that must be there.
pub fn missing_body() -> Fault {
    Fault::invalid(["/body: is required".into()])
}

/// Reads and checks everything of a request.
pub async fn read(
    operation: &'static Operation,
    boundary: &Boundary,
    head: &http::request::Parts,
    body: &mut dropshot::Body,
    limit: Option<usize>,
) -> Result<Parts, Fault> {
    let mut lines = Vec::new();
    let params = read_params(operation, head, &mut lines);
    let unreadable = lines.len();
    let params = Value::Object(params);
    if lines.is_empty() {
        lines.extend(boundary.check_params(operation, &params));
    }
    let received = read_body(operation, head, body, limit).await;
    let received = match received {
        Ok(received) => received,
        // Wrong bytes are told together with wrong parameters; wrong size, pace or media type alone.
        Err(fault) if fault.status() == StatusCode::BAD_REQUEST && unreadable == 0 => {
            lines.extend(fault.details().iter().cloned());
            return Err(Fault::invalid(lines));
        }
        Err(fault) => return Err(fault),
    };
    match &received {
        Received::Value(value) => lines.extend(boundary.check_body(operation, value)),
        Received::Form(form) => lines.extend(boundary.check_body(operation, &form.as_value())),
        Received::Empty if operation.body.as_ref().is_some_and(|body| body.required) => {
            lines.push("/body: is required".into());
        }
        _ => {}
    }
    if !lines.is_empty() {
        lines.truncate(super::lines::MAX_LINES);
        return Err(Fault::invalid(lines));
    }
    let Value::Object(params) = params else { return Err(Fault::internal("parameters are an object")) };
    Ok(Parts { params, body: received })
}

fn read_params(
    operation: &Operation,
    head: &http::request::Parts,
    lines: &mut Vec<String>,
) -> Map<String, Value> {
    let mut out = Map::new();
    let query: Vec<(&str, &str)> = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let variables = super::route::variables(operation.path, head.uri.path());
    for param in operation.params {
        let pointer = format!("/{}/{}", param.place.token(), escape(param.name));
        let found: Option<Vec<String>> = match param.place {
            Place::Path => variables
                .iter()
                .filter(|(name, _)| *name == param.name)
                .map(|(_, value)| value.clone())
                .collect(),
            Place::Query => query
                .iter()
                .filter(|(name, _)| decode(name, true).as_deref() == Some(param.name))
                .map(|(_, value)| decode(value, true))
                .collect(),
            Place::Header => head
                .headers
                .get_all(param.name)
                .iter()
                .map(|value| std::str::from_utf8(value.as_bytes()).ok().map(|text| text.trim().to_owned()))
                .collect(),
            Place::Cookie => cookies(&head.headers, param.name),
        };
        let Some(values) = found else {
            lines.push(format!("{pointer}: holds a character that is not UTF-8, or NUL"));
            continue;
        };
        if let Some(value) = param_value(param, &values, &pointer, lines) {
            let group = out.entry(param.place.token()).or_insert_with(|| Value::Object(Map::new()));
            group[param.name] = value;
        }
    }
    // An object per place, so that the schema finds what is required.
    for param in operation.params {
        out.entry(param.place.token()).or_insert_with(|| Value::Object(Map::new()));
    }
    out
}

fn param_value(param: &Param, values: &[String], pointer: &str, lines: &mut Vec<String>) -> Option<Value> {
    let default = || param.default.and_then(|json| serde_json::from_str(json).ok());
    if let Kind::List(inner) = param.kind {
        if values.is_empty() {
            return default();
        }
        let mut items = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match coerce(*inner, value) {
                Ok(value) => items.push(value),
                Err(problem) => lines.push(format!("{pointer}/{index}: {problem}")),
            }
        }
        return Some(Value::Array(items));
    }
    match values {
        [] => default(),
        [only] => match coerce(param.kind, only) {
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

fn cookies(headers: &HeaderMap, name: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    for line in headers.get_all(http::header::COOKIE) {
        // Whatever stands in the cookies of others is none of ours.
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            if let Some(value) = pair.trim_ascii().strip_prefix(name.as_bytes())
                && let Some(value) = value.strip_prefix(b"=")
            {
                out.push(std::str::from_utf8(value).ok()?.to_owned());
            }
        }
    }
    Some(out)
}

/// Text as a value of its declared type.
pub fn coerce(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Text | Kind::List(_) => Ok(Value::String(text.to_owned())),
        Kind::Integer => text.parse::<i64>().map(Value::from).map_err(|_| "must be an integer"),
        Kind::Number => {
            let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or("must be a number")
        }
        Kind::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("must be true or false"),
        },
    }
}

/// Undoes percent-encoding; `None` when the result is not UTF-8 or holds NUL.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let spaced = if plus && text.contains('+') { text.replace('+', " ") } else { text.to_owned() };
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
    (!decoded.contains('\0')).then_some(decoded)
}

async fn read_body(
    operation: &'static Operation,
    head: &http::request::Parts,
    body: &mut dropshot::Body,
    limit: Option<usize>,
) -> Result<Received, Fault> {
    use hyper::body::Body as _;
    let Some(expected) = &operation.body else { return Ok(Received::Empty) };
    if body.is_end_stream() {
        return Ok(Received::Empty);
    }
    // The media type is looked at first: nobody reads a gigabyte to learn that it is a video.
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
        // An empty body has no media type to be wrong.
        let bytes = body::read(&head.headers, body, limit).await?;
        return if bytes.is_empty() {
            Ok(Received::Empty)
        } else {
            Err(wrong_media(expected, text.as_deref()))
        };
    };
    let text = text.unwrap_or_default();
    if head.headers.get(http::header::CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes() != b"identity")
    {
        return Err(Fault::of(
            Problem::MediaType,
            "Compressed request bodies are not read. Send the body as it is, without Content-Encoding.",
        ));
    }
    if !matches!(media.form, MediaForm::Bytes | MediaForm::Multipart(_)) && !is_utf8(&text) {
        return Err(Fault::of(Problem::MediaType, "Only UTF-8 is read. Leave charset out, or say utf-8."));
    }
    let bytes = body::read(&head.headers, body, limit).await?;
    if bytes.is_empty() && !matches!(media.form, MediaForm::Bytes) {
        return Ok(Received::Empty);
    }
    let refused = |line: String| Fault::invalid([line]);
    Ok(match media.form {
        MediaForm::Json if bytes.iter().all(u8::is_ascii_whitespace) => Received::Empty,
        MediaForm::Json => Received::Value(json::parse(&bytes, "/body").map_err(refused)?),
        MediaForm::UrlEncoded(kinds) => Received::Value(body::url_encoded(&bytes, kinds)?),
        MediaForm::Multipart(fields) => Received::Form(body::multipart(&text, bytes, fields).await?),
        MediaForm::Text => {
            let content = std::str::from_utf8(&bytes).map_err(|_| refused("/body: is not UTF-8".into()))?;
            if content.contains('\0') {
                return Err(refused("/body: holds a NUL character".into()));
            }
            Received::Text(TextBody::new(essence(&text), content))
        }
        MediaForm::Bytes => Received::Bytes(BytesBody { content_type: essence(&text), bytes }),
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
    let actual = if actual.is_some() { "is of another kind" } else { "says nothing" };
    Fault::of(
        Problem::MediaType,
        "The body has a media type that is not read here. Send one that details name.",
    )
    .detail(format!("/header/content-type: {actual}; must be {}", names.join(" or ")))
}
