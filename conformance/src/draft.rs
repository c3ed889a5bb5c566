//! A request in parts, so that a probe can change one part and leave the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::contract::{CredentialLocation, Operation, Parameter, ParameterLocation};
use crate::wire::{Request, essence, is_json};

/// Everything that is percent-encoded in paths and queries: all but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The boundary between the parts of a `multipart/form-data` body.
const BOUNDARY: &str = "conformance-7c1f0b9e";

/// A credential and where it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialPlacement {
    /// Where it is sent.
    pub location: CredentialLocation,
    /// The credential itself.
    pub value: String,
}

/// The content of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A value, which is serialized according to the media type.
    Value(Value),
    /// Bytes that are sent as they are.
    Raw(Bytes),
}

/// A body with its media type. Without a media type, no `Content-Type` is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// The media type.
    pub media: Option<String>,
    /// The content.
    pub content: Content,
}

/// A request in parts.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The operation that it calls.
    pub operation: Arc<Operation>,
    /// A method that replaces the operation's.
    pub method: Option<String>,
    /// The path parameters by name, not encoded.
    pub path: BTreeMap<String, String>,
    /// The query parameters in order, not encoded.
    pub query: Vec<(String, String)>,
    /// Headers, without `Content-Type`, `Cookie` and the credential.
    pub headers: Vec<(String, String)>,
    /// Cookies in order.
    pub cookies: Vec<(String, String)>,
    /// The body.
    pub body: Option<Payload>,
    /// The credential.
    pub credential: Option<CredentialPlacement>,
}

impl Draft {
    /// Creates a request without parameters, body and credential.
    pub fn new(operation: Arc<Operation>) -> Self {
        Self {
            operation,
            method: None,
            path: BTreeMap::new(),
            query: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            body: None,
            credential: None,
        }
    }

    /// Sets a parameter. `None` removes it.
    ///
    /// Fails when the value cannot be sent at this location, such as a line break in a header.
    pub fn set(&mut self, parameter: &Parameter, value: Option<&Value>) -> Result<()> {
        let name = &parameter.name;
        let texts = value.map(|value| texts(parameter, value)).transpose()?;
        let list = match parameter.location {
            ParameterLocation::Path => {
                match texts.and_then(|texts| texts.into_iter().next()) {
                    Some(text) => self.path.insert(name.clone(), text),
                    None => self.path.remove(name),
                };
                return Ok(());
            }
            ParameterLocation::Query => &mut self.query,
            ParameterLocation::Header => &mut self.headers,
            ParameterLocation::Cookie => &mut self.cookies,
        };
        let same = |known: &str| match parameter.location {
            ParameterLocation::Header => known.eq_ignore_ascii_case(name),
            _ => known == name,
        };
        list.retain(|(known, _)| !same(known));
        list.extend(texts.into_iter().flatten().map(|text| (name.clone(), text)));
        Ok(())
    }

    /// Returns the value of the body; `None` when there is no body or it is raw bytes.
    pub fn value(&self) -> Option<&Value> {
        match &self.body.as_ref()?.content {
            Content::Value(value) => Some(value),
            Content::Raw(_) => None,
        }
    }

    /// Returns a copy with another value in its body.
    pub fn with_value(&self, value: Value) -> Self {
        let mut out = self.clone();
        if let Some(body) = &mut out.body {
            body.content = Content::Value(value);
        }
        out
    }

    /// Builds the request.
    ///
    /// Fails when a path parameter is missing or the body does not fit its media type.
    pub fn request(&self) -> Result<Request> {
        let mut target = String::new();
        for segment in self.operation.path.split('/').skip(1) {
            target.push('/');
            match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => match self.path.get(name).map(String::as_str) {
                    None | Some("" | "." | "..") => bail!("the path parameter {name} is missing"),
                    Some(value) => target.extend(utf8_percent_encode(value, ENCODED)),
                },
                None => target.push_str(segment),
            }
        }
        let mut query = self.query.clone();
        let mut headers = self.headers.clone();
        if let Some(credential) = &self.credential {
            match (&credential.location, credential.location.header(&credential.value)) {
                (_, Some(header)) => headers.push(header),
                (CredentialLocation::Query(name), None) => {
                    query.push((name.clone(), credential.value.clone()))
                }
                (_, None) => {}
            }
        }
        if !query.is_empty() {
            target.push('?');
            target.push_str(&form(&query));
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        let mut body = None;
        if let Some(payload) = &self.body {
            let (bytes, content_type) = payload.encode()?;
            headers.extend(content_type.map(|media| ("Content-Type".to_owned(), media)));
            body = Some(bytes);
        }
        let method = self.method.clone().unwrap_or_else(|| self.operation.method.clone());
        Ok(Request { method, target, headers, body })
    }
}

impl Payload {
    fn encode(&self) -> Result<(Bytes, Option<String>)> {
        let media = self.media.clone();
        let value = match &self.content {
            Content::Raw(bytes) => return Ok((bytes.clone(), media)),
            Content::Value(value) => value,
        };
        let name = essence(media.as_deref().unwrap_or("application/json"));
        let fields = || -> Result<Vec<(String, String)>> {
            let Value::Object(members) = value else { bail!("a form body must be an object") };
            members.iter().map(|(name, member)| Ok((name.clone(), scalar(member)?))).collect()
        };
        Ok(match name.as_str() {
            json if is_json(json) => (serde_json::to_vec(value)?.into(), media),
            "application/x-www-form-urlencoded" => (form(&fields()?).into(), media),
            "multipart/form-data" => {
                let mut text = String::new();
                let Value::Object(members) = value else { bail!("a form body must be an object") };
                for (name, member) in members {
                    text.push_str(&format!(
                        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\""
                    ));
                    // A file is an object with `filename`, `contentType` and `content`.
                    if let (Some(file), Some(content)) =
                        (member["filename"].as_str(), member["content"].as_str())
                    {
                        let media = member["contentType"].as_str().unwrap_or("application/octet-stream");
                        text.push_str(&format!(
                            "; filename=\"{file}\"\r\nContent-Type: {media}\r\n\r\n{content}\r\n"
                        ));
                    } else {
                        text.push_str(&format!("\r\n\r\n{}\r\n", scalar(member)?));
                    }
                }
                text.push_str(&format!("--{BOUNDARY}--\r\n"));
                (text.into(), Some(format!("multipart/form-data; boundary={BOUNDARY}")))
            }
            _ => match value {
                Value::String(text) => (text.clone().into(), media),
                other => (serde_json::to_vec(other)?.into(), media),
            },
        })
    }
}

fn scalar(value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => bail!("{value} cannot be serialized as text"),
    }
}

/// Serializes the value of a parameter. An exploded list gives several texts.
fn texts(parameter: &Parameter, value: &Value) -> Result<Vec<String>> {
    let texts = match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect::<Result<_>>()?;
            if parameter.explode { items } else { vec![items.join(",")] }
        }
        value => vec![scalar(value)?],
    };
    let visible = |text: &String| text.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic());
    let trimmed = |text: &String| text.trim() == text;
    if matches!(parameter.location, ParameterLocation::Header | ParameterLocation::Cookie)
        && !texts.iter().all(|text| visible(text) && trimmed(text))
    {
        bail!("a header or cookie may contain visible ASCII only");
    }
    Ok(texts)
}

fn form(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}
