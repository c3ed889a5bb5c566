//! A request before it is sent, with its parts still apart, so that one of them can be changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::contract::{CredentialLocation, Operation, Parameter, ParameterLocation};
use crate::wire::{Request, essence, is_json};

/// What is encoded in paths and queries: all but the unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The boundary between the parts of a form.
const BOUNDARY: &str = "conformance-7c1f0b9e";

/// A credential as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialPlacement {
    /// How.
    pub location: CredentialLocation,
    /// Its text.
    pub value: String,
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A value, written as its media type has it.
    Value(Value),
    /// Bytes as they are.
    Raw(Bytes),
}

/// A body with its media type; without one, no `Content-Type` is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// The media type.
    pub media: Option<String>,
    /// What it holds.
    pub content: Content,
}

/// A request before it is sent.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it calls.
    pub operation: Arc<Operation>,
    /// Another method than the operation's.
    pub method: Option<String>,
    /// Values of the path's variables.
    pub path: BTreeMap<String, String>,
    /// The query.
    pub query: Vec<(String, String)>,
    /// Headers, without those of body and credential.
    pub headers: Vec<(String, String)>,
    /// Cookies.
    pub cookies: Vec<(String, String)>,
    /// The body.
    pub body: Option<Payload>,
    /// The credential.
    pub credential: Option<CredentialPlacement>,
}

impl Draft {
    /// A request with nothing in it.
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

    /// Sets a parameter to a value; `None` takes it away.
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

    /// The value of the body.
    pub fn value(&self) -> Option<&Value> {
        match &self.body.as_ref()?.content {
            Content::Value(value) => Some(value),
            Content::Raw(_) => None,
        }
    }

    /// The same request with another value in its body.
    pub fn with_value(&self, value: Value) -> Self {
        let mut out = self.clone();
        if let Some(body) = &mut out.body {
            body.content = Content::Value(value);
        }
        out
    }

    /// The request.
    pub fn request(&self) -> Result<Request> {
        let mut target = String::new();
        for segment in self.operation.path.split('/').skip(1) {
            target.push('/');
            match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => match self.path.get(name).map(String::as_str) {
                    None | Some("" | "." | "..") => bail!("the path needs {name}"),
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
            let Value::Object(members) = value else { bail!("a form is made of members") };
            members.iter().map(|(name, member)| Ok((name.clone(), scalar(member)?))).collect()
        };
        Ok(match name.as_str() {
            json if is_json(json) => (serde_json::to_vec(value)?.into(), media),
            "application/x-www-form-urlencoded" => (form(&fields()?).into(), media),
            "multipart/form-data" => {
                let mut text = String::new();
                let Value::Object(members) = value else { bail!("a form is made of members") };
                for (name, member) in members {
                    text.push_str(&format!(
                        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\""
                    ));
                    // A file is written as an object with its name, type and content.
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
        _ => bail!("{value} cannot be written as text"),
    }
}

/// The texts of a parameter's value: several where each item of a list is a parameter of its own.
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
        bail!("a header holds visible ASCII only");
    }
    Ok(texts)
}

fn form(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}
