//! The contract as every emitter reads it: operations with resolved parameters, bodies, answers and
//! credentials. Built once from the named document; no emitter looks at raw JSON for these again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexMap;
use serde_json::Value;

use crate::name::{METHODS, SCHEMA_PREFIX, escape, is_nullable, pascal, snake};
use crate::source::{PrincipalSettings, Settings, Source};

/// A contract ready to be emitted.
#[derive(Debug)]
pub struct Contract {
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: String,
    /// Tags in document order, with their descriptions. Operations without a tag are under `Default`.
    pub tags: IndexMap<String, String>,
    /// Operations in document order.
    pub operations: Vec<Operation>,
    /// Named component schemas in document order, after hoisting.
    pub schemas: IndexMap<String, Value>,
    /// The effective document, as published plus overlay: what is checked against at run time.
    pub effective: Value,
    /// The same document with every inline type named.
    pub named: Value,
    /// Names that the generator gave, with the JSON pointer of the inline schema.
    pub hoisted: IndexMap<String, String>,
    /// What is particular to this contract.
    pub settings: Settings,
    /// File name of the contract.
    pub file_name: String,
    /// Hex SHA-256 over all inputs.
    pub digest: String,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The contract's `operationId`.
    pub id: String,
    /// The same in snake case: the name of stub, route, app function and client call.
    pub name: String,
    /// The same in Pascal case: prefix of the operation's own types.
    pub type_name: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// Path as a client sees it, server prefix included: `/api/server/contacts/{id}`.
    pub path: String,
    /// JSON pointer of the operation in the document.
    pub pointer: String,
    /// First tag, or `Default`.
    pub tag: String,
    /// One line.
    pub summary: String,
    /// More than one line, or empty.
    pub description: String,
    /// Whether the published contract lacks it.
    pub addition: bool,
    /// Marked deprecated.
    pub deprecated: bool,
    /// Whether the request names a tenant without a credential.
    pub tenant: bool,
    /// Path, query, header and cookie parameters.
    pub params: Vec<Param>,
    /// Request body.
    pub body: Option<Body>,
    /// Answers in document order.
    pub responses: Vec<Response>,
    /// Who may call it. Empty: anybody.
    pub principals: Vec<Accepted>,
    /// Whether calling without any credential is allowed beside `principals`.
    pub anonymous: bool,
}

/// A kind of credential that an operation accepts, and the scopes it then needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The kind, as in the settings.
    pub kind: String,
    /// Scopes that must be held: of each entry one, and of every entry.
    pub scopes: Vec<Vec<String>>,
}

/// Where a parameter travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// Name on the wire.
    pub name: String,
    /// Rust field name, without `r#`.
    pub rust_name: String,
    /// Where it travels.
    pub place: Place,
    /// Whether it must be sent.
    pub required: bool,
    /// Words about it.
    pub description: String,
    /// Its schema in the named document.
    pub schema: Value,
    /// Its JSON pointer: of the parameter object.
    #[allow(dead_code, reason = "errors name it")]
    pub pointer: String,
    /// Its type.
    pub ty: TypeRef,
    /// The value when it is absent.
    pub default: Option<Value>,
}

/// A request body.
#[derive(Debug, Clone)]
pub struct Body {
    /// Whether it must be sent.
    pub required: bool,
    /// Its media types, at least one.
    pub media: Vec<Media>,
}

/// A media type with what it carries.
#[derive(Debug, Clone)]
pub struct Media {
    /// `application/json` and the like.
    pub content_type: String,
    /// Schema in the named document.
    #[allow(dead_code, reason = "multipart fields are read from it")]
    pub schema: Value,
    /// Its type; `String` or `Bytes` for text and binary media.
    pub ty: TypeRef,
    /// Fields when it is a multipart form.
    pub fields: Vec<FormField>,
    /// An example of a whole value.
    #[allow(dead_code, reason = "documentation examples")]
    pub example: Option<Value>,
}

/// One field of a multipart form.
#[derive(Debug, Clone)]
pub struct FormField {
    /// Name on the wire.
    pub name: String,
    /// Whether it must be sent.
    pub required: bool,
    /// Whether it is a file.
    pub binary: bool,
}

/// Which statuses an answer stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Exactly this one.
    Code(u16),
    /// A whole class: 4 is `4XX`.
    Class(u16),
    /// Everything else.
    Default,
}

impl Status {
    /// Whether it means success: 2XX, 3XX or 101.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Code(100..=399) | Self::Class(1..=3))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Its status.
    pub status: Status,
    /// Words about it.
    pub description: String,
    /// Its media types; empty when it has no body.
    pub media: Vec<Media>,
    /// Header names.
    pub headers: Vec<String>,
}

/// A Rust type, as far as the contract decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeRef {
    /// A component schema.
    Named(String),
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// `i64`.
    I64,
    /// `i32`.
    I32,
    /// `f64`.
    F64,
    /// `bool`.
    Bool,
    /// A point in time.
    DateTime,
    /// A day.
    Date,
    /// A list.
    List(Box<TypeRef>),
    /// A map by name.
    Map(Box<TypeRef>),
    /// A value or null.
    Nullable(Box<TypeRef>),
    /// Any JSON value.
    Any,
}

impl TypeRef {
    /// The type of `schema`, which has been through naming.
    pub fn of(schema: &Value, pointer: &str) -> Result<Self> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference
                .strip_prefix(SCHEMA_PREFIX)
                .ok_or_else(|| anyhow!("{pointer}: reference {reference} leads outside {SCHEMA_PREFIX}"))?;
            return Ok(Self::Named(pascal(name)));
        }
        if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
        {
            let solid: Vec<&Value> = branches.iter().filter(|branch| branch["type"] != "null").collect();
            if let [only] = solid.as_slice() {
                let inner = Self::of(only, pointer)?;
                return Ok(if solid.len() < branches.len() {
                    Self::Nullable(Box::new(inner))
                } else {
                    inner
                });
            }
            if solid.iter().all(|branch| branch["type"] == "string") {
                return Ok(Self::String);
            }
            return Ok(Self::Any);
        }
        let nullable = is_nullable(schema);
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => Some(kind.as_str()),
            Some(Value::Array(kinds)) => {
                let solid: Vec<&str> =
                    kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
                if let [only] = solid.as_slice() { Some(*only) } else { None }
            }
            _ => None,
        };
        let format = schema.get("format").and_then(Value::as_str);
        let inner = match kind {
            Some("string") => match format {
                Some("date-time") => Self::DateTime,
                Some("date") => Self::Date,
                Some("binary") => Self::Bytes,
                _ => Self::String,
            },
            Some("integer") if format == Some("int32") => Self::I32,
            Some("integer") => Self::I64,
            Some("number") => Self::F64,
            Some("boolean") => Self::Bool,
            Some("array") => {
                let items = schema.get("items").cloned().unwrap_or(Value::Bool(true));
                Self::List(Box::new(Self::of(&items, pointer)?))
            }
            Some("object") => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Self::Map(Box::new(Self::of(values, pointer)?)),
                _ => Self::Map(Box::new(Self::Any)),
            },
            _ => Self::Any,
        };
        Ok(if nullable { Self::Nullable(Box::new(inner)) } else { inner })
    }
}

impl Contract {
    /// Builds the model from a loaded source.
    pub fn build(source: Source) -> Result<Self> {
        let named = crate::name::name(&source.effective, &source.settings.names)?;
        let document = &named.document;
        let mut tags: IndexMap<String, String> = IndexMap::new();
        for tag in document["tags"].as_array().into_iter().flatten() {
            tags.insert(text(tag, "name"), text(tag, "description"));
        }
        let mut builder = Builder { document, settings: &source.settings, file: &source.file_name };
        let mut operations = Vec::new();
        let mut ids = BTreeMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let mut operation = builder.operation(path, item, method, operation)?;
                operation.tag = spoken_tag(&tags, &operation.tag);
                if let Some(other) = ids.insert(operation.name.clone(), operation.pointer.clone()) {
                    bail!(
                        "{}: {}: operationId {} collides with that of {other}; rename one",
                        source.file_name,
                        operation.pointer,
                        operation.id
                    );
                }
                tags.entry(operation.tag.clone()).or_default();
                operations.push(operation);
            }
        }
        tags.retain(|tag, _| operations.iter().any(|operation| &operation.tag == tag));
        let schemas = document["components"]["schemas"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), schema.clone()))
            .collect();
        codes_exist(&source.settings, document)?;
        Ok(Self {
            title: text(&document["info"], "title"),
            version: text(&document["info"], "version"),
            tags,
            operations,
            schemas,
            effective: source.effective,
            named: named.document,
            hoisted: named.hoisted,
            settings: source.settings,
            file_name: source.file_name,
            digest: source.digest,
        })
    }

    /// First line of every generated file.
    pub fn mark(&self) -> String {
        format!("@generated by cargo xtask generate from {} {}; do not edit", self.file_name, self.digest)
    }

    /// Crate name prefix.
    pub fn prefix(&self) -> String {
        self.settings.prefix.clone().unwrap_or_else(|| {
            let name = snake(self.title.split_whitespace().next().unwrap_or("api")).replace('_', "-");
            if name.is_empty() { "api".into() } else { name }
        })
    }

    /// Spoken name in Pascal case.
    pub fn spoken(&self) -> String {
        pascal(self.settings.title.as_deref().unwrap_or(&self.prefix()))
    }

    /// Settings of a principal kind.
    pub fn principal(&self, kind: &str) -> Option<&PrincipalSettings> {
        self.settings.principal.iter().find(|principal| principal.kind == kind)
    }

    /// Every kind of credential: those of the settings, or one per security scheme.
    pub fn kinds(&self) -> Vec<PrincipalSettings> {
        kinds(&self.settings, &self.named)
    }

    /// Names of the component schemas that can be reached from `start`, itself included.
    pub fn reach(&self, start: &Value) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut queue = references(start);
        while let Some(name) = queue.pop() {
            if seen.insert(name.clone())
                && let Some(schema) = self.schemas.get(&name)
            {
                queue.extend(references(schema));
            }
        }
        seen
    }

    /// Component schemas that a server sends, and those that it receives.
    pub fn directions(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut sent, mut received) = (BTreeSet::new(), BTreeSet::new());
        for operation in &self.operations {
            for response in &operation.responses {
                for media in &response.media {
                    sent.extend(self.reach(&media.schema));
                }
            }
            for media in operation.body.iter().flat_map(|body| &body.media) {
                received.extend(self.reach(&media.schema));
            }
            for param in &operation.params {
                received.extend(self.reach(&param.schema));
            }
        }
        (sent, received)
    }

    /// The tag whose file a schema belongs in; `None` when several tags share it, or none uses it.
    pub fn home(&self) -> BTreeMap<String, Option<String>> {
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for operation in &self.operations {
            let mut all = BTreeSet::new();
            for media in operation.responses.iter().flat_map(|response| &response.media) {
                all.extend(self.reach(&media.schema));
            }
            for media in operation.body.iter().flat_map(|body| &body.media) {
                all.extend(self.reach(&media.schema));
            }
            for param in &operation.params {
                all.extend(self.reach(&param.schema));
            }
            for name in all {
                users.entry(name).or_default().insert(operation.tag.clone());
            }
        }
        self.schemas
            .keys()
            .map(|name| {
                let tags = users.get(name);
                let home = tags.filter(|tags| tags.len() == 1).and_then(|tags| tags.first().cloned());
                (name.clone(), home)
            })
            .collect()
    }
}

impl Operation {
    /// The answers that mean success.
    pub fn successes(&self) -> impl Iterator<Item = &Response> {
        self.responses.iter().filter(|response| response.status.is_success())
    }

    /// The component schema of its error bodies; `None` when it documents none or several.
    pub fn error_schema(&self) -> Option<String> {
        let mut names: Vec<String> = self
            .responses
            .iter()
            .filter(|response| !response.status.is_success())
            .flat_map(|response| &response.media)
            .filter_map(|media| if let TypeRef::Named(name) = &media.ty { Some(name.clone()) } else { None })
            .collect();
        names.dedup();
        if names.len() == 1 { names.pop() } else { None }
    }

    /// Module (file) name of its tag.
    pub fn module(&self) -> String {
        snake(&self.tag)
    }
}

/// The tag under which code is filed: tags that differ in case or signs only are one, and one without a letter
/// that a file name may have is numbered.
fn spoken_tag(known: &IndexMap<String, String>, tag: &str) -> String {
    let module = snake(tag);
    if module.is_empty() || !module.is_ascii() {
        let number = known.get_index_of(tag).unwrap_or(known.len()) + 1;
        return format!("Tag {number}");
    }
    known.keys().find(|other| snake(other) == module).cloned().unwrap_or_else(|| tag.to_owned())
}

fn kinds(settings: &Settings, document: &Value) -> Vec<PrincipalSettings> {
    if !settings.principal.is_empty() {
        return settings.principal.clone();
    }
    let schemes = document["components"]["securitySchemes"].as_object();
    schemes
        .into_iter()
        .flatten()
        .map(|(name, _)| PrincipalSettings {
            kind: snake(name),
            scheme: name.clone(),
            scopes: Some(String::new()),
            ..PrincipalSettings::default()
        })
        .collect()
}

/// Component schema names that `value` refers to directly.
pub fn references(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    collect_references(value, &mut out);
    out
}

fn collect_references(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(name) =
                object.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(SCHEMA_PREFIX))
            {
                out.push(name.to_owned());
            }
            for (key, child) in object {
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum" | "const") {
                    collect_references(child, out);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, out)),
        _ => {}
    }
}

struct Builder<'a> {
    document: &'a Value,
    settings: &'a Settings,
    file: &'a str,
}

impl<'a> Builder<'a> {
    /// Follows a `$ref` to a component other than a schema.
    fn resolve<'v>(&self, value: &'v Value, pointer: &str) -> Result<&'v Value>
    where
        'a: 'v,
    {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
        let target = reference
            .strip_prefix('#')
            .and_then(|pointer| self.document.pointer(pointer))
            .with_context(|| format!("{}: {pointer}: {reference} leads nowhere", self.file))?;
        self.resolve(target, reference)
    }

    fn operation(
        &mut self,
        path: &str,
        item: &'a Value,
        method: &str,
        operation: &'a Value,
    ) -> Result<Operation> {
        let pointer = format!("#/paths/{}/{method}", escape(path));
        let id = operation
            .get("operationId")
            .and_then(Value::as_str)
            .map_or_else(|| snake(&format!("{method}_{path}")), str::to_owned);
        let params = self.params(path, item, operation, &pointer)?;
        let body = match operation.get("requestBody") {
            Some(body) => Some(self.body(body, &format!("{pointer}/requestBody"))?),
            None => None,
        };
        let mut responses = Vec::new();
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            responses.push(self.response(status, response, &format!("{pointer}/responses/{status}"))?);
        }
        let (principals, anonymous) = self.security(operation, &pointer)?;
        let flag = |name: &Option<String>| {
            name.as_ref().is_some_and(|name| operation.get(name.as_str()) == Some(&Value::Bool(true)))
        };
        Ok(Operation {
            name: snake(&id),
            type_name: pascal(&snake(&id)),
            method: method.to_uppercase(),
            path: format!("{}{path}", self.prefix(item, operation)),
            tag: operation["tags"][0].as_str().unwrap_or("Default").to_owned(),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            addition: flag(&self.settings.extensions.addition),
            deprecated: operation["deprecated"] == Value::Bool(true),
            tenant: flag(&self.settings.extensions.tenant),
            params,
            body,
            responses,
            principals,
            anonymous,
            pointer,
            id,
        })
    }

    /// Path part of the first server URL that is in force.
    fn prefix(&self, item: &Value, operation: &Value) -> String {
        let servers =
            operation.get("servers").or_else(|| item.get("servers")).or_else(|| self.document.get("servers"));
        let url = servers.and_then(|servers| servers[0]["url"].as_str()).unwrap_or("");
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = if url.contains("://") {
            after_scheme.find('/').map_or("", |start| &after_scheme[start..])
        } else {
            url
        };
        let path = path.trim_end_matches('/');
        if path.contains('{') { String::new() } else { path.to_owned() }
    }

    fn params(&self, path: &str, item: &'a Value, operation: &'a Value, pointer: &str) -> Result<Vec<Param>> {
        let mut found: IndexMap<(String, String), Param> = IndexMap::new();
        let shared = item["parameters"].as_array().into_iter().flatten();
        let own = operation["parameters"].as_array().into_iter().flatten();
        for (index, raw) in shared.chain(own).enumerate() {
            let pointer = format!("{pointer}/parameters/{index}");
            let param = self.resolve(raw, &pointer)?;
            let name = text(param, "name");
            let place = match param["in"].as_str() {
                Some("path") => Place::Path,
                Some("query") => Place::Query,
                Some("header") => Place::Header,
                Some("cookie") => Place::Cookie,
                other => bail!("{}: {pointer}: parameter place {other:?} is not known", self.file),
            };
            let schema = param
                .get("schema")
                .or_else(|| {
                    param
                        .get("content")
                        .and_then(Value::as_object)
                        .and_then(|all| all.values().next()?.get("schema"))
                })
                .cloned()
                .unwrap_or(Value::Bool(true));
            let target = match schema.get("$ref") {
                Some(_) => self.resolve(&schema, &pointer)?.clone(),
                None => schema.clone(),
            };
            let default = schema.get("default").or_else(|| target.get("default")).cloned();
            let key = (name.clone(), format!("{place:?}"));
            let param = Param {
                rust_name: snake(&name),
                place,
                required: place == Place::Path || param["required"] == Value::Bool(true),
                description: text(param, "description"),
                ty: TypeRef::of(&schema, &pointer).map_err(|error| anyhow!("{}: {error}", self.file))?,
                schema,
                pointer,
                default,
                name,
            };
            found.insert(key, param);
        }
        let mut params: Vec<Param> = found.into_values().collect();
        let template: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for variable in &template {
            if !params.iter().any(|param| param.place == Place::Path && param.name == *variable) {
                bail!(
                    "{}: {pointer}: path variable {{{variable}}} is not declared as a parameter",
                    self.file
                );
            }
        }
        params.retain(|param| param.place != Place::Path || template.contains(&param.name.as_str()));
        // Path variables first and in the order of the path: that is how people call them.
        params.sort_by_key(|param| match param.place {
            Place::Path => template.iter().position(|variable| *variable == param.name).unwrap_or(0),
            _ => usize::MAX,
        });
        let mut names = BTreeSet::new();
        for param in &mut params {
            while !names.insert(param.rust_name.clone()) || param.rust_name == "body" {
                param.rust_name.push('_');
            }
        }
        Ok(params)
    }

    fn body(&self, raw: &'a Value, pointer: &str) -> Result<Body> {
        let body = self.resolve(raw, pointer)?;
        let media = self.media(body, pointer)?;
        if media.is_empty() {
            bail!("{}: {pointer}: a request body without a media type", self.file);
        }
        Ok(Body { required: body["required"] == Value::Bool(true), media })
    }

    fn response(&self, status: &str, raw: &'a Value, pointer: &str) -> Result<Response> {
        let response = self.resolve(raw, pointer)?;
        let status = match status {
            "default" => Status::Default,
            class if class.to_ascii_uppercase().ends_with("XX") => Status::Class(
                class[..1].parse().with_context(|| format!("{}: {pointer}: status {class}", self.file))?,
            ),
            code => Status::Code(
                code.parse().with_context(|| format!("{}: {pointer}: status {code}", self.file))?,
            ),
        };
        Ok(Response {
            status,
            description: text(response, "description"),
            media: self.media(response, pointer)?,
            headers: response["headers"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect(),
        })
    }

    fn media(&self, holder: &'a Value, pointer: &str) -> Result<Vec<Media>> {
        let mut out = Vec::new();
        for (content_type, media) in holder["content"].as_object().into_iter().flatten() {
            let pointer = format!("{pointer}/content/{}/schema", escape(content_type));
            let schema = media.get("schema").cloned().unwrap_or(Value::Bool(true));
            let ty = if content_type.contains("json") || content_type.contains("urlencoded") {
                TypeRef::of(&schema, &pointer).map_err(|error| anyhow!("{}: {error}", self.file))?
            } else if content_type.starts_with("text/") || content_type == "application/sdp" {
                TypeRef::String
            } else {
                TypeRef::Bytes
            };
            let fields = if content_type.starts_with("multipart/") {
                self.form_fields(&schema, &pointer)?
            } else {
                Vec::new()
            };
            let example = media
                .get("example")
                .or_else(|| {
                    media
                        .get("examples")
                        .and_then(Value::as_object)
                        .and_then(|all| all.values().next()?.get("value"))
                })
                .cloned();
            out.push(Media { content_type: content_type.clone(), schema, ty, fields, example });
        }
        Ok(out)
    }

    fn form_fields(&self, schema: &Value, pointer: &str) -> Result<Vec<FormField>> {
        let target = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference
                .strip_prefix('#')
                .and_then(|pointer| self.document.pointer(pointer))
                .with_context(|| format!("{}: {pointer}: {reference} leads nowhere", self.file))?,
            None => schema,
        };
        let required: Vec<&str> =
            target["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        Ok(target["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, field)| FormField {
                name: name.clone(),
                required: required.contains(&name.as_str()),
                binary: field["format"] == "binary" || field.get("contentMediaType").is_some(),
            })
            .collect())
    }

    /// The scopes that the extension names: an entry is one scope, or a list of which any one will do.
    fn scopes(&self, operation: &Value, pointer: &str) -> Result<Option<Vec<Vec<String>>>> {
        let Some(name) = &self.settings.extensions.scopes else { return Ok(None) };
        let Some(entries) = operation.get(name.as_str()) else { return Ok(None) };
        let pointer = format!("{pointer}/{name}");
        let Some(entries) = entries.as_array() else {
            bail!("{}: {pointer}: a list of scopes is needed here", self.file)
        };
        let scope = |value: &Value| value.as_str().map(str::to_owned);
        let read = |(index, entry): (usize, &Value)| {
            let any: Option<Vec<String>> = match entry {
                Value::Array(any) => any.iter().map(scope).collect(),
                one => scope(one).map(|scope| vec![scope]),
            };
            any.filter(|any| !any.is_empty()).with_context(|| {
                format!(
                    "{}: {pointer}/{index}: a scope is needed here, or a list of scopes of which any will do",
                    self.file
                )
            })
        };
        entries.iter().enumerate().map(read).collect::<Result<_>>().map(Some)
    }

    fn security(&self, operation: &Value, pointer: &str) -> Result<(Vec<Accepted>, bool)> {
        let alternatives = operation.get("security").or_else(|| self.document.get("security"));
        let Some(alternatives) = alternatives.and_then(Value::as_array) else {
            return Ok((Vec::new(), true));
        };
        let all = kinds(self.settings, self.document);
        let list = |name: &Option<String>| -> Option<Vec<String>> {
            let values = operation.get(name.as_deref()?)?.as_array()?;
            Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let scopes = self.scopes(operation, pointer)?;
        let allowed = list(&self.settings.extensions.principals);
        let mut accepted: Vec<Accepted> = Vec::new();
        let mut anonymous = alternatives.is_empty();
        for alternative in alternatives {
            let Some(schemes) = alternative.as_object() else { continue };
            if schemes.is_empty() {
                anonymous = true;
            }
            for (scheme, standard_scopes) in schemes {
                let extra = self.settings.schemes.get(scheme);
                let mut any = false;
                for kind in &all {
                    let carried =
                        kind.scheme == *scheme || extra.is_some_and(|kinds| kinds.contains(&kind.kind));
                    if !carried {
                        continue;
                    }
                    any = true;
                    if allowed.as_ref().is_some_and(|allowed| !allowed.contains(&kind.kind))
                        || accepted.iter().any(|other| other.kind == kind.kind)
                    {
                        continue;
                    }
                    let scopes = match (&scopes, &kind.scopes) {
                        (Some(scopes), Some(prefix)) => {
                            let others: Vec<&str> = all
                                .iter()
                                .filter_map(|other| other.scopes.as_deref())
                                .filter(|other| !other.is_empty())
                                .collect();
                            let own = |scope: &&String| {
                                if prefix.is_empty() {
                                    !others.iter().any(|other| scope.starts_with(other))
                                } else {
                                    scope.starts_with(prefix.as_str())
                                }
                            };
                            scopes
                                .iter()
                                .map(|any| any.iter().filter(own).cloned().collect::<Vec<_>>())
                                .filter(|any| !any.is_empty())
                                .collect()
                        }
                        (None, Some(_)) => standard_scopes
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(Value::as_str)
                            .map(|scope| vec![scope.to_owned()])
                            .collect(),
                        _ => Vec::new(),
                    };
                    accepted.push(Accepted { kind: kind.kind.clone(), scopes });
                }
                if !any {
                    bail!(
                        "{}: {pointer}/security: scheme {scheme} carries no known kind of credential; declare it in components.securitySchemes or in the settings",
                        self.file
                    );
                }
            }
        }
        if let Some(allowed) = allowed {
            for kind in &allowed {
                if !accepted.iter().any(|entry| entry.kind == *kind) {
                    bail!(
                        "{}: {pointer}: kind {kind} is not carried by the operation's security schemes",
                        self.file
                    );
                }
            }
        }
        Ok((accepted, anonymous))
    }
}

/// Refuses settings that name an error code which the contract does not have.
fn codes_exist(settings: &Settings, document: &Value) -> Result<()> {
    let mut known: Vec<&str> = Vec::new();
    for (schema, error) in &settings.errors {
        let body = &document["components"]["schemas"][schema.as_str()];
        if !body.is_object() {
            bail!("settings [errors.{schema}]: the contract has no such schema");
        }
        let Some(member) = &error.code else { continue };
        let mut code = &body["properties"][member.as_str()];
        if let Some(name) = code["$ref"].as_str().and_then(|reference| reference.strip_prefix(SCHEMA_PREFIX))
        {
            code = &document["components"]["schemas"][name];
        }
        let Some(values) = code["enum"].as_array() else { return Ok(()) };
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        for (problem, code) in &error.codes {
            if !values.contains(&code.as_str()) {
                bail!("settings [errors.{schema}.codes] {problem}: the contract has no code {code}");
            }
        }
        known.extend(values);
    }
    for principal in &settings.principal {
        let codes = [&principal.missing, &principal.invalid, &principal.expired, &principal.denied];
        for code in codes.into_iter().flatten() {
            if !known.is_empty() && !known.contains(&code.as_str()) {
                bail!("settings [[principal]] {}: the contract has no error code {code}", principal.kind);
            }
        }
    }
    Ok(())
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}
