//! Checks one response, or one request, against the contract. These checks hold whatever the request was for; what a
//! particular request should lead to is an `Expectation` of `plan`.

use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use url::form_urlencoded;

use crate::contract::settings::ErrorShape;
use crate::contract::{Contract, Operation, ParameterLocation};
use crate::report::Rule;
use crate::values::escape;
use crate::wire::{Request, Response, essence, is_json, truncate};

/// A deviation from the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is violated.
    pub rule: Rule,
    /// JSON pointer into the body or, if it starts with `#`, into the contract.
    pub pointer: String,
    /// What the contract requires.
    pub expected: String,
    /// What was found.
    pub seen: String,
}

impl Finding {
    /// Creates a finding.
    pub fn new(
        rule: Rule,
        pointer: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Self {
        Self { rule, pointer: pointer.into(), expected: expected.into(), seen: seen.into() }
    }
}

/// Prefixes of password hashes.
const HASH_MARKERS: [&str; 8] =
    ["$argon2", "$2a$", "$2b$", "$2y$", "$scrypt$", "$pbkdf2", "$6$rounds=", "{SSHA}"];

/// The header with the request id.
pub const REQUEST_ID: &str = "x-request-id";

/// Checks requests and responses against one contract.
#[derive(Debug)]
pub struct Checker {
    contract: Arc<Contract>,
    /// Texts that no response may contain.
    secrets: Vec<String>,
}

impl Checker {
    /// Creates a checker. `secrets` are texts that no response may contain; those shorter than eight bytes are
    /// ignored.
    pub fn new(contract: Arc<Contract>, secrets: Vec<String>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| secret.len() >= 8).collect();
        Self { contract, secrets }
    }

    /// Whether the response says that the operation is not implemented: 501 with the code that the settings give for
    /// it.
    pub fn is_not_implemented(&self, operation: &Operation, response: &Response) -> bool {
        if response.status != 501 {
            return false;
        }
        let wanted = self
            .error_shape(operation, response)
            .and_then(|shape| Some((shape, shape.codes.get("not_implemented")?)));
        match wanted {
            Some((shape, code)) => {
                response.json().is_some_and(|body| body[&shape.code].as_str() == Some(code.as_str()))
            }
            None => self.contract.settings.errors.is_empty(),
        }
    }

    /// The error shape of a response; `None` when it is not a documented error.
    pub fn error_shape(&self, operation: &Operation, response: &Response) -> Option<&ErrorShape> {
        let media = operation.response(response.status)?.media.get(&response.media_type())?;
        self.contract.error_shape(media.schema.as_ref()?)
    }

    /// The error code of a response.
    pub fn error_code(&self, operation: &Operation, response: &Response) -> Option<String> {
        let shape = self.error_shape(operation, response)?;
        response.json()?[&shape.code].as_str().map(str::to_owned)
    }

    /// The rules that apply to a response.
    pub fn applicable_rules(&self, operation: &Operation, response: &Response) -> Vec<Rule> {
        let mut out = vec![Rule::ServerError, Rule::TimeOut, Rule::Status];
        let Some(spec) = operation.response(response.status) else { return out };
        out.push(Rule::ContentType);
        if !self.secrets.is_empty() {
            out.push(Rule::Secret);
        }
        if !spec.headers.is_empty() {
            out.push(Rule::Header);
        }
        if is_json(&response.media_type()) {
            out.extend([Rule::NotJson, Rule::Body]);
            let published = self.contract.published.as_ref();
            if published
                .and_then(|published| published.operation(&operation.id)?.response(response.status))
                .is_some()
            {
                out.push(Rule::Published);
            }
        }
        out
    }

    /// Checks a response and returns what is wrong with it.
    pub fn check_response(&self, operation: &Operation, response: &Response) -> Vec<Finding> {
        let mut out = Vec::new();
        if self.is_not_implemented(operation, response) {
            return out;
        }
        if response.status >= 500 {
            let pointer = format!("{}/responses", operation.pointer);
            out.push(Finding::new(Rule::ServerError, pointer, "a status below 500", response.summary()));
        }
        self.check_secrets(response, &mut out);
        let media_type = response.media_type();
        let Some(spec) = operation.response(response.status) else {
            let documented: Vec<String> = operation.responses.iter().map(|spec| spec.status.text()).collect();
            out.push(Finding::new(
                Rule::Status,
                format!("{}/responses", operation.pointer),
                documented.join(", "),
                response.summary(),
            ));
            return out;
        };
        for header in &spec.headers {
            self.check_header(header, response, &mut out);
        }
        if spec.media.is_empty() {
            if !response.body.is_empty() {
                let expected = "no body";
                out.push(Finding::new(Rule::ContentType, &spec.pointer, expected, response.summary()));
            }
            return out;
        }
        let Some((name, media)) = select_media(&spec.media, &media_type) else {
            let documented: Vec<&str> = spec.media.keys().map(String::as_str).collect();
            let pointer = format!("{}/content", spec.pointer);
            out.push(Finding::new(Rule::ContentType, pointer, documented.join(", "), response.summary()));
            return out;
        };
        if !is_json(&essence(name)) {
            return out;
        }
        let body: Value = match serde_json::from_slice(&response.body) {
            Ok(body) => body,
            Err(error) => {
                let seen = format!("{error}: {}", response.summary());
                out.push(Finding::new(Rule::NotJson, &spec.pointer, "JSON", seen));
                return out;
            }
        };
        if let Some(schema) = &media.schema {
            out.extend(self.check_body(&self.contract, Rule::Body, schema, &body, None));
        }
        if let Some(published) = &self.contract.published {
            let schema = published
                .operation(&operation.id)
                .and_then(|operation| operation.response(response.status))
                .and_then(|spec| select_media(&spec.media, &media_type))
                .and_then(|(_, media)| media.schema.as_ref());
            // The effective contract may have error codes that the published one lacks.
            let code = self.error_shape(operation, response).map(|shape| format!("/{}", shape.code));
            if let Some(schema) = schema {
                out.extend(self.check_body(published, Rule::Published, schema, &body, code.as_deref()));
            }
        }
        out
    }

    fn check_header(&self, header: &crate::contract::Header, response: &Response, out: &mut Vec<Finding>) {
        let Some(text) = response.header(&header.name) else {
            if header.required {
                let expected = format!("the header {}", header.name);
                out.push(Finding::new(Rule::Header, &header.pointer, expected, "missing"));
            }
            return;
        };
        let Some(validator) = header.schema.as_ref().and_then(|schema| self.contract.validator(schema).ok())
        else {
            return;
        };
        if !possible_values(text).iter().any(|value| validator.is_valid(value)) {
            let pointer = header.schema.clone().unwrap_or_default();
            let expected = format!("the header {} valid against its schema", header.name);
            out.push(Finding::new(Rule::Header, pointer, expected, text));
        }
    }

    fn check_body(
        &self,
        contract: &Contract,
        rule: Rule,
        schema: &str,
        body: &Value,
        open_enum: Option<&str>,
    ) -> Vec<Finding> {
        let validator = match contract.validator(schema) {
            Ok(validator) => validator,
            Err(error) => return vec![Finding::new(rule, schema, "a valid schema", error.to_string())],
        };
        // Most bodies are valid, and `is_valid` is faster than an empty list of errors.
        if validator.is_valid(body) {
            return Vec::new();
        }
        let findings: Vec<Finding> = validator
            .iter_errors(body)
            .filter(|error| {
                !(error.kind().keyword() == "enum" && Some(error.instance_path().as_str()) == open_enum)
            })
            .map(|error| {
                let seen = truncate(&error.instance().to_string(), 300);
                let expected = format!("{} ({}{})", error.masked(), schema, error.schema_path());
                Finding::new(rule, error.instance_path().as_str(), expected, seen)
            })
            .collect();
        findings
    }

    fn check_secrets(&self, response: &Response, out: &mut Vec<Finding>) {
        let text = String::from_utf8_lossy(&response.body);
        let secret = self.secrets.iter().find(|secret| text.contains(secret.as_str()));
        let hash = HASH_MARKERS.iter().find(|hash| text.contains(**hash));
        let (marker, what) = match (secret, hash) {
            (Some(secret), _) => (secret.as_str(), "a secret of the inputs"),
            (None, Some(hash)) => (*hash, "the hash of a secret"),
            (None, None) => return,
        };
        let pointer = response.json().and_then(|body| find_text(&body, marker)).unwrap_or_default();
        out.push(Finding::new(Rule::Secret, pointer, "no secret", what));
    }

    /// Checks a request of a client and returns what is wrong with it. Cookies are not checked.
    ///
    /// Fails when a schema of the contract does not compile.
    pub fn check_request(&self, operation: &Operation, request: &Request) -> Result<Vec<Finding>> {
        let mut out = Vec::new();
        let path = operation.match_path(request.path()).unwrap_or_default();
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for parameter in &operation.parameters {
            let given: Vec<String> = match parameter.location {
                ParameterLocation::Path => path.get(&parameter.name).cloned().into_iter().collect(),
                ParameterLocation::Query => {
                    query.iter().filter(|(name, _)| *name == parameter.name).map(|(_, v)| v.clone()).collect()
                }
                ParameterLocation::Header => {
                    request.header(&parameter.name).map(str::to_owned).into_iter().collect()
                }
                ParameterLocation::Cookie => continue,
            };
            if given.is_empty() {
                if parameter.required {
                    let expected = format!("the {} parameter {}", parameter.location.name(), parameter.name);
                    out.push(Finding::new(Rule::Accepted, &parameter.pointer, expected, "none"));
                }
                continue;
            }
            let Some(schema) = &parameter.schema else { continue };
            let validator = self.contract.validator(schema)?;
            let texts: Vec<String> = match (parameter.explode, given.as_slice()) {
                (false, [one]) => one.split(',').map(str::to_owned).collect(),
                _ => given.clone(),
            };
            let list = || {
                let items: Vec<Value> =
                    texts.iter().filter_map(|text| possible_values(text).into_iter().next()).collect();
                let plain: Vec<Value> = texts.iter().cloned().map(Value::String).collect();
                [Value::Array(items), Value::Array(plain)]
            };
            let fits =
                given.first().is_some_and(|text| possible_values(text).iter().any(|v| validator.is_valid(v)))
                    || list().iter().any(|value| validator.is_valid(value));
            if !fits {
                let expected = format!("the {} parameter {}", parameter.location.name(), parameter.name);
                out.push(Finding::new(Rule::Accepted, schema, expected, truncate(&given.join(", "), 300)));
            }
        }
        let Some(body) = &operation.body else { return Ok(out) };
        let content_type = essence(request.header("content-type").unwrap_or_default());
        let bytes = request.body.as_deref().unwrap_or_default();
        if bytes.is_empty() {
            if body.required {
                out.push(Finding::new(Rule::Accepted, &body.pointer, "a body", "none"));
            }
            return Ok(out);
        }
        match select_media(&body.media, &content_type) {
            None => {
                let documented: Vec<&str> = body.media.keys().map(String::as_str).collect();
                out.push(Finding::new(Rule::MediaType, &body.pointer, documented.join(", "), content_type));
            }
            Some((name, media)) if is_json(&essence(name)) => match serde_json::from_slice::<Value>(bytes) {
                Err(error) => {
                    out.push(Finding::new(Rule::NotJson, &body.pointer, "JSON", error.to_string()));
                }
                Ok(value) => {
                    if let Some(schema) = &media.schema {
                        out.extend(self.check_body(&self.contract, Rule::Accepted, schema, &value, None));
                    }
                }
            },
            Some(_) => {}
        }
        Ok(out)
    }
}

/// The JSON values that a text in a header, path or query can stand for.
pub fn possible_values(text: &str) -> Vec<Value> {
    let mut out = Vec::new();
    if let Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) = serde_json::from_str(text) {
        out.push(value);
    }
    out.push(Value::String(text.to_owned()));
    out
}

/// Selects the documented body for a media type: by name, else `type/*`, else `*/*`.
fn select_media<'m, T>(
    media: &'m indexmap::IndexMap<String, T>,
    media_type: &str,
) -> Option<(&'m str, &'m T)> {
    let family = media_type.split('/').next().unwrap_or_default();
    let wild = format!("{family}/*");
    let find = |wanted: &str| media.iter().find(|(name, _)| essence(name) == wanted);
    find(media_type)
        .or_else(|| find(&wild))
        .or_else(|| find("*/*"))
        .map(|(name, media)| (name.as_str(), media))
}

/// JSON pointer of the first text in `body` that contains `marker`.
pub fn find_text(body: &Value, marker: &str) -> Option<String> {
    match body {
        Value::String(text) => text.contains(marker).then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("/{index}{}", find_text(item, marker)?))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let name = escape(name);
            Some(format!("/{name}{}", find_text(member, marker)?))
        }),
        _ => None,
    }
}
