//! The contract: operations with their parameters, bodies, responses and access rules.
//!
//! All of it comes from the OpenAPI document and its settings. A schema stays in the document and is referred to by
//! its JSON pointer, so that a finding can say where the rule is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, Result, bail};
use indexmap::IndexMap;
use jsonschema::Validator;
use serde_json::Value;

use crate::values::{Document, Schema};

mod access;
mod read;
pub mod settings;

pub use access::{Access, CredentialKind, CredentialLocation};
use settings::Settings;

/// Methods of a path item that define operations.
pub const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The header with the idempotency key, named after the IETF draft.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A contract.
#[derive(Debug)]
pub struct Contract {
    /// Title and version.
    pub title: String,
    /// The OpenAPI document.
    pub document: Document,
    /// The published contract, before corrections.
    pub published: Option<Box<Contract>>,
    /// The settings.
    pub settings: Settings,
    /// The credential kinds by name.
    pub kinds: IndexMap<String, CredentialKind>,
    /// The operations in document order.
    pub operations: Vec<Arc<Operation>>,
    validators: RwLock<HashMap<String, Arc<Validator>>>,
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// The operationId, or method and path where there is none.
    pub id: String,
    /// The first tag.
    pub tag: String,
    /// The method in capitals: `POST`.
    pub method: String,
    /// The path with the prefix of the server: `/api/server/contacts/{id}`.
    pub path: String,
    /// JSON pointer of the operation in the document.
    pub pointer: String,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// The request body.
    pub body: Option<Body>,
    /// The documented responses.
    pub responses: Vec<ResponseSpec>,
    /// Who may call it.
    pub access: Access,
    /// Statuses that follow from other parts of the contract, such as 401 from `security`, even if the responses only
    /// list a range.
    pub implied_statuses: BTreeSet<u16>,
    /// Whether the published contract lacks it.
    pub addition: bool,
}

/// Where a parameter is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterLocation {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl ParameterLocation {
    /// The value of `in`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Path, Self::Query, Self::Header, Self::Cookie]
            .into_iter()
            .find(|location| location.name() == name)
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// Where it is sent.
    pub location: ParameterLocation,
    /// Whether it is required.
    pub required: bool,
    /// Whether each item of a list is sent as a parameter of its own.
    pub explode: bool,
    /// JSON pointer of the schema.
    pub schema: Option<String>,
    /// JSON pointer of the parameter in the document.
    pub pointer: String,
    /// The examples.
    pub examples: Vec<Value>,
}

/// A request body.
#[derive(Debug, Clone)]
pub struct Body {
    /// Whether it is required.
    pub required: bool,
    /// The schemas and examples by media type.
    pub media: IndexMap<String, Media>,
    /// JSON pointer of the body in the document.
    pub pointer: String,
}

/// A body of one media type.
#[derive(Debug, Clone, Default)]
pub struct Media {
    /// JSON pointer of the schema.
    pub schema: Option<String>,
    /// The examples.
    pub examples: Vec<Value>,
}

/// The statuses that a documented response applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// This status.
    Exact(u16),
    /// All statuses that start with this digit.
    Range(u16),
    /// All statuses that are not documented otherwise.
    Default,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            b"default" => Some(Self::Default),
            [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => Some(Self::Range(u16::from(digit - b'0'))),
            _ => text.parse().ok().map(Self::Exact),
        }
    }

    /// The key under `responses`: `404`, `4XX` or `default`.
    pub fn text(self) -> String {
        match self {
            Self::Exact(status) => status.to_string(),
            Self::Range(digit) => format!("{digit}XX"),
            Self::Default => "default".to_owned(),
        }
    }
}

/// A documented response.
#[derive(Debug, Clone)]
pub struct ResponseSpec {
    /// Statuses.
    pub status: Status,
    /// The bodies by media type; empty when there is no body.
    pub media: IndexMap<String, Media>,
    /// The headers.
    pub headers: Vec<Header>,
    /// JSON pointer of the response in the document.
    pub pointer: String,
}

/// A header of a documented response.
#[derive(Debug, Clone)]
pub struct Header {
    /// The name.
    pub name: String,
    /// Whether it is required.
    pub required: bool,
    /// JSON pointer of the schema.
    pub schema: Option<String>,
    /// JSON pointer of the header in the document.
    pub pointer: String,
}

impl Operation {
    /// The documented response for `status`: an exact status before a range before `default`.
    pub fn response(&self, status: u16) -> Option<&ResponseSpec> {
        let rank = |response: &&ResponseSpec| match response.status {
            Status::Exact(exact) if exact == status => 3,
            Status::Range(digit) if digit == status / 100 => 2,
            Status::Default => 1,
            _ => 0,
        };
        self.responses.iter().filter(|response| rank(response) > 0).max_by_key(rank)
    }

    /// Whether the method is GET or HEAD.
    pub fn is_read_only(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The parameter with this location and name. Header names are compared without regard to case.
    pub fn parameter(&self, location: ParameterLocation, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| {
            parameter.location == location
                && match location {
                    ParameterLocation::Header => parameter.name.eq_ignore_ascii_case(name),
                    _ => parameter.name == name,
                }
        })
    }

    /// The path parameters of `path`, decoded; `None` when it is not a path of this operation.
    pub fn match_path(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let (wanted, given) = (self.path.split('/'), path.split('/'));
        let mut values = BTreeMap::new();
        if wanted.clone().count() != given.clone().count() {
            return None;
        }
        for (wanted, given) in wanted.zip(given) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(_) if given.is_empty() => return None,
                Some(name) => {
                    let value = percent_encoding::percent_decode_str(given).decode_utf8_lossy();
                    values.insert(name.to_owned(), value.into_owned());
                }
                None if wanted == given => {}
                None => return None,
            }
        }
        Some(values)
    }
}

/// Reads the operations of a document without settings, so without credential kinds.
pub fn operations_of(document: &Value) -> Result<Vec<Operation>> {
    read::operations(document, &Settings::default(), &IndexMap::new())
}

impl Contract {
    /// Reads a contract.
    ///
    /// Fails when a document is not OpenAPI, has no operations, or lacks a security scheme that the settings name.
    pub fn new(document: Value, published: Option<Value>, settings: Settings) -> Result<Self> {
        let info = |name: &str| document["info"][name].as_str().unwrap_or_default().to_owned();
        let title = format!("{} {}", info("title"), info("version")).trim().to_owned();
        let document = Document::new(document).context("the contract")?;
        let kinds = access::credential_kinds(document.root(), &settings)?;
        let operations = read::operations(document.root(), &settings, &kinds)?;
        if operations.is_empty() {
            bail!("the contract has no operations");
        }
        let published = published
            .map(|published| Self::new(published, None, settings.clone()).map(Box::new))
            .transpose()
            .context("the published contract")?;
        let operations = operations.into_iter().map(Arc::new).collect();
        Ok(Self { title, document, published, settings, kinds, operations, validators: RwLock::default() })
    }

    /// The operation with this operationId.
    pub fn operation(&self, id: &str) -> Option<&Arc<Operation>> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// The operation that a request is routed to. A literal path takes precedence over one with variables.
    pub fn route(&self, method: &str, path: &str) -> Option<&Arc<Operation>> {
        self.operations
            .iter()
            .filter(|operation| operation.method == method && operation.match_path(path).is_some())
            .min_by_key(|operation| operation.path.matches('{').count())
    }

    /// The methods that the contract has for `path`.
    pub fn methods(&self, path: &str) -> Vec<&str> {
        self.operations
            .iter()
            .filter(|operation| operation.path == path)
            .map(|operation| operation.method.as_str())
            .collect()
    }

    /// The schema at a JSON pointer.
    pub fn schema(&self, pointer: &str) -> Result<Schema<'_>> {
        Ok(self.document.schema(pointer)?)
    }

    /// The compiled validator of the schema at a JSON pointer. It is cached.
    pub fn validator(&self, pointer: &str) -> Result<Arc<Validator>> {
        if let Some(found) = self.validators.read().unwrap_or_else(PoisonError::into_inner).get(pointer) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(self.document.schema(pointer)?.validator()?);
        let mut all = self.validators.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(all.entry(pointer.to_owned()).or_insert(made)))
    }

    /// The error shape of the schema at a JSON pointer.
    pub fn error_shape(&self, pointer: &str) -> Option<&settings::ErrorShape> {
        let at = read::resolve(self.document.root(), pointer);
        let name = at.strip_prefix("#/components/schemas/")?;
        self.settings.errors.get(name)
    }

    /// The error codes that the settings give for a problem, over all error shapes.
    pub fn error_codes(&self, problem: &str) -> Vec<String> {
        self.settings.errors.values().filter_map(|shape| shape.codes.get(problem)).cloned().collect()
    }

    /// JSON pointer of the target when there is a reference at `pointer`, else `pointer`.
    pub fn resolve(&self, pointer: &str) -> String {
        read::resolve(self.document.root(), pointer)
    }
}
