//! The contract as every emitter reads it: operations with resolved parameters, bodies, answers and
//! credentials. Built once from the named document (in `build`, credentials in `security`); no emitter looks
//! at raw JSON for these again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use indexmap::IndexMap;
use serde_json::Value;

use crate::lock::Input;
use crate::name::{METHODS, pascal, snake};
use crate::source::{PrincipalSettings, Settings, Source};

mod build;
mod security;
mod types;

use build::Builder;
pub use types::{TypeRef, references};

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
    /// The files it was read from.
    pub inputs: Vec<Input>,
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

/// A kind of credential that an operation accepts, and the scopes and roles it then needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The kind, as in the settings.
    pub kind: String,
    /// Scopes that must be held: of each entry one, and of every entry.
    pub scopes: Vec<Vec<String>>,
    /// Roles of which it must act in one. Empty: in any, or in none.
    pub roles: Vec<String>,
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

impl Contract {
    /// Builds the model from a loaded source.
    pub fn build(source: Source) -> Result<Self> {
        let named = crate::name::name(&source.effective, &source.settings.names)?;
        let document = &named.document;
        let mut tags: IndexMap<String, String> = IndexMap::new();
        for tag in document["tags"].as_array().into_iter().flatten() {
            tags.insert(text(tag, "name"), text(tag, "description"));
        }
        let builder = Builder { document, settings: &source.settings, file: &source.file_name };
        let mut operations = Vec::new();
        let mut ids = BTreeMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let mut operation = builder.operation(path, item, method, operation)?;
                operation.tag = canonical_tag(&tags, &operation.tag);
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
        security::codes_exist(&source.settings, document)?;
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
            inputs: source.inputs,
        })
    }

    /// First line of every generated file.
    pub fn mark(&self) -> String {
        format!("@generated by cargo xtask generate from {}; do not edit", self.file_name)
    }

    /// Crate name prefix.
    pub fn prefix(&self) -> String {
        self.settings.prefix.clone().unwrap_or_else(|| {
            let name = snake(self.title.split_whitespace().next().unwrap_or("api")).replace('_', "-");
            if name.is_empty() { "api".into() } else { name }
        })
    }

    /// Name for people, in Pascal case.
    pub fn display_name(&self) -> String {
        pascal(self.settings.title.as_deref().unwrap_or(&self.prefix()))
    }

    /// Settings of a principal kind.
    pub fn principal(&self, kind: &str) -> Option<&PrincipalSettings> {
        self.settings.principal.iter().find(|principal| principal.kind == kind)
    }

    /// Every kind of credential: those of the settings, or one per security scheme.
    pub fn kinds(&self) -> Vec<PrincipalSettings> {
        security::kinds(&self.settings, &self.named)
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
fn canonical_tag(known: &IndexMap<String, String>, tag: &str) -> String {
    let module = snake(tag);
    if module.is_empty() || !module.is_ascii() {
        let number = known.get_index_of(tag).unwrap_or(known.len()) + 1;
        return format!("Tag {number}");
    }
    known.keys().find(|other| snake(other) == module).cloned().unwrap_or_else(|| tag.to_owned())
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}
