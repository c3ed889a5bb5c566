//! The contract as the emitters read it: operations with resolved parameters, bodies, responses and credentials. Built
//! once from the named document, in `build` and `security`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use indexmap::IndexMap;
use serde_json::Value;

use crate::lock::Input;
use crate::name::{METHODS, pascal, snake};
use crate::source::{PrincipalSettings, Settings, Source};

mod build;
mod envelope;
mod security;
mod types;

use build::Builder;
pub use envelope::Envelope;
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
    /// The effective document: published contract plus overlay. The server validates against it.
    pub effective: Value,
    /// The effective document with a name for every inline type.
    pub named: Value,
    /// Generated names, with the JSON pointer of the inline schema.
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
    /// The id in snake case: the name of stub, route, app function and client call.
    pub name: String,
    /// The id in Pascal case: the prefix of the operation's own types.
    pub type_name: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// The path with the server prefix: `/api/server/contacts/{id}`.
    pub path: String,
    /// JSON pointer of the operation in the document.
    pub pointer: String,
    /// First tag, or `Default`.
    pub tag: String,
    /// The summary, or empty.
    pub summary: String,
    /// The description, or empty.
    pub description: String,
    /// Whether it is an addition to the published contract.
    pub addition: bool,
    /// Marked deprecated.
    pub deprecated: bool,
    /// Whether the request names a tenant without a credential.
    pub tenant: bool,
    /// The feature that the tenant must have.
    pub feature: Option<String>,
    /// Path, query, header and cookie parameters.
    pub params: Vec<Param>,
    /// Request body.
    pub body: Option<Body>,
    /// Responses in document order.
    pub responses: Vec<Response>,
    /// The accepted kinds of credential. Empty: no credentials are required.
    pub principals: Vec<Accepted>,
    /// Whether calling without any credential is allowed beside `principals`.
    pub anonymous: bool,
}

/// A kind of credential that an operation accepts, and the scopes and roles it then needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The kind, as in the settings.
    pub kind: String,
    /// The required scopes: of every entry at least one.
    pub scopes: Vec<Vec<String>>,
    /// The allowed roles. Empty: any role, or none.
    pub roles: Vec<String>,
}

/// Where a parameter is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamLocation {
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
    /// Name in requests.
    pub name: String,
    /// Rust field name, without `r#`.
    pub rust_name: String,
    /// Where it is sent.
    pub place: ParamLocation,
    /// Whether it is required.
    pub required: bool,
    /// The description, or empty.
    pub description: String,
    /// Schema in the named document.
    pub schema: Value,
    /// JSON pointer of the parameter object.
    #[allow(dead_code, reason = "errors name it")]
    pub pointer: String,
    /// Type.
    pub ty: TypeRef,
    /// The value when it is absent.
    pub default: Option<Value>,
}

/// A request body.
#[derive(Debug, Clone)]
pub struct Body {
    /// Whether it is required.
    pub required: bool,
    /// Media types, at least one.
    pub media: Vec<Media>,
}

/// A media type with its schema.
#[derive(Debug, Clone)]
pub struct Media {
    /// `application/json` and the like.
    pub content_type: String,
    /// Schema in the named document.
    #[allow(dead_code, reason = "multipart fields are read from it")]
    pub schema: Value,
    /// Type; `String` or `Bytes` for text and binary media.
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
    /// Name in requests.
    pub name: String,
    /// Whether it is required.
    pub required: bool,
    /// Whether it is a file.
    pub binary: bool,
}

/// The statuses to which a response applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// This status.
    Code(u16),
    /// A range: 4 is `4XX`.
    Class(u16),
    /// All others.
    Default,
}

impl Status {
    /// Whether it means success: 2XX, 3XX or 101.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Code(100..=399) | Self::Class(1..=3))
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status.
    pub status: Status,
    /// The description, or empty.
    pub description: String,
    /// Media types; empty if it has no body.
    pub media: Vec<Media>,
    /// Header names.
    pub headers: Vec<String>,
}

impl Contract {
    /// Builds the model from a loaded source.
    ///
    /// # Errors
    ///
    /// When a reference does not resolve, operation names collide or a construct is not supported.
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
        security::scheme_features(&source.settings, document, &source.file_name)?;
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

    /// The feature that every principal of a security scheme must have.
    pub fn feature_of_scheme(&self, scheme: &str) -> Option<&str> {
        let name = self.settings.extensions.feature.as_deref()?;
        self.named["components"]["securitySchemes"][scheme][name].as_str()
    }

    /// Names of the component schemas that `start` references, directly or indirectly.
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

    /// Names of the component schemas that a server sends, and of those that it receives.
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

    /// The tag that uses a schema, by schema name; `None` if several tags use it, or none does.
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
    /// The success responses.
    pub fn successes(&self) -> impl Iterator<Item = &Response> {
        self.responses.iter().filter(|response| response.status.is_success())
    }

    /// The component schema of its error bodies; `None` if there are none or several.
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

    /// The module name of its tag.
    pub fn module(&self) -> String {
        snake(&self.tag)
    }
}

/// The tag after which a module is named: tags that differ only in case or punctuation are the same, and a tag without
/// ASCII letters gets a number.
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
