//! The shape of each operation's method and builder: arguments, setters, response types and accepted
//! credentials. The code is written in `builders` and `progenitor`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use proc_macro2::Ident;
use quote::format_ident;
use serde_json::Value;

use super::idents::{builder_name, ident, method_name, non_null, setter_name, unique_name};
use crate::lower::{raw, resolve};
use crate::model::{Contract, Media, Operation, Param, ParamLocation, Status, TypeRef};
use crate::name::pascal;

/// Method and builder of one operation.
pub struct Plan<'c> {
    /// The operation.
    pub operation: &'c Operation,
    /// Method of the client.
    pub method: Ident,
    /// Request builder.
    pub builder: Ident,
    /// Inputs, required ones first.
    pub inputs: Vec<Input>,
    /// Request body.
    pub body: Body,
    /// Successful responses.
    pub responses: Vec<ResponseVariant>,
    /// Error schema by status; responses that are not here are unexpected.
    pub errors: Vec<(Status, String)>,
}

/// An input of an operation.
pub struct Input {
    /// Field and setter name.
    pub name: Ident,
    /// Where it goes.
    pub role: Role,
    /// Type.
    pub ty: InputType,
    /// Whether it is an argument of the method; otherwise it has a setter.
    pub required: bool,
    /// Description, possibly empty.
    pub description: String,
}

/// Where an input goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// The parameter at this index of the operation, written in this style.
    Param(usize, Style),
    /// The body.
    Body,
    /// A field of a multipart form.
    Part(String),
    /// The media type of the body.
    ContentType,
    /// The `Accept` header.
    Accept,
}

/// How a parameter with several values is serialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The default for its location.
    Default,
    /// `name=a,b`
    Comma,
    /// `name=a b`
    Space,
    /// `name=a|b`
    Pipe,
    /// `name[key]=value`
    Deep,
}

/// The type of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum InputType {
    /// A type of the contract.
    Contract(TypeRef),
    /// A file.
    Upload,
    /// An enum generated for this operation.
    Generated(Ident),
}

/// A request body.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// No body.
    None,
    /// One media type.
    One(Payload),
    /// Text in one of several media types.
    Texts(Vec<String>),
    /// A multipart form.
    Multipart,
    /// One of several types, as an enum.
    Choice(Vec<(Ident, Payload)>),
}

/// One media type of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Media type.
    pub media: String,
    /// Kind.
    pub kind: PayloadKind,
    /// Type.
    pub ty: TypeRef,
}

/// Kinds of body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadKind {
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// One way in which an operation succeeds.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseVariant {
    /// Variant of the output enum, if there is one.
    pub variant: Ident,
    /// Statuses.
    pub status: Status,
    /// Media type, if responses with this status differ in it.
    pub media: Option<String>,
    /// Body.
    pub body: ResponseBody,
}

/// The body of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseBody {
    /// A JSON value.
    Json(TypeRef),
    /// Text with its media type.
    Text,
    /// Bytes as they arrive.
    Stream,
    /// Nothing.
    Empty,
    /// A redirect as a value.
    Redirect,
}

impl<'c> Plan<'c> {
    /// Plans `operation`.
    pub fn new(contract: &'c Contract, operation: &'c Operation) -> Result<Self> {
        let place = || format!("{}: {}", contract.file_name, operation.pointer);
        let method = method_name(&operation.name);
        let builder = builder_name(&operation.type_name);
        let mut inputs = Vec::new();
        for (index, param) in operation.params.iter().enumerate() {
            inputs.push(Input {
                name: ident(&setter_name(&param.rust_name)),
                role: Role::Param(index, style(contract, operation, param)?),
                ty: InputType::Contract(non_null(&param.ty).clone()),
                required: param.required,
                description: param.description.clone(),
            });
        }
        let body = body(operation, &builder, &mut inputs, &place)?;
        let responses = responses(operation, &place)?;
        let medias: BTreeSet<&String> =
            responses.iter().filter_map(|response| response.media.as_ref()).collect();
        if medias.len() > 1 {
            inputs.push(Input {
                name: ident(&unique_name("accept", &inputs)),
                role: Role::Accept,
                ty: InputType::Contract(TypeRef::String),
                required: false,
                description: "Sets the `Accept` header. Default: every documented media type.".into(),
            });
        }
        // Arguments first; parameters keep their order, the body comes last.
        inputs.sort_by_key(|input| !input.required);
        Ok(Self { method, builder, inputs, body, responses, errors: errors(contract, operation), operation })
    }

    /// Inputs that are arguments of the method.
    pub fn arguments(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| input.required)
    }

    /// Inputs that are setters.
    pub fn setters(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| !input.required)
    }

    /// Whether successful responses have several types and need an enum.
    pub fn has_output_enum(&self) -> bool {
        self.responses.iter().any(|response| response.body != self.responses[0].body)
    }

    /// Name of that enum.
    pub fn output_enum(&self) -> Ident {
        format_ident!("{}Output", self.builder)
    }

    /// Credentials that the operation accepts.
    pub fn callers(&self) -> Callers {
        let mut kinds: Vec<String> =
            self.operation.principals.iter().map(|accepted| accepted.kind.clone()).collect();
        if kinds.is_empty() {
            return Callers::Any;
        }
        if self.operation.anonymous {
            kinds.push(String::new());
        }
        Callers::Kinds(kinds)
    }
}

/// Credentials that an operation accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Callers {
    /// Any, or none.
    Any,
    /// One of these kinds; the empty kind is no credential.
    Kinds(Vec<String>),
}

fn style(contract: &Contract, operation: &Operation, param: &Param) -> Result<Style> {
    let raw = raw(contract, operation)?;
    let item = operation.pointer.rsplit_once('/').map_or("", |(item, _)| item).trim_start_matches('#');
    let shared = contract.named.pointer(item).and_then(|item| item.get("parameters"));
    let mut found = &Value::Null;
    for list in [raw.get("parameters"), shared] {
        for entry in list.and_then(Value::as_array).into_iter().flatten() {
            let entry = resolve(contract, entry, &param.pointer)?;
            if found.is_null() && entry["name"] == param.name.as_str() {
                found = entry;
            }
        }
    }
    let explode = found.get("explode").and_then(Value::as_bool);
    Ok(match (param.place, found["style"].as_str()) {
        (ParamLocation::Query | ParamLocation::Cookie, None | Some("form")) => {
            if explode == Some(false) {
                Style::Comma
            } else {
                Style::Default
            }
        }
        (ParamLocation::Query, Some("spaceDelimited")) if explode != Some(true) => Style::Space,
        (ParamLocation::Query, Some("pipeDelimited")) if explode != Some(true) => Style::Pipe,
        (ParamLocation::Query, Some("spaceDelimited" | "pipeDelimited")) => Style::Default,
        (ParamLocation::Query, Some("deepObject")) => Style::Deep,
        (ParamLocation::Path | ParamLocation::Header, None | Some("simple")) => Style::Default,
        (_, Some(style)) => {
            bail!("{}: {}: style {style} is not supported here", contract.file_name, param.pointer)
        }
    })
}

fn payload(media: &Media) -> Payload {
    let kind = if media.content_type.contains("json") {
        PayloadKind::Json
    } else if media.content_type.contains("urlencoded") {
        PayloadKind::Form
    } else if media.ty == TypeRef::String {
        PayloadKind::Text
    } else {
        PayloadKind::Bytes
    };
    Payload { media: media.content_type.clone(), kind, ty: media.ty.clone() }
}

fn payload_type(payload: &Payload) -> InputType {
    match payload.kind {
        PayloadKind::Bytes => InputType::Upload,
        _ => InputType::Contract(payload.ty.clone()),
    }
}

fn body(
    operation: &Operation,
    builder: &Ident,
    inputs: &mut Vec<Input>,
    place: &dyn Fn() -> String,
) -> Result<Body> {
    let Some(body) = &operation.body else { return Ok(Body::None) };
    let mut push = |name: &str, role: Role, ty: InputType, required: bool, description: &str| {
        let name = ident(&unique_name(&setter_name(name), inputs));
        inputs.push(Input { name, role, ty, required, description: description.into() });
    };
    if let [media] = body.media.as_slice() {
        if media.content_type.starts_with("multipart/") {
            if media.content_type != "multipart/form-data" {
                bail!(
                    "{}/requestBody: {} is not supported; multipart/form-data is",
                    place(),
                    media.content_type
                );
            }
            for field in &media.fields {
                let ty = match field.binary {
                    true => InputType::Upload,
                    false => InputType::Contract(TypeRef::String),
                };
                let words = if field.binary { "File of the form field" } else { "Text of the form field" };
                let name = crate::name::snake(&field.name);
                let required = body.required && field.required;
                push(
                    &name,
                    Role::Part(field.name.clone()),
                    ty,
                    required,
                    &format!("{words} `{}`.", field.name),
                );
            }
            return Ok(Body::Multipart);
        }
        let payload = payload(media);
        push("body", Role::Body, payload_type(&payload), body.required, "Sets the request body.");
        return Ok(Body::One(payload));
    }
    let payloads: Vec<Payload> = body.media.iter().map(payload).collect();
    if payloads.iter().all(|payload| payload.kind == PayloadKind::Text) {
        push(
            "body",
            Role::Body,
            InputType::Contract(TypeRef::String),
            body.required,
            "Sets the request body.",
        );
        let words = format!("Sets the media type of the body. Default: `{}`.", payloads[0].media);
        push("content_type", Role::ContentType, InputType::Contract(TypeRef::String), false, &words);
        return Ok(Body::Texts(payloads.into_iter().map(|payload| payload.media).collect()));
    }
    if payloads.iter().any(|payload| payload.media.starts_with("multipart/")) {
        bail!("{}/requestBody/content: a multipart form beside other media types is not supported", place());
    }
    push(
        "body",
        Role::Body,
        InputType::Generated(format_ident!("{builder}Body")),
        body.required,
        "The body.",
    );
    let mut variants: Vec<(Ident, Payload)> = Vec::new();
    for payload in payloads {
        let mut name = media_name(&payload.media);
        while variants.iter().any(|(other, _)| *other == name) {
            name.push('_');
        }
        variants.push((format_ident!("{name}"), payload));
    }
    Ok(Body::Choice(variants))
}

/// `text/csv` → `Csv`, `application/problem+json` → `ProblemJson`.
fn media_name(media: &str) -> String {
    let essence = media.split(';').next().unwrap_or(media);
    match essence.split_once('/').map_or(essence, |(_, subtype)| subtype) {
        "plain" => "Text".into(),
        "octet-stream" | "*" => "Bytes".into(),
        "x-www-form-urlencoded" => "Form".into(),
        subtype => pascal(subtype),
    }
}

fn response_body(media: &Media) -> ResponseBody {
    let essence = media.content_type.split(';').next().unwrap_or_default();
    // Tables and event streams may be long or endless.
    let streamed = matches!(
        essence,
        "text/csv" | "text/tab-separated-values" | "text/event-stream" | "application/x-ndjson"
    );
    if essence.contains("json") && !streamed {
        ResponseBody::Json(media.ty.clone())
    } else if media.ty == TypeRef::String && !streamed {
        ResponseBody::Text
    } else {
        ResponseBody::Stream
    }
}

fn responses(operation: &Operation, place: &dyn Fn() -> String) -> Result<Vec<ResponseVariant>> {
    let mut out: Vec<ResponseVariant> = Vec::new();
    let mut documented: Vec<(Status, &[Media])> =
        operation.successes().map(|response| (response.status, response.media.as_slice())).collect();
    if documented.is_empty() {
        let default = operation.responses.iter().find(|response| response.status == Status::Default);
        documented.push((Status::Class(2), default.map_or(&[], |response| response.media.as_slice())));
    }
    let several = documented.len() > 1;
    for (status, media) in documented {
        if matches!(status, Status::Code(100..=199) | Status::Class(1)) {
            bail!("{}/responses: informational responses and protocol upgrades are not supported", place());
        }
        let reason = reason(status);
        if media.is_empty() {
            let redirect = matches!(status, Status::Code(301 | 302 | 303 | 307 | 308) | Status::Class(3));
            let body = if redirect { ResponseBody::Redirect } else { ResponseBody::Empty };
            out.push(ResponseVariant { variant: format_ident!("{reason}"), status, media: None, body });
            continue;
        }
        let shapes: Vec<ResponseBody> = media.iter().map(response_body).collect();
        let uniform = shapes.iter().all(|body| *body == shapes[0]);
        let count = if uniform { 1 } else { media.len() };
        for (media, body) in media.iter().zip(shapes).take(count) {
            let media_name = media_name(&media.content_type);
            let variant = match (several, uniform) {
                (false, _) => media_name,
                (true, true) => reason.clone(),
                (true, false) => format!("{reason}{media_name}"),
            };
            let media = (!uniform).then(|| {
                media.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
            });
            out.push(ResponseVariant { variant: format_ident!("{variant}"), status, media, body });
        }
    }
    Ok(out)
}

fn reason(status: Status) -> String {
    match status {
        Status::Code(200) => "Ok".into(),
        Status::Code(201) => "Created".into(),
        Status::Code(202) => "Accepted".into(),
        Status::Code(204) => "NoContent".into(),
        Status::Code(206) => "PartialContent".into(),
        Status::Code(304) => "NotModified".into(),
        Status::Code(301 | 302 | 303 | 307 | 308) | Status::Class(3) => "Redirect".into(),
        Status::Code(code) => format!("Status{code}"),
        Status::Class(_) => "Success".into(),
        Status::Default => "Default".into(),
    }
}

fn errors(contract: &Contract, operation: &Operation) -> Vec<(Status, String)> {
    let mut out: Vec<(Status, String)> = operation
        .responses
        .iter()
        .filter(|response| !response.status.is_success())
        .filter_map(|response| {
            let named = response.media.iter().find(|media| media.content_type.contains("json"))?;
            let TypeRef::Named(name) = &named.ty else { return None };
            is_error_body(contract, name).then(|| (response.status, name.clone()))
        })
        .collect();
    // Exact statuses before classes, as the arms of a `match`.
    out.sort_by_key(|(status, _)| match status {
        Status::Code(code) => *code,
        Status::Class(class) => 1000 + class,
        Status::Default => u16::MAX,
    });
    out
}

/// Error bodies are objects. Anything else becomes `Error::Unexpected`.
fn is_error_body(contract: &Contract, name: &str) -> bool {
    contract.schemas.iter().any(|(schema, value)| pascal(schema) == name && value.get("properties").is_some())
}
